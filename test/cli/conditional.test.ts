/** Conditional models from the command line: columns of a table, and classes of pictures, told and refused. */

import { existsSync, renameSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { InferenceSession, Tensor } from 'onnxruntime-node'
import { beforeAll, describe, expect, it } from 'vitest'
import { readNpy, writeNpy } from '../../src/data/npy.js'
import { LocalFlow } from '../../src/index.js'
import type { Comparison } from '../../src/run/compare/gather.js'
import { noise } from '../export/models.js'
import { built, type Ended, engine, json, lfm, readText, workFolder } from './lfm.js'

const rows = Array.from({ length: 200 }, (_, i) => [Math.sin(i), i % 10, 0.3 * (i % 10) + Math.cos(3 * i)])
const table = (header: string, row: (r: number[]) => number[]): string =>
  `${[header, ...rows.map((r) => row(r).join())].join('\n')}\n`

const work = workFolder({
  'table.csv': table('height,wind,speed', (r) => r),
  'rows.csv': table('speed,height', ([height, , speed]) => [speed, height]),
  'winds.csv': table('other,wind', ([, wind]) => [0, wind]),
  'one.csv': 'wind\n4\n',
  'two.csv': 'wind\n4\n5\n',
  'wide.csv': '1,2,3\n4,5,6\n',
  'table.yaml': `
data:  { kind: csv, path: table.csv, condition: [wind] }
model: { hidden: [16], activation: silu }
flow:  { gammas: [0.1, null] }
train: { batch: 64, steps: 30 }
ode:   { steps: 2 }
device: ${engine}
`,
  // a number near three times what is told, in a spread of .2: given c its entropy is −.19 nats, of all rows about 2
  'told.csv': `c,x\n${Array.from({ length: 900 }, (_, i) => {
    const c = ((i * 0.618) % 1) * 4 - 2
    const normal = Math.sqrt(-2 * Math.log(((i * 0.414) % 1) + 1e-4)) * Math.cos(2 * Math.PI * ((i * 0.732) % 1))
    return `${c.toFixed(4)},${(3 * c + 0.2 * normal).toFixed(4)}`
  }).join('\n')}\n`,
  'compare.yaml': `
data:    { kind: csv, path: told.csv, condition: [c], validation: 150, test: 150 }
model:   { hidden: [32, 32], activation: silu }
train:   { batch: 128, steps: 600, lr: 0.01 }
flow:    { gammas: [null], interpolant: linear }
device:  ${engine}
compare: { seeds: [1], evaluations: [1, 8], samples: 300, blocks: [width] }
methods:
  plain: {}
  chain: { flow: { gammas: [0.3, null] }, train: { steps: 300 } }
  one:   { distill: { from: plain, kind: terminal, into: 1 }, train: { steps: 300 } }
`,
  'pictures.yaml': `
data:  { kind: npy, path: pictures.npy, labels: labels.npy }
model: { kind: unet, width: 8, multipliers: [1, 2], attention: [], headChannels: 8, groups: 4, classes: true }
flow:  { gammas: [null] }
train: { batch: 16, steps: 4 }
ode:   { solver: euler, steps: 2 }
device: ${engine}
`,
})
const run = (...args: string[]): Promise<Ended> => lfm(args, { cwd: work })

beforeAll(async () => {
  built()
  const n = 60
  const values = Uint8Array.from({ length: n * 64 }, (_, i) => (37 * i) % 256)
  await writeNpy(join(work, 'pictures.npy'), { values, shape: [n, 1, 8, 8] })
  const labels = Uint8Array.from({ length: n }, (_, i) => [2, 7][i % 2])
  await writeNpy(join(work, 'labels.npy'), { values: labels, shape: [n] })
  await writeNpy(join(work, 'short.npy'), { values: labels.slice(1), shape: [n - 1] })
  for (const name of ['table', 'pictures']) {
    const { code, stderr } = await run('train', `${name}.yaml`, '--out', name)
    if (code !== 0) throw new Error(stderr)
  }
}, 300_000)

describe('a table with columns that are told', () => {
  it('is sampled under one row of conditions, or a row for each', async () => {
    const drawn = json<{ nfe: number }>(
      await run('sample', 'table', '-n', '5', '--cond', 'one.csv', '-o', 'a.csv', '--json'),
    )
    expect(readText(work, 'a.csv').split('\n')[0]).toBe('height,speed')
    const guided = await run(
      'sample',
      'table',
      '-n',
      '200',
      '--cond',
      'winds.csv',
      '--guidance',
      '1,3',
      '-o',
      'b.csv',
      '--json',
    )
    // guided in one of the two sub-flows
    expect(json<{ nfe: number }>(guided).nfe).toBeGreaterThan(drawn.nfe)
  })

  it('is scored by the conditions beside the rows, or by those of a file', async () => {
    const beside = json<{ logProb: number }>(await run('score', 'table', 'table.csv', '--json'))
    const apart = json<{ logProb: number }>(await run('score', 'table', 'rows.csv', '--cond', 'winds.csv', '--json'))
    expect(apart).toEqual(beside)
    const other = json<{ logProb: number }>(await run('score', 'table', 'rows.csv', '--cond', 'one.csv', '--json'))
    expect(other.logProb).not.toBe(beside.logProb)
    expect((await run('evaluate', 'table', '--samples', '100')).code).toBe(0)
  })

  it.each([
    [['sample', '-n', '5', '-o', '-'], 'none was given: give cond, 1 column (wind)'],
    [['sample', '-n', '5', '-o', '-', '--cond', 'two.csv'], 'cond has 2 rows, but there are 5'],
    // of as many rows as samples too
    [['sample', '-n', '2', '-o', '-', '--cond', 'wide.csv'], 'cond must be rows of 1 column (wind), as in training'],
    [
      ['sample', '-n', '5', '-o', '-', '--cond', 'rows.csv'],
      "does not have the columns that the model is told: 'wind'",
    ],
    [
      ['sample', '-n', '5', '-o', '-', '--class', '1'],
      'class was given, but this model was trained with other conditions',
    ],
    [
      ['sample', '-n', '5', '-o', '-', '--cond', 'one.csv', '--guidance', '-1'],
      'guidance must be a finite number from 0',
    ],
    [['sample', '-n', '5', '-o', '-', '--cond', 'one.csv', '--guidance', 'x'], 'It must be a number'],
  ])('refuses %j', async ([command, ...rest], message) => {
    const { code, stderr } = await run(command, 'table', ...rest)
    expect(code).not.toBe(0)
    expect(stderr).toContain(message)
  })
})

describe('lfm compare', () => {
  it('has likelihoods and samples of what the rows are told', async () => {
    const { blocks, distance, floor } = json<Comparison>(
      await run('compare', 'compare.yaml', '--out', 'compared', '--json'),
    )
    expect(distance).toBe('sliced W2 beside what is told')
    const [plain, chain, one] = blocks[0].methods
    for (const { nll } of [plain, chain]) expect(nll!.mean).toBeLessThan(0.5)
    expect(one.nll).toBeNull()
    // of samples that do not fit what they were told it is beyond 1
    for (const method of [plain, chain])
      expect(method.points.at(-1)!.best!.distance.mean).toBeLessThan(floor.mean + 0.15)
    expect(one.points[0].best!.distance.mean).toBeLessThan(floor.mean + 0.15)
    // a row is a run that is told the same
    const { logProb } = json<{ logProb: number }>(await run('score', 'compared/plain-seed-1', 'told.csv', '--json'))
    expect(Math.abs(-logProb - plain.nll!.mean)).toBeLessThan(0.3)
    const again = await run('compare', 'compare.yaml', '--out', 'compared', '--json')
    expect(again.stderr).toContain('one-seed-1 is there already')
    writeFileSync(
      join(work, 'mixed.yaml'),
      readText(work, 'compare.yaml').replace('plain: {}', 'plain: { model: { classes: true } }'),
    )
    expect((await run('compare', 'mixed.yaml', '--out', 'mixed')).stderr).toContain(
      'model.classes is true of some methods',
    )
  })
})

describe('pictures with classes', () => {
  it('are drawn of one class, guided or not', async () => {
    const sample = (...more: string[]): Promise<Ended> =>
      run('sample', 'pictures', '-n', '4', '--seed', '3', '--json', ...more)
    expect(json<{ nfe: number }>(await sample('--class', '7', '-o', 'c.npy')).nfe).toBe(2)
    expect(json<{ nfe: number }>(await sample('--class', '7', '--guidance', '2', '-o', 'd.npy')).nfe).toBe(4)
    const [plain, guided] = [await readNpy(join(work, 'c.npy')), await readNpy(join(work, 'd.npy'))]
    expect(plain.shape).toEqual([4, 1, 8, 8])
    expect(guided.values).not.toEqual(plain.values)
  })

  it.each([
    [['sample', 'pictures', '-n', '4', '-o', 'e.npy'], 'give class, one of 2, 7'],
    [
      ['sample', 'pictures', '-n', '4', '-o', 'e.npy', '--class', '3'],
      'class must be one that the training rows have (2, 7), but is 3',
    ],
    [['train', 'pictures.yaml', '--out', 'short', '--set', 'data.labels=short.npy'], '59'],
    [['train', 'table.yaml', '--out', 'none', '--set', 'model.classes=true'], 'leave one of them out'],
    [['train', 'table.yaml', '--out', 'both', '--set', 'data.columns=[wind,height]'], "both name column 1 ('wind')"],
  ])('refuse %j', async (args, message) => {
    const { code, stderr } = await run(...args)
    expect(code).not.toBe(0)
    expect(stderr).toContain(message)
  })
})

describe('exports', () => {
  const onnx = async (path: string, feeds: Record<string, InstanceType<typeof Tensor>>): Promise<Float32Array> => {
    const session = await InferenceSession.create(join(work, path))
    const { samples } = await session.run(feeds)
    await session.release()
    return samples.data as Float32Array
  }

  it('of a table are told its columns, and are a run again', async () => {
    json(await run('export', 'table', '--to', 'hf', '--out', 'table-hub', '--guidance', '1,3', '--json'))
    json(await run('import', 'table-hub', '--out', 'table-again', '--json'))
    const card = readText(work, 'table-hub/README.md')
    expect(card).toContain('**Told:** 1 number a row: wind')
    expect(card).toMatch(/flow\.sample\(100, \{ cond: \[4\.\d+\] \}\)/)
    const guided = { cond: [4], guidance: [1, 3], seed: 1 }
    const flows = await Promise.all(['table', 'table-hub', 'table-again'].map((at) => LocalFlow.load(join(work, at))))
    const [own, ...others] = await Promise.all(flows.map(async (flow) => (await flow.sample(9, guided)).values))
    expect(others).toEqual([own, own])
    // columns and what is told have come along: both are found by name
    for (const at of ['table', 'table-again'])
      json(await run('score', at, 'table.csv', '-o', `${at}-scores.csv`, '--json'))
    expect(readText(work, 'table-again-scores.csv')).toBe(readText(work, 'table-scores.csv'))

    const z = noise(2 * 9)
    const { values } = await flows[0].decode({ values: z, shape: [9, 2] }, { cond: [4], guidance: [1, 3] })
    const cond = new Tensor('float32', new Float32Array(9).fill(4), [9, 1])
    const got = await onnx('table-hub/onnx/sampler.onnx', { noise: new Tensor('float32', z, [9, 2]), cond })
    expect(Math.max(...got.map((value, i) => Math.abs(value - values[i])))).toBeLessThan(1e-4)
    for (const flow of flows) await flow.dispose()
  })

  it('of pictures take a class, and weights with a config are a run', async () => {
    json(await run('export', 'pictures', '--to', 'onnx', '--out', 'pictures-onnx', '--json'))
    json(await run('export', 'pictures', '--to', 'pytorch', '--out', 'pictures-torch', '--json'))
    const config = ['--config', 'pictures.yaml', '--out', 'pictures-again', '--json']
    json(await run('import', 'pictures-torch/subflow-1.safetensors', ...config))
    const flows = await Promise.all(['pictures', 'pictures-again'].map((at) => LocalFlow.load(join(work, at))))
    const [own, again] = await Promise.all(flows.map(async (flow) => (await flow.sample(2, { class: 7 })).values))
    expect(again).toEqual(own)
    const z = noise(64)
    const { values } = await flows[0].decode(
      { values: z, shape: [1, 1, 8, 8] },
      { class: 7, solver: 'euler', steps: 2 },
    )
    const feeds = {
      noise: new Tensor('float32', z, [1, 1, 8, 8]),
      class: new Tensor('int64', BigInt64Array.of(7n), [1]),
    }
    const got = await onnx('pictures-onnx/sampler.onnx', feeds)
    expect(Math.max(...got.map((value, i) => Math.abs(value - values[i])))).toBeLessThan(1e-4)
    for (const flow of flows) await flow.dispose()
  })

  it('with guidance of a model that is told nothing are refused', async () => {
    const plain = readText(work, 'table.yaml').replace(', condition: [wind]', '')
    writeFileSync(join(work, 'plain.yaml'), plain)
    const { code, stderr } = await run('train', 'plain.yaml', '--out', 'plain')
    expect(code, stderr).toBe(0)
    const refused = await run('export', 'plain', '--to', 'onnx', '--out', 'never', '--guidance', '2')
    expect(refused.stderr).toMatch(/^lfm: guidance was given, but this model was trained without a condition/)
    expect(existsSync(join(work, 'never'))).toBe(false)
  })
})

describe('students', () => {
  const short = ['--set', 'train.steps=20', '--set', 'train.checkpointEvery=8']

  it('of a table learn under the conditions of its rows, guided', async () => {
    const words = [
      'distill',
      'table',
      '--kind',
      'pairs',
      '--into',
      '2',
      ...short,
      '--set',
      'distill.guidance=2',
      '--json',
    ]
    json(await run(...words, '--out', 'table-student'))
    const drawn = json<{ nfe: number }>(
      await run('sample', 'table-student', '-n', '6', '--cond', 'one.csv', '-o', 'drawn.csv', '--json'),
    )
    expect(drawn.nfe).toBe(2)
    const guided = ['sample', 'table-student', '-n', '6', '--cond', 'one.csv', '--guidance', '2', '-o', 'drawn.csv']
    expect((await run(...guided)).stderr).toContain('distilled with the guidance 2')
    expect(readText(work, 'table-student/report.html')).toContain('Student, 2')
  })

  it('of a table that take any number of evaluations do so under its conditions, and are exported in no form', async () => {
    const words = ['distill', 'table', '--kind', 'any-step', '--into', '2', ...short, '--json']
    json(await run(...words, '--out', 'table-any'))
    for (const evaluations of [1, 4]) {
      const call = ['-n', '6', '--cond', 'one.csv', '--evaluations', String(evaluations), '-o', 'any.csv', '--json']
      expect(json<{ nfe: number }>(await run('sample', 'table-any', ...call)).nfe).toBe(evaluations)
    }
    const { stderr } = await run('export', 'table-any', '--to', 'onnx', '--out', 'any-onnx')
    expect(stderr).toContain('is told a condition and takes a second time')
  })

  it('of pictures with classes draw each of them, where the data are gone too', async () => {
    const words = ['distill', 'pictures', '--kind', 'pairs', '--into', '1', ...short, '--json']
    json(await run(...words, '--out', 'pictures-student'))
    renameSync(join(work, 'pictures.npy'), join(work, 'gone.npy'))
    const alone = await run(...words, '--out', 'pictures-alone')
    renameSync(join(work, 'gone.npy'), join(work, 'pictures.npy'))
    expect(alone.code, alone.stderr).toBe(0)
    for (const folder of ['pictures-student', 'pictures-alone']) {
      json(await run('sample', folder, '-n', '4', '--class', '7', '-o', 'sevens.npy', '--json'))
      const missing = await run('sample', folder, '-n', '4', '-o', 'sevens.npy')
      expect(missing.stderr).toContain('give class, one of 2, 7')
    }
  })
})
