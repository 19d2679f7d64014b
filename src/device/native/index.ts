/** The native device: C++ kernels through Node-API. This file and device.ts are TypeScript's half; native/ is the other. */

import { DeviceError } from '../../errors.js'
import type { Device } from '../device.js'
import { loadAddon, type NativeInfo } from './binding.js'
import { NativeEngine } from './device.js'

export interface NativeOptions {
  /** forced variants by contract name; the native kernels have one each, so that only that one may be named */
  readonly variants?: Readonly<Record<string, string>>
}

/** Opens the native device. Throws DeviceError where the addon is missing, or LFM_CPU or LFM_THREADS cannot be followed. */
export async function openNative(_options: NativeOptions = {}): Promise<Device> {
  const addon = loadAddon()
  let info: NativeInfo
  try {
    info = addon.info()
  } catch (error) {
    throw new DeviceError((error as Error).message)
  }
  return new NativeEngine(new addon.Device(), info)
}
