/** A table as numbers and back: every encoder by itself, and all of them together in a table. */

import { describe, expect, test } from 'vitest'
import { type EncoderName, fitEncoder, openEncoder } from '../../src/data/tables/encoders/registry.js'
import {
  describeEncoding,
  type Encoding,
  encodingSchema,
  fitEncoding,
  openEncoding,
} from '../../src/data/tables/encoding.js'
import { choiceTables } from '../../src/data/tables/segments.js'
import { isCategory, type Table, type TableColumn } from '../../src/data/tables/table.js'
import { normalShare } from '../../src/random/normal.js'
import { RandomStream } from '../../src/random/stream.js'

const stream = (): RandomStream => new RandomStream(7)
/** n numbers by a rule, of uniform draws. */
const drawn = (n: number, rule: (u: number, i: number) => number): Float64Array => {
  const random = stream()
  return Float64Array.from({ length: n }, (_, i) => rule(random.row(i).uniform(), i))
}
const valuesOf = (table: Table, j: number): number[] => [...(table.columns[j] as { values: Float64Array }).values]
const allRows = (table: Table): number[] => Array.from({ length: table.rows }, (_, i) => i)
const tableOf = (...columns: TableColumn[]): Table => ({
  rows: isCategory(columns[0]) ? columns[0].codes.length : columns[0].values.length,
  columns,
})
const thereAndBack = (table: Table, encoding: Encoding = fitEncoding(table, allRows(table))): Table => {
  const kept: Encoding = encodingSchema.parse(JSON.parse(JSON.stringify(encoding)))
  const { encode, decode } = openEncoding(kept)
  return decode(encode(table, 1), 2)
}
const texts = ({ columns }: Table): (string | number)[][] =>
  columns.map((column) =>
    isCategory(column) ? Array.from(column.codes, (code) => column.levels[code] ?? '') : [...column.values],
  )

/** Values of a sample through an encoder. */
function through(encoder: EncoderName, values: Float64Array, unit: number): { numbers: Float32Array; back: number[] } {
  const opened = openEncoder(fitEncoder(encoder, { sorted: values.toSorted(), unit }))
  const width = opened.names.length
  const numbers = new Float32Array(values.length * width)
  const random = new RandomStream(11)
  values.forEach((value, i) => {
    opened.encode(value, random.row(i), numbers, i * width)
  })
  return { numbers, back: Array.from(values, (_, i) => opened.decode(numbers, i * width)) }
}

/** The Kolmogorov–Smirnov distance of numbers from a standard normal. */
function distanceFromNormal(numbers: Float32Array): number {
  const sorted = numbers.toSorted()
  return sorted.reduce((most, z, i) => {
    const share = normalShare(z)
    return Math.max(most, Math.abs(share - i / sorted.length), Math.abs(share - (i + 1) / sorted.length))
  }, 0)
}

const n = 4000
const distributions: [string, EncoderName, number, (u: number, i: number) => number][] = [
  ['an exponential', 'quantile', 0, (u) => -Math.log(u)],
  ['one of two far apart', 'quantile', 0, (u, i) => (i % 3 === 0 ? u : 1000 + u)],
  ['whole numbers', 'quantile', 1, (u) => Math.floor(-40 * Math.log(u))],
  ['decimals of which many are the same', 'quantile', 0.1, (u) => Math.round(50 * u ** 3) / 10],
  ['numbers with ties in a continuum', 'quantile', 0, (u, i) => (i % 4 === 0 ? 0.5 : u)],
  ['days', 'quantile', 86_400, (u) => 86_400 * Math.floor(8000 * u)],
  ['seven ordered values', 'ordered', 1, (u) => Math.floor(7 * u * u)],
  ['a few hundred values', 'ordered', 0.01, (u) => Math.floor(300 * u) / 100],
]

describe('numbers', () => {
  test.each(distributions)('%s is standard normal, and comes back', (_, encoder, unit, rule) => {
    const values = drawn(n, rule)
    const { numbers, back } = through(encoder, values, unit)
    // the distance of n normal draws is above 1.63/√n once in a hundred times
    expect(distanceFromNormal(numbers)).toBeLessThan(1.63 / Math.sqrt(n))
    const range = Math.max(...values) - Math.min(...values)
    const worst = Math.max(...back.map((value, i) => Math.abs(value - values[i])))
    if (unit > 0 || encoder === 'ordered') expect(worst).toBe(0)
    else expect(worst).toBeLessThan(1e-5 * range)
  })

  test('quantiles of 1 … n: Φ⁻¹ of the share below, and new values lie between those that were seen', () => {
    const opened = openEncoder(
      fitEncoder('quantile', { sorted: Float64Array.from({ length: 1000 }, (_, i) => i), unit: 0 }),
    )
    const out = new Float32Array(1)
    opened.encode(499.5, stream(), out, 0)
    expect(out[0]).toBeCloseTo(0, 6)
    opened.encode(840.8447, stream(), out, 0)
    expect(out[0]).toBeCloseTo(1, 3)
    expect(opened.decode([1], 0)).toBeCloseTo(840.84, 1)
    expect(opened.decode([-40], 0)).toBe(0)
    expect(opened.decode([40], 0)).toBe(999)
  })

  test('standardised: mean 0 and deviation 1, the range kept', () => {
    const values = drawn(n, (u) => Math.round(100 * u) / 10)
    const { numbers, back } = through('standard', values, 0.1)
    expect(back).toEqual([...values])
    const mean = numbers.reduce((sum, z) => sum + z / n, 0)
    expect(mean).toBeCloseTo(0, 2)
    expect(numbers.reduce((sum, z) => sum + (z - mean) ** 2 / n, 0)).toBeCloseTo(1, 2)
    const opened = openEncoder(fitEncoder('standard', { sorted: values.toSorted(), unit: 0.1 }))
    expect([opened.decode([-9], 0), opened.decode([9], 0)]).toEqual([Math.min(...values), Math.max(...values)])
  })

  test('a constant has no numbers', () => {
    const { numbers, back } = through('constant', Float64Array.of(3, 3), 1)
    expect([numbers.length, ...back]).toEqual([0, 3, 3])
  })
})

describe('levels', () => {
  test.each([
    ['oneHot', 2, 2],
    ['oneHot', 128, 128],
    ['code', 129, 8],
    ['code', 1000, 10],
  ] as const)('%s of %i levels in %i centred columns', (encoder, levels, width) => {
    const values = Float64Array.from({ length: 5 * levels }, (_, i) => i % levels)
    const { numbers, back } = through(encoder, values, 1)
    expect(numbers.length).toBe(values.length * width)
    expect(back).toEqual([...values])
    const mean = numbers.reduce((sum, value) => sum + value, 0) / numbers.length
    expect(mean).toBeCloseTo(0, 5)
  })

  test('a code of no level becomes the nearest level', () => {
    const opened = openEncoder(fitEncoder('code', { sorted: Float64Array.from({ length: 65 }, (_, i) => i), unit: 1 }))
    const out = new Float32Array(7)
    opened.encode(64, stream(), out, 0)
    // 65 is no level: its lowest bit is set where 64 has none, but barely
    out[0] += 1.2
    expect(opened.decode(out, 0)).toBe(64)
  })
})

const names = ['red', 'green', 'blue']
const mixed = (): Table => {
  const missing = (values: Float64Array, every: number): Float64Array =>
    values.map((value, i) => (i % every === 0 ? Number.NaN : value))
  return tableOf(
    {
      name: 'age',
      kind: 'integer',
      values: missing(
        drawn(n, (u) => Math.floor(80 * u)),
        7,
      ),
      format: { decimals: 0 },
    },
    { name: 'paid', kind: 'number', values: drawn(n, (u) => (u < 0.4 ? 0 : Math.round(1e5 * u * u) / 100)) },
    { name: 'rooms', kind: 'integer', values: drawn(n, (u) => Math.floor(5 * u)) },
    {
      name: 'when',
      kind: 'date',
      values: drawn(n, (u) => 86_400 * Math.floor(9000 * u)),
      format: { date: '%d.%m.%Y' },
    },
    {
      name: 'colour',
      kind: 'category',
      codes: Int32Array.from({ length: n }, (_, i) => (i % 9 === 0 ? -1 : i % 3)),
      levels: names,
    },
    { name: 'member', kind: 'boolean', codes: Int32Array.from({ length: n }, (_, i) => i % 2), levels: ['no', 'yes'] },
    { name: 'fixed', kind: 'category', codes: new Int32Array(n), levels: ['same'] },
    { name: 'holes', kind: 'category', codes: new Int32Array(n).fill(-1), levels: [] },
  )
}

describe('a table', () => {
  test('comes back the same: values, holes, names, order, kinds, formats', () => {
    const table = mixed()
    const back = thereAndBack(table)
    expect(texts(back)).toEqual(texts(table))
    expect(back.columns.map(({ name, kind }) => [name, kind])).toEqual(
      table.columns.map(({ name, kind }) => [name, kind]),
    )
    expect(back.columns[3]).toMatchObject({ format: { date: '%d.%m.%Y' } })
  })

  test('atoms and missing values are levels of their own, and no number is learnt there', () => {
    const table = mixed()
    const encoding = fitEncoding(table, allRows(table))
    expect(describeEncoding(encoding)).toEqual([
      '80 ordered values, each a stretch of a normal, missing apart',
      'quantiles as a normal, rounded to 0.01, 1 atom apart',
      '5 ordered values, each a stretch of a normal',
      'quantiles as a normal, rounded to 86400',
      '4 columns, one a level, missing a level',
      '2 columns, one a level',
      'one value, which is written back',
      'one value, which is written back, missing a level',
    ])
    const { names, width, segments, places, encode } = openEncoding(encoding)
    expect(names.slice(0, 6)).toEqual(['age: value', 'age: missing', 'age', 'paid: value', 'paid: 0', 'paid'])
    expect(segments.slice(0, 4)).toMatchObject([
      { at: 0, width: 2, are: 'levels' },
      { at: 2, width: 1, are: 'number', state: 0 },
      { at: 3, width: 2, are: 'levels' },
      { at: 5, width: 1, are: 'number', state: 3 },
    ])
    const { starts, gates, scale, centre, columns } = choiceTables({ segments, width, places })
    expect(starts.slice(0, 5)).toEqual([0, 2, 3, 5, 6])
    expect(starts.at(-1)).toBe(width)
    // numbers beside a state are learnt where that is a value
    expect(gates.slice(0, 4)).toEqual([width, 0, width, 3])
    expect(columns.slice(0, 7)).toEqual([0, 0, 0, 1, 1, 1, 2])
    expect([scale.length, centre.length, scale[2], centre[2]]).toEqual([width, width, 1, 0])
    const rows = encode(table, 1)
    const column = (j: number): Float32Array => rows.filter((_, i) => i % width === j)
    const paid = table.columns[1]
    const atAtom = column(5).filter((_, i) => !isCategory(paid) && paid.values[i] === 0)
    expect(distanceFromNormal(atAtom)).toBeLessThan(1.63 / Math.sqrt(atAtom.length))
  })

  test('a number that mostly repeats an earlier column has a level for that, and comes back as that one does', () => {
    const rows = 400
    const repair = Float64Array.from({ length: rows }, (_, i) => (i % 4 === 0 ? 0 : 100 + ((37 * i) % 390)))
    // of five rows with a cost one has something else on top
    const total = repair.map((value, i) => (value > 0 && i % 5 === 0 ? value + 7 : value))
    const costs: Table = {
      rows,
      columns: [
        { name: 'repair', kind: 'integer', values: repair },
        { name: 'total', kind: 'integer', values: total },
      ],
    }
    const encoding = fitEncoding(costs, allRows(costs))
    expect(describeEncoding(encoding)[1]).toMatch(/1 atom and the same as repair apart$/)
    const { names, places, segments, encode, decode } = openEncoding(encoding)
    expect(names).toEqual([
      'repair: value',
      'repair: 0',
      'repair',
      'total: value',
      'total: 0',
      'total: the same',
      'total',
    ])
    const numbers = encode(costs, 1)
    expect(valuesOf(decode(numbers, 1), 1)).toEqual([...total])
    // the number of such a row is learnt too, and is that of its value
    expect(segments.map(({ state }) => state)).toEqual([undefined, 0, undefined, undefined])
    const [{ width }, { at }] = [{ width: names.length }, places[1]]
    const same = total.findIndex((value, i) => value > 0 && i % 5 !== 0)
    expect(numbers[same * width + at + 2]).toBeGreaterThan(0)
    // whatever the first column becomes, the second is that, and its own number where it is not
    numbers[same * width + 2] = 3
    numbers[same * width + 6] = -3
    const made = decode(numbers, 1)
    expect(valuesOf(made, 1)[same]).toBe(valuesOf(made, 0)[same])
    numbers[same * width + at] = 9
    expect(valuesOf(decode(numbers, 1), 1)[same]).toBeLessThan(valuesOf(made, 0)[same])
    // columns that have nothing of each other do not
    const shifted = {
      ...costs,
      columns: [costs.columns[0], { ...costs.columns[1], values: total.toReversed() } as TableColumn],
    }
    expect(describeEncoding(fitEncoding(shifted, allRows(costs)))[1]).not.toContain('the same')
  })

  test('draws are those of a seed', () => {
    const table = mixed()
    const { encode } = openEncoding(fitEncoding(table, allRows(table)))
    expect(encode(table, 1)).toEqual(encode(table, 1))
    expect(encode(table, 2)).not.toEqual(encode(table, 1))
  })

  test('rare levels are joined, and drawn back by their shares', () => {
    const levels = ['often', ...Array.from({ length: 40 }, (_, i) => `rare ${i}`)]
    // level k of the rare ones has 1 + k % 4 rows
    const rare = levels.slice(1).flatMap((_, k) => new Array<number>(1 + (k % 4)).fill(k + 1))
    const codes = Int32Array.from([...rare, ...new Array<number>(5000).fill(0)])
    const table = tableOf({ name: 'x', kind: 'category', codes, levels })
    const encoding = fitEncoding(table, allRows(table))
    expect(openEncoding(encoding).width).toBe(2)
    const back = thereAndBack(table, encoding).columns[0]
    if (!isCategory(back)) throw new Error('it is a category')
    expect(back.codes.filter((code) => code === 0).length).toBe(5000)
    const { decode } = openEncoding(encoding)
    const one = openEncoding(encoding).encode(
      { rows: 1, columns: [{ name: 'x', kind: 'category', codes: codes.slice(0, 1), levels }] },
      0,
    )
    const many = decode(
      Float32Array.from({ length: 2 * 20_000 }, (_, i) => one[i % 2]),
      3,
    ).columns[0]
    const share = (of: (code: number) => boolean): number =>
      isCategory(many) ? many.codes.filter(of).length / 20_000 : Number.NaN
    expect(share((code) => code === 0)).toBe(0)
    // rows of every fourth level: 4 of the 10 that four levels have
    expect(share((code) => code % 4 === 0)).toBeCloseTo(0.4, 1)
  })

  test('what a flow makes is within the ranges, whatever it makes', () => {
    const table = mixed()
    const encoding = fitEncoding(table, allRows(table))
    const { width, decode } = openEncoding(encoding)
    const random = stream()
    const wild = Float32Array.from({ length: 500 * width }, (_, i) => 3 * random.row(i).normal())
    const made = decode(wild, 1)
    made.columns.forEach((column, j) => {
      const own = table.columns[j]
      if (isCategory(column) || isCategory(own)) return
      const range = (values: Float64Array): number[] => {
        const present = values.filter((value) => !Number.isNaN(value))
        return [Math.min(...present), Math.max(...present)]
      }
      expect(range(column.values)[0]).toBeGreaterThanOrEqual(range(own.values)[0])
      expect(range(column.values)[1]).toBeLessThanOrEqual(range(own.values)[1])
    })
  })

  test('fitted on training rows alone', () => {
    const values = Float64Array.from({ length: 200 }, (_, i) => (i < 100 ? i : 1e6 + i))
    const table = tableOf({ name: 'x', kind: 'integer', values })
    const rows = Array.from({ length: 100 }, (_, i) => i)
    const back = thereAndBack(table, fitEncoding(table, rows)).columns[0]
    expect(!isCategory(back) && Math.max(...back.values)).toBe(99)
  })

  test('100 000 levels are no columns of their own', () => {
    const codes = Int32Array.from({ length: 600_000 }, (_, i) => i % 100_000)
    const table = tableOf({
      name: 'x',
      kind: 'category',
      codes,
      levels: Array.from({ length: 100_000 }, (_, i) => `c${i}`),
    })
    expect(() => fitEncoding(table, allRows(table))).toThrow('nothing to learn')
    const two = tableOf(...table.columns, {
      name: 'y',
      kind: 'boolean',
      codes: codes.map((code) => code % 2),
      levels: ['f', 't'],
    })
    expect(openEncoding(fitEncoding(two, allRows(two))).width).toBe(2)
  })

  test('constants alone are refused', () => {
    const table = tableOf({ name: 'x', kind: 'number', values: Float64Array.of(2, 2) })
    expect(() => fitEncoding(table, [0, 1])).toThrow('nothing to learn')
  })

  test('another table: any order, other columns among them; what is absent or new is named', () => {
    const table = mixed()
    const { conform, encode } = openEncoding(fitEncoding(table, allRows(table)))
    const more: TableColumn = { name: 'more', kind: 'number', values: new Float64Array(n) }
    const turned = { rows: n, columns: [more, ...table.columns.toReversed()] }
    expect(encode(conform(turned, 'it'), 1)).toEqual(encode(table, 1))
    const without = (name: string): Table => ({
      rows: n,
      columns: table.columns.filter((column) => column.name !== name),
    })
    expect(() => conform(without('age'), 'it')).toThrow("it does not have the model's column 'age'")
    const instead = (column: TableColumn): Table => ({ rows: n, columns: [...without(column.name).columns, column] })
    const pink = { name: 'colour', kind: 'category', codes: new Int32Array(n), levels: ['pink'] } as const
    expect(() => conform(instead(pink), 'it')).toThrow("column 'colour' has 'pink' in row 1, a level that")
    const hole = { name: 'rooms', kind: 'integer', values: new Float64Array(n).fill(Number.NaN) } as const
    expect(() => conform(instead(hole), 'it')).toThrow("column 'rooms' has a missing value in row 1")
    expect(() => conform(instead({ ...pink, name: 'age' }), 'it')).toThrow(
      "column 'age' is a category, but the model's is an integer",
    )
  })

  test('an encoding from a stranger is checked', () => {
    const table = mixed()
    // biome-ignore lint/suspicious/noExplicitAny: damages it as a stranger would
    type Columns = any[]
    const damaged = (change: (columns: Columns) => void): unknown => {
      const copy = JSON.parse(JSON.stringify(fitEncoding(table, allRows(table))))
      change(copy.columns)
      return copy
    }
    for (const change of [
      (columns: Columns) => void columns[4].kept.push(99),
      (columns: Columns) => columns[4].values.parameters.shares.pop(),
      (columns: Columns) => columns[1].atoms.push(5),
      (columns: Columns) => columns[0].values.parameters.ends.pop(),
      (columns: Columns) => (columns[3].format = { date: '%Q' }),
    ]) {
      expect(encodingSchema.safeParse(damaged(change)).success).toBe(false)
    }
    expect(encodingSchema.safeParse(damaged(() => {})).success).toBe(true)
  })
})
