/**
 * The variational bound where the predictions are exact: a category, a number whose mean and spread hang on it, and one that may be missing,
 * whose posterior given the noised row is a sum over six cases. There the bound is log p(row) itself, whatever the path and the
 * chain; and worse predictions lower it.
 */

import { describe, expect, it } from 'vitest'
import type { SegmentTables } from '../../src/kernels/segments.js'
import type { PathName } from '../../src/learn/paths/registry.js'
import { type BoundPoint, BoundSum, boundPoints } from '../../src/model/bound.js'
import type { AngleRange } from '../../src/ode/clock.js'
import { RandomStream } from '../../src/random/stream.js'
import { anglesOf } from '../../src/recipes/angles.js'

const shares = [0.6, 0.3, 0.1]
const [means, spreads] = [
  [0, 1, -2],
  [1, 0.5, 0.3],
]
/** of the number that may be missing, by level, and the chance that it is there */
const [otherMeans, otherSpread, there] = [[0.5, -1, 0], 0.6, [0.9, 0.4, 0.7]]
const states = [0.72, 0.28]

/** level [3], number, other number, there or missing [2] */
const segments: SegmentTables = {
  starts: [0, 3, 4, 5, 7],
  scale: [2, 2, 2, 1, 1, 2, 2],
  centre: [...shares, 0, 0, ...states],
  gates: [7, 7, 5, 7],
  columns: [0, 0, 0, 1, 2, 2, 2],
}
const D = 7

const logNormal = (x: number, mean: number, variance: number): number =>
  -((x - mean) ** 2 / variance + Math.log(2 * Math.PI * variance)) / 2

/** log p of level c with z, and w where it is there. */
function truth(c: number, z: number, w: number | null): number {
  const number = Math.log(shares[c]) + logNormal(z, means[c], spreads[c] ** 2)
  return w === null
    ? number + Math.log(1 - there[c])
    : number + Math.log(there[c]) + logNormal(w, otherMeans[c], otherSpread ** 2)
}

function encoded(c: number, z: number, w: number | null, noise: number): number[] {
  const level = shares.map((share, k) => 2 * ((k === c ? 1 : 0) - share))
  return [...level, z, w ?? noise, ...states.map((share, k) => 2 * (((k === 0) === (w !== null) ? 1 : 0) - share))]
}

/** What an exact network gives: logits, and velocities of the numbers. */
function exact({ signal: A, noise: B, signalRate, noiseRate }: BoundPoint, x: ArrayLike<number>): number[] {
  const cases = shares.flatMap((share, c) =>
    [true, false].map((present) => {
      const row = encoded(c, 0, present ? 0 : null, 0)
      let log = Math.log(share * (present ? there[c] : 1 - there[c]))
      for (const d of [0, 1, 2, 5, 6]) log += logNormal(x[d], A * row[d], B * B)
      const posterior = (value: number, mean: number, variance: number): number =>
        mean + ((A * variance) / (A * A * variance + B * B)) * (value - A * mean)
      const [mean, variance] = present ? [otherMeans[c], otherSpread ** 2] : [0, 1]
      log +=
        logNormal(x[3], A * means[c], A * A * spreads[c] ** 2 + B * B) +
        logNormal(x[4], A * mean, A * A * variance + B * B)
      return { c, present, log, z: posterior(x[3], means[c], spreads[c] ** 2), w: posterior(x[4], mean, variance) }
    }),
  )
  const top = Math.max(...cases.map(({ log }) => log))
  const weighed = cases.map((one) => ({ ...one, weight: Math.exp(one.log - top) }))
  const sum = (of: (one: (typeof weighed)[number]) => number): number =>
    weighed.reduce((total, one) => total + one.weight * of(one), 0)
  const level = shares.map((_, k) => Math.log(sum(({ c }) => (c === k ? 1 : 0))))
  const state = [true, false].map((wanted) => Math.log(sum(({ present }) => (present === wanted ? 1 : 0))))
  const z = sum((one) => one.z) / sum(() => 1)
  // near a row without one nothing is left to divide by, and whatever is predicted weighs nothing
  const w = sum(({ present, w }) => (present ? w : 0)) / (sum(({ present }) => (present ? 1 : 0)) || 1)
  const [ofState, ofEnd] = [noiseRate / B, signalRate - (A * noiseRate) / B]
  return [...level, ofState * x[3] + ofEnd * z, ofState * x[4] + ofEnd * w, ...state]
}

/** Mean of the bound of one row over much noise, and the standard error of that. */
function bound(
  chain: readonly AngleRange[],
  row: readonly [number, number, number | null],
  network = exact,
): { mean: number; error: number } {
  const n = 300
  const random = new RandomStream(1)
  random.row(0)
  const rows = Array.from({ length: n }, () => encoded(...row, random.normal())).flat()
  const sum = new BoundSum(segments, rows, chain[chain.length - 1].to)
  for (const point of boundPoints(chain, 64)) {
    const x = rows.map((value) => point.signal * value + point.noise * random.normal())
    const out = Array.from({ length: n }, (_, i) => network(point, x.slice(i * D, (i + 1) * D))).flat()
    sum.add(point, x, out)
  }
  const mean = sum.bounds.reduce((total, value) => total + value / n, 0)
  const variance = sum.bounds.reduce((total, value) => total + (value - mean) ** 2 / (n - 1), 0)
  return { mean, error: Math.sqrt(variance / n) }
}

const chain = (gammas: readonly (number | null)[], path: PathName): AngleRange[] =>
  anglesOf(gammas.map((gamma) => ({ gamma, path })))

describe('the variational bound', () => {
  const rows: readonly [number, number, number | null][] = [
    [0, 0.3, 0.2],
    [1, 1.2, null],
    [2, -1.8, 0.4],
    // unlike the level's own
    [2, -1.3, 0.4],
    [0, -0.5, null],
  ]
  const chains = [
    ['a single flow', chain([null], 'linear')],
    ['a chain', chain([0.3, null], 'trig')],
  ] as const

  it.each(chains)('is log p(row) where predictions are exact: %s', (_, stages) => {
    for (const row of rows) {
      const { mean, error } = bound(stages, row)
      expect(Math.abs(mean - truth(...row))).toBeLessThan(0.03 + 4 * error)
      expect(error).toBeLessThan(0.08)
    }
  })

  it('is lower where they are worse', () => {
    // levels as likely as in all rows, whatever the row says
    const blind: typeof exact = (point, x) => [...shares.map(Math.log), ...exact(point, x).slice(3)]
    const [, stages] = chains[0]
    expect(bound(stages, rows[2], blind).mean).toBeLessThan(truth(...rows[2]) - 1)
  })

  it('takes off what a chain that ends before noise has not reached', () => {
    const numbers = { starts: [0, 1], scale: [1], centre: [0], gates: [1], columns: [0] }
    const [{ to }] = chain([0.3], 'arc')
    const [mean, deviation] = [1.5 * Math.cos(to), Math.sin(to)]
    // KL of N(mean, deviation²) from N(0, 1), by a sum
    let divergence = 0
    for (let x = mean - 9; x < mean + 9; x += 1e-3) {
      const log = logNormal(x, mean, deviation ** 2)
      divergence += Math.exp(log) * (log - logNormal(x, 0, 1)) * 1e-3
    }
    expect(new BoundSum(numbers, [1.5], to).bounds[0]).toBeCloseTo(-divergence, 6)
    expect(new BoundSum(numbers, [1.5], Math.PI / 2).bounds[0]).toBeCloseTo(0, 12)
  })
})
