/** The WebGPU device: opens an adapter and gives a Device that runs programs as WGSL. */

import { invalid } from '../../../errors.js'
import type { Device } from '../../device.js'
import { WebgpuDevice, type WebgpuDeviceOptions } from '../device.js'
import { type Findings, foundAnew } from '../findings.js'
import { FAST_BY_DEFAULT } from '../toggles.js'
import { openAdapter, type Quietly, readShader } from './adapter.js'
import { fileFindings } from './cache-file.js'

export type { AdapterInfo } from '../adapter-info.js'
export { listAdapters } from './adapter.js'

const autotunes = ['off', 'on', 'again'] as const
export type Autotune = (typeof autotunes)[number]

function autotuneOfEnvironment(): Autotune {
  const given = process.env.LFM_AUTOTUNE || 'on'
  const known = autotunes.find((one) => one === given)
  if (!known) throw invalid('LFM_AUTOTUNE', `one of ${autotunes.join(', ')}`, given)
  return known
}

export interface WebgpuOptions {
  /** part of the adapter's name; left out: the first of hardware, else of software */
  readonly adapter?: string
  /** leave out Dawn's own checks, once a program has passed with them: see proof.ts; default FAST_BY_DEFAULT (toggles.ts) */
  readonly fast?: boolean
  /** variant to take for a kernel, in place of the one that the adapter suggests */
  readonly variants?: Readonly<Record<string, string>>
  /** time launches, where the adapter has a clock; see ../profile.ts */
  readonly profile?: boolean
  /** measure variants and take the fastest; again: whatever is known; default: what LFM_AUTOTUNE says (off, on, again), else on */
  readonly autotune?: Autotune
  /** what is known of the adapter already; left out: the file under the user's cache folder */
  readonly findings?: Findings
  /** limits below the adapter's own, to see what a smaller one would do */
  readonly limits?: WebgpuDeviceOptions['limits']
  /** keeps back what Dawn writes to stderr while adapters are asked for; left out: it is seen */
  readonly quietly?: Quietly
  /** told what deserves a word */
  readonly onWarning?: (message: string) => void
  /** told now and then while variants are measured for seconds; left out: as onWarning */
  readonly onTuning?: (message: string) => void
  /** called when the device has been disposed of */
  readonly onDisposed?: () => void
}

export async function openWebgpu(options: WebgpuOptions = {}): Promise<Device> {
  const { fast = FAST_BY_DEFAULT, variants = {}, profile = false, limits = {}, onWarning = () => undefined } = options
  const { autotune = autotuneOfEnvironment() } = options
  const opened = await openAdapter(options.adapter, fast, options.quietly)
  const known = options.findings ?? fileFindings(opened.info, onWarning)
  const findings = autotune === 'again' ? foundAnew(known, 'tuned') : known
  // the device for proofs takes what this one has found out
  const proving = { fast: false, findings: known, autotune: autotune === 'off' ? 'off' : 'on' } as const
  const safe = (): Promise<Device> => openWebgpu({ ...options, ...proving, adapter: opened.info.name })
  return WebgpuDevice.open(opened, readShader, {
    variants,
    profile,
    limits,
    findings,
    onWarning,
    openSafe: fast ? safe : null,
    onTuned: autotune === 'off' ? null : onWarning,
    onTuning: options.onTuning ?? onWarning,
    onDisposed: options.onDisposed,
  })
}
