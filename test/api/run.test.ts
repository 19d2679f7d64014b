/** The program interface does what the command line does: `run`, `evaluate`, `data.loadData`, and folders of `LocalFlow.train`. */

import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { beforeAll, describe, expect, it } from 'vitest'
import {
  type Checkpoint,
  CheckpointError,
  type Config,
  ConfigError,
  data,
  evaluate,
  LocalFlow,
  readConfig,
  run,
  type TrainArguments,
} from '../../src/index.js'
import { built, engine, json, lfm, tensorBits, workFolder } from '../cli/lfm.js'

const rows = Array.from({ length: 300 }, (_, i) => [170 + 9 * Math.sin(2.3 * i), 40_000 + 9000 * Math.cos(0.7 * i)])
const settings = {
  model: { kind: 'mlp', hidden: [12] },
  flow: { gammas: [0.3, null] },
  train: { batch: 60, steps: 20, checkpointEvery: 8 },
  ode: { steps: 2 },
  seed: 4,
  device: engine,
} satisfies TrainArguments
const config: Config = {
  data: { kind: 'csv', path: 'people.csv', validation: 30, test: 20 },
  ...settings,
}
const work = workFolder({
  'people.csv': `height,income\n${rows.map((row) => row.join(',')).join('\n')}\n`,
  'people.yaml': JSON.stringify(config),
})
const path = join(work, 'people.yaml')
const quiet = { onWarning: () => {} }

/** What a manifest says, without times and names of files. */
const said = (folder: string) => {
  const { config: written, progress, seed, extra } = JSON.parse(readFileSync(join(folder, 'manifest.json'), 'utf8'))
  const { report: _, configPath: __, ...rest } = extra
  return { written, progress, seed, rest }
}

describe('a program and the command line', () => {
  const [byProgram, byCommand] = [join(work, 'program'), join(work, 'command')]
  let flow: LocalFlow
  beforeAll(async () => {
    built()
    json(await lfm(['train', 'people.yaml', '--out', 'command', '--json'], { cwd: work }))
    flow = await run(await readConfig(path), { out: byProgram, ...quiet })
    return () => flow.dispose()
  })

  it('make the same run of a config, to the bit, with the same files', async () => {
    expect(await tensorBits(byProgram)).toEqual(await tensorBits(byCommand))
    expect(said(byProgram)).toEqual(said(byCommand))
    const plain = (folder: string) =>
      readdirSync(folder)
        .filter((name) => !name.includes('.ck.'))
        .sort()
    expect(plain(byProgram)).toEqual(plain(byCommand))
    expect(plain(byProgram)).toContain('report.html')
    expect(readFileSync(join(byProgram, 'losses.csv'))).toEqual(readFileSync(join(byCommand, 'losses.csv')))
  })

  it('learn the same from the same data, with a folder or without', async () => {
    const { data: section, ...options } = config
    const loaded = await data.loadData(section, { seed: config.seed, baseDir: work })
    const same = await LocalFlow.train(loaded, options)
    const again = await LocalFlow.train(rows, { ...settings, ...quiet })
    expect(same.subFlows).toEqual(flow.subFlows)
    expect([same.scaler, same.columns]).toEqual([flow.scaler, ['height', 'income']])
    expect(same.training!.losses).toEqual(flow.training!.losses)
    expect(again.subFlows).not.toEqual(flow.subFlows)
    await Promise.all([same.dispose(), again.dispose()])
  })

  it('give samples in the data’s unit', async () => {
    const { values } = await flow.sample(400)
    const mean = (column: number) =>
      Array.from(values)
        .filter((_, i) => i % 2 === column)
        .reduce((a, b) => a + b) / 400
    expect(Math.abs(mean(0) - 170)).toBeLessThan(6)
    expect(Math.abs(mean(1) - 40_000)).toBeLessThan(6000)
  })

  it('find the same in an evaluation', async () => {
    const {
      seconds: _,
      report: __,
      curve,
      ...theirs
    } = json<Record<string, unknown> & { curve: { points: object } }>(
      await lfm(['evaluate', 'command', '--samples', '200', '--json'], { cwd: work }),
    )
    const ours = await evaluate(byProgram, { samples: 200 })
    const { seconds: ___, ...likelihood } = ours.likelihood!
    expect(theirs).toEqual({ part: 'test', ...likelihood, trace: 'exact', device: engine })
    expect(ours.curve!.points).toEqual(curve.points)
    expect(readFileSync(ours.report!, 'utf8')).toContain(likelihood.nll.toFixed(4))
    expect((await evaluate(byProgram, { part: 'validation', samples: 0 })).report).toBeNull()
    const loaded = await data.loadData(config.data, { seed: 4, baseDir: work })
    expect((await flow.evaluate(loaded.test!)).nll).toBe(likelihood.nll)
  })

  it('tell what training cost, and where it is', () => {
    expect(flow.training).toMatchObject({ steps: 40, skipped: 0, out: byProgram, resumedFrom: null })
    expect(flow.training!.losses.map(({ length }) => length)).toEqual([20, 20])
    expect(flow.training!.report).toBe(join(byProgram, 'report.html'))
  })

  it('read a config’s files from where it lies, in copies too', async () => {
    const read = await readConfig(path)
    const short = await run({ ...read, train: { batch: 30, steps: 1 } }, quiet)
    expect(short.columns).toEqual(['height', 'income'])
    await short.dispose()
    await expect(run({ ...config }, quiet)).rejects.toThrow('people.csv')
    await (await run({ ...config, train: { batch: 30, steps: 1 } }, { baseDir: work, ...quiet })).dispose()
    await expect(run({ ...config, train: { batchsize: 3 } } as never)).rejects.toThrow('train.batch')
  })
})

describe('a folder that a program trains into', () => {
  const out = join(work, 'own')
  const own = { ...settings, out, columns: ['height', 'income'], ...quiet }

  it('is written at checkpoints, of which the program is told', async () => {
    const reached: Checkpoint[] = []
    const stop = new AbortController()
    const reason = new Error('the night is over')
    const training = LocalFlow.train(rows, {
      ...own,
      signal: stop.signal,
      onCheckpoint: (checkpoint) => {
        reached.push(checkpoint)
        if (checkpoint.subFlow === 2 && checkpoint.step === 8) stop.abort(reason)
      },
    })
    await expect(training).rejects.toBe(reason)
    expect(reached.slice(0, 4)).toEqual([
      { out, subFlow: 1, step: 8, phase: 'train' },
      { out, subFlow: 1, step: 16, phase: 'train' },
      { out, subFlow: 1, step: 20, phase: 'push' },
      { out, subFlow: 2, step: 0, phase: 'train' },
    ])
    await expect(LocalFlow.load(out)).rejects.toThrow('in a program by resume: true')
  })

  it('is gone on with to the bits of a training that was left alone', async () => {
    const flow = await LocalFlow.train(rows, { ...own, resume: true })
    const alone = await LocalFlow.train(rows, { ...settings, ...quiet })
    expect(flow.subFlows).toEqual(alone.subFlows)
    expect(flow.training).toMatchObject({ steps: 40, resumedFrom: { subFlow: 2, step: 8 } })
    expect(flow.training!.losses).toEqual(alone.training!.losses)
    await Promise.all([flow.dispose(), alone.dispose()])
    const loaded = await LocalFlow.load(out)
    expect(loaded.columns).toEqual(['height', 'income'])
    await loaded.dispose()
  })

  it('is evaluated on rows of the program’s', async () => {
    await expect(evaluate(out)).rejects.toThrow('in a program give evaluate its data')
    const loaded = await data.loadData(config.data, { baseDir: work })
    const { likelihood, report } = await evaluate(out, { data: loaded, samples: 0 })
    expect(likelihood!.n).toBe(20)
    expect(report).toBe(join(out, 'report.html'))
  })

  it('is not trained into again but by force, in the program’s own words', async () => {
    const flow = await LocalFlow.load(out)
    const before = await tensorBits(out)
    await expect(LocalFlow.train(rows, own)).rejects.toThrow(
      `${out} already holds a run. Go on with it by resume: true, replace it by force: true, or choose another folder.`,
    )
    await expect(flow.save(out)).rejects.toThrow(
      `${out} already holds a run. Replace it by force: true, or choose another folder.`,
    )
    await expect(LocalFlow.train(rows, { ...own, resume: true, force: true })).rejects.toThrow(
      'resume: true and force: true exclude each other',
    )
    await expect(LocalFlow.train(rows, { ...own, out: undefined, resume: true })).rejects.toThrow(
      'out must be a run folder, where resume or force is given',
    )
    await expect(LocalFlow.train(rows, { ...own, seed: 5, resume: true })).rejects.toThrow(
      /begun with other settings \(seed\).*Free to change are train\.steps, train\.lr/,
    )
    await expect(LocalFlow.train(rows.slice(1), { ...own, resume: true })).rejects.toThrow('the data have changed')
    expect(await tensorBits(out)).toEqual(before)
    await flow.save(out, { force: true })
    await flow.dispose()
  })

  it('says what it cannot be', async () => {
    mkdirSync(join(work, 'taken'), { recursive: true })
    writeFileSync(join(work, 'taken', 'manifest.json'), '{')
    const train = LocalFlow.train(rows, { ...own, out: join(work, 'taken'), resume: true })
    await expect(train).rejects.toBeInstanceOf(CheckpointError)
  })
})

describe('data.loadData', () => {
  it('has the defaults of a config', async () => {
    const loaded = await data.loadData({ kind: 'csv', path: join(work, 'people.csv') })
    expect(loaded.train.shape).toEqual([270, 2])
    expect(loaded.test!.shape).toEqual([30, 2])
    expect(loaded.scaler).not.toBeNull()
    expect(loaded.columns).toEqual(['height', 'income'])
    const { train } = await data.loadData({ kind: 'toy', name: 'moons', train: 50, test: 0 }, { seed: 3 })
    expect(train.values).toEqual(data.toy('moons').sample(50, 3, 1))
  })

  it('says what is wrong with a key', async () => {
    const wrong = data.loadData({ kind: 'csv', file: 'people.csv' } as never)
    await expect(wrong).rejects.toBeInstanceOf(ConfigError)
    await expect(data.loadData({ kind: 'csv', path: 'x.csv', tests: 3 } as never)).rejects.toThrow('data.test')
  })
})
