/** What the commands ask of a device, and the profile that they print. */

import type { Device } from '../device/device.js'
import { type DeviceTimes, type Profile, profileText } from '../device/profile.js'
import type { SolverName } from '../ode/methods.js'
import type { SolverOverrides } from '../ode/solver.js'
import { note, print } from './terminal.js'

/** What the options --solver, --steps, --evaluations and --clock say. */
export type SolverOptions = Pick<SolverOverrides, 'steps' | 'evaluations' | 'clock'> & { solver?: SolverName }

export const solverOf = ({ solver, steps, evaluations, clock }: SolverOptions): SolverOptions => ({
  solver,
  steps,
  evaluations,
  clock,
})

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
