/** A finished run's flow on a device that is opened for it. */

import type { Device, DeviceKind } from '../device/device.js'
import { openDevice } from '../device/node/select.js'
import { LocalFlow } from './local-flow.js'
import { type Run, readFlow } from './run.js'

/** On which device; what is left out is the run's. */
export interface RunDevice {
  device?: DeviceKind | 'auto'
  /** webgpu without checks, once a program has passed with them */
  fast?: boolean
  /** time the launches of programs */
  profile?: boolean
}

/** The trained flow of a finished run, on a device opened for it; `close` frees both. */
export async function openFlow(
  run: Run,
  { device, fast, profile }: RunDevice,
): Promise<{ flow: LocalFlow; device: Device; close: () => Promise<void> }> {
  const configured = run.options.device
  const opened = await openDevice(device ?? configured.kind, {
    variants: configured.variants,
    adapter: configured.adapters?.[0],
    fast: fast ?? configured.fast,
    profile,
  })
  try {
    const flow = new LocalFlow(await readFlow(run), opened)
    const close = async (): Promise<void> => {
      await flow.dispose()
      await opened.dispose()
    }
    return { flow, device: opened, close }
  } catch (error) {
    await opened.dispose()
    throw error
  }
}
