/** What the reference of draw_batch makes of stored right ends, paths as tables and noise on left ends, and what it refuses. */

import { describe, expect, test } from 'vitest'
import type { ReferenceTensor } from '../../src/kernels/contract.js'
import { cleanLeft, type DrawBatchAttributes, drawBatch } from '../../src/kernels/draw_batch.js'
import { packPixels } from '../../src/kernels/pool.js'

const tensor = (shape: number[], value: (i: number) => number = () => 0) => ({
  data: Float64Array.from({ length: shape.reduce((a, b) => a * b) }, (_, i) => value(i)),
  shape,
})
const plain: DrawBatchAttributes = {
  ...{ seedLow: 5, seedHigh: 0, stream: 1 },
  ...{ pairing: 'own', path: 'linear', sampling: 'epochs', decay: 0.8, spread: 0.6, ...cleanLeft },
  ...{ timesPerPair: 1, drop: 0, values: 'floats', mirror: 0 },
}
/** x = x_l and target = x_r at every t. */
const ends = tensor([2, 4], (i) => [1, 0, 0, 1][i % 4])

function batch(B: number, operands: Record<string, ReferenceTensor>, attributes: Partial<DrawBatchAttributes>) {
  const D = operands.right?.shape[1] ?? operands.pool.shape[1]
  const told = operands.pool_condition && { condition: tensor([B, operands.pool_condition.shape[1]]) }
  const out = { x: tensor([B, D]), t: tensor([B]), target: tensor([B, D]), ...told }
  const state = { data: new Uint32Array(8), shape: [8] }
  const all = { ...operands, ...out, state }
  const shapes = Object.fromEntries(Object.entries(all).map(([name, { shape }]) => [name, shape]))
  drawBatch.check(shapes, { ...plain, ...attributes })
  drawBatch.reference(all, { ...plain, ...attributes })
  return out
}

const moments = (values: Float64Array) => {
  const mean = values.reduce((sum, v) => sum + v, 0) / values.length
  return { mean, variance: values.reduce((sum, v) => sum + (v - mean) ** 2, 0) / values.length }
}

describe('a path as a table', () => {
  test.each(['linear', 'trig'] as const)('of 4097 knots is the %s one to within float32', (path) => {
    const pool = tensor([500, 3], (i) => Math.sin(i))
    const H = Math.PI / 2
    const rows = {
      linear: (t: number) => [1 - t, t, -1, 1],
      trig: (t: number) => [Math.cos(H * t), Math.sin(H * t), -H * Math.sin(H * t), H * Math.cos(H * t)],
    }[path]
    const path_table = tensor([4097, 4], (i) => rows((i >> 2) / 4096)[i & 3])
    const closed = batch(400, { pool }, { path })
    const table = batch(400, { pool, path_table }, { path: 'table' })
    for (const name of ['x', 'target'] as const) {
      const furthest = Math.max(...closed[name].data.map((value, i) => Math.abs(value - table[name].data[i])))
      expect(furthest, name).toBeLessThan(2 ** -21)
    }
  })
})

describe('stored right ends', () => {
  test('are those of the rows that the left ends are', () => {
    const pool = tensor([100, 2], (i) => i)
    const right = tensor([100, 2], (i) => 1000 + i)
    const { x, target } = batch(100, { pool, right, path_table: ends }, { pairing: 'stored', path: 'table' })
    expect([...x.data].sort((a, b) => a - b)).toEqual([...pool.data])
    expect([...target.data]).toEqual([...x.data].map((value) => value + 1000))
  })

  test('are mirrored with them, beside a pool of pixels too', () => {
    const bytes = Uint8Array.from({ length: 40 * 6 }, (_, i) => i)
    const pool = { data: packPixels(bytes, 6), shape: [40, 2] }
    const right = tensor([40, 6], (i) => bytes[i])
    const how = { pairing: 'stored', path: 'table', values: 'pixels', mirror: 3 } as const
    const { x, target } = batch(40, { pool, right, path_table: ends }, how)
    expect([...x.data].map((value) => Math.round(127.5 * value + 127.5))).toEqual([...target.data])
    const first = [...target.data].filter((_, i) => i % 6 === 0)
    // a row that is not mirrored begins with a multiple of six, one that is with two more
    expect(new Set(first.map((value) => bytes.indexOf(value) % 6))).toEqual(new Set([0, 2]))
  })
})

describe('noise on left ends', () => {
  const n = 20_000
  const pool = tensor([n, 2], () => 3)
  const noisy = { leftDecay: 0.3, leftSpread: 0.9, path: 'table' } as const

  test('is fresh, of the given size, and the right end is made of the noised one', () => {
    const { x, target } = batch(n, { pool, path_table: ends }, { ...noisy, pairing: 'own' })
    const left = moments(x.data)
    expect(left.mean).toBeCloseTo(0.9, 1)
    expect(left.variance).toBeCloseTo(0.81, 1)
    expect(new Set(x.data).size).toBe(2 * n)
    const right = moments(target.data)
    expect(right.mean).toBeCloseTo(0.8 * 0.9, 1)
    expect(right.variance).toBeCloseTo(0.64 * 0.81 + 0.36, 1)
    const rest = moments(target.data.map((value, i) => value - 0.8 * x.data[i]))
    expect(rest.variance).toBeCloseTo(0.36, 2)
  })

  test('has nothing to do with the noise of the right end', () => {
    const { x, target } = batch(n, { pool, path_table: ends }, { ...noisy, pairing: 'none' })
    const products = x.data.map((value, i) => (value - 0.9) * target.data[i])
    expect(Math.abs(moments(products).mean)).toBeLessThan(0.03)
    expect(moments(target.data).variance).toBeCloseTo(1, 1)
  })

  test('is the same for all times of a pair', () => {
    const { x } = batch(300, { pool, path_table: ends }, { ...noisy, timesPerPair: 3 })
    for (let i = 0; i < 300; i++) expect(x.data[2 * i]).toBe(x.data[2 * (i - (i % 3))])
  })
})

test.each([
  [{ pairing: 'stored' }, {}, "with pairing 'stored' the operand right must be given"],
  [{}, { right: tensor([9, 2]) }, "the operand right is for pairing 'stored' alone"],
  [{ pairing: 'stored' }, { right: tensor([8, 2]) }, 'right must have the shape [9, 2], but has [8, 2]'],
  [{ path: 'table' }, {}, "with path 'table' the operand path_table must be given"],
  [{ path: 'trig' }, { path_table: ends }, "the operand path_table is for path 'table' alone"],
  [{ path: 'table' }, { path_table: tensor([1, 4]) }, 'path_table must have the shape [2, 4], but has [1, 4]'],
  [{ path: 'table' }, { path_table: tensor([9, 3]) }, 'path_table must have the shape [9, 4], but has [9, 3]'],
  [{ leftSpread: 0.1, pairing: 'shuffled' }, {}, "with 'shuffled' the right end is made of another row"],
  [{ leftDecay: 0.9, pairing: 'independent' }, {}, "with 'independent' the right end is made of another row"],
  [{ leftSpread: 0.1, pairing: 'stored' }, { right: tensor([9, 2]) }, 'the stored right ends belong to the rows'],
] as const)('%o is refused with %o', (attributes, operands: Record<string, ReferenceTensor>, message) => {
  expect(() => batch(5, { pool: tensor([9, 2]), ...operands }, attributes)).toThrow(message)
})

describe('conditions', () => {
  const pool = tensor([2000, 1], (i) => i + 1)
  const pool_condition = tensor([2000, 2], (i) => i + 1)

  test('stay with their rows, and are all zeros for the share of rows that drops them, at every time of a pair anew', () => {
    const { x, condition } = batch(
      4000,
      { pool, pool_condition, path_table: ends },
      { path: 'table', drop: 0.25, timesPerPair: 2 },
    )
    const rows = [...x.data].map((row, i) => [row, condition!.data[2 * i], condition!.data[2 * i + 1]])
    const dropped = rows.filter(([, first]) => first === 0)
    expect(dropped.every(([, , second]) => second === 0)).toBe(true)
    for (const [row, first, second] of rows.filter(([, first]) => first !== 0)) {
      expect([first, second]).toEqual([2 * row - 1, 2 * row])
    }
    // five standard deviations of 4000 draws
    expect(Math.abs(dropped.length / 4000 - 0.25)).toBeLessThan(5 * Math.sqrt((0.25 * 0.75) / 4000))
    const of = (i: number): boolean => rows[i][1] === 0
    expect(Array.from({ length: 2000 }, (_, pair) => of(2 * pair) !== of(2 * pair + 1)).some(Boolean)).toBe(true)
  })

  test('a share that is none, or is of no conditions, is refused', () => {
    for (const drop of [-0.1, 1, Number.NaN]) {
      expect(() => batch(4, { pool, pool_condition }, { drop })).toThrow('drop must be a probability')
    }
    expect(() => batch(4, { pool }, { drop: 0.1 })).toThrow('0 without a condition')
  })
})
