/** Figures of tables, by closed forms. */

import { describe, expect, test } from 'vitest'
import { DataError, InvalidArgumentError } from '../../src/errors.js'
import { tables } from '../../src/metrics/index.js'
import { accuracy, areaUnderCurve, determination, macroF1 } from '../../src/metrics/tables/scores.js'
import { categories, mixed, numbers, rowsOf, table } from './made-tables.js'

const { columnShapes, missingValues, rangeCoverage, categoryCoverage, pairTrends, detection, closestRecords } = tables

describe('columns', () => {
  test('identical tables have 1 everywhere, disjoint ones 0', () => {
    const real = mixed(200, 1)
    for (const figure of [columnShapes, missingValues, rangeCoverage, categoryCoverage, pairTrends]) {
      expect(figure(real, real).score).toBe(1)
    }
    const a = table(numbers('n', [1, 2, 3]), categories('c', ['x', 'y', 'x']))
    const b = table(numbers('n', [4, 5]), categories('c', ['z', 'w']))
    for (const figure of [columnShapes, rangeCoverage, categoryCoverage, pairTrends]) expect(figure(a, b).score).toBe(0)
    const gone = table(numbers('n', [NaN, NaN]), categories('c', [null, null]))
    for (const figure of [columnShapes, missingValues, rangeCoverage, categoryCoverage])
      expect(figure(a, gone).score).toBe(0)
  })

  test('shapes are 1 − KS of the values that are there, and 1 − TV with missing as a level', () => {
    const real = table(numbers('n', [1, 2, 3, 4, NaN]), categories('c', ['a', 'a', 'b', 'b', null]))
    // F and G are farthest apart below 3: 2/4 against 0; ties count at once
    const made = table(numbers('n', [3, 3, 4, NaN]), categories('c', ['a', 'a', 'a', 'c']))
    const { score, columns } = columnShapes(real, made)
    expect(columns[0]).toEqual({ name: 'n', score: 0.5 })
    // ½(|.4 − .75| + |.4 − 0| + |0 − .25| + |.2 − 0|) = .6
    expect(columns[1].score).toBeCloseTo(0.4, 12)
    expect(score).toBeCloseTo(0.45, 12)
    expect(missingValues(real, made).columns[0].score).toBeCloseTo(1 - 0.05, 12)
    expect(missingValues(real, made).columns[1].score).toBeCloseTo(0.8, 12)
    expect(columnShapes(table(numbers('n', [NaN])), table(numbers('n', [NaN]))).score).toBe(1)
    const tied = table(numbers('n', [0, 1, 1, 1]))
    expect(columnShapes(tied, tied).score).toBe(1)
  })

  test('coverage is the part of the range, or of the levels', () => {
    const range = (low: number, high: number): number =>
      rangeCoverage(table(numbers('n', [0, 10, NaN])), table(numbers('n', [low, high]))).score
    expect(range(2, 9)).toBeCloseTo(0.7, 12)
    expect(range(-5, 30)).toBe(1)
    expect(range(20, 30)).toBe(0)
    const constant = table(numbers('n', [5, 5]))
    expect(rangeCoverage(constant, table(numbers('n', [4, 6]))).score).toBe(1)
    expect(rangeCoverage(constant, table(numbers('n', [6, 7]))).score).toBe(0)
    const levels = table(categories('c', ['a', 'b', 'c', null]))
    expect(categoryCoverage(levels, table(categories('c', ['q', 'c']))).score).toBeCloseTo(1 / 3, 12)
    expect(rangeCoverage(levels, levels)).toEqual({ score: NaN, columns: [] })
  })

  test('levels are compared by name, columns in any order, integers with numbers', () => {
    const real = table(numbers('n', [1, 2]), categories('c', ['a', 'b']))
    const made = table(categories('c', ['b', 'a']), numbers('n', [1, 2], 'integer'))
    expect(columnShapes(real, made)).toEqual({
      score: 1,
      columns: [
        { name: 'n', score: 1 },
        { name: 'c', score: 1 },
      ],
    })
  })
})

describe('pairs', () => {
  test('numbers by Pearson’s correlation: opposite lines score 0, a line and no line ½', () => {
    const rising = table(numbers('a', [1, 2, 3, NaN]), numbers('b', [2, 4, 6, 0]))
    const falling = table(numbers('a', [1, 2, 3]), numbers('b', [6, 4, 2]))
    expect(pairTrends(rising, falling).pairs[0].score).toBeCloseTo(0, 12)
    const flat = table(numbers('a', [1, 2, 3]), numbers('b', [5, 5, 5]))
    expect(pairTrends(rising, flat).score).toBeCloseTo(0.5, 12)
    // no correlation to be like
    expect(pairTrends(flat, rising)).toEqual({ score: NaN, pairs: [] })
    // dates are far from 0
    const day = (values: number[]) =>
      numbers(
        'a',
        values.map((value) => 1.7e9 + value),
        'date',
      )
    const dates = [1, 2, 3].map((slope) => table(day([1, 2, 3]), numbers('b', [slope, 2 * slope, 3 * slope])))
    expect(pairTrends(dates[0], dates[2]).score).toBeCloseTo(1, 9)
  })

  test('categories by the total variation of their combinations, numbers in ten bins and two beyond', () => {
    const real = table(categories('a', ['x', 'x', 'y', 'y']), categories('b', ['u', 'u', 'v', 'v']))
    const crossed = table(categories('a', ['x', 'x', 'y', 'y']), categories('b', ['u', 'v', 'u', 'v']))
    expect(pairTrends(real, crossed).score).toBeCloseTo(0.5, 12)
    const c = (n: number) =>
      categories(
        'c',
        Array.from({ length: n }, () => 'k'),
      )
    const bins = table(numbers('n', [0, 1.5, 9.5, 10]), c(4))
    // 1.9 shares the bin of 1.5, 10 that of 9.5; 11 and −1 are beyond
    expect(pairTrends(bins, table(numbers('n', [0, 1.9, 9.2, 10]), c(4))).score).toBe(1)
    expect(pairTrends(bins, table(numbers('n', [-1, 1.9, 9.2, 11]), c(4))).score).toBeCloseTo(0.5, 12)
    expect(pairTrends(bins, table(numbers('n', [NaN, 1.9, 9.2, 10]), c(4))).score).toBeCloseTo(0.75, 12)
  })
})

test('what is missing hangs on other columns, or does not', () => {
  const other = [1, 2, 3, 4]
  const real = table(numbers('n', [1, 1, NaN, NaN]), numbers('other', other), categories('c', ['a', 'a', 'b', 'b']))
  // missing where `other` is small, and at random
  const turned = table(numbers('n', [NaN, NaN, 1, 1]), numbers('other', other), categories('c', ['a', 'a', 'b', 'b']))
  const { score, pairs } = tables.missingTrends(real, turned)
  const rho = 2 / Math.sqrt(5)
  expect(pairs.map(({ first, second }) => [first, second])).toEqual([
    ['n', 'other'],
    ['n', 'c'],
  ])
  expect(pairs[0].correlations?.real).toBeCloseTo(rho, 12)
  expect(pairs[0].correlations?.synthetic).toBeCloseTo(-rho, 12)
  expect(pairs[0].score).toBeCloseTo(1 - rho, 12)
  expect(pairs[1].score).toBe(0)
  expect(score).toBeCloseTo((1 - rho) / 2, 12)
  expect(tables.missingTrends(real, real).score).toBe(1)
  // nothing is missing that a table could be like
  const whole = table(numbers('n', other), numbers('other', other))
  expect(tables.missingTrends(whole, whole)).toEqual({ score: NaN, pairs: [] })
  const hole = table(categories('c', ['a', null]), numbers('other', [0, 1]))
  expect(tables.missingTrends(hole, hole).pairs[0].correlations?.real).toBeCloseTo(1, 12)
})

describe('scores', () => {
  test('the area under the curve is the share of pairs in order, ties by halves', () => {
    expect(areaUnderCurve([1, 2, 3, 4], [0, 0, 1, 1])).toBe(1)
    expect(areaUnderCurve([4, 3, 2, 1], [0, 0, 1, 1])).toBe(0)
    expect(areaUnderCurve([1, 3, 2, 3], [0, 0, 1, 1])).toBe((1 + 0 + 1 + 0.5) / 4)
    expect(areaUnderCurve([1, 1], [0, 0])).toBeNaN()
  })

  test('F1 is averaged over the true classes, R² is against the mean', () => {
    expect(accuracy([0, 1, 1, 2], [0, 1, 0, 0])).toBe(0.5)
    // class 0: 2·1/(1 + 3), class 1: 2·1/(2 + 1); class 2 does not occur
    expect(macroF1([0, 1, 1, 2], [0, 1, 0, 0])).toBeCloseTo((0.5 + 2 / 3) / 2, 12)
    expect(determination([1, 2, 3], [1, 2, 3])).toBe(1)
    expect(determination([2, 2, 2], [1, 2, 3])).toBe(0)
    expect(determination([1, 2], [3, 3])).toBeNaN()
  })
})

describe('the two-sample test', () => {
  const shifted = (n: number, seed: number, shift: number) =>
    table(
      numbers(
        'x',
        rowsOf(n, seed, (random) => random.normal() + shift),
      ),
      numbers(
        'y',
        rowsOf(n, seed + 50, (random) => random.normal()),
      ),
    )

  test.each(['linear', 'boosting'] as const)(
    '%s: the AUC of a shift is known, one law cannot be told apart',
    async (learner) => {
      // Φ(1/√2) = .760 of two normals that are 1 apart
      const apart = await detection(shifted(2000, 1, 0), shifted(2000, 2, 1), { learner })
      expect(apart.auc).toBeGreaterThan(learner === 'linear' ? 0.745 : 0.72)
      expect(apart.auc).toBeLessThan(0.78)
      expect(apart.score).toBeCloseTo(2 - 2 * apart.auc, 12)
      expect((await detection(shifted(2000, 1, 0), shifted(2000, 3, 0), { learner })).score).toBeGreaterThan(0.94)
      expect((await detection(shifted(200, 1, 0), shifted(200, 2, 50), { learner })).score).toBeLessThan(0.001)
    },
  )

  test('only boosting sees what is beyond means; both see missing values and levels', async () => {
    const alike = mixed(1500, 1)
    const unlike = tables.independentColumns(mixed(1500, 2))
    expect((await detection(alike, unlike, { learner: 'linear' })).score).toBeGreaterThan(0.9)
    expect((await detection(alike, unlike, { learner: 'boosting' })).score).toBeLessThan(0.6)
    const holes = (share: number) =>
      table(
        numbers(
          'x',
          rowsOf(600, 9, (random) => (random.uniform() < share ? NaN : random.normal())),
        ),
      )
    const levels = (share: number) =>
      table(
        categories(
          'c',
          rowsOf(600, 9, (random) => (random.uniform() < share ? 'a' : 'b')),
        ),
      )
    for (const make of [holes, levels]) {
      for (const learner of ['linear', 'boosting'] as const) {
        // AUC of a flag with shares .2 and .8: .64 + ½ · 2 · .16 = .8
        expect((await detection(make(0.2), make(0.8), { learner })).auc).toBeCloseTo(0.8, 1)
      }
    }
  })
})

describe('predictive skill', () => {
  const law = (n: number, seed: number, sign = 1) => {
    const rows = rowsOf(n, seed, (random) => [random.normal(), random.normal()])
    return table(
      numbers(
        'x',
        rows.map(([x]) => x),
      ),
      numbers(
        'sum',
        rows.map(([x, noise]) => sign * x + noise / 2),
      ),
      categories(
        'third',
        rows.map(([x]) => (x < -0.43 ? 'low' : x < 0.43 ? 'middle' : 'high')),
      ),
      categories(
        'positive',
        rows.map(([x]) => (sign * x > 0 ? 'yes' : 'no')),
      ),
    )
  }
  const only = (source: tables.Table, ...names: string[]) => ({
    ...source,
    columns: source.columns.filter(({ name }) => names.includes(name)),
  })

  test.each(['linear', 'boosting'] as const)(
    '%s: a known R², and classes that are told by a threshold',
    async (learner) => {
      const [real, heldOut, wrong] = [law(1500, 1), law(1500, 2), law(1500, 3, -1)]
      const of = (source: tables.Table, target: string) =>
        tables.predictiveSkill(only(source, 'x', target), only(heldOut, 'x', target), { target, learner })
      // x explains 1 of the variance of 1.25
      expect((await of(real, 'sum')).r2).toBeGreaterThan(0.75)
      expect((await of(real, 'sum')).r2).toBeLessThan(0.82)
      expect((await of(wrong, 'sum')).r2).toBeLessThan(-1)
      expect((await of(real, 'positive')).accuracy).toBeGreaterThan(0.97)
      expect((await of(wrong, 'positive')).accuracy).toBeLessThan(0.03)
      // the middle of three has no half-space of its own
      expect((await of(real, 'third')).f1).toBeGreaterThan(learner === 'linear' ? 0.5 : 0.97)
    },
  )

  test('a target must be there', async () => {
    const real = law(50, 1)
    await expect(tables.predictiveSkill(real, real, { target: 'sun' })).rejects.toThrow("but is 'sun'")
    const gone = table(numbers('x', [1, 2]), numbers('y', [NaN, NaN]))
    await expect(tables.predictiveSkill(gone, gone, { target: 'y' })).rejects.toThrow('No row of the held-out table')
  })
})

describe('closest records', () => {
  test('copies of training rows are all nearer, other rows of the law half of them', async () => {
    const [training, heldOut] = [mixed(400, 1), mixed(600, 2)]
    const copied = await closestRecords(training, training, heldOut)
    expect([copied.nearerToTraining, copied.copies, copied.rows]).toEqual([1, 1, 400])
    const fresh = await closestRecords(mixed(1000, 3), training, heldOut)
    expect(Math.abs(fresh.z)).toBeLessThan(3)
    expect(fresh.copies).toBe(0)
    // 300 rows at one place have one closest row, whose part is a single coin: which of them it is says nothing
    const place = (n: number, x: number) =>
      table(numbers('x', new Array<number>(n).fill(x)), numbers('y', new Array<number>(n).fill(0)))
    const apart = [
      table(numbers('x', [0, 9]), numbers('y', [0, 9])),
      table(numbers('x', [1, 8]), numbers('y', [0, 9])),
    ] as const
    const hub = await closestRecords(place(300, 0.1), ...apart)
    expect([hub.nearerToTraining, hub.z]).toEqual([1, 1])
    // rows that both parts have are neither's
    expect((await closestRecords(training, training, training)).nearerToTraining).toBe(0.5)
  })

  test('distances are Gower’s', async () => {
    const training = table(numbers('n', [0, 10]), categories('c', ['a', 'b']), numbers('k', [7, 7]))
    const heldOut = table(numbers('n', [20, 2]), categories('c', [null, 'b']), numbers('k', [7, 7]))
    const made = table(numbers('n', [5, NaN, 500]), categories('c', ['b', null, 'z']), numbers('k', [7, 7, 8]))
    const { toTraining, toHeldOut } = await closestRecords(made, training, heldOut)
    // (5/20 + 0 + 0)/3; missing to any number and to any level is 1; far away is 1, other constant too
    expect([...toTraining]).toEqual([0.25 / 3, 2 / 3, 1])
    expect([...toHeldOut].map((distance) => distance.toFixed(6))).toEqual([0.05, 1 / 3, 1].map((d) => d.toFixed(6)))
  })
})

test('tables that cannot be compared are refused by name', () => {
  const real = table(numbers('age', [1, 2]), categories('zip', ['a', 'b']))
  const refused = (other: tables.Table) => () => columnShapes(real, other)
  expect(refused(table(numbers('age', [1])))).toThrow(InvalidArgumentError)
  expect(refused(table(numbers('age', [1])))).toThrow("the synthetic table lacks 'zip'")
  expect(refused(table(numbers('age', [1]), numbers('zip', [1])))).toThrow(
    "Column 'zip' is of kind category in the real table and number in the synthetic table",
  )
  expect(refused(table(numbers('age', [Infinity]), categories('zip', ['a'])))).toThrow(DataError)
  expect(refused({ ...real, rows: 3 })).toThrow("Column 'age' of the synthetic table has 2 values")
  expect(refused({ rows: 0, columns: [] })).toThrow('it must have some')
})
