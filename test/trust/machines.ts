/** What the suites of trust need of the machine: the native addon, a software WebGPU adapter, a built dist/. */

import { describe } from 'vitest'
import { loadAddon } from '../../src/device/native/binding.js'

const there = ((): boolean => {
  try {
    loadAddon()
    return true
  } catch (error) {
    if (process.env.LFM_REQUIRE_NATIVE) throw error
    return false
  }
})()

/** A suite that needs the native addon: an error without it where it is required, else left out. */
export const describeNative = (name: string, suite: () => void): void => {
  describe.skipIf(!there)(name, suite)
}
