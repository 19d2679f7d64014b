/**
 * Your own table: from a file to samples, scores and a saved model.
 *
 *     npx tsx own-csv.ts people.csv
 *
 * Without a file it makes one up. STEPS=20 trains for a moment only.
 */

import { mkdtemp } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { data, LocalFlow } from 'local-flow-matching'

const steps = Number(process.env.STEPS ?? 1000)
const folder = await mkdtemp(join(tmpdir(), 'own-csv-'))
const path = process.argv[2] ?? (await madeUp())

const { tensor, columns, remarks } = await data.readTable(path)
for (const remark of remarks) console.log(remark)
const { train, test } = data.split(tensor, { test: 0.1 }, { seed: 1 })
console.log(`${train.shape[0]} rows to learn from, ${test!.shape[0]} to test with; columns ${columns?.join(', ')}`)

const flow = await LocalFlow.train(train, {
  columns: columns ?? undefined, // each is learnt with mean 0 and spread 1, and comes back in its own unit
  flow: { gammas: [0.1, 0.3, null] },
  model: { hidden: [64, 64] },
  train: { batch: 256, steps },
  seed: 1,
})

const scores = await flow.logProb(test!)
const mean = scores.reduce((sum, value) => sum + value, 0) / scores.length
console.log(`mean log-likelihood of the test rows: ${mean.toFixed(3)} nats`)

const samples = await flow.sample(1000, { seed: 7 })
await data.writeCsv(join(folder, 'samples.csv'), samples, columns)
await flow.save(join(folder, 'run'))
await flow.dispose()

// later, or elsewhere: the command line reads the folder as well (lfm sample, lfm score)
const again = await LocalFlow.load(join(folder, 'run'))
const { values } = await again.sample(1000, { seed: 7 })
console.log(`the same samples after loading: ${values.every((value, i) => value === samples.values[i])}`)
await again.dispose()
console.log(`1000 samples and the model are in ${folder}`)

/** Heights, weights and incomes of people that do not exist. */
async function madeUp(): Promise<string> {
  const z = data
    .gaussian(
      [0, 0, 0],
      [
        [1, 0.6, 0.2],
        [0.6, 1, 0.3],
        [0.2, 0.3, 1],
      ],
    )
    .sample(5000, 1)
  const values = z.map((value, i) => [170 + 10 * value, 70 + 12 * value, 40_000 * Math.exp(0.4 * value)][i % 3])
  const file = join(folder, 'people.csv')
  await data.writeCsv(file, { values, shape: [5000, 3] }, ['height', 'weight', 'income'])
  return file
}
