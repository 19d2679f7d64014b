/** Where the time of one repetition goes, kernel by kernel: taken on a device of its own, whose launches are timed one by one. */

import type { Device } from '../src/device/device.js'
import { type Profile, profileOf } from '../src/device/profile.js'
import type { Work } from './cases.js'
import { openOurs } from './ours.js'

/** One that warms up, and enough that are timed. */
const REPLAYS = 9

/** Null where the device has no clock for its launches. */
export async function profileWork(device: Device, work: Work): Promise<Profile | null> {
  const runner = await openOurs(device, work)
  try {
    await runner.run(REPLAYS)
  } finally {
    await runner.dispose()
  }
  const times = await device.profile()
  const program = times?.programs.at(-1)
  return times && program ? profileOf(times, [program], program.replays) : null
}
