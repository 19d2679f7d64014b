import { describe, expect, it } from 'vitest'
import {
  applyScaler,
  checkTensor,
  fitScaler,
  logDeterminant,
  partCounts,
  permutation,
  split,
  undoScaler,
} from '../../src/data/index.js'
import { DataError, InvalidArgumentError } from '../../src/errors.js'
import { RandomStream, streams } from '../../src/random/stream.js'

const rows = (n: number) => ({ values: Float32Array.from({ length: 2 * n }, (_, i) => i >> 1), shape: [n, 2] })
const firsts = (x: { values: ArrayLike<number> } | null) =>
  x ? Array.from(x.values).filter((_, i) => i % 2 === 0) : []

describe('parts', () => {
  it('are counts, fractions, or the rest', () => {
    expect(partCounts(100, { test: 0.1, validation: 5 })).toEqual({ train: 85, validation: 5, test: 10 })
    expect(partCounts(10, { train: 0.3, test: 1 })).toEqual({ train: 3, validation: 0, test: 1 })
    expect(partCounts(7, {})).toEqual({ train: 7, validation: 0, test: 0 })
  })

  it('are refused where there are too few rows', () => {
    expect(() => partCounts(10, { train: 9, test: 2 })).toThrow(DataError)
    expect(() => partCounts(10, { test: 10 })).toThrow('The data have 10 rows, too few for the parts')
    expect(() => partCounts(10, { validation: 0.01 })).toThrow('validation: 0.01 of 10 rows is less than one row.')
  })

  it('share no row, and together are the data', () => {
    const parts = split(rows(50), { validation: 7, test: 0.2 }, { seed: 3 })
    const all = [parts.train, parts.validation, parts.test].flatMap(firsts)
    expect(parts.test?.shape).toEqual([10, 2])
    expect([...all].sort((a, b) => a - b)).toEqual(firsts(rows(50)))
    expect(all).not.toEqual(firsts(rows(50)))
  })

  it('keep rows together and the order of the file where they are not shuffled', () => {
    const { train, validation, test } = split(
      rows(10),
      { train: 4, validation: 2, test: 3 },
      { seed: 3, shuffle: false },
    )
    expect([firsts(train), firsts(validation), firsts(test)]).toEqual([
      [0, 1, 2, 3],
      [5, 6],
      [7, 8, 9],
    ])
    const shuffled = split(rows(10), {}, { seed: 1 }).train.values
    for (let i = 0; i < 10; i++) expect(shuffled[2 * i]).toBe(shuffled[2 * i + 1])
  })

  it('depend on the seed, and the test part not on how much is trained on', () => {
    const test = (train: number, seed: number) => firsts(split(rows(50), { train, test: 10 }, { seed }).test)
    expect(test(5, 1)).toEqual(test(40, 1))
    expect(test(5, 1)).not.toEqual(test(5, 2))
  })

  it('keep 8-bit values and dimensions', () => {
    const x = { values: Uint8Array.from({ length: 24 }, (_, i) => i), shape: [4, 3, 2] }
    const { train, test } = split(x, { test: 1 }, { seed: 0, shuffle: false })
    expect(train).toEqual({ values: x.values.slice(0, 18), shape: [3, 3, 2] })
    expect(test).toEqual({ values: x.values.slice(18), shape: [1, 3, 2] })
  })
})

describe('the scaler', () => {
  const x = { values: Float32Array.of(1, 10, 3, 30, 5, 20), shape: [3, 2] }

  it('standardises columns and undoes it', () => {
    const scaler = fitScaler(x)
    expect(scaler.mean[0]).toBeCloseTo(3, 12)
    expect(scaler.mean[1]).toBeCloseTo(20, 12)
    expect(scaler.std[0]).toBeCloseTo(Math.sqrt(8 / 3), 12)
    expect(scaler.std[1]).toBeCloseTo(Math.sqrt(200 / 3), 12)
    const y = applyScaler(scaler, x)
    expect(y.values[0]).toBeCloseTo(-2 / Math.sqrt(8 / 3), 6)
    expect(y.values[3]).toBeCloseTo(10 / Math.sqrt(200 / 3), 6)
    undoScaler(scaler, y).values.forEach((value, i) => void expect(value).toBeCloseTo(x.values[i], 5))
    expect(logDeterminant(scaler)).toBeCloseTo(0.5 * Math.log((8 / 3) * (200 / 3)), 12)
  })

  it('has the precision to standardise small spreads about large means', () => {
    const n = 100_000
    const values = Float32Array.from({ length: n }, (_, i) => 1e6 + (i % 2))
    const { mean, std } = fitScaler({ values, shape: [n, 1] })
    expect(mean[0]).toBeCloseTo(1e6 + 0.5, 6)
    expect(std[0]).toBeCloseTo(0.5, 9)
  })

  it('names a constant column, and refuses rows of other columns', () => {
    const constant = { values: Float32Array.of(1, 7, 2, 7), shape: [2, 2] }
    expect(() => fitScaler(constant)).toThrow('column 1 is constant: each of the 2 training rows has 7.')
    expect(() => fitScaler(constant, ['a', 'b'])).toThrow("column 1 ('b') is constant")
    expect(() => applyScaler(fitScaler(x), { values: new Float32Array(3), shape: [1, 3] })).toThrow(
      InvalidArgumentError,
    )
    expect(() => fitScaler({ values: new Float32Array(4), shape: [1, 2, 2] })).toThrow('two-dimensional')
  })
})

describe('a tensor', () => {
  it.each<[string, unknown, RegExp]>([
    ['nothing', null, /^x must be \{ values/],
    ['a list of numbers', { values: [1, 2], shape: [1, 2] }, /^x\.values must be a Float32Array/],
    ['whole numbers', { values: Int32Array.of(1), shape: [1, 1] }, /but is Int32Array/],
    ['no shape', { values: Float32Array.of(1) }, /^x\.shape must be/],
    ['a shape of one dimension', { values: Float32Array.of(1), shape: [1] }, /^x\.shape must be/],
    ['half a row', { values: Float32Array.of(1), shape: [0.5, 2] }, /^x\.shape must be/],
    ['rows of nothing', { values: new Float32Array(0), shape: [2, 0] }, /^x\.shape must be/],
    ['zero rows', { values: new Float32Array(0), shape: [0, 2] }, /^x has zero rows/],
    [
      'too few values',
      { values: Float32Array.of(1, 2, 3), shape: [2, 2] },
      /has 3 values, but its shape \[2, 2\] asks for 4/,
    ],
    ['NaN', { values: Float32Array.of(1, 2, NaN, 4), shape: [2, 2] }, /^x holds NaN in row 1, column 0/],
    [
      'infinity',
      { values: Float32Array.of(1, 2, 3, 4, 5, -Infinity), shape: [3, 2] },
      /^x holds -Infinity in row 2, column 1/,
    ],
  ])('is refused for %s', (_, x, message) => {
    expect(() => checkTensor('x', x)).toThrow(message)
  })

  it('is accepted with a shape that fits', () => {
    checkTensor('x', { values: Uint8Array.of(1, 2, 3, 4), shape: [1, 2, 2] })
    checkTensor('x', { values: Float32Array.of(1, 2), shape: [2, 1] })
  })
})

describe('random numbers of the host', () => {
  it('are functions of seed, stream and row', () => {
    const value = (seed: number, stream: number, row: number) => new RandomStream(seed, stream).row(row).uniform()
    const all = [value(1, 0, 0), value(2, 0, 0), value(1, 1, 0), value(1, 0, 1), value(1 + 2 ** 32, 0, 0)]
    expect(new Set(all).size).toBe(all.length)
    const random = new RandomStream(1, streams.sample)
    random.row(5).normal()
    expect(random.row(0).uniform()).toBe(value(1, 0, 0))
  })

  it('have the moments of their distributions', () => {
    const n = 200_000
    const random = new RandomStream(7)
    const sums = [0, 0, 0, 0, 0, 0]
    const counts = [0, 0, 0]
    for (let i = 0; i < n; i++) {
      const u = random.row(i).uniform()
      const z = random.normal()
      const second = random.normal()
      for (const [k, term] of [u, u * u, z, z * z, z ** 4, z * second].entries()) sums[k] += term / n
      counts[random.below(3)]++
    }
    // Five standard errors of each mean.
    const within = [0.289, 0.298, 1, Math.SQRT2, 9.8, 1].map((deviation) => (5 * deviation) / Math.sqrt(n))
    ;[1 / 2, 1 / 3, 0, 1, 3, 0].forEach((moment, k) => void expect(Math.abs(sums[k] - moment)).toBeLessThan(within[k]))
    for (const c of counts) expect(Math.abs(c / n - 1 / 3)).toBeLessThan((5 * 0.471) / Math.sqrt(n))
  })

  it('make permutations', () => {
    const order = permutation(1000, 5)
    expect(Array.from(order).sort((a, b) => a - b)).toEqual(Array.from({ length: 1000 }, (_, i) => i))
    expect(order.filter((value, i) => value === i).length).toBeLessThan(20)
    expect(permutation(1000, 6)).not.toEqual(order)
  })

  it('make every order of three as often as any other', () => {
    const counts = new Map<string, number>()
    const n = 3000
    for (let seed = 0; seed < n; seed++) {
      const order = permutation(3, seed).join()
      counts.set(order, (counts.get(order) ?? 0) + 1)
    }
    expect(counts.size).toBe(6)
    // five standard deviations of 500
    for (const [order, count] of counts) expect(Math.abs(count - n / 6), order).toBeLessThan(102)
  })

  it('refuse seeds that are no whole numbers', () => {
    for (const seed of [-1, 0.5, 2 ** 53, NaN]) expect(() => new RandomStream(seed)).toThrow(InvalidArgumentError)
  })
})
