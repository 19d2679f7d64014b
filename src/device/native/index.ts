/** The native device: C++ kernels through Node-API. This file and device.ts are TypeScript's half; native/ is the other. */

import { DeviceError } from '../../errors.js'
import type { Device } from '../device.js'
import { loadAddon, type NativeInfo } from './binding.js'
import { checkVariants } from './composites.js'
import { NativeEngine } from './device.js'

export interface NativeOptions {
  /** forced variants by contract name: `fused` or `expanded` for a composite, `direct` or `winograd` for a convolution */
  readonly variants?: Readonly<Record<string, string>>
  /** time every operation of every run: see ../profile.ts */
  readonly profile?: boolean
}

/** Opens the native device. Throws DeviceError where the addon is missing, or LFM_CPU or LFM_THREADS cannot be followed. */
export async function openNative({ variants = {}, profile = false }: NativeOptions = {}): Promise<Device> {
  checkVariants(variants)
  const addon = loadAddon()
  let info: NativeInfo
  try {
    info = addon.info()
  } catch (error) {
    throw new DeviceError((error as Error).message)
  }
  return new NativeEngine(addon, info, variants, profile)
}
