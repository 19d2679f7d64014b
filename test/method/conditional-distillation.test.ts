/**
 * Conditional models of few evaluations: students, average velocities and rectified flow. Of jointly Gaussian x and c, p(x | c) is N(A c, S): a student's samples have that mean and that
 * covariance. A student of a guided teacher goes where that one does, and takes no guidance of its own.
 */

import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { gaussian } from '../../src/data/gaussian.js'
import { LocalFlow, type SampleOptions, type TrainArguments } from '../../src/run/local-flow.js'
import { describeOn } from '../devices.js'
import { noise } from '../export/models.js'

const work = mkdtempSync(join(tmpdir(), 'lfm-conditional-students-'))
afterAll(() => rmSync(work, { recursive: true }))

const spread = [
  [0.5, 0.2],
  [0.2, 0.3],
]
const meanOf = (c: number): number[] => [0.8 * c, 0.5 - 0.6 * c]
const rows = 8000
const scattered = gaussian([0, 0], spread).sample(rows, 2)
/** Conditions on ±2, in units of their own. */
const told = Float64Array.from({ length: rows }, (_, i) => 4 * ((i * 0.618034) % 1) - 2)
const x = {
  values: scattered.map((value, i) => value + meanOf(told[i >> 1])[i % 2]),
  shape: [rows, 2],
}
const cond = { values: told.map((c) => 10 + 3 * c), shape: [rows, 1] }

const momentsOf = (values: ArrayLike<number>, n: number) => {
  const mean = [0, 1].map((d) => Array.from({ length: n }, (_, i) => values[2 * i + d] / n).reduce((a, b) => a + b))
  const moment = (a: number, b: number): number =>
    Array.from({ length: n }, (_, i) => ((values[2 * i + a] - mean[a]) * (values[2 * i + b] - mean[b])) / n).reduce(
      (sum, value) => sum + value,
    )
  return { mean, covariance: [moment(0, 0), moment(0, 1), moment(1, 1)] }
}

/** Samples under several conditions have the mean and covariance of each. */
async function expectGaussians(model: LocalFlow, tolerance: number, calls: SampleOptions = {}): Promise<void> {
  const n = 8000
  for (const c of [-1.4, 0, 1]) {
    const { values } = await model.sample(n, { cond: [10 + 3 * c], seed: 4, ...calls })
    const { mean, covariance } = momentsOf(values, n)
    meanOf(c).forEach((truth, d) => {
      expect(Math.abs(mean[d] - truth), `mean ${d} of ${c}`).toBeLessThan(tolerance)
    })
    const wanted = [spread[0][0], spread[0][1], spread[1][1]]
    wanted.forEach((truth, i) => {
      expect(Math.abs(covariance[i] - truth), `covariance ${i} of ${c}`).toBeLessThan(tolerance)
    })
  }
}

/** Mean distance between rows of two calls. */
const apart = (a: ArrayLike<number>, b: ArrayLike<number>): number =>
  Math.sqrt(Array.from(a).reduce((sum, value, i) => sum + (value - b[i]) ** 2, 0) / a.length)

await describeOn(['native'], 'students of a conditional model', (_, kind) => {
  let teacher: LocalFlow
  beforeAll(async () => {
    teacher = await LocalFlow.train(x, {
      cond,
      model: { hidden: [32, 32], activation: 'silu' },
      flow: { gammas: [0.4, null] },
      train: { batch: 256, steps: 700, lr: 8e-3, ema: 0.99 },
      ode: { solver: 'rk4', steps: 4 },
      seed: 3,
      device: kind as 'native',
    })
  }, 120_000)
  afterAll(() => teacher.dispose())

  test.each([
    ['pairs', 2, 0.06],
    // one step of Euler along a path that is nearly straight
    ['reflow', 2, 0.1],
    ['terminal', 1, 0.06],
    ['terminal', 2, 0.06],
    ['any-step', 2, 0.1],
  ] as const)('%s, %i: have mean and covariance of each condition, and are kept', async (kind, into, tolerance) => {
    const student = await teacher.distill({ kind, into, cond, train: { steps: kind === 'any-step' ? 2500 : 500 } })
    await expectGaussians(student, tolerance)
    expect(student.evaluations!.mean).toBe(into)
    const folder = join(work, `${kind}-${into}`)
    await student.save(folder)
    await using loaded = await LocalFlow.load(folder)
    expect((await loaded.sample(5, { cond: [11] })).values).toEqual((await student.sample(5, { cond: [11] })).values)
    await student.dispose()
  })

  test.each(['pairs', 'terminal', 'any-step'] as const)(
    '%s: have the guidance of their teacher in their networks',
    async (kind) => {
      const guidance = 1.8
      const student = await teacher.distill({ kind, into: 2, cond, guidance, train: { steps: 500 } })
      const n = 2000
      const z = { values: noise(2 * n, 5), shape: [n, 2] }
      const own = { cond: [10 + 3 * 1.5] }
      const [made, guided, plain] = await Promise.all([
        student.decode(z, own),
        teacher.decode(z, { ...own, guidance }),
        teacher.decode(z, own),
      ])
      expect(apart(made.values, guided.values)).toBeLessThan(0.3 * apart(plain.values, guided.values))
      await expect(student.sample(1, { ...own, guidance: 2 })).rejects.toThrow('distilled with the guidance 1.8')
      await expect(student.export({ to: 'onnx', out: join(work, 'never'), guidance: 2 })).rejects.toThrow(
        kind === 'pairs' ? 'guidance 1.8' : 'takes a second time',
      )
      await student.dispose()
    },
  )

  test('any-step: are teachers themselves', async () => {
    const half = await teacher.distill({ kind: 'any-step', into: 4, cond, train: { steps: 1000 } })
    const straight = await half.distill({ kind: 'reflow', into: 1, cond, train: { steps: 500 } })
    await expectGaussians(straight, 0.16)
    await half.dispose()
    await straight.dispose()
  })
})

await describeOn(['native'], 'conditional models without a teacher', (_, device) => {
  const settings = {
    cond,
    model: { hidden: [32, 32], activation: 'silu' },
    seed: 3,
    device: device as 'native',
  } satisfies TrainArguments

  test('average velocities from data have mean and covariance of each condition, in one evaluation and two', async () => {
    const flow = { recipe: 'plain', interpolant: 'linear' } as const
    const train = { objective: 'mean-flow', batch: 512, steps: 2500, lr: 8e-3, ema: 0.995 } as const
    await using model = await LocalFlow.train(x, { ...settings, flow, train })
    for (const evaluations of [1, 2]) await expectGaussians(model, 0.1, { evaluations })
    await expect(model.sample(1, { cond: [10], guidance: 2 })).rejects.toThrow('makes jumps by their averages')
    await expect(model.distill({ kind: 'reflow', into: 1, cond, guidance: 2 })).rejects.toThrow(
      'makes average velocities',
    )
    // without a condition it goes to all rows, whose mean is that of the conditions' middle
    const { values } = await model.sample(4000, { guidance: 0, seed: 4 })
    expect(Math.abs(momentsOf(values, 4000).mean[1] - 0.5)).toBeLessThan(0.15)
    const told = { ...settings, model: { ...settings.model, conditionAt: 'every' } } as const
    await expect(LocalFlow.train(x, { ...told, flow, train })).rejects.toThrow('model.conditionAt must be first')
  }, 120_000)

  test('rectified flow makes its pairs under the conditions of the rows, and goes on from a checkpoint', async () => {
    const all = {
      ...settings,
      flow: { recipe: 'reflow', reflow: { pairs: 10_000 } },
      train: { batch: 256, steps: [700, 500], lr: 8e-3, ema: 0.99, checkpointEvery: 300 },
      ode: { push: { solver: 'rk4', steps: 6 }, sample: { solver: 'euler', steps: 1 } },
    } satisfies TrainArguments
    await using model = await LocalFlow.train(x, all)
    // paths are straight: one step of Euler
    await expectGaussians(model, 0.1)
    const stop = new AbortController()
    let checkpoints = 0
    const onCheckpoint = (): void => {
      // inside the fit on pairs
      if (++checkpoints === 4) stop.abort(new Error('stop'))
    }
    const out = join(work, 'reflow-run')
    await expect(LocalFlow.train(x, { ...all, out, signal: stop.signal, onCheckpoint })).rejects.toThrow('stop')
    await using resumed = await LocalFlow.train(x, { ...all, out, resume: true })
    expect(resumed.subFlows[0].parameters).toEqual(model.subFlows[0].parameters)
  }, 120_000)
})

await describeOn(['native', 'webgpu', 'reference'], 'networks that take a condition and a second time', (_, device) => {
  /** Rows of eight steps of two channels. */
  const n = 64
  const sequences = { values: noise(n * 16, 3), shape: [n, 8, 2] }
  const conditions = { values: noise(n * 2, 4), shape: [n, 2] }
  const train = { batch: 64, steps: 1, lr: 1e-9, ema: 'off' } as const

  test.each([
    [{ hidden: [24], activation: 'silu' }],
    [{ kind: 'unet1d', width: 8, multipliers: [1, 2], groups: 4 }],
  ] as const)('begin as their teacher, whatever the second time: %j', async (model) => {
    const teacher = await LocalFlow.train(sequences, {
      cond: conditions,
      model,
      flow: { gammas: [null], interpolant: 'linear' },
      train: { batch: 64, steps: 2, lr: 0.01 },
      device,
    })
    const z = { values: noise(5 * 16, 6), shape: [5, 8, 2] }
    const told = { cond: { values: noise(10, 7), shape: [5, 2] } }
    const wanted = (await teacher.decode(z, { ...told, solver: 'euler', steps: 2 })).values
    const average = await teacher.distill({ kind: 'any-step', into: 2, cond: conditions, train })
    expect(apart((await average.decode(z, { ...told, evaluations: 2 })).values, wanted)).toBeLessThan(1e-5)
    const others = (await average.decode(z, { cond: [0, 0], evaluations: 2 })).values
    expect(apart(others, wanted)).toBeGreaterThan(1e-4)
    const map = await teacher.distill({ kind: 'terminal', into: 1, cond: conditions, train })
    const once = (await teacher.decode(z, { ...told, solver: 'euler', steps: 1 })).values
    expect(apart((await map.decode(z, told)).values, once)).toBeLessThan(1e-5)
    for (const flow of [teacher, average, map]) await flow.dispose()
  })
})
