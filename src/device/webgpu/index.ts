/** The WebGPU device: opens an adapter and gives a Device that runs programs as WGSL. */

import type { Device } from '../device.js'
import { openAdapter, readShader } from './adapter.js'
import { WebgpuDevice } from './device.js'

export { type AdapterInfo, listAdapters } from './adapter.js'

export interface WebgpuOptions {
  /** part of the adapter's name; left out: the first of hardware, else of software */
  readonly adapter?: string
  /** leave out Dawn's own checks, for measured code */
  readonly fast?: boolean
  /** variant to take for a kernel, in place of the one that the adapter suggests */
  readonly variants?: Readonly<Record<string, string>>
  /** time launches, where the adapter has a clock; see ../profile.ts */
  readonly profile?: boolean
}

export async function openWebgpu(options: WebgpuOptions = {}): Promise<Device> {
  const opened = await openAdapter(options.adapter, options.fast ?? false)
  const { variants = {}, profile = false } = options
  return WebgpuDevice.open(opened, readShader, { variants, profile })
}
