/**
 * Outliers by likelihood: a model learns what is usual, a threshold is taken from rows that it has not seen, and new rows below
 * it are reported.
 *
 *     npx tsx outliers.ts
 */

import { data, LocalFlow } from 'local-flow-matching'

const steps = Number(process.env.STEPS ?? 1000)
const usual = (n: number, seed: number) => ({ values: data.toy('moons').sample(n, seed), shape: [n, 2] })

const flow = await LocalFlow.train(usual(10_000, 1), {
  model: { hidden: [64, 64] },
  flow: { gammas: [0.1, 0.3, null] },
  train: { batch: 500, steps },
  seed: 1,
})

// one usual row in a hundred is called an outlier
const heldOut = (await flow.logProb(usual(2000, 2))).sort()
const threshold = heldOut[Math.floor(heldOut.length / 100)]

// 1000 new rows: every tenth lies anywhere in the square about the moons
const mixed = usual(1000, 3)
const anywhere = data
  .gaussian(
    [0, 0],
    [
      [4, 0],
      [0, 4],
    ],
  )
  .sample(100, 4)
for (let i = 0; i < 100; i++) mixed.values.set(anywhere.subarray(2 * i, 2 * i + 2), 20 * i)

const scores = await flow.logProb(mixed)
const flagged = [...scores.keys()].filter((row) => scores[row] < threshold)
const found = flagged.filter((row) => row % 10 === 0).length
console.log(`threshold ${threshold.toFixed(2)} nats: ${flagged.length} rows of 1000 lie below`)
console.log(`${found} of 100 outliers found, ${flagged.length - found} false alarms of 900`)
const [worst] = flagged.sort((a, b) => scores[a] - scores[b])
console.log(`the least likely row is ${worst}: ${scores[worst].toFixed(1)} nats`)
await flow.dispose()
