/**
 * Any number of samples as CSV on standard output, block by block: memory stays that of a block.
 *
 *     npx tsx stream-samples.ts 1000000 | gzip > samples.csv.gz
 *
 * STEPS=20 trains for a moment only; a program of yours would load a run: LocalFlow.load('runs/rose').
 */

import { once } from 'node:events'
import { data, LocalFlow } from 'local-flow-matching'

const total = Number(process.argv[2] ?? 20_000)
const steps = Number(process.env.STEPS ?? 500)
const rows = { values: data.toy('moons').sample(5000, 1), shape: [5000, 2] }
const flow = await LocalFlow.train(rows, {
  model: { hidden: [64, 64] },
  flow: { gammas: [0.2, null] },
  train: { batch: 256, steps },
})

process.stdout.write('x,y\n')
// sample i depends on the seed and on i alone, whatever the blocks: a stream can be repeated, or taken up by { first }
for await (const { values, shape } of flow.sampleBlocks(total, { block: 4096 })) {
  const lines = Array.from({ length: shape[0] }, (_, i) => `${values.subarray(2 * i, 2 * i + 2).join(',')}\n`)
  // not faster than it is read
  if (!process.stdout.write(lines.join(''))) await once(process.stdout, 'drain')
}
await flow.dispose()
