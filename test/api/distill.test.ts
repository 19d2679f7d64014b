/** Students by the program interface: they sample, are saved and loaded, and say in one line what they cannot do. */

import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { readManifest } from '../../src/checkpoint/index.js'
import { LocalFlow, type TrainArguments } from '../../src/index.js'
import { describeOn } from '../devices.js'

const work = mkdtempSync(join(tmpdir(), 'lfm-distil-'))
afterAll(() => rmSync(work, { recursive: true }))

const x = {
  values: Float32Array.from({ length: 600 }, (_, i) => Math.sin(0.37 * i * i) + (i % 2)),
  shape: [300, 2],
}
const settings = {
  model: { hidden: [16], activation: 'silu' },
  flow: { gammas: [0.3, null] },
  train: { batch: 32, steps: 30, lr: 0.01 },
  seed: 5,
} satisfies TrainArguments

const largest = (a: ArrayLike<number>, b: ArrayLike<number>): number =>
  Array.from(a).reduce((most, value, i) => Math.max(most, Math.abs(value - b[i])), 0)

await describeOn(['webgpu', 'native', 'reference'], 'a student', (_, kind) => {
  let teacher: LocalFlow
  beforeAll(async () => {
    teacher = await LocalFlow.train(x, { ...settings, device: kind })
  })
  afterAll(() => teacher.dispose())

  it('samples by one evaluation a map, the same from noise that is given, and is saved and loaded as what it is', async () => {
    const progress: number[] = []
    const student = await teacher.distill({
      kind: 'pairs',
      into: 2,
      train: { steps: 20 },
      onProgress: (p) => void (p.phase === 'train' && progress.push(p.subFlow)),
    })
    expect(new Set(progress)).toEqual(new Set([1, 2]))
    expect(student.isFlow).toBe(false)
    expect(student.options.train).toMatchObject({ ema: 0.5, batch: 32, lr: 0.02, steps: [20, 20] })
    const samples = await student.sample(50)
    expect(student.evaluations).toEqual({ mean: 2, max: 2 })
    expect(samples.values.every(Number.isFinite)).toBe(true)

    const folder = join(work, `student-${kind}`)
    await student.save(folder)
    expect((await readManifest(folder)).extra).toMatchObject({ stages: ['map', 'map'] })
    const loaded = await LocalFlow.load(folder)
    expect((await loaded.sample(50)).values).toEqual(samples.values)
    // the reference carries the same maps
    const reference = await LocalFlow.load(folder, { device: 'reference' })
    expect(largest((await reference.sample(50)).values, samples.values)).toBeLessThan(1e-3)
    const noise = { values: Float32Array.from({ length: 8 }, (_, i) => Math.cos(i)), shape: [4, 2] }
    const { times, states } = await loaded.trajectory(noise)
    expect(times).toEqual([2, 1, 0])
    expect(largest((await loaded.decode(noise)).values, states[2].values)).toBeLessThan(1e-5)
    for (const flow of [student, loaded, reference]) await flow.dispose()
  })

  it('warms up for a tenth of its steps at most, where its teacher warmed up for as many as it has', async () => {
    const slow = await LocalFlow.train(x, { ...settings, train: { ...settings.train, warmup: 20 }, device: kind })
    const [usual, uneven, asked] = [
      await slow.distill({ kind: 'pairs', into: 1, train: { steps: 20 } }),
      await slow.distill({ kind: 'pairs', into: 2, train: { steps: [40, 10] } }),
      await slow.distill({ kind: 'pairs', into: 1, train: { steps: 20, warmup: 7 } }),
    ]
    expect(usual.options.train.warmup).toBe(2)
    expect(uneven.options.train.warmup).toBe(1)
    expect(asked.options.train.warmup).toBe(7)
    for (const flow of [slow, usual, uneven, asked]) await flow.dispose()
  })

  it('that stays a flow has a likelihood', async () => {
    const student = await teacher.distill({ kind: 'reflow', into: 2, train: { steps: 5 } })
    expect(student.isFlow).toBe(true)
    await student.sample(10)
    expect(student.evaluations).toEqual({ mean: 2, max: 2 })
    const scores = await student.logProb({ values: x.values.slice(0, 10), shape: [5, 2] })
    expect(scores.every(Number.isFinite)).toBe(true)
    const again = await student.distill({ kind: 'pairs', into: 1, train: { steps: 2 } })
    expect(again.options.distill!.teacher).toEqual({ kind: 'reflow', into: 2 })
    for (const flow of [student, again]) await flow.dispose()
  })
})

await describeOn(['native', 'reference'], 'a student of any number of steps', (_, kind) => {
  it('takes a second time, is saved as what it is, and may teach students of any number of steps and flows', async () => {
    const teacher = await LocalFlow.train(x, {
      ...settings,
      model: { ...settings.model, fourier: [0.7] },
      device: kind,
    })
    const student = await teacher.distill({ kind: 'any-step', into: 4, train: { steps: 20 } })
    expect(student.field.parameterCount - teacher.field.parameterCount).toBe(16)
    const samples = await student.sample(20)
    expect(student.evaluations!.mean).toBe(4)
    await student.sample(20, { evaluations: 1 })
    expect(student.evaluations!.mean).toBe(1)
    const folder = join(work, `any-${kind}`)
    await student.save(folder)
    expect((await readManifest(folder)).extra).toMatchObject({ stages: ['average'] })
    const loaded = await LocalFlow.load(folder)
    expect((await loaded.sample(20)).values).toEqual(samples.values)
    const [again, flow] = await Promise.all([
      loaded.distill({ kind: 'any-step', into: 2, train: { steps: 2 } }),
      loaded.distill({ kind: 'reflow', into: 2, train: { steps: 2 } }),
    ])
    expect([again.isFlow, flow.isFlow]).toEqual([false, true])
    expect(flow.field.parameterCount).toBe(teacher.field.parameterCount)
    for (const one of [again, flow]) expect((await one.sample(5)).values.every(Number.isFinite)).toBe(true)
    await expect(loaded.distill({ kind: 'pairs', into: 2 })).rejects.toThrow(
      /take its own teacher, or the kind any-step or/,
    )
    for (const model of [teacher, student, loaded, again, flow]) await model.dispose()
  })
})

await describeOn(['native', 'reference'], 'what a student cannot do', (_, kind) => {
  let student: LocalFlow
  let teacher: LocalFlow
  beforeAll(async () => {
    teacher = await LocalFlow.train(x, { ...settings, device: kind })
    student = await teacher.distill({ kind: 'pairs', into: 2, train: { steps: 1 } })
  })
  afterAll(async () => {
    await teacher.dispose()
    await student.dispose()
  })

  it.each([
    ['Encoding', () => student.encode(x)],
    ['A likelihood', () => student.logProb(x)],
    ['A trajectory from the data', () => student.trajectory(x, { direction: 'encode' })],
  ])('%s says why, and which kind keeps it', async (what, call) => {
    await expect(call()).rejects.toThrow(
      `${what} needs a flow, but this model's stages are maps from noise to data, which have no inverse and no divergence; ` +
        'take the teacher, or distil by the kind reflow, whose students stay flows (of mean-flow: train.objective flow-matching).',
    )
  })

  it.each([
    [/^solver must be left out: no solver integrates/, () => student.sample(3, { solver: 'rk4' })],
    [/^clock must be left out/, () => student.sample(3, { clock: 'angle' })],
    [/^steps must be left out/, () => student.sample(3, { steps: 4 })],
    [
      /^evaluations must be 2, one for each of the student's maps, or left out, but is 4/,
      () => student.sample(3, { evaluations: 4 }),
    ],
    [/^times must be whole numbers from 0 \(data\) to 2/, () => student.trajectory(x, { times: [2, 0.5] })],
    [/^kind must be one of .*, but is 'pair'/, () => teacher.distill({ kind: 'pair' as 'pairs', into: 2 })],
    [
      /^into must be a whole number of students from 1 on.*but is 0\.$/,
      () => teacher.distill({ kind: 'pairs', into: 0 }),
    ],
    [/distill\.into must be at most 16/, () => teacher.distill({ kind: 'pairs', into: 40 })],
    [/the teacher is a student of the kind pairs/, () => student.distill({ kind: 'pairs', into: 2 })],
    [
      /^distill is the section of a run that lfm distill has made/,
      () => LocalFlow.train(x, { ...settings, distill: { kind: 'pairs', into: 1 } } as object),
    ],
  ])('%s', async (message, call) => {
    await expect(call()).rejects.toThrow(message)
  })
})
