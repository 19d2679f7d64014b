/**
 * Conditional truth: of jointly Gaussian x and c, p(x | c) is N(m + A c, S) in closed form. Samples have its mean and covariance to
 * within 0.03, and log-likelihoods are within 0.02 nats a dimension of the truth, given each row's own condition.
 */

import { expect, test } from 'vitest'
import { gaussian } from '../../src/data/gaussian.js'
import { LocalFlow } from '../../src/run/local-flow.js'
import { describeOn } from '../devices.js'

const A = [
  [0.8, -0.3],
  [0.2, 0.6],
]
const spread = [
  [0.5, 0.2],
  [0.2, 0.3],
]
const meanOf = (c: readonly number[]): number[] => A.map((row) => 0.5 + row[0] * c[0] + row[1] * c[1])
const noise = gaussian([0, 0], spread)

/** n rows and their conditions, which are standard normal times 2 about 10. */
function draw(n: number, seed: number) {
  const told = gaussian(
    [0, 0],
    [
      [1, 0],
      [0, 1],
    ],
  ).sample(n, seed)
  const values = noise.sample(n, seed + 1)
  for (let i = 0; i < n; i++) {
    const mean = meanOf([told[2 * i], told[2 * i + 1]])
    for (const d of [0, 1]) values[2 * i + d] += mean[d]
  }
  return { x: { values, shape: [n, 2] }, cond: { values: told.map((c) => 10 + 2 * c), shape: [n, 2] }, told }
}

await describeOn(['native', 'webgpu'], 'a conditional Gaussian', (_, kind) => {
  const all = [1, 2, 3]
  test.each(kind === 'webgpu' ? all.slice(0, 1) : all)('is learnt: seed %i', async (seed) => {
    const { x, cond } = draw(20_000, 10 * seed)
    const flow = await LocalFlow.train(x, {
      cond,
      model: { hidden: [48, 48], activation: 'silu' },
      flow: { gammas: [0.4, null] },
      train: { batch: 512, steps: 1000, lr: 5e-3, ema: 0.99 },
      ode: { solver: 'rk4', steps: 6 },
      seed,
      device: kind as 'native' | 'webgpu',
    })
    try {
      const n = 20_000
      for (const c of kind === 'webgpu'
        ? [[0.7, -0.9]]
        : [
            [0, 0],
            [1, 0.5],
            [-0.8, -1],
          ]) {
        const { values } = await flow.sample(n, { cond: c.map((value) => 10 + 2 * value) })
        const mean = [0, 1].map((d) =>
          Array.from(values).reduce((sum, value, i) => sum + (i % 2 === d ? value / n : 0), 0),
        )
        const truth = meanOf(c)
        for (const d of [0, 1]) expect(Math.abs(mean[d] - truth[d])).toBeLessThan(0.03)
        const moment = (a: number, b: number): number => {
          let sum = 0
          for (let i = 0; i < n; i++) sum += ((values[2 * i + a] - mean[a]) * (values[2 * i + b] - mean[b])) / n
          return sum
        }
        for (const [a, b] of [
          [0, 0],
          [0, 1],
          [1, 1],
        ])
          expect(Math.abs(moment(a, b) - spread[a][b])).toBeLessThan(0.03)
      }
      const fresh = draw(kind === 'webgpu' ? 500 : 2000, 10 * seed + 5)
      const scores = await flow.logProb(fresh.x, { cond: fresh.cond })
      // over the same points, so that the points' own scatter falls out
      const centred = fresh.x.values.map((value, i) => {
        const row = 2 * Math.floor(i / 2)
        return value - meanOf([fresh.told[row], fresh.told[row + 1]])[i % 2]
      })
      const truth = noise.logDensity(centred)
      const kl = truth.reduce((sum, value, i) => sum + value - scores[i], 0) / scores.length
      expect(Math.abs(kl / 2)).toBeLessThan(0.02)
    } finally {
      await flow.dispose()
    }
  })
})
