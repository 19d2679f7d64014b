/**
 * A process that trains along with another one, which started it: it takes every step and makes every pool as that one does, and
 * writes nothing. It ends with it.
 */

import { openSync } from 'node:fs'
import { openDevice } from '../../device/node/select.js'
import { trainFlow } from '../training.js'
import { Exchange } from './exchange.js'
import type { MemberWork } from './open.js'

// what interrupts the first member is for that one to answer: it saves, and ends the others
for (const name of ['SIGINT', 'SIGTERM', 'SIGHUP', 'SIGUSR2'] as const) process.on(name, () => {})
// also where it was killed
process.on('disconnect', () => process.exit(0))

process.once('message', async ({ path, rank, size, training }: MemberWork) => {
  try {
    const { x, scaler, options, raw, device: kind, ...about } = training
    const device = await openDevice(kind, { variants: options.device.variants })
    // the others end with the first member, which looks after all
    const team = new Exchange(openSync(path, 'r+'), rank, size, () => null)
    process.send!('ready')
    await trainFlow(device, x, scaler, options, raw, { ...about, team })
    await device.dispose()
  } catch (error) {
    process.send!((error as Error).message, () => process.exit(1))
    return
  }
  process.disconnect()
})
