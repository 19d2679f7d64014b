/** Distances between sets of rows, by closed forms. */

import { expect, test } from 'vitest'
import { gaussian } from '../../src/data/index.js'
import { DataError, InvalidArgumentError } from '../../src/errors.js'
import {
  classifierTwoSample,
  energyDistance,
  memorising,
  nearestDistances,
  type Rows,
  samplingFloor,
  slicedWasserstein,
} from '../../src/metrics/index.js'
import { minimise } from '../../src/metrics/minimise.js'
import { RandomStream } from '../../src/random/stream.js'

/** n rows N(mean, std²) in every column. */
function normal(n: number, d: number, seed: number, { mean = 0, std = 1 } = {}): Float64Array {
  const random = new RandomStream(seed)
  const rows = new Float64Array(n * d)
  for (let i = 0; i < n; i++) {
    random.row(i)
    for (let k = 0; k < d; k++) rows[i * d + k] = mean + std * random.normal()
  }
  return rows
}

/** Φ(z) for z ≥ 0 by Simpson's rule. */
function standardNormal(z: number): number {
  const steps = 2000
  let sum = 0
  for (let i = 0; i <= steps; i++) {
    const t = (z * i) / steps
    sum += (i === 0 || i === steps ? 1 : i % 2 === 1 ? 4 : 2) * Math.exp((-t * t) / 2)
  }
  return 0.5 + (sum * z) / steps / 3 / Math.sqrt(2 * Math.PI)
}

test('on a line the sliced distance is that of sorted numbers, with the root, whatever the counts', () => {
  expect(slicedWasserstein(Float64Array.of(3, 1, 2), Float64Array.of(5, 6, 4), 1)).toBeCloseTo(3, 12)
  expect(slicedWasserstein(Float64Array.of(0), Float64Array.of(3, 1), 1)).toBeCloseTo(Math.sqrt(5), 12)
  expect(slicedWasserstein(Float64Array.of(0), Float64Array.of(3, 1), 1, { p: 1 })).toBeCloseTo(2, 12)
  expect(slicedWasserstein(Float64Array.of(0, 1), Float64Array.of(1, 0, 0, 1), 1)).toBe(0)
  // quantile functions of 2 and 3 rows: sixths 0 0 0 | 6 6 6 against 0 0 | 3 3 | 6 6
  expect(slicedWasserstein(Float64Array.of(0, 6), Float64Array.of(6, 3, 0), 1)).toBeCloseTo(Math.sqrt((2 * 9) / 6), 12)
})

test('a shift of m is |m|/√d apart, and N(0, s² I) is |s − 1| from N(0, I)', () => {
  const x = normal(500, 3, 1)
  const moved = x.map((value, i) => value + [3, 0, 4][i % 3])
  // one direction leaves |θ·m| as it falls; many leave its root mean square
  expect(slicedWasserstein(x, moved, 3, { directions: 5000 })).toBeCloseTo(5 / Math.sqrt(3), 1)
  const wide = normal(20_000, 2, 2, { std: 3 })
  expect(slicedWasserstein(normal(20_000, 2, 3), wide, 2)).toBeCloseTo(2, 1)
  expect(slicedWasserstein(x, x, 3)).toBe(0)
})

test('directions are those of a seed', () => {
  const [a, b] = [normal(50, 4, 1), normal(50, 4, 2)]
  const distance = (seed: number): number => slicedWasserstein(a, b, 4, { directions: 8, seed })
  expect(distance(3)).toBe(distance(3))
  expect(distance(3)).not.toBe(distance(4))
})

test('the sampling floor of uniform numbers is √(1/(3(n + 1))), at the counts asked for, from disjoint rows', async () => {
  const random = new RandomStream(5)
  const truth = Float64Array.from({ length: 2000 }, (_, i) => random.row(i).uniform())
  const squared = async (a: Rows, b: Rows): Promise<number> => slicedWasserstein(a, b, 1) ** 2
  // E (U₍ᵢ₎ − V₍ᵢ₎)² = 2 i (n + 1 − i)/((n + 1)² (n + 2)), of which this is the mean over i
  const { mean, values } = await samplingFloor(squared, truth, 1, { counts: [9, 9], repeats: 600 })
  expect(values).toHaveLength(600)
  expect(mean / (1 / 30)).toBeGreaterThan(0.85)
  expect(mean / (1 / 30)).toBeLessThan(1.15)

  const rows = Float64Array.from({ length: 20 }, (_, i) => i)
  const seen: number[][] = []
  const floor = await samplingFloor((a, b) => seen.push([...a, ...b], [a.length, b.length]), rows, 2, {
    counts: [3, 6],
    repeats: 2,
  })
  expect(new Set(seen[0]).size).toBe(18)
  expect(seen[0].every((value, i) => i % 2 === 0 || value === seen[0][i - 1] + 1)).toBe(true)
  expect([seen[1], seen[3]]).toEqual([
    [6, 12],
    [6, 12],
  ])
  expect(seen[0]).not.toEqual(seen[2])
  expect(floor).toEqual({ mean: 3, std: Math.SQRT2, values: [2, 4] })
  await expect(samplingFloor(() => 0, rows, 2, { counts: [6, 5] })).rejects.toThrow(
    'needs 11 true rows, but there are 10',
  )
})

test('the energy distance of points, and of N(0, 1) and N(μ, 1)', async () => {
  expect(await energyDistance(Float64Array.of(0, 0), Float64Array.of(3, 4), 2, { unbiased: false })).toBe(10)
  // 2 · mean(2, 4, 1, 3) − 1 − 2 without, and with the zeros of pairs of a row with itself
  const [a, b] = [Float64Array.of(0, 1), Float64Array.of(2, 4)]
  expect(await energyDistance(a, b, 1)).toBeCloseTo(5 - 1 - 2, 12)
  expect(await energyDistance(a, b, 1, { unbiased: false })).toBeCloseTo(5 - 0.5 - 1, 12)
  // E|N(μ, 2)| = 2/√π e^{−μ²/4} + μ (2Φ(μ/√2) − 1)
  const mu = 0.8
  const across = (2 / Math.sqrt(Math.PI)) * Math.exp((-mu * mu) / 4) + mu * (2 * standardNormal(mu / Math.SQRT2) - 1)
  const exact = 2 * across - 4 / Math.sqrt(Math.PI)
  expect(await energyDistance(normal(4000, 1, 1), normal(3000, 1, 2, { mean: mu }), 1)).toBeCloseTo(exact, 1)
})

test('a set against itself, in blocks of any size', async () => {
  // within a set every pair counts twice, so that these must agree
  const x = normal(1300, 2, 9)
  expect(await energyDistance(x, x.slice(), 2, { unbiased: false })).toBeCloseTo(0, 10)
})

test('the minimiser finds the bottom of a long valley in fewer steps than its slopes alone would take', () => {
  const d = 12
  // curvatures from 1 to 1000, the bottom at 1, 2, 3 …
  const curvature = Float64Array.from({ length: d }, (_, i) => 1000 ** (i / (d - 1)))
  const w = minimise(d, 80, (at, gradient) =>
    at.reduce((sum, x, i) => {
      gradient[i] = curvature[i] * (x - i - 1)
      return sum + (curvature[i] / 2) * (x - i - 1) ** 2
    }, 0),
  )
  w.forEach((x, i) => {
    expect(Math.abs(x - i - 1)).toBeLessThan(0.1)
  })
})

test('the classifier comes to the accuracy of the best rule: Φ(|μ|/2) for a shift', async () => {
  const { accuracy, z, features } = await classifierTwoSample(normal(3000, 2, 1), normal(3000, 2, 2, { mean: 0.8 }), 2)
  expect(features).toBe(5)
  expect(Math.abs(accuracy - standardNormal(Math.hypot(0.8, 0.8) / 2))).toBeLessThan(0.02)
  expect(z).toBeCloseTo((accuracy - 0.5) * Math.sqrt(4 * 6000), 6)
})

test('it sees spreads by squares and correlations by products, and neither by columns alone', async () => {
  const [n, s] = [3000, 2.5]
  const [one, wide] = [normal(n, 1, 1), normal(n, 1, 2, { std: s })]
  // the best rule cuts where both densities meet: c² = 2 ln s · s²/(s² − 1)
  const c = Math.sqrt((2 * Math.log(s) * s * s) / (s * s - 1))
  const best = 0.5 + (standardNormal(c) - standardNormal(c / s))
  expect(Math.abs((await classifierTwoSample(one, wide, 1)).accuracy - best)).toBeLessThan(0.02)
  expect(Math.abs((await classifierTwoSample(one, wide, 1, { features: 'columns' })).z)).toBeLessThan(3)

  const sample = (rho: number, seed: number): Rows =>
    gaussian(
      [0, 0],
      [
        [1, rho],
        [rho, 1],
      ],
    ).sample(n, seed)
  const [left, right] = [sample(-0.8, 1), sample(0.8, 2)]
  // the sign of the product tells them apart: right with probability ½ + arcsin(ρ)/π
  const pairs = await classifierTwoSample(left, right, 2)
  expect(Math.abs(pairs.accuracy - (0.5 + Math.asin(0.8) / Math.PI))).toBeLessThan(0.02)
  expect(Math.abs((await classifierTwoSample(left, right, 2, { features: 'squares' })).z)).toBeLessThan(3)
})

test('sets of one distribution are told apart by chance alone, of unlike sizes too; distinct ones always', async () => {
  const scores: number[] = []
  for (let seed = 0; seed < 10; seed++) {
    scores.push((await classifierTwoSample(normal(900, 3, 2 * seed), normal(100, 3, 2 * seed + 1), 3, { seed })).z)
  }
  expect(Math.abs(scores.reduce((sum, z) => sum + z) / Math.sqrt(10))).toBeLessThan(3)
  expect(Math.max(...scores)).toBeLessThan(3.5)
  expect((await classifierTwoSample(normal(200, 2, 1), normal(200, 2, 2, { mean: 50 }), 2)).accuracy).toBe(1)
  // nothing to look at
  expect(await classifierTwoSample(new Float64Array(40), new Float64Array(60), 2)).toEqual({
    accuracy: 0.5,
    z: 0,
    features: 0,
  })
})

test.each([1, 2, 64, 65, 200])('nearest distances in %i dimensions are those of all pairs', async (d) => {
  // rows on a few directions with noise, some of them twice, as projections like and dislike them
  const random = new RandomStream(11)
  const make = (n: number, seed: number): Float32Array => {
    const rows = new Float32Array(n * d)
    for (let i = 0; i < n; i++) {
      random.row(seed + i)
      const [u, v] = [random.normal(), random.normal()]
      for (let k = 0; k < d; k++) rows[i * d + k] = 1000 + u * Math.sin(k) + v * Math.cos(2 * k) + 0.1 * random.normal()
    }
    return rows
  }
  const [queries, rows] = [make(70, 0), make(300, 1000)]
  queries.set(rows.subarray(7 * d, 8 * d), 3 * d)
  const found = await nearestDistances(queries, rows, d)
  expect(found[3]).toBe(0)
  found.forEach((distance, i) => {
    let least = Infinity
    for (let j = 0; j < 300; j++) {
      let sum = 0
      for (let k = 0; k < d; k++) sum += (queries[i * d + k] - rows[j * d + k]) ** 2
      least = Math.min(least, sum)
    }
    expect(Math.abs(distance - Math.sqrt(least))).toBeLessThanOrEqual(1e-12 * Math.sqrt(least))
  })
})

test('rows that are all alike are searched too', async () => {
  const rows = new Float32Array(40 * 90).fill(2)
  const far = new Float32Array(90).fill(3)
  expect([...(await nearestDistances(far, rows, 90))]).toEqual([Math.sqrt(90)])
  expect([...(await nearestDistances(rows.subarray(0, 180), rows, 90))]).toEqual([0, 0])
})

test('samples that copy training rows are nearer to them; fresh ones are as near to rows held out', async () => {
  const [training, heldOut] = [normal(3000, 2, 1), normal(2000, 2, 2)]
  const fresh = await memorising(normal(2000, 2, 3), training, heldOut, 2)
  expect(Math.abs(fresh.z)).toBeLessThan(3)
  expect(fresh.copies).toBe(0)
  expect(fresh.rows).toBe(2000)
  const near = training.slice(0, 1000).map((value, i) => value + 1e-4 * (i % 3))
  // only two of three training rows are searched, and held-out rows are nearer to few of the others' samples
  const copied = await memorising(near, training.subarray(0, 4000), heldOut, 2)
  expect(copied.nearerToTraining).toBeGreaterThan(0.98)
  expect(copied.z).toBeGreaterThan(20)
  const exact = await memorising(training.subarray(0, 20), training.subarray(0, 4000), heldOut, 2)
  expect([exact.copies, exact.nearerToTraining]).toEqual([10, 1])
  // one set in both places: all ties
  expect((await memorising(near, heldOut, heldOut, 2)).nearerToTraining).toBe(0.5)
})

test('rows of another width, no rows, and values that are not finite are errors that name them', async () => {
  const good = Float64Array.of(1, 2, 3, 4)
  expect(() => slicedWasserstein(good, Float64Array.of(1, 2, 3), 2)).toThrow(
    'b has 3 values, which are no whole rows of 2',
  )
  expect(() => slicedWasserstein(new Float64Array(0), good, 2)).toThrow('a has 0 rows; at least 1')
  expect(() => slicedWasserstein(good, Float64Array.of(1, NaN), 2)).toThrow('b holds NaN in row 0, column 1')
  expect(() => slicedWasserstein(good, good, 2, { p: 0.5 })).toThrow(InvalidArgumentError)
  expect(() => slicedWasserstein(good, good, 2, { directions: 0 })).toThrow(InvalidArgumentError)
  await expect(energyDistance(good.subarray(0, 2), good, 2)).rejects.toThrow('a has 1 row; at least 2')
  await expect(classifierTwoSample(good, good, 2)).rejects.toThrow('at least 5')
  await expect(nearestDistances(Float64Array.of(Infinity), good, 1)).rejects.toThrow(DataError)
})
