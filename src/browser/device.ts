/** The WebGPU device of a browser: its adapter, and findings that are kept in the page's own storage. */

import type { Device } from '../device/device.js'
import { describeAdapter, type OpenAdapter } from '../device/webgpu/adapter-info.js'
import { WebgpuDevice } from '../device/webgpu/device.js'
import { type FindingKind, type Findings, forgetful } from '../device/webgpu/findings.js'
import { DeviceError } from '../errors.js'
import { page } from './page.js'
import { readShader } from './shaders.js'

/** How a browser's GPU is opened. */
export interface BrowserDeviceOptions {
  /** variant to take for a kernel, in place of the one that is measured or that the adapter suggests */
  readonly variants?: Readonly<Record<string, string>>
  /** measure variants and take the fastest, once for each adapter. Default true */
  readonly autotune?: boolean
  /** told what deserves a word. Default: a line of the console */
  readonly onWarning?: (message: string) => void
}

const warnOnConsole = (message: string): void => console.warn(`local-flow-matching: ${message}`)

/** Throws DeviceError where the browser has no WebGPU, or no adapter. */
async function openAdapter(): Promise<OpenAdapter> {
  const gpu = page.navigator?.gpu
  if (!gpu) {
    throw new DeviceError(
      'This browser has no WebGPU, or the page is not a secure one (https, or localhost). Take a browser that has it, such as ' +
        'a current Chrome, Edge, Safari or Firefox.',
    )
  }
  const adapter = await gpu.requestAdapter({ powerPreference: 'high-performance' })
  if (!adapter)
    throw new DeviceError('This browser has WebGPU, but found no adapter for it: the GPU or its driver is blocked.')
  const { vendor, architecture, description } = adapter.info
  const name =
    description || [vendor, architecture].filter((word) => word !== '').join(' ') || 'an adapter without a name'
  return { adapter, info: describeAdapter(adapter, name) }
}

/** Findings in localStorage, one entry for each adapter; where there is none they last as long as the device. */
function storedFindings(adapter: string): Findings {
  const key = `local-flow-matching ${adapter}`
  const read = (): Record<string, string> => {
    try {
      return JSON.parse(page.localStorage?.getItem(key) ?? '{}')
    } catch {
      return {}
    }
  }
  const known = forgetful()
  const before = read()
  const nameOf = (kind: FindingKind, entry: string): string => `${kind} ${entry}`
  return {
    get: (kind, entry) => known.get(kind, entry) ?? before[nameOf(kind, entry)],
    set(kind, entries) {
      known.set(kind, entries)
      const named = Object.entries(entries).map(([entry, value]) => [nameOf(kind, entry), value])
      try {
        page.localStorage?.setItem(key, JSON.stringify({ ...read(), ...Object.fromEntries(named) }))
      } catch {
        // no storage, or no room in it: found out anew the next time
      }
    },
  }
}

/** Opens the browser's GPU. Throws DeviceError where there is none. */
export async function openDevice(options: BrowserDeviceOptions = {}): Promise<Device> {
  const { variants = {}, autotune = true, onWarning = warnOnConsole } = options
  const opened = await openAdapter()
  return WebgpuDevice.open(opened, readShader, {
    variants,
    profile: false,
    findings: storedFindings(opened.info.name),
    // a browser checks every access itself
    openSafe: null,
    onWarning,
    onTuned: autotune ? () => undefined : null,
  })
}
