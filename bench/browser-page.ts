/** What `bench/browser.ts` runs in a page: training steps of ours and of tfjs on the same adapter, in turns. */

import * as tf from '@tensorflow/tfjs-core'
import '@tensorflow/tfjs-core/dist/register_all_gradients.js'
import '@tensorflow/tfjs-backend-webgpu'
import { openDevice } from '../src/browser/index.js'
import type { NetWork } from './cases.js'
import { openOurs } from './ours.js'
import type { Tf } from './peers/tfjs-field.js'
import { openWork } from './peers/tfjs-works.js'

export interface Measured {
  readonly adapter: string
  /** milliseconds of a step, of each round */
  readonly ours: readonly number[]
  readonly tfjs: readonly number[]
}

async function timed(run: () => Promise<void>, steps: number): Promise<number> {
  const began = performance.now()
  await run()
  return (performance.now() - began) / steps
}

export async function measure(work: NetWork, rounds: number, steps: number): Promise<Measured> {
  const device = await openDevice()
  const ours = await openOurs(device, work)
  tf.enableProdMode()
  if (!(await tf.setBackend('webgpu'))) throw new Error('tfjs could not start its webgpu backend.')
  const theirs = openWork(tf as unknown as Tf, work)
  const runOurs = () => ours.run(steps)
  const runTheirs = async (): Promise<void> => {
    let last: tf.Tensor | undefined
    for (let i = 0; i < steps; i++) {
      last?.dispose()
      last = tf.tidy(() => theirs.once() as tf.Tensor)
    }
    await last?.data()
  }
  // compiled, and whatever else the first time takes
  await runOurs()
  await runTheirs()
  const found: { ours: number[]; tfjs: number[] } = { ours: [], tfjs: [] }
  for (let round = 0; round < rounds; round++) {
    found.ours.push(await timed(runOurs, steps))
    found.tfjs.push(await timed(runTheirs, steps))
  }
  return { adapter: device.info.name, ...found }
}
