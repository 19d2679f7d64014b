/** What stands beside a model's rows, and the list of all figures. */

import { expect, test } from 'vitest'
import { tables } from '../../src/metrics/index.js'
import { correlation } from '../../src/metrics/tables/pairs.js'
import { categories, mixed, numbers, rowsOf, table } from './made-tables.js'

const valuesOf = (source: tables.Table, name: string): Float64Array => {
  const column = source.columns.find((own) => own.name === name)!
  return 'codes' in column ? Float64Array.from(column.codes) : column.values
}
const share = (values: Float64Array, is: (value: number) => boolean): number => values.filter(is).length / values.length

test('independent columns are the same columns, and know nothing of each other', () => {
  const real = mixed(2000, 1)
  const shuffled = tables.independentColumns(real)
  expect(valuesOf(shuffled, 'x').toSorted()).toEqual(valuesOf(real, 'x').toSorted())
  expect(tables.columnShapes(real, shuffled).score).toBe(1)
  expect(tables.missingValues(real, shuffled).score).toBe(1)
  expect(Math.abs(correlation(valuesOf(shuffled, 'x'), valuesOf(shuffled, 'y'))!)).toBeLessThan(0.08)
})

test('redrawn rows are rows of the table, some of them more than once', () => {
  const real = mixed(500, 1)
  const redrawn = tables.redrawnRows(real, { rows: 800, seed: 3 })
  expect(redrawn.rows).toBe(800)
  const x = valuesOf(redrawn, 'x').filter((value) => !Number.isNaN(value))
  const own = new Set(valuesOf(real, 'x'))
  expect(x.every((value) => own.has(value))).toBe(true)
  // 1 − (1 − 1/500)^800 of the rows
  expect(new Set(x).size / own.size).toBeCloseTo(0.8, 1)
  expect(() => tables.redrawnRows(real, { rows: 0 })).toThrow('rows')
})

test('a Gaussian copula keeps columns, correlations, and what missing values hang on', () => {
  const n = 6000
  const rows = rowsOf(n, 1, (random) => {
    const z = random.normal()
    const y = 0.8 * z + 0.6 * random.normal()
    return {
      skewed: Math.exp(z),
      other: random.uniform() < (z > 0 ? 0.4 : 0.1) ? NaN : y,
      half: z > 0.6 ? 'high' : 'low',
    }
  })
  const real = table(
    numbers(
      'skewed',
      rows.map(({ skewed }) => skewed),
    ),
    numbers(
      'other',
      rows.map(({ other }) => other),
    ),
    categories(
      'half',
      rows.map(({ half }) => half),
    ),
    numbers(
      'tied',
      rows.map(({ skewed }) => Math.round(skewed)),
      'integer',
    ),
  )
  const made = tables.gaussianCopula(real)
  expect(tables.columnShapes(real, made).score).toBeGreaterThan(0.97)
  expect(tables.missingValues(real, made).score).toBeGreaterThan(0.985)
  const logs = (source: tables.Table): Float64Array => valuesOf(source, 'skewed').map(Math.log)
  expect(correlation(logs(made), valuesOf(made, 'other'))!).toBeCloseTo(
    correlation(logs(real), valuesOf(real, 'other'))!,
    1,
  )
  const gone = (source: tables.Table): Float64Array =>
    valuesOf(source, 'other').map((value) => (Number.isNaN(value) ? 1 : 0))
  const dependence = (source: tables.Table): number => correlation(logs(source), gone(source))!
  expect(dependence(real)).toBeGreaterThan(0.25)
  // spread over its two levels an indicator hangs on others less, and never more
  expect(dependence(made)).toBeGreaterThan(0.1)
  expect(dependence(made)).toBeLessThan(dependence(real) + 0.05)
  expect(share(valuesOf(made, 'tied'), Number.isInteger)).toBe(1)
  const other = tables.gaussianCopula(real, { rows: 10, seed: 1 })
  expect(other.rows).toBe(10)
  expect(tables.gaussianCopula(real, { rows: 10, seed: 1 })).toEqual(other)
})

test('a Gaussian copula of columns that are copies, constant, or all missing', () => {
  const x = rowsOf(300, 1, (random) => random.normal())
  const odd = table(
    numbers('x', x),
    numbers('again', x),
    numbers(
      'constant',
      x.map(() => 3),
    ),
    numbers(
      'none',
      x.map(() => NaN),
    ),
    categories(
      'one',
      x.map(() => 'k'),
    ),
    categories(
      'no level',
      x.map(() => null),
    ),
  )
  const made = tables.gaussianCopula(odd)
  expect(tables.columnShapes(odd, made).score).toBeGreaterThan(0.97)
  expect(correlation(valuesOf(made, 'again'), valuesOf(made, 'x'))).toBeGreaterThan(0.9999)
  expect(() => tables.gaussianCopula(table(numbers('x', [1])))).toThrow('at least 2 rows')
})

test('all figures: a copy is caught by the closest records, independent columns by everything between columns', async () => {
  const [training, heldOut] = [mixed(600, 1), mixed(600, 2)]
  const comparison = await tables.compareTables({ training, heldOut, synthetic: training }, { targets: ['z', 'x'] })
  const of = (name: string) => comparison.figures.find((figure) => figure.name === name)!
  expect(of('nearer to training rows').synthetic).toBe(1)
  expect(of('nearer to training rows').real).toBeGreaterThan(0.4)
  expect(of('nearer to training rows').real).toBeLessThan(0.6)
  // the training rows are what stands for real rows
  for (const { name, synthetic, real } of comparison.figures) {
    if (name.endsWith('to the training rows')) expect(synthetic).toBe(1)
    else if (name !== 'nearer to training rows') expect(synthetic).toBe(real)
  }
  for (const name of ['pair trends', 'two-sample test, boosting', 'z: accuracy, boosting', 'x: R², linear']) {
    expect(of(name).real).toBeGreaterThan(of(name).independent + 0.05)
  }
  // drawn again they are known by heart, and each figure has the chance of one sample more
  expect(of('nearer to training rows').redrawn).toBe(1)
  expect(of('column shapes').redrawn).toBeLessThan(of('column shapes').real)
  expect(of('column shapes, to the training rows').redrawn).toBeLessThan(1)
  expect(of('x: R², linear').copula).toBeGreaterThan(of('x: R², linear').independent + 0.3)
  expect(of('z: accuracy, boosting').copula).toBeLessThan(of('z: accuracy, boosting').real)
  // against the rows that it gives back a copy is perfect
  const against = await tables.compareTables(
    { training, heldOut, synthetic: training },
    { against: 'training', mostRows: 100 },
  )
  expect(against.rows).toEqual({ training: 100, heldOut: 100, synthetic: 100 })
  const shapes = against.figures[0]
  expect([shapes.name, shapes.independent]).toEqual(['column shapes', 1])
  expect(shapes.real).toBeLessThan(1)
  const lines = tables.comparisonTable(comparison).trimEnd().split('\n')
  expect(lines).toHaveLength(2 + comparison.figures.length)
  expect(new Set(lines.map((line) => line.length)).size).toBe(1)
  expect(lines[0]).toMatch(
    /^\| +\| synthetic \| real rows \| training rows redrawn \| Gaussian copula \| independent columns \| +ideal \|$/,
  )
  expect(lines.find((line) => line.includes('nearer to training'))).toContain('1.000')
})

test('tables without a kind of column have no figure of it, and small ones are refused', async () => {
  const only = (n: number, seed: number) =>
    table(
      numbers(
        'x',
        rowsOf(n, seed, (random) => random.normal()),
      ),
    )
  const comparison = await tables.compareTables({ training: only(40, 1), heldOut: only(40, 2), synthetic: only(40, 3) })
  expect(comparison.figures.find(({ name }) => name === 'category coverage')?.synthetic).toBeNaN()
  expect(tables.comparisonTable(comparison)).toMatch(/category coverage +\| +– /)
  await expect(
    tables.compareTables({ training: only(40, 1), heldOut: only(7, 2), synthetic: only(40, 3) }),
  ).rejects.toThrow('The held-out table has 7 rows')
})
