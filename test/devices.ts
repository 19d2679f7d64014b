/**
 * Opens devices for suites that run on several. A device that is not there skips its suite with a loud line, or fails it
 * where LFM_REQUIRE_WEBGPU=1 or LFM_REQUIRE_NATIVE=1 says that it must be there. Suite names contain the device's kind.
 */

import { afterAll, beforeAll, describe } from 'vitest'
import type { Device, DeviceKind } from '../src/device/device.js'
import { type DeviceOptions, openDevice } from '../src/device/node/select.js'

/** Slow software adapters exist: no test on a device may be cut short. */
export const DEVICE_TIMEOUT = 20 * 60_000

const required: Record<DeviceKind, boolean> = {
  webgpu: process.env.LFM_REQUIRE_WEBGPU === '1',
  native: process.env.LFM_REQUIRE_NATIVE === '1',
  reference: true,
}

const found = new Map<DeviceKind, Promise<Error | null>>()

/** null where the device opens, else why not. */
function missing(kind: DeviceKind): Promise<Error | null> {
  let answer = found.get(kind)
  if (!answer) {
    answer = openDevice(kind, { onWarning: () => undefined }).then(
      async (device) => {
        await device.dispose()
        return null
      },
      (error: Error) => error,
    )
    found.set(kind, answer)
  }
  return answer
}

/** A suite on each of these devices; `device()` is open within tests, and must have no live buffers at the end. */
export async function describeOn(
  kinds: readonly DeviceKind[],
  title: string,
  body: (device: () => Device, kind: DeviceKind) => void,
  options: DeviceOptions = {},
): Promise<void> {
  for (const kind of kinds) {
    const reason = await missing(kind)
    if (reason && !required[kind]) {
      process.stderr.write(`\n*** SKIPPED: ${title} on ${kind}: ${reason.message}\n`)
    }
    describe.skipIf(reason !== null && !required[kind])(`${title} on ${kind}`, { timeout: DEVICE_TIMEOUT }, () => {
      let device: Device
      beforeAll(async () => {
        device = await openDevice(kind, { onWarning: () => undefined, ...options })
      }, DEVICE_TIMEOUT)
      afterAll(async () => {
        // memory is freed when what was queued before is done
        for (let look = 0; look < 3000 && device.memory().buffers > 0; look++) {
          await new Promise((resolve) => setTimeout(resolve, 10))
        }
        const { buffers } = device.memory()
        await device.dispose()
        if (buffers !== 0) throw new Error(`${buffers} buffers were left on ${kind}`)
      }, DEVICE_TIMEOUT)
      body(() => device, kind)
    })
  }
}
