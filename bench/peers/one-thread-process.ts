/** The other side of one-thread.ts: answers conversation.ts on the native device; LFM_THREADS says how many threads. */

import { createInterface } from 'node:readline'
import { openDevice } from '../../src/device/node/select.js'
import type { Work } from '../cases.js'
import type { Runner } from '../measure.js'
import { openOurs } from '../ours.js'

type Question =
  | { readonly open: number; readonly work: Work }
  | { readonly run: number; readonly times: number }
  | { readonly close: number }

const answer = (fields: object): void => {
  process.stdout.write(`${JSON.stringify(fields)}\n`)
}

const device = await openDevice('native')
const runners = new Map<number, Runner>()
answer({ version: `${device.info.cpuTarget}, ${device.info.threads} thread` })
for await (const line of createInterface({ input: process.stdin })) {
  const question = JSON.parse(line) as Question
  try {
    if ('open' in question) runners.set(question.open, await openOurs(device, question.work))
    else if ('run' in question) await runners.get(question.run)!.run(question.times)
    else {
      await runners.get(question.close)!.dispose()
      runners.delete(question.close)
    }
    answer({})
  } catch (error) {
    answer({ error: (error as Error).message })
  }
}
await device.dispose()
