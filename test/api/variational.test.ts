/** Tables learnt by train.objective variational: shares of levels as the data have them, alone and beside a number; samples by number. */

import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { openEncoding } from '../../src/data/tables/encoding.js'
import type { Table } from '../../src/data/tables/table.js'
import { ConfigError, InvalidArgumentError } from '../../src/errors.js'
import type { LocalFlow } from '../../src/run/local-flow.js'
import { LocalFlow as Flow } from '../../src/run/local-flow.js'
import { describeOn } from '../devices.js'

const rows = 3000
/** Share of the level «high» where the size is in the upper half, and in the lower. */
const [OFTEN, SELDOM] = [0.9, 0.2]
const size = Float64Array.from({ length: rows }, (_, i) => ((i * 0.618034) % 1) * 4 - 2)
const high = size.map((value, i) => ((i * 0.754878) % 1 < (value > 0 ? OFTEN : SELDOM) ? 1 : 0))
const table: Table = {
  rows,
  columns: [
    { name: 'size', kind: 'number', values: size },
    { name: 'level', kind: 'category', levels: ['low', 'high'], codes: Int32Array.from(high) },
    // of nothing else: shares .5, .3, .2
    {
      name: 'colour',
      kind: 'category',
      levels: ['red', 'green', 'blue'],
      codes: Int32Array.from({ length: rows }, (_, i) =>
        (i * 0.56984) % 1 < 0.5 ? 0 : (i * 0.56984) % 1 < 0.8 ? 1 : 2,
      ),
    },
  ],
}

const settings = {
  model: { hidden: [64, 64] },
  train: { objective: 'variational', batch: 256, steps: { total: 1600 }, ema: 0.99 },
  seed: 3,
} as const

const codesOf = ({ columns }: Table, j: number): Int32Array => (columns[j] as { codes: Int32Array }).codes
const share = (codes: Int32Array, level: number, where: (i: number) => boolean = () => true): number => {
  const own = Array.from(codes.keys()).filter(where)
  return own.filter((i) => codes[i] === level).length / own.length
}

const flows = [
  ['a single flow', { plain: true }],
  ['a chain with a simulated push', { gammas: [0.2, null], push: 'simulated' }],
] as const

await describeOn(['native'], 'a table of known shares', (_, kind) => {
  test.each(flows)('%s: levels come as often as in the data, and as the number says', async (_, flow) => {
    const made = await Flow.train(table, { ...settings, flow, device: kind })
    const n = 6000
    const samples = await made.sampleTable(n)
    const [numbers, levels, colours] = [
      samples.columns[0] as { values: Float64Array },
      codesOf(samples, 1),
      codesOf(samples, 2),
    ]
    // four standard errors of the samples, and as much of the learning
    for (const [level, wanted] of [0.5, 0.3, 0.2].entries())
      expect(Math.abs(share(colours, level) - wanted)).toBeLessThan(0.05)
    const upper = (i: number): boolean => numbers.values[i] > 0.25
    const lower = (i: number): boolean => numbers.values[i] < -0.25
    expect(Math.abs(share(levels, 1, upper) - OFTEN)).toBeLessThan(0.08)
    expect(Math.abs(share(levels, 1, lower) - SELDOM)).toBeLessThan(0.06)
    // and the colour does not
    expect(Math.abs(share(colours, 0, upper) - share(colours, 0, lower))).toBeLessThan(0.08)
    expect(await byNumber(made)).toBe(true)
    await bounds(made)
    await expect(made.logProb([[0, 0, 0, 0, 0, 0]])).rejects.toThrow(InvalidArgumentError)
    await made.dispose()
  })

  /** The bound is at most minus the entropy of the table, and near it; rows whose level is unlike their size have a lower one. */
  async function bounds(flow: LocalFlow): Promise<void> {
    const { encode, width } = openEncoding(flow.encoding!)
    const scores = async (columns: Table['columns'], first = 0): Promise<Float32Array> => {
      const { length } = 'codes' in columns[1] ? columns[1].codes : columns[1].values
      return flow.logProbBound({ values: encode({ rows: length, columns }, 0), shape: [length, width] }, { first })
    }
    const mean = (values: Float32Array): number => values.reduce((sum, value) => sum + value / values.length, 0)
    const entropyOf = (shares: number[]): number => -shares.reduce((sum, share) => sum + share * Math.log(share), 0)
    const of = (share: number): number => entropyOf([share, 1 - share])
    // the size is learnt as a standard normal
    const entropy = entropyOf([0.5, 0.3, 0.2]) + (of(OFTEN) + of(SELDOM)) / 2 + Math.log(2 * Math.PI * Math.E) / 2
    const own = await scores(table.columns.map((column) => cut(column, 1200)))
    expect(mean(own)).toBeLessThan(-entropy + 0.1)
    expect(mean(own)).toBeGreaterThan(-entropy - 0.3)
    const turned = high.slice(0, 1200).map((level) => 1 - level)
    const unlike = table.columns.map((column) => cut(column, 1200))
    const swapped = await scores([
      unlike[0],
      { ...unlike[1], codes: Int32Array.from(turned) } as Table['columns'][number],
      unlike[2],
    ])
    // the other level has odds of 9 to 1 and 4 to 1 against it, most of the time
    const odds = (share: number): number => (2 * share - 1) * Math.log(share / (1 - share))
    expect(Math.abs(mean(own) - mean(swapped) - (odds(OFTEN) + odds(SELDOM)) / 2)).toBeLessThan(0.35)
    // by number, so that rows can be scored in blocks
    const later = await scores(
      table.columns.map((column) => tail(cut(column, 1200), 700)),
      700,
    )
    for (const i of [0, 499]) expect(later[i]).toBeCloseTo(own[700 + i], 3)
    await expect(flow.logProbBound([[0, 0, 0, 0, 0, 0]], { evaluations: 2 })).rejects.toThrow('evaluations')
  }

  /** Whether a sample depends on the seed and its number alone. */
  async function byNumber(flow: LocalFlow): Promise<boolean> {
    const all = await flow.sample(300)
    const some = await flow.sample(40, { first: 130 })
    const D = all.shape[1]
    return some.values.every((value, i) => value === all.values[130 * D + i])
  }

  test('rows of numbers alone are refused', async () => {
    const numbers = Array.from({ length: 300 }, (_, i) => [Math.sin(i), Math.cos(i)])
    await expect(Flow.train(numbers, { ...settings, flow: { plain: true }, device: kind })).rejects.toThrow(ConfigError)
  })
})

/** Holes in the level and the size of some rows each; the truth beside them. */
function holed(): { holes: Table; hidden: { level: number[]; size: number[] } } {
  const count = 900
  const [level, sizes]: number[][] = [[], []]
  for (let i = 0; i < count; i++) (i % 3 === 0 ? level : i % 3 === 1 ? sizes : []).push(i)
  const columns = table.columns.map((column): Table['columns'][number] => {
    const of = column.name === 'level' ? level : column.name === 'size' ? sizes : []
    return 'codes' in column
      ? { ...column, codes: column.codes.slice(0, count).map((code, i) => (of.includes(i) ? -1 : code)) }
      : { ...column, values: column.values.slice(0, count).map((value, i) => (of.includes(i) ? Number.NaN : value)) }
  })
  return { holes: { rows: count, columns }, hidden: { level, size: sizes } }
}

await describeOn(['native'], 'holes', (_, kind) => {
  test('are filled as what is given says, everything else stays, and intervals hold what they say', async () => {
    const flow = { plain: true }
    const made = await Flow.train(table, {
      ...settings,
      train: { ...settings.train, masks: true, steps: { total: 2400 } },
      flow,
      device: kind,
    })
    const { holes, hidden } = holed()
    const tables = await made.impute(holes, { draws: 40 })
    expect(tables).toHaveLength(40)
    // what was there is as it was, and no hole is left
    for (const one of [tables[0], tables[39]]) {
      const [numbers, levels, colours] = one.columns as unknown as [
        { values: Float64Array },
        { codes: Int32Array },
        { codes: Int32Array },
      ]
      expect(colours.codes).toEqual(codesOf(holes, 2))
      for (let i = 0; i < holes.rows; i++) {
        if (!hidden.size.includes(i)) expect(numbers.values[i]).toBe(size[i])
        if (!hidden.level.includes(i)) expect(levels.codes[i]).toBe(high[i])
        else expect(levels.codes[i]).toBeGreaterThanOrEqual(0)
      }
    }
    const drawn = (i: number): number[] =>
      tables.map(({ columns }) => (columns[0] as { values: Float64Array }).values[i])
    const shareOf = (rows: number[]): number =>
      rows.reduce((sum, i) => sum + tables.filter((one) => codesOf(one, 1)[i] === 1).length / 40 / rows.length, 0)
    expect(Math.abs(shareOf(hidden.level.filter((i) => size[i] > 0.25)) - OFTEN)).toBeLessThan(0.08)
    expect(Math.abs(shareOf(hidden.level.filter((i) => size[i] < -0.25)) - SELDOM)).toBeLessThan(0.1)
    // P(size > 0 | high) = .9/1.1 and P(size > 0 | low) = .1/.9: the level says much of a size that is not known
    const upper = (rows: number[]): number =>
      rows.reduce((sum, i) => sum + drawn(i).filter((value) => value > 0).length / 40 / rows.length, 0)
    expect(Math.abs(upper(hidden.size.filter((i) => high[i] === 1)) - 0.9 / 1.1)).toBeLessThan(0.1)
    expect(Math.abs(upper(hidden.size.filter((i) => high[i] === 0)) - 0.1 / 0.9)).toBeLessThan(0.1)
    const inside = hidden.size.filter((i) => {
      const sorted = drawn(i).sort((a, b) => a - b)
      return size[i] >= sorted[2] && size[i] <= sorted[37]
    })
    // 36 of 41 gaps between 40 draws
    expect(Math.abs(inside.length / hidden.size.length - 35 / 41)).toBeLessThan(0.06)
    // a seed and a draw say what is filled in, and whole rows are still sampled
    expect((await made.impute(holes, { draws: 2 }))[1]).toEqual(tables[1])
    expect(Math.abs(share(codesOf(await made.sampleTable(4000), 2), 0) - 0.5)).toBeLessThan(0.05)
    // what is exported draws whole rows, and fills in none
    const out = mkdtempSync(join(tmpdir(), 'lfm-masks-'))
    await made.export({ to: 'pytorch', out: join(out, 'model') })
    const exported = await Flow.load(join(out, 'model'), { device: kind })
    const [own, theirs] = [await made.sample(500, { seed: 5 }), await exported.sample(500, { seed: 5 })]
    expect(Math.max(...own.values.map((value, i) => Math.abs(value - theirs.values[i])))).toBeLessThan(1e-3)
    await expect(exported.impute(holes)).rejects.toThrow('train.masks: true')
    await exported.dispose()
    rmSync(out, { recursive: true })
    // what is no table with holes of these columns
    const whole = { ...holes, columns: table.columns.map((column) => cut(column, 5)), rows: 5 }
    await expect(made.impute(whole)).rejects.toThrow('has no holes')
    const [first, ...others] = whole.columns
    await expect(made.impute({ ...whole, columns: [{ ...first, name: 'weight' }, ...others] })).rejects.toThrow(
      "the column 'weight'",
    )
    const unseen = { name: 'colour', kind: 'category', levels: ['mauve'], codes: new Int32Array(5) } as const
    await expect(made.impute({ rows: 5, columns: [unseen] })).rejects.toThrow("'mauve' in row 1")
    // a column that is not there is unknown in every row
    const [filled] = await made.impute({ rows: 5, columns: others })
    expect(filled.columns.map(({ name }) => name)).toEqual(['size', 'level', 'colour'])
    await made.dispose()
  })

  test('are not filled by a model of whole rows', async () => {
    const train = { ...settings.train, steps: { total: 5 } }
    const made = await Flow.train(table, { ...settings, train, flow: { plain: true }, device: kind })
    await expect(made.impute(holed().holes)).rejects.toThrow('train.masks: true')
    await made.dispose()
  })
})

const tail = (column: Table['columns'][number], from: number): Table['columns'][number] =>
  'codes' in column ? { ...column, codes: column.codes.slice(from) } : { ...column, values: column.values.slice(from) }

const cut = (column: Table['columns'][number], rows: number): Table['columns'][number] =>
  'codes' in column
    ? { ...column, codes: column.codes.slice(0, rows) }
    : { ...column, values: column.values.slice(0, rows) }
