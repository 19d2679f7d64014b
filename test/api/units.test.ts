/** Rows in any unit: what a model learns does not depend on it, and what it gives is in it. */

import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, it } from 'vitest'
import { data, LocalFlow, type TrainArguments } from '../../src/index.js'
import { RandomStream } from '../../src/random/stream.js'
import { engine } from '../cli/lfm.js'

const work = mkdtempSync(join(tmpdir(), 'lfm-units-'))
afterAll(() => rmSync(work, { recursive: true }))

/** Two Gaussians on a line, of different weights and spreads. */
const parts = [
  { weight: 0.6, mean: -1.1, std: 0.5 },
  { weight: 0.4, mean: 1.3, std: 0.35 },
]
const logDensity = (x: number): number =>
  Math.log(
    parts.reduce(
      (sum, { weight, mean, std }) =>
        sum + (weight * Math.exp(-(((x - mean) / std) ** 2) / 2)) / (std * Math.sqrt(2 * Math.PI)),
      0,
    ),
  )

function draw(n: number, seed: number): Float64Array {
  const random = new RandomStream(seed)
  return Float64Array.from({ length: n }, (_, i) => {
    random.row(i)
    const { mean, std } = random.uniform() < parts[0].weight ? parts[0] : parts[1]
    return mean + std * random.normal()
  })
}

const tiny = {
  model: { hidden: [32], activation: 'silu' },
  flow: { gammas: [0.3, null] },
  train: { batch: 256, steps: 400, lr: 0.01 },
  seed: 3,
  device: engine,
} satisfies TrainArguments
const [rows, unseen] = [draw(4000, 1), draw(2000, 2)]

/** KL(p‖q) in nats of a model of a + bx, over unseen rows. */
async function divergence(a: number, b: number, options: TrainArguments = {}): Promise<number> {
  const flow = await LocalFlow.train(
    rows.map((x) => a + b * x),
    { ...tiny, columns: 1, ...options },
  )
  const scores = await flow.logProb(unseen.map((x) => a + b * x))
  await flow.dispose()
  return unseen.reduce((sum, x, i) => sum + logDensity(x) - Math.log(b) - scores[i], 0) / unseen.length
}

describe('training on rows of numbers', () => {
  it('learns the same from them in any unit', async () => {
    const raw = await divergence(0, 1)
    expect(raw).toBeGreaterThan(0)
    expect(raw).toBeLessThan(0.15)
    for (const [a, b] of [
      [0, 1e-3],
      [0, 1e4],
      [1e6, 1],
    ]) {
      expect(Math.abs((await divergence(a, b)) - raw), `${a} + ${b}x`).toBeLessThan(0.02)
    }
  })

  it('standardises before it rounds to float32, and gives samples as fine as the data', async () => {
    // seconds of a morning: in float32 they are 128 apart
    const [begin, spread] = [1_700_000_000, 40]
    const warnings: string[] = []
    const times = rows.map((x) => begin + spread * x)
    const flow = await LocalFlow.train(times, { ...tiny, columns: ['time'], onWarning: (w) => warnings.push(w) })
    const { values } = await flow.sample(500, { seed: 4 })
    expect(values).toBeInstanceOf(Float64Array)
    expect(new Set(values).size).toBeGreaterThan(490)
    const mean = Array.from(values).reduce((sum, value) => sum + value / 500, 0)
    expect(Math.abs(mean - begin - spread * -0.14)).toBeLessThan(0.15 * spread)
    const back = await flow.decode(await flow.encode(times.subarray(0, 50), { steps: 32 }), { steps: 32 })
    for (let i = 0; i < 50; i++) expect(Math.abs(back.values[i] - times[i])).toBeLessThan(0.01 * spread)
    expect(warnings).toEqual([])
    const path = join(work, 'times.csv')
    await data.writeCsv(path, { values, shape: [500, 1] }, ['time'])
    expect((await data.readCsv(path)).tensor.values).toEqual(values)
    await data.writeNpy(join(work, 'times.npy'), { values, shape: [500, 1] })
    expect((await data.readNpy(join(work, 'times.npy'))).values).toEqual(values)
    await flow.dispose()
  })

  it('keeps the unit in a saved run', async () => {
    const flow = await LocalFlow.train(
      rows.map((x) => 1e6 + x),
      { ...tiny, columns: 1, train: { steps: 2 } },
    )
    const folder = join(work, 'saved')
    await flow.save(folder)
    const loaded = await LocalFlow.load(folder)
    expect(await loaded.sample(9)).toEqual(await flow.sample(9))
    await Promise.all([flow.dispose(), loaded.dispose()])
  })

  it('warns of a scale far from one that is not standardised, and of times that came as float32', async () => {
    const warningsOf = async (values: Float32Array | Float64Array, options: TrainArguments): Promise<string[]> => {
      const warnings: string[] = []
      const train = { ...tiny.train, steps: 1 }
      const given = { ...tiny, train, columns: 1, onWarning: (w: string) => warnings.push(w), ...options }
      await (await LocalFlow.train(values, given)).dispose()
      return warnings
    }
    const heights = rows.map((x) => 170 + 10 * x)
    expect(await warningsOf(heights, { standardise: false })).toEqual([
      expect.stringMatching(/^column 0 has the mean 169 and the standard deviation \d+\.\d and is not standardised/),
    ])
    expect(await warningsOf(heights, {})).toEqual([])
    expect(await warningsOf(rows, { standardise: false })).toEqual([])
    const times = Float32Array.from(rows, (x) => 1_700_000_000 + 40 * x)
    expect(await warningsOf(times, {})).toContainEqual(expect.stringContaining('give them as a Float64Array'))
  })

  it('takes a scaler of the caller’s, and leaves rows alone where it is told to', async () => {
    const scaler = { mean: [2], std: [3] }
    const train = { ...tiny.train, steps: 2 }
    const by = await LocalFlow.train(rows, { ...tiny, train, columns: 1, standardise: scaler })
    const plain = await LocalFlow.train(
      Float32Array.from(rows).map((x) => (x - 2) / 3),
      { ...tiny, train, columns: 1, standardise: false },
    )
    expect(by.subFlows[1].parameters).toEqual(plain.subFlows[1].parameters)
    expect([by.scaler, plain.scaler]).toEqual([scaler, null])
    await Promise.all([by.dispose(), plain.dispose()])
    for (const wrong of [{ mean: [0], std: [0] }, { mean: [0, 1], std: [1, 1] }, 'yes']) {
      await expect(LocalFlow.train(rows, { ...tiny, columns: 1, standardise: wrong as never })).rejects.toThrow(
        "standardise must be true, false, 'range' or { mean, std } of 1 numbers each",
      )
    }
  })
})

describe('rows', () => {
  const small = { ...tiny, train: { batch: 2, steps: 1 } }
  const list = [
    [1, 2],
    [3, 5],
    [4, 4],
  ]
  const parametersOf = async (given: data.RowsLike, options: TrainArguments = {}): Promise<Float32Array> => {
    const flow = await LocalFlow.train(given, { ...small, ...options })
    await flow.dispose()
    return flow.subFlows[0].parameters
  }

  it('are given as lists, as flat lists with columns, or with a shape', async () => {
    const wanted = await parametersOf({ values: Float32Array.from(list.flat()), shape: [3, 2] })
    expect(await parametersOf(list)).toEqual(wanted)
    expect(await parametersOf(list.flat(), { columns: 2 })).toEqual(wanted)
    expect(await parametersOf(Float32Array.from(list.flat()), { columns: ['a', 'b'] })).toEqual(wanted)
    expect(await parametersOf(Float64Array.from(list.flat()), { columns: 2 })).toEqual(wanted)
    expect(await parametersOf({ values: list.flat(), shape: [3, 2] })).toEqual(wanted)
  })

  it('are scored without a shape, since the model knows its width', async () => {
    const flow = await LocalFlow.train(list, small)
    const scores = await flow.logProb({ values: Float32Array.from(list.flat()), shape: [3, 2] })
    expect(await flow.logProb(list)).toEqual(scores)
    expect(await flow.logProb(list.flat())).toEqual(scores)
    await expect(flow.logProb([1, 2, 3])).rejects.toThrow('x has 3 numbers, which are no whole rows of 2.')
    await expect(flow.logProb([[1, 2, 3]])).rejects.toThrow('x must have the shape [n, 2]')
    await flow.dispose()
  })

  it.each<[unknown, TrainArguments, string]>([
    [list.flat(), {}, 'x is a flat list of 6 numbers, and it is not known how many of them make a row: give columns'],
    [Float64Array.of(1, 2, 3), { columns: 2 }, 'x has 3 numbers, which are no whole rows of 2.'],
    [[[1, 2], [3]], {}, 'x[1] has 1 numbers, but x[0] has 2.'],
    [[[1, 2], 3], {}, 'x[1] must be a list of 2 numbers, as x[0] is, but is 3.'],
    [[[1, 'a']], {}, "x[0][1] must be a number, but is 'a'."],
    [[], {}, 'x has zero rows'],
    [[[1, Number.NaN]], {}, 'x holds NaN in row 0, column 1'],
    [Int32Array.of(1, 2), { columns: 1 }, 'x is a Int32Array; it must be { values, shape: [n, ...dims] }'],
    ['rows.csv', {}, 'x must be { values, shape: [n, ...dims] }, a list of rows'],
    [list, { columns: ['a'] }, 'columns has 1 names, but the rows are [2].'],
    [list, { columns: ['a', 'a'] }, "columns has the name 'a' twice."],
  ])('like %j are refused', async (given, options, message) => {
    await expect(LocalFlow.train(given as data.RowsLike, { ...small, ...options })).rejects.toThrow(message)
  })
})

describe('a file of unix times', () => {
  it('is read in float64, other files in float32', async () => {
    const path = join(work, 'log.csv')
    writeFileSync(path, `time,load\n${Array.from(rows.subarray(0, 300), (x, i) => `${1.7e9 + i},${x}`).join('\n')}\n`)
    const { train, scaler } = await data.loadData(
      { kind: 'csv', path, train: undefined, validation: 0, test: 0, shuffle: false, standardise: true },
      { seed: 0, baseDir: work },
    )
    expect(train.values).toBeInstanceOf(Float64Array)
    expect(train.values[2 * 299]).toBe(1.7e9 + 299)
    expect(scaler!.mean[0]).toBeCloseTo(1.7e9 + 149.5, 3)
    expect((await data.readCsv(path, ['load'])).tensor.values).toBeInstanceOf(Float32Array)
  })
})
