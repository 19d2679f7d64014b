/**
 * A process that trains along with another one, which started it: it takes every step and makes every pool as that one does, and
 * writes nothing. It ends with it.
 */

import { openSync } from 'node:fs'
import type { ProgramChoices } from '../../device/device.js'
import { openDevice } from '../../device/node/select.js'
import { trainFlow } from '../training.js'
import { Exchange } from './exchange.js'
import { adapterOf, type ChoicesMessage, type MemberWork, type ReadyMessage } from './open.js'

// what interrupts the first member is for that one to answer: it saves, and ends the others
for (const name of ['SIGINT', 'SIGTERM', 'SIGHUP', 'SIGUSR2'] as const) process.on(name, () => {})
// also where it was killed
process.on('disconnect', () => process.exit(0))

process.once('message', async ({ path, rank, size, training, device: kind, fast }: MemberWork) => {
  try {
    const { x, scaler, options, raw, remembered, ...about } = training
    const device = await openDevice(kind, {
      variants: options.device.variants,
      remembered,
      adapter: adapterOf(options, rank),
      fast,
      // the first member has the same to say of its own
      onWarning: () => {},
    })
    device.followChoices?.(choicesOfTheFirst())
    // the others end with the first member, which looks after all
    const team = new Exchange(openSync(path, 'r+'), rank, size, () => null)
    const ready: ReadyMessage = { ready: device.info }
    process.send!(ready)
    await trainFlow(device, x, scaler, options, raw, { ...about, team })
    await device.dispose()
  } catch (error) {
    process.send!((error as Error).message, () => process.exit(1))
    return
  }
  process.disconnect()
})

/** What the first member's device chose, program by program: all members compile the same programs in the same order. */
function choicesOfTheFirst(): () => Promise<ProgramChoices> {
  const come: ProgramChoices[] = []
  let wake: () => void = () => {}
  process.on('message', ({ choices }: ChoicesMessage) => {
    come.push(choices)
    wake()
  })
  let turn: Promise<unknown> = Promise.resolve()
  const next = async (): Promise<ProgramChoices> => {
    while (come.length === 0) {
      await new Promise<void>((resolve) => {
        wake = resolve
      })
    }
    return come.shift()!
  }
  return () => {
    const mine = turn.then(next)
    turn = mine
    return mine
  }
}
