/** The native addon as a help to the other devices: what Node itself cannot ask the system for. */

import { type Addon, loadAddon } from '../native/binding.js'

export function addonIfThere(): Addon | null {
  try {
    return loadAddon()
  } catch {
    return null
  }
}

/**
 * Gives the system back what the C library keeps of freed memory (glibc). A WebGPU driver compiles on threads of its own, which
 * end with the device; what they freed stays in arenas of theirs, and device after device took some megabytes more.
 */
export const trimMemory = (): void => addonIfThere()?.trimMemory()
