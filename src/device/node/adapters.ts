/** The WebGPU adapters of this machine, without Dawn's own lines on stderr. */

import type { AdapterInfo } from '../webgpu/node/index.js'
import { quietly } from './quiet.js'

/** All adapters, hardware ones first. Throws DeviceError where Dawn cannot be loaded. */
export async function listAdapters(): Promise<AdapterInfo[]> {
  const webgpu = await import('../webgpu/node/index.js')
  return webgpu.listAdapters(quietly)
}
