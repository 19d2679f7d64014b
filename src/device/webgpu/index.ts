/** The WebGPU device: opens an adapter and gives a Device that runs programs as WGSL. */

import type { Device } from '../device.js'
import { openAdapter, readShader } from './adapter.js'
import { fileFindings } from './cache-file.js'
import { WebgpuDevice } from './device.js'
import type { Findings } from './findings.js'

export { type AdapterInfo, listAdapters } from './adapter.js'

export interface WebgpuOptions {
  /** part of the adapter's name; left out: the first of hardware, else of software */
  readonly adapter?: string
  /** leave out Dawn's own checks, once a program has passed with them: see proof.ts */
  readonly fast?: boolean
  /** variant to take for a kernel, in place of the one that the adapter suggests */
  readonly variants?: Readonly<Record<string, string>>
  /** time launches, where the adapter has a clock; see ../profile.ts */
  readonly profile?: boolean
  /** what is known of the adapter already; left out: the file under the user's cache folder */
  readonly findings?: Findings
  /** told what deserves a word */
  readonly onWarning?: (message: string) => void
}

export async function openWebgpu(options: WebgpuOptions = {}): Promise<Device> {
  const { fast = false, variants = {}, profile = false, onWarning = () => undefined } = options
  const opened = await openAdapter(options.adapter, fast)
  const findings = options.findings ?? fileFindings(opened.info, onWarning)
  const safe = (): Promise<Device> => openWebgpu({ ...options, adapter: opened.info.name, fast: false, findings })
  return WebgpuDevice.open(opened, readShader, { variants, profile, findings, openSafe: fast ? safe : null })
}
