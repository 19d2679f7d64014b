/** One run from the config to the report: what `lfm train`, `evaluate`, `sample` and `score` print and write. */

import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { beforeAll, describe, expect, it } from 'vitest'
import { readCheckpointTensors, readManifest } from '../../src/checkpoint/index.js'
import { resolveConfig } from '../../src/config/index.js'
import { loadData, readTable } from '../../src/data/load.js'
import { slicedWasserstein } from '../../src/metrics/sliced.js'
import { LocalFlow } from '../../src/run/local-flow.js'
import { openRun } from '../../src/run/run.js'
import { built, type Ended, engine, json, lfm, readText, tensorBits, workFolder } from './lfm.js'

const work = workFolder({
  'rings.yaml': `
data:  { kind: toy, name: eight-gaussians, train: 2000, validation: 100, test: 150 }
model: { hidden: [32, 24], activation: silu }
flow:  { gammas: [0.2, null] }
train: { batch: 512, steps: [30, 50], lr: 0.01, checkpointEvery: 20, logEvery: 20 }
ode:   { steps: 4 }
seed:  3
`,
})
const run = join(work, 'run')
const train = (out: string, set: string[] = [], env: Record<string, string> = {}, more: string[] = []) =>
  lfm(
    ['train', 'rings.yaml', '--out', out, '--device', engine, '--json', ...set.flatMap((s) => ['--set', s]), ...more],
    { cwd: work, env },
  )
const png = (path: string): boolean => readFileSync(path).subarray(1, 4).toString() === 'PNG'

let trained: Ended
beforeAll(async () => {
  built()
  trained = await train('run', [], { LFM_THREADS: '2' })
})

describe('lfm train', () => {
  it('ends with one JSON object on stdout', () => {
    const summary = json(trained)
    expect(summary).toMatchObject({ device: engine, adapter: null, subFlows: 2, steps: 80, resumedFrom: null })
    expect(summary).toHaveProperty('cpuTarget')
    expect(summary.finalLosses).toHaveLength(2)
    const { finalLosses, seconds, pushSeconds, stepMs } = summary as Record<string, never>
    for (const value of [...(finalLosses as number[]), seconds, pushSeconds, stepMs]) expect(value).toBeGreaterThan(0)
    expect(stepMs).toBeCloseTo((1000 * seconds) / 80, 9)
    expect(trained.stderr).toContain('sub-flow 2/2 │ step 50/50')
  })

  it('fills the run folder with checkpoint, losses, pictures and report', async () => {
    const manifest = await readManifest(run)
    expect(manifest.progress).toEqual({ subFlow: 2, step: 50, phase: 'done' })
    expect(manifest.seed).toBe(3)
    expect(manifest.device).toMatchObject({ kind: engine })
    expect(manifest.config.raw).toMatchObject({ device: { kind: engine }, train: { steps: [30, 50] } })
    for (const name of ['samples', 'forward-chain', 'backward-chain', 'loss']) {
      expect(png(join(run, `${name}.png`)), name).toBe(true)
    }
    const rows = readText(run, 'losses.csv').trim().split('\n')
    expect(rows[0]).toBe('sub_flow,step,loss')
    expect(rows.slice(1).map((row) => row.split(',').slice(0, 2).join())).toEqual([
      '1,20',
      '1,30',
      '2,20',
      '2,40',
      '2,50',
    ])
  })

  it("stores parameters in PyTorch's layout, and they are the field: one Euler step by hand", async () => {
    const manifest = await readManifest(run)
    const parameters = new Map<string, { values: Float32Array; shape: readonly number[] }>()
    for (const n of [1, 2]) {
      const { tensors } = await readCheckpointTensors(run, manifest, `subflow-${n}.safetensors`)
      expect(Object.fromEntries([...tensors].map(([name, { shape }]) => [name, [...shape]]))).toEqual({
        [`subflow.${n}.layers.0.weight`]: [32, 3],
        [`subflow.${n}.layers.0.bias`]: [32],
        [`subflow.${n}.layers.1.weight`]: [24, 32],
        [`subflow.${n}.layers.1.bias`]: [24],
        [`subflow.${n}.layers.2.weight`]: [2, 24],
        [`subflow.${n}.layers.2.bias`]: [2],
      })
      for (const [name, tensor] of tensors) parameters.set(name, tensor as never)
    }
    const linear = (name: string, x: number[]): number[] => {
      const { values: w, shape } = parameters.get(`${name}.weight`)!
      const { values: b } = parameters.get(`${name}.bias`)!
      return Array.from(b, (bias, o) => x.reduce((sum, value, i) => sum + w[o * shape[1] + i] * value, bias))
    }
    const silu = (x: number[]): number[] => x.map((value) => value / (1 + Math.exp(-value)))
    let x = [0.7, -1.3]
    const flow = await LocalFlow.load(run, { device: 'reference' })
    const start = { values: Float32Array.from(x), shape: [1, 2] }
    const { values } = await flow.encode(start, { solver: { solver: 'euler', steps: 1 } })
    for (const n of [1, 2]) {
      const at = (i: number): string => `subflow.${n}.layers.${i}`
      const v = linear(at(2), silu(linear(at(1), silu(linear(at(0), [0, ...x])))))
      x = x.map((value, d) => value + v[d])
    }
    expect(values[0]).toBeCloseTo(x[0], 4)
    expect(values[1]).toBeCloseTo(x[1], 4)
    await flow.dispose()
  })

  it('is bit-identical for the same seed on one thread and on two, and different for another seed', async () => {
    expect(json(await train('again', [], { LFM_THREADS: '1' })).device).toBe(engine)
    const bits = await tensorBits(run)
    expect(await tensorBits(join(work, 'again'))).toEqual(bits)
    json(await train('other', ['seed=4']))
    const other = await tensorBits(join(work, 'other'))
    expect(Object.keys(other)).toEqual(Object.keys(bits))
    // where it was measured is the same whatever the seed
    const drawn = Object.keys(bits).filter((name) => !name.endsWith('.validation.step'))
    for (const name of drawn) expect(other[name], name).not.toBe(bits[name])
  })

  it('into a folder that holds a run is refused; --force replaces it with all that described it', async () => {
    const out = join(work, 'other')
    const before = await tensorBits(out)
    const refused = await train('other')
    expect(refused).toMatchObject({ code: 1 })
    expect(refused.stderr).toMatch(/^lfm: other already holds a run\..*--resume.*--force/)
    // what is wrong with the new run is found before the old one is touched
    const tooLarge = await train('other', ['train.batch=4000'], {}, ['--force'])
    expect(tooLarge).toMatchObject({ code: 1 })
    expect(tooLarge.stderr).toContain('only 2000 training rows')
    expect(await tensorBits(out)).toEqual(before)
    expect(existsSync(join(out, 'report.html'))).toBe(true)

    const diverged = await train('other', ['train.lr=1e30', 'model.activation=relu'], {}, ['--force'])
    expect(diverged.code).toBe(1)
    expect(Object.keys(await tensorBits(out))).not.toContain('subflow.2.layers.0.weight')
    expect(existsSync(join(out, 'report.html'))).toBe(false)
    expect(existsSync(join(out, 'samples.png'))).toBe(false)
  })
})

describe('lfm sample and score', () => {
  it('write the same rows as .csv and .npy, repeatable by their seed, and a picture', async () => {
    const sample = (output: string, seed?: number) =>
      lfm(
        [
          'sample',
          'run',
          '-n',
          '20',
          '-o',
          output,
          '--device',
          engine,
          ...(seed === undefined ? [] : ['--seed', `${seed}`]),
        ],
        { cwd: work },
      )
    for (const output of ['a.csv', 'a.npy', 'a.png']) expect((await sample(output)).stderr).toBe('')
    await sample('b.csv', 3)
    await sample('c.csv', 4)
    expect(readText(work, 'a.csv')).toMatch(/^x,y\n/)
    const [a, b] = [await readTable(join(work, 'a.csv')), await readTable(join(work, 'a.npy'))]
    expect(a.tensor).toEqual(b.tensor)
    expect(a.tensor.shape).toEqual([20, 2])
    // without --seed it is the config's
    expect(readText(work, 'b.csv')).toBe(readText(work, 'a.csv'))
    expect(readText(work, 'c.csv')).not.toBe(readText(work, 'a.csv'))
    expect(png(join(work, 'a.png'))).toBe(true)

    const summary = json(
      await lfm(['score', 'run', 'a.csv', '-o', 'scores.csv', '--device', engine, '--json'], { cwd: work }),
    )
    const scores = (await readTable(join(work, 'scores.csv'))).tensor
    expect(scores.shape).toEqual([20, 1])
    const mean = Array.from(scores.values).reduce((sum, value) => sum + value, 0) / 20
    expect(summary).toMatchObject({ n: 20, output: 'scores.csv' })
    expect(summary.logProb).toBeCloseTo(mean, 5)
    // bits per dimension are for pictures: the unit of points is their own
    expect(summary.bitsPerDim).toBeNull()
  })

  it('take the columns of the model by name, in whatever order a file has them', async () => {
    const { writeFile } = await import('node:fs/promises')
    await writeFile(join(work, 'xy.csv'), 'x,y\n1.5,-0.5\n')
    await writeFile(join(work, 'named.csv'), 'y,who,x\n-0.5,me,1.5\n')
    const score = async (file: string) =>
      json(await lfm(['score', 'run', file, '--device', engine, '--json'], { cwd: work })).logProb
    expect(await score('named.csv')).toBe(await score('xy.csv'))
  })
})

describe('lfm evaluate', () => {
  it('prints the likelihood of the test part, and adds it to the report', async () => {
    const before = readText(run, 'report.html')
    expect(before).toContain('Not evaluated yet')
    const result = json<Record<string, number>>(
      await lfm(['evaluate', 'run', '--device', engine, '--json'], { cwd: work }),
    )
    const config = resolveConfig((await readManifest(run)).config.raw)
    const { test, density } = await loadData(config.data, { seed: config.seed, baseDir: work })
    const flow = await LocalFlow.load(run, { device: 'reference' })
    const mean = (values: ArrayLike<number>): number => Array.from(values).reduce((a, b) => a + b, 0) / values.length
    expect(result.nll).toBeCloseTo(-mean(await flow.logProb(test!)), 4)
    expect(result.entropy).toBeCloseTo(-mean(density!.logDensity(test!.values as Float32Array)), 10)
    expect(result.kl).toBeCloseTo(result.nll - result.entropy, 12)
    expect(result.bitsPerDim).toBeNull()
    // 4 stages, 4 steps, 2 sub-flows
    expect(result).toMatchObject({ nfe: 32, n: 150 })
    expect(result.seconds).toBeGreaterThan(0)
    await flow.dispose()

    const after = readText(run, 'report.html')
    expect(after).not.toContain('Not evaluated yet')
    expect(after).toContain(result.nll.toFixed(4))
    expect(after).not.toMatch(/<(?:script|link|img)[^>]*(?:src|href)="(?!data:)/)
  })

  it('has the distance of samples against evaluations beside it: the solver and noise of the config, as many samples as training rows', async () => {
    const stored = (await openRun(run)).extra.report!.curve!
    const config = resolveConfig((await readManifest(run)).config.raw)
    const { train: rows, test } = await loadData(config.data, { seed: config.seed, baseDir: work })
    const n = rows.shape[0]
    expect(stored).toMatchObject({
      quantity: 'sliced W2',
      solver: 'rk4',
      samples: n,
      against: { part: 'test', n: 150 },
    })
    // a step of rk4 through each of two sub-flows takes eight
    expect(stored.points.map(({ evaluations }) => evaluations)).toEqual([8, 16, 32, 64, 128])
    const flow = await LocalFlow.load(run, { device: engine })
    const samples = await flow.sample(n, { solver: 'rk4', steps: 2 })
    await flow.dispose()
    expect(stored.points[1].value).toBeCloseTo(slicedWasserstein(samples.values, test!.values, 2), 6)
    expect(stored.floor).toBeGreaterThan(0)
    expect(stored.floor).toBeLessThan(stored.points[4].value)
    expect(png(join(run, 'quality-curve.png'))).toBe(true)
    expect(readText(run, 'report.html')).toContain('Quality against evaluations')
  })

  it('draws no samples where none are asked for', async () => {
    const evaluated = await lfm(
      ['evaluate', 'run', '--part', 'validation', '--samples', '0', '--device', engine, '--json'],
      { cwd: work },
    )
    expect(json(evaluated)).not.toHaveProperty('curve')
  })

  it('of the validation part is printed, and the report keeps that of the test part', async () => {
    const before = readText(run, 'report.html')
    const { evaluation } = await readManifest(run)
    const evaluated = await lfm(['evaluate', 'run', '--part', 'validation', '--device', engine, '--json'], {
      cwd: work,
    })
    const result = json<Record<string, number>>(evaluated)
    const config = resolveConfig((await readManifest(run)).config.raw)
    const { validation } = await loadData(config.data, { seed: config.seed, baseDir: work })
    const flow = await LocalFlow.load(run, { device: 'reference' })
    const scores = await flow.logProb(validation!)
    await flow.dispose()
    expect(result).toMatchObject({ part: 'validation', n: 100, report: null })
    expect(result.nll).toBeCloseTo(-scores.reduce((a, b) => a + b, 0) / 100, 4)
    expect(evaluated.stdout).toContain('"against":{"part":"validation","n":100}')
    expect((await readManifest(run)).evaluation).toEqual(evaluation)
    expect(readText(run, 'report.html')).toBe(before)
  })

  it('stays in the report when a finished run is resumed, which trains nothing', async () => {
    const { evaluation } = await readManifest(run)
    const bits = await tensorBits(run)
    const resumed = await train('run', [], {}, ['--resume'])
    expect(resumed.stderr).toContain('already trained')
    expect(json(resumed)).toMatchObject({ steps: 80, resumedFrom: { subFlow: 2, step: 50 } })
    expect((await readManifest(run)).evaluation).toEqual(evaluation)
    expect(await tensorBits(run)).toEqual(bits)
    expect(readText(run, 'report.html')).not.toContain('Not evaluated yet')
    expect(readText(run, 'report.html')).toContain('Quality against evaluations')
  })
})

describe('lfm devices', () => {
  it('lists what is there and what auto chooses', async () => {
    const found = json<{ auto: string; why: string; devices: { kind: string; available: boolean }[] }>(
      await lfm(['devices', '--json'], { cwd: work }),
    )
    expect(found.devices.filter(({ available }) => available).map(({ kind }) => kind)).toContain(found.auto)
    expect(found.devices.map(({ kind }) => kind)).toEqual(expect.arrayContaining(['webgpu', 'native', 'reference']))
    expect(found.why).not.toBe('')
  })
})
