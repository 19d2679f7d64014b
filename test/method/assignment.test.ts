/** Assignments against all permutations, and against what is known of large ones. */

import { expect, test } from 'vitest'
import { assign } from '../../src/learn/assignment.js'
import { RandomStream, streams } from '../../src/random/stream.js'

const random = new RandomStream(5, streams.metric)
const total = (cost: Float64Array, n: number, columns: ArrayLike<number>): number =>
  Array.from(columns).reduce((sum, j, i) => sum + cost[i * n + j], 0)

function* permutations(items: readonly number[]): Generator<number[]> {
  if (items.length === 0) yield []
  for (const [k, first] of items.entries()) {
    for (const rest of permutations([...items.slice(0, k), ...items.slice(k + 1)])) yield [first, ...rest]
  }
}

test('the least cost of all permutations, with and without ties', () => {
  for (let round = 0; round < 120; round++) {
    random.row(round)
    const n = 1 + (round % 7)
    const values = round % 3 === 0 ? 3 : 1e6
    const cost = Float64Array.from({ length: n * n }, () => Math.floor(values * random.uniform()) - values / 2)
    const columns = assign(cost, n)
    expect([...columns].sort((a, b) => a - b)).toEqual(Array.from({ length: n }, (_, i) => i))
    const least = Math.min(...[...permutations(Array.from({ length: n }, (_, i) => i))].map((p) => total(cost, n, p)))
    expect(total(cost, n, columns)).toBe(least)
  }
})

test('squared distances on a line are least in sorted order', () => {
  const n = 256
  random.row(1000)
  const [a, b] = [0, 1].map(() => Float64Array.from({ length: n }, () => random.normal()))
  const cost = Float64Array.from({ length: n * n }, (_, k) => (a[Math.floor(k / n)] - b[k % n]) ** 2)
  const [x, y] = [a, b].map((values) => values.slice().sort())
  const sorted = x.reduce((sum, value, i) => sum + (value - y[i]) ** 2, 0)
  expect(total(cost, n, assign(cost, n))).toBeCloseTo(sorted, 9)
})
