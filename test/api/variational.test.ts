/** Tables learnt by train.objective variational: shares of levels as the data have them, alone and beside a number; samples by number. */

import { expect, test } from 'vitest'
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
    expect(Math.abs(share(levels, 1, upper) - OFTEN)).toBeLessThan(0.06)
    expect(Math.abs(share(levels, 1, lower) - SELDOM)).toBeLessThan(0.06)
    // and the colour does not
    expect(Math.abs(share(colours, 0, upper) - share(colours, 0, lower))).toBeLessThan(0.08)
    expect(await byNumber(made)).toBe(true)
    await expect(made.logProb([[0, 0, 0, 0, 0, 0]])).rejects.toThrow(InvalidArgumentError)
    await made.dispose()
  })

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
