/** What the commands ask of a device, and the profile that they print. */

import type { Device, DeviceKind } from '../device/device.js'
import { openDevice } from '../device/node/select.js'
import { type DeviceTimes, type Profile, profileText } from '../device/profile.js'
import type { SolverName } from '../ode/methods.js'
import type { SolverOverrides } from '../ode/solver.js'
import { LocalFlow } from '../run/local-flow.js'
import { type Run, readFlow } from '../run/run.js'
import { note, print } from './terminal.js'

export interface RunDeviceOptions {
  device?: DeviceKind | 'auto'
  fast?: boolean
  profile?: boolean
}

/** What the options --solver, --steps, --evaluations and --clock say. */
export type SolverOptions = Pick<SolverOverrides, 'steps' | 'evaluations' | 'clock'> & { solver?: SolverName }

export const solverOf = ({ solver, steps, evaluations, clock }: SolverOptions): SolverOptions => ({
  solver,
  steps,
  evaluations,
  clock,
})

/** The trained flow of a finished run, on a device opened for it; `close` frees both. */
export async function openFlow(
  run: Run,
  { device, fast, profile }: RunDeviceOptions,
): Promise<{ flow: LocalFlow; device: Device; close: () => Promise<void> }> {
  const configured = run.options.device
  const opened = await openDevice(device ?? configured.kind, {
    variants: configured.variants,
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

/** The profile of what a device did, or null with a line that says why there is none. */
export async function readProfile(device: Device, of: (times: DeviceTimes) => Profile | null): Promise<Profile | null> {
  const times = await device.profile()
  const profile = times && of(times)
  if (!profile) note(times ? 'No profile: nothing was run.' : noClock(device))
  return profile
}

const noClock = ({ kind, info }: Device): string =>
  kind === 'webgpu'
    ? `No profile: the adapter ${info.name} has no timestamps (feature timestamp-query).`
    : `No profile: the ${kind} device does not time its kernels one by one; --device native and webgpu do.`

export const printProfile = (profile: Profile, what: string): void => {
  print(...profileText(profile, what).split('\n'))
}
