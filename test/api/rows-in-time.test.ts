/** Rows that come from an iterable: in memory as a list of them, else out of a file. */

import { mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, it } from 'vitest'
import { placeRows } from '../../src/data/large.js'
import { fitScaler } from '../../src/data/scaler.js'
import { gatherRows, type Spool, spooledRows } from '../../src/data/spool.js'
import { LocalFlow, type TrainArguments } from '../../src/index.js'
import { permutation } from '../../src/random/stream.js'
import { engine } from '../cli/lfm.js'

const work = mkdtempSync(join(tmpdir(), 'lfm-in-time-'))
afterAll(() => rmSync(work, { recursive: true }))

const n = 5000
const rows = Array.from({ length: n }, (_, i) => [1e7 + Math.sin(i) + i / n, 3 + 0.1 * Math.cos(7 * i)])
const tiny = {
  model: { hidden: [8] },
  flow: { gammas: [0.3, null] },
  train: { batch: 40, steps: 60 },
  ode: { steps: 2 },
  seed: 3,
  device: engine,
} satisfies TrainArguments

async function* rowByRow(): AsyncGenerator<number[]> {
  for (const row of rows) yield row
}
async function* inBlocks(): AsyncGenerator<number[][]> {
  for (let first = 0; first < n; first += 777) yield rows.slice(first, first + 777)
}

async function trained(given: Parameters<typeof LocalFlow.train>[0], options: TrainArguments = {}) {
  await using flow = await LocalFlow.train(given, { ...tiny, ...options })
  return { losses: flow.training!.losses, samples: (await flow.sample(50)).values, scaler: flow.scaler! }
}

describe('rows that come in time', () => {
  it('are learnt to the same bits as a list of them, one by one and in blocks', async () => {
    const listed = await trained(rows)
    expect(await trained(rowByRow())).toEqual(listed)
    expect(await trained(inBlocks())).toEqual(listed)
    expect(await trained(rows.values())).toEqual(listed)
  })

  it('are learnt out of a file where memory is too small, with the scale that they have', async () => {
    const exact = fitScaler({ values: Float64Array.from(rows.flat()), shape: [n, 2] })
    const out = join(work, 'run')
    const { scaler, samples, losses } = await trained(inBlocks(), { memory: '50 KB', out })
    expect(losses).not.toEqual((await trained(rows)).losses)
    expect(readdirSync(work).filter((name) => name !== 'run')).toEqual([])
    expect(readdirSync(out).filter((name) => name.startsWith('.'))).toEqual([])
    for (const j of [0, 1]) {
      expect(scaler.mean[j]).toBeCloseTo(exact.mean[j], 6)
      expect(scaler.std[j] / exact.std[j]).toBeCloseTo(1, 6)
    }
    // float64, as of a list of such rows
    expect(samples).toBeInstanceOf(Float64Array)
    // a session that goes on is told the same rows; nothing is left to be learnt
    const again = await trained(rowByRow(), { memory: '50 KB', out, resume: true })
    expect(again.samples).toEqual(samples)
    await expect(trained(rows.slice(1).values(), { memory: '50 KB', out, resume: true })).rejects.toThrow(
      'have changed',
    )
  })

  it('are named where they are wrong; an abort and an error end the iterable', async () => {
    async function* broken(bad: number[]): AsyncGenerator<number[]> {
      yield* rows.slice(0, 4200)
      yield bad
    }
    for (const memory of ['1 GB', '50 KB']) {
      await expect(trained(broken([1, 2, 3]), { memory })).rejects.toThrow(
        'row 4200 (from 0) has 3 numbers, where 2 make',
      )
      await expect(trained(broken([1, Number.NaN]), { memory })).rejects.toThrow('rows holds NaN in row 4200, column 1')
    }
    await expect(trained([].values())).rejects.toThrow('rows ended before the first one')
    await expect(trained(rows, { memory: '1 GB' })).rejects.toThrow('memory must be left out')
    await expect(trained(rowByRow(), { memory: '50 KB', labels: [1] })).rejects.toThrow('labels must be left out')
    const stop = new AbortController()
    let ended = false
    async function* endless(): AsyncGenerator<number[]> {
      try {
        for (let i = 0; ; i++) {
          if (i === 9000) stop.abort(new Error('enough'))
          yield rows[i % n]
        }
      } finally {
        ended = true
      }
    }
    await expect(trained(endless(), { memory: '50 KB', signal: stop.signal })).rejects.toThrow('enough')
    expect(ended).toBe(true)
  })
})

describe('rows of mixed columns that come in time', () => {
  const day = 86_400
  const people = Array.from({ length: 3000 }, (_, i) => ({
    age: i % 90,
    height: i % 7 === 0 ? null : 1.5 + (i % 50) / 100,
    town: i === 2999 ? 'Ur' : ['Rome', 'Oslo', ''][i % 3],
    when: new Date((10_000 + (i % 400)) * day * 1000),
    smokes: i % 5 === 0,
  }))
  const codes = (texts: readonly (string | null)[], levels: readonly string[]): Int32Array =>
    Int32Array.from(texts, (text) => (text === null ? -1 : levels.indexOf(text)))
  const towns = ['Oslo', 'Rome', 'Ur']
  const asTable = {
    rows: people.length,
    columns: [
      { name: 'age', kind: 'integer' as const, values: Float64Array.from(people, ({ age }) => age) },
      {
        name: 'height',
        kind: 'number' as const,
        values: Float64Array.from(people, ({ height }) => height ?? Number.NaN),
      },
      {
        name: 'town',
        kind: 'category' as const,
        codes: codes(
          people.map(({ town }) => town || null),
          towns,
        ),
        levels: towns,
      },
      { name: 'when', kind: 'date' as const, values: Float64Array.from(people, ({ when }) => when.getTime() / 1000) },
      {
        name: 'smokes',
        kind: 'boolean' as const,
        codes: codes(
          people.map(({ smokes }) => String(smokes)),
          ['false', 'true'],
        ),
        levels: ['false', 'true'],
      },
    ],
  }
  async function* oneByOne(): AsyncGenerator<(typeof people)[number]> {
    yield* people
  }
  async function* inLists(): AsyncGenerator<typeof people> {
    for (let first = 0; first < people.length; first += 700) yield people.slice(first, first + 700)
  }
  const settings = {
    ...tiny,
    train: { batch: 40, steps: 60, objective: 'variational' },
    flow: { plain: true },
  } as const
  async function learnt(given: Parameters<typeof LocalFlow.train>[0], options: TrainArguments = {}) {
    await using flow = await LocalFlow.train(given, { ...settings, ...options })
    return { losses: flow.training!.losses, encoding: flow.encoding!, samples: await flow.sampleTable(50) }
  }

  it('are learnt as a table of them, one by one, in lists, and as a list', async () => {
    const known = await learnt(asTable)
    expect(await learnt(oneByOne())).toEqual(known)
    expect(await learnt(inLists())).toEqual(known)
    expect(await learnt(people)).toEqual(known)
  })

  it('are learnt out of a file where memory is too small, with the levels, ranges and kinds of all rows', async () => {
    const out = join(work, 'people')
    const { encoding, samples, losses } = await learnt(inLists(), {
      memory: '100 KB',
      out,
      validation: asTable,
      test: asTable,
    })
    const whole = await learnt(asTable)
    expect(losses).not.toEqual(whole.losses)
    expect(readdirSync(work).filter((name) => name.startsWith('.'))).toEqual([])
    expect(encoding.columns.map(({ name, kind }) => [name, kind])).toEqual(
      asTable.columns.map(({ name, kind }) => [name, kind]),
    )
    // «Ur» is in the last row alone
    expect(encoding.columns[2]).toMatchObject({ levels: towns, missing: true })
    expect(encoding.columns[1]).toMatchObject({ missing: true })
    expect(samples.columns.map(({ name }) => name)).toEqual(['age', 'height', 'town', 'when', 'smokes'])
    const again = await learnt(oneByOne(), { memory: '100 KB', out, resume: true, validation: asTable, test: asTable })
    expect(again.samples).toEqual(samples)
  })

  it('are named where they are wrong', async () => {
    async function* with_(bad: unknown): AsyncGenerator<object> {
      yield* people
      yield bad as object
    }
    for (const memory of ['1 GB', '100 KB']) {
      const refused = (bad: unknown, why: string): Promise<void> =>
        expect(LocalFlow.train(with_(bad) as never, { ...settings, memory })).rejects.toThrow(why)
      await refused(
        { age: 'old' },
        "rows holds a text in column 'age', row 3000 (from 0), 'old', where the rows before hold a number",
      )
      await refused({ age: Infinity }, "rows holds Infinity in column 'age', row 3000")
      await refused({ age: 1, zip: 7 }, "rows has the column 'zip' in row 3000")
      await refused([1, 2], 'row 3000')
      await refused({ when: new Date(Number.NaN) }, 'row 3000')
    }
    await expect(LocalFlow.train(people, { ...settings, columns: ['age'] })).rejects.toThrow('columns must be left out')
    await expect(LocalFlow.train(oneByOne(), { ...settings, memory: '100 KB', labels: [1] })).rejects.toThrow(
      'labels must be left out',
    )
  })
})

describe('rows in a file', () => {
  it('have the order of the split, whatever the blocks and the regions', async () => {
    async function* blocks(size: number): AsyncGenerator<Float32Array> {
      const all = Float32Array.from({ length: 3 * 100 }, (_, i) => i)
      for (let at = 0; at < all.length; at += 3 * size) yield all.subarray(at, at + 3 * size)
    }
    // 77 of 100 rows, as where others are to test on
    const order = permutation(100, 5).subarray(0, 77)
    for (const [size, bytes] of [
      [100, 1e6],
      [7, 12 * 10],
      [13, 1],
    ]) {
      const file = await placeRows(work, order, 3, blocks(size), bytes)
      expect(Array.from(await file.read(0, 77))).toEqual(
        Array.from(order).flatMap((row) => [3 * row, 3 * row + 1, 3 * row + 2]),
      )
      await file.close()
    }
  })

  it('say how many are there, and end where they are aborted', async () => {
    async function* blocks(): AsyncGenerator<Float32Array> {
      for (let i = 0; i < 5; i++) yield new Float32Array(20)
    }
    const stop = new AbortController()
    const told: [number, number][] = []
    const onRows = (rows: number, of: number): void => {
      told.push([rows, of])
      if (rows === 30) stop.abort(new Error('enough'))
    }
    const order = Uint32Array.from({ length: 50 }, (_, i) => i)
    const storing = placeRows(work, order, 2, blocks(), 80, { signal: stop.signal, onRows })
    await expect(storing).rejects.toThrow('enough')
    expect(told).toEqual([10, 20, 30].map((rows) => [rows, 50]))
  })

  it('are a spool in a random order, of which the first are at hand', async () => {
    const spool = (await gatherRows(rowByRow(), { memory: 1000, folder: work })) as Spool
    const scaler = spool.moments.scaler(null)
    const { train, large } = await spooledRows(spool, scaler, 1e5, 9)
    const file = await large.store(work)
    const order = permutation(n, 9)
    const expected = Array.from(order).flatMap((row) =>
      rows[row].map((value, j) => Math.fround((value - scaler.mean[j]) / scaler.std[j])),
    )
    expect(Array.from(await file.read(0, n))).toEqual(expected)
    expect(Array.from(train.values.subarray(0, 2))).toEqual(rows[order[0]])
    expect(readdirSync(work).filter((name) => name.includes('rows'))).toEqual([])
    await file.close()
    await spool.close()
  })
})
