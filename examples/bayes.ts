/**
 * Bayes' rule by conditional likelihoods: one model of p(x | class) classifies, p(class | x) ∝ p(x | class) p(class), and
 * says how sure it is. The three classes overlap and are known in closed form, so that it can be held against the truth.
 *
 *     npx tsx bayes.ts
 */

import { data, LocalFlow } from 'local-flow-matching'

const steps = Number(process.env.STEPS ?? 1500)
const classes = [
  data.gaussian(
    [-1, 0],
    [
      [0.6, 0.2],
      [0.2, 0.4],
    ],
  ),
  data.gaussian(
    [1, 0],
    [
      [0.5, -0.2],
      [-0.2, 0.5],
    ],
  ),
  data.gaussian(
    [0, 1.2],
    [
      [0.8, 0],
      [0, 0.3],
    ],
  ),
]
const [n, K] = [6000, classes.length]

/** n rows, of each class as many, one after another; which of them is row i's is i mod 3. */
function draw(count: number, seed: number): { values: Float32Array; shape: number[]; labels: number[] } {
  const drawn = classes.map((gaussian, k) => gaussian.sample(count / K, seed + k))
  const values = Float32Array.from({ length: 2 * count }, (_, i) => {
    const row = Math.floor(i / 2)
    return drawn[row % K][2 * Math.floor(row / K) + (i % 2)]
  })
  return { values, shape: [count, 2], labels: Array.from({ length: count }, (_, i) => i % K) }
}

const { labels, ...x } = draw(n, 1)
const flow = await LocalFlow.train(x, {
  labels,
  model: { hidden: [64, 64], activation: 'silu' },
  flow: { gammas: [0.3, null] },
  train: { steps: { total: steps }, batch: 256, ema: 0.99, conditionDropout: 0 },
  seed: 1,
})

const fresh = draw(3000, 11)
/** p(class | x) of each row, the classes being as frequent: from log p(x | class), [class][row]. */
function posteriors(logLikelihoods: readonly ArrayLike<number>[]): number[][] {
  return Array.from({ length: 3000 }, (_, i) => {
    const most = Math.max(...logLikelihoods.map((scores) => scores[i]))
    const odds = logLikelihoods.map((scores) => Math.exp(scores[i] - most))
    const sum = odds.reduce((a, b) => a + b)
    return odds.map((odd) => odd / sum)
  })
}
const scores: Float32Array[] = []
for (let k = 0; k < K; k++) scores.push(await flow.logProb(fresh, { class: k }))
const found = posteriors(scores)
const truth = posteriors(classes.map((gaussian) => gaussian.logDensity(fresh.values)))

const right = (rows: number[][]): string => {
  const hits = rows.filter((row, i) => row.indexOf(Math.max(...row)) === fresh.labels[i]).length
  return `${((100 * hits) / rows.length).toFixed(1)} %`
}
const apart = found.reduce((sum, row, i) => sum + row.reduce((s, p, k) => s + Math.abs(p - truth[i][k]), 0) / K, 0)
console.log(`classes told right: ${right(found)}; by the true densities, which nothing can beat: ${right(truth)}`)
console.log(`mean distance of p(class | x) from the truth: ${(apart / 3000).toFixed(4)}`)
await flow.dispose()
