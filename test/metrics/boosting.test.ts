/** Gradient boosting on problems with known answers. */

import { describe, expect, test } from 'vitest'
import { binning, MOST_BINS } from '../../src/metrics/tables/bins.js'
import { fitBoosting } from '../../src/metrics/tables/boosting.js'
import { fitLinear } from '../../src/metrics/tables/linear.js'
import { categories, numbers, rowsOf } from './made-tables.js'

/** Two columns uniform on (−1, 1). */
function square(n: number, seed: number) {
  const rows = rowsOf(n, seed, (random) => [2 * random.uniform() - 1, 2 * random.uniform() - 1])
  return {
    rows,
    columns: [
      numbers(
        'a',
        rows.map(([a]) => a),
      ),
      numbers(
        'b',
        rows.map(([, b]) => b),
      ),
    ],
  }
}

const worst = (a: ArrayLike<number>, b: ArrayLike<number>): number =>
  Array.from({ length: a.length }, (_, i) => Math.abs(a[i] - b[i])).reduce((most, x) => Math.max(most, x), 0)
const rms = (a: ArrayLike<number>, b: ArrayLike<number>): number =>
  Math.sqrt(Array.from({ length: a.length }, (_, i) => (a[i] - b[i]) ** 2).reduce((sum, x) => sum + x / a.length, 0))

describe('boosting', () => {
  test('exclusive or, which no linear model tells', () => {
    const [train, fresh] = [square(2000, 1), square(1000, 2)]
    const xor = ([a, b]: number[]): number => (a * b > 0 ? 1 : 0)
    const right = (p: Float64Array): number =>
      fresh.rows.filter((row, i) => (p[i] > 0.5 ? 1 : 0) === xor(row)).length / fresh.rows.length
    const target = Float64Array.from(train.rows, xor)
    expect(right(fitBoosting(train.columns, target, 'logistic').predict(fresh.columns))).toBeGreaterThan(0.97)
    expect(right(fitLinear(train.columns, target, 'logistic').predict(fresh.columns))).toBeLessThan(0.6)
  })

  test('an additive function of a number and a category', () => {
    const make = (n: number, seed: number) => {
      const rows = rowsOf(n, seed, (random) => ({ x: 4 * random.uniform() - 2, k: random.below(5) }))
      return {
        columns: [
          numbers(
            'x',
            rows.map(({ x }) => x),
          ),
          categories('k', ['0', '1', '2', '3', '4'].concat(rows.map(({ k }) => String(k))).slice(5)),
        ],
        truth: Float64Array.from(rows, ({ x, k }) => x * x + [3, -2, 0, 5, 1][k]),
        levels: rows.map(({ k }) => k),
      }
    }
    const [train, fresh] = [make(4000, 1), make(500, 2)]
    // both sets by one list of levels, as aligned tables are
    for (const { columns, levels } of [train, fresh]) {
      columns[1] = { name: 'k', kind: 'category', levels: ['0', '1', '2', '3', '4'], codes: Int32Array.from(levels) }
    }
    const fitted = fitBoosting(train.columns, train.truth, 'squared').predict(fresh.columns)
    // the standard deviation is 2.8, a bin of 64 holds .06 of x
    expect(rms(fitted, fresh.truth)).toBeLessThan(0.12)
  })

  test('probabilities are calibrated', () => {
    const rows = rowsOf(8000, 1, (random) => ({ x: 2 * random.normal(), u: random.uniform() }))
    const chance = (x: number): number => 1 / (1 + Math.exp(-x))
    const target = Float64Array.from(rows, ({ x, u }) => (u < chance(x) ? 1 : 0))
    const grid = [-2, -1, 0, 1, 2]
    const train = [
      numbers(
        'x',
        rows.map(({ x }) => x),
      ),
    ]
    for (const [learn, allowed] of [
      [fitLinear, 0.02],
      [(...[x, y, loss]: Parameters<typeof fitLinear>) => fitBoosting(x, y, loss, { depth: 3, trees: 50 }), 0.08],
    ] as const) {
      expect(worst(learn(train, target, 'logistic').predict([numbers('x', grid)]), grid.map(chance))).toBeLessThan(
        allowed,
      )
    }
    // with nothing to see, the share
    const blind = fitBoosting(
      [
        numbers(
          'k',
          rows.map(() => 1),
        ),
      ],
      target,
      'logistic',
    ).predict([numbers('k', [1])])
    expect(blind[0]).toBeCloseTo(target.reduce((sum, y) => sum + y, 0) / 8000, 12)
  })

  test('missing values go to the side where they belong', () => {
    const x = Array.from({ length: 300 }, (_, i) => (i % 3 === 0 ? NaN : i))
    // missing rows are like those below 150, then like none
    for (const [missing, low, high] of [
      [1, 1, 0],
      [0, 1, 0],
      [5, 1, 0],
    ]) {
      const target = Float64Array.from(x, (value) => (Number.isNaN(value) ? missing : value < 150 ? low : high))
      const model = fitBoosting([numbers('x', x)], target, 'squared', { trees: 200 })
      const [gone, below, above] = model.predict([numbers('x', [NaN, 50, 250])])
      expect([gone, below, above].map((value) => value.toFixed(2))).toEqual(
        [missing, low, high].map((value) => value.toFixed(2)),
      )
    }
  })

  test('one tree of one split is the closed form: −rate · Σg / (Σh + ridge)', () => {
    const x = numbers('x', [0, 0, 0, 1, 1])
    const model = fitBoosting([x], Float64Array.of(0, 0, 3, 10, 12), 'squared', {
      trees: 1,
      depth: 1,
      rate: 0.5,
      ridge: 1,
      leastRows: 1,
    })
    // mean 5: the sides' residuals sum to −12 and 12
    const [left, right] = model.predict([numbers('x', [0, 1])])
    expect(left).toBeCloseTo(5 - (0.5 * 12) / 4, 12)
    expect(right).toBeCloseTo(5 + (0.5 * 12) / 3, 12)
    // the first row alone is fewer than asked for
    const alone = numbers('x', [0, 1, 1, 1, 1])
    const whole = fitBoosting([alone], Float64Array.of(25, 0, 0, 0, 0), 'squared', { leastRows: 2 })
    expect([...whole.predict([alone])].every((value) => Math.abs(value - 5) < 1e-9)).toBe(true)
  })

  test('the same rows give the same bits', () => {
    const { rows, columns } = square(500, 3)
    const target = Float64Array.from(rows, ([a, b]) => a + b * b)
    const [one, other] = [1, 2].map(() => fitBoosting(columns, target, 'squared').predict(columns))
    expect(one).toEqual(other)
  })

  test.each([
    [{ depth: 7 }, 'depth must be a whole number from 1 to 6'],
    [{ trees: 0 }, 'trees must be'],
    [{ rate: 0 }, 'rate must be'],
    [{ ridge: -1 }, 'ridge must be'],
    [{ leastRows: 0.5 }, 'leastRows must be'],
  ])('%o is refused', (options, message) => {
    expect(() => fitBoosting([numbers('x', [1, 2])], Float64Array.of(0, 1), 'squared', options)).toThrow(message)
  })
})

describe('bins', () => {
  test('few values have a bin each, many share 64 evenly, missing has 0', () => {
    const few = binning(numbers('x', [3, 1, 2, 2, NaN]))
    expect([...few.of(numbers('x', [NaN, 1, 1.4, 1.6, 2, 3, 99, -99]))]).toEqual([0, 1, 1, 2, 2, 3, 3, 1])
    const normal = numbers(
      'x',
      rowsOf(6400, 1, (random) => random.normal()),
    )
    const { bins, of } = binning(normal)
    expect(bins).toBe(MOST_BINS + 1)
    const counts = new Map<number, number>()
    for (const bin of of(normal)) counts.set(bin, (counts.get(bin) ?? 0) + 1)
    expect(Math.max(...counts.values())).toBeLessThan(110)
    expect(Math.min(...counts.values())).toBeGreaterThan(90)
  })

  test('a value that half of the rows have takes no bins from the others', () => {
    const column = numbers(
      'x',
      rowsOf(2000, 1, (random) => (random.uniform() < 0.5 ? 0 : random.normal())),
    )
    const used = new Set(binning(column).of(column))
    expect(used.size).toBeGreaterThan(60)
  })

  test('of many levels the rare ones share a bin, and those that were never seen are missing', () => {
    const names = Array.from({ length: 200 }, (_, i) => [`level ${i}`, ...(i < 20 ? [`level ${i}`] : [])]).flat()
    const column = categories('c', names)
    const { of, bins } = binning(column)
    expect(bins).toBe(MOST_BINS + 1)
    const own = of(column)
    expect(new Set(own).size).toBe(MOST_BINS)
    expect(new Set([...own].filter((_, i) => i < 40)).size).toBe(20)
    expect(own[own.length - 1]).toBe(MOST_BINS)
    const small = binning(categories('c', ['a', 'b']))
    expect([...small.of({ ...categories('c', ['a', 'b', 'z', null]) })]).toEqual([1, 2, 0, 0])
  })
})
