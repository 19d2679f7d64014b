/**
 * Average velocities from data without a teacher, on Gaussians, whose flow map is known in closed form: the exact average velocity
 * is the fixed point of the task, others are not, and training comes to it.
 */

import { describe, expect, test } from 'vitest'
import type { Device } from '../../src/device/device.js'
import { openReference } from '../../src/device/reference/device.js'
import { stageCombine } from '../../src/kernels/stage_combine.js'
import { fitNetwork, freshState } from '../../src/learn/fit.js'
import { type PoolBuffers, plainReading } from '../../src/learn/pool.js'
import { meanFlow, SAME_TIMES } from '../../src/learn/tasks/mean-flow.js'
import { Flow } from '../../src/model/flow.js'
import { mlpNetwork } from '../../src/networks/mlp/mlp.js'
import { ProgramBuilder, type ProgramTensor } from '../../src/program/program.js'
import { closedFormNetwork } from '../closed-form-networks.js'
import { describeOn } from '../devices.js'
import { optimizer } from '../training.js'

const angle = (t: number): number => (Math.PI / 2) * t

/** The flow between N(m, v) and N(0, 1) along the arc: its mean and variance at t, its map from t to s, its velocity. */
function gaussian(m: number, v: number) {
  const mean = (t: number): number => Math.cos(angle(t)) * m
  const variance = (t: number): number => Math.cos(angle(t)) ** 2 * v + Math.sin(angle(t)) ** 2
  const map = (x: number, t: number, s: number): number =>
    mean(s) + Math.sqrt(variance(s) / variance(t)) * (x - mean(t))
  const velocity = (x: number, t: number): number => {
    const rate = (Math.PI / 2) * Math.sin(angle(t)) * Math.cos(angle(t)) * (1 - v)
    return (-Math.PI / 2) * Math.sin(angle(t)) * m + (rate / variance(t)) * (x - mean(t))
  }
  const average = (x: number, t: number, s: number): number =>
    t - s < 1e-6 ? velocity(x, t) : (x - map(x, t, s)) / (t - s)
  return { map, average }
}

const task = meanFlow({
  right: { gamma: null, coupling: 'dependent' },
  path: 'arc',
  timesPerPair: 1,
  quantiles: null,
  sampling: 'replacement',
})

/** n rows of N(m, v), at its quantiles. */
function rowsOn(device: Device, m: number, v: number, n: number) {
  const left = device.createBuffer(n)
  // sums of three sines of unrelated frequencies: near enough to normal, of exact mean and variance
  const raw = Float64Array.from(
    { length: n },
    (_, i) =>
      Math.sqrt(2 / 3) * [1, Math.SQRT2, Math.sqrt(5)].reduce((sum, f) => sum + Math.sin(f * (i + 0.5) * 7.3), 0),
  )
  const centre = raw.reduce((sum, value) => sum + value / n, 0)
  const spread = Math.sqrt(raw.reduce((sum, value) => sum + (value - centre) ** 2 / n, 0))
  left.write(Float32Array.from(raw, (value) => m + (Math.sqrt(v) * (value - centre)) / spread))
  return { left, rows: n, reading: plainReading } satisfies PoolBuffers
}

/** A batch as the task makes it with a network in closed form: x, t, s, u, the weighted target and the loss of each row. */
async function batchOf(average: (x: number, t: number, s: number) => number, m: number, v: number, B: number) {
  const device = openReference()
  const network = closedFormNetwork(({ x, t, s }) => average(x, t, s), 1)
  const builder = new ProgramBuilder()
  const tables = Object.entries(task.tables).map(([name, values]) => {
    const buffer = device.createBuffer(values.length)
    buffer.write(values)
    return [name, builder.tensor(buffer)] as const
  })
  const kept = ['x', 't', 's', 'u', 'target', 'loss'] as const
  const buffers = Object.fromEntries(kept.map((name) => [name, device.createBuffer(B)]))
  const keep = (name: (typeof kept)[number], y: ProgramTensor): void => {
    const stages = builder.constant(new Float32Array(B), [1, B])
    builder.add(stageCombine, { y, stages, out: builder.tensor(buffers[name], y.shape) }, { coefficients: [0] })
  }
  const parameters = builder.tensor(device.createBuffer(network.parameterLength))
  task.addStep(builder, {
    network,
    pool: rowsOn(device, m, v, 4096),
    tables: Object.fromEntries(tables),
    batch: B,
    seed: 4,
    stream: 1,
    state: builder.tensor(device.createBuffer(8, 'u32')),
    inputs: 'f32',
    evaluate() {},
    differentiate(on) {
      network.addDerivative(builder, { parameters, ...on }, 1)
      keep('u', on.out)
    },
    regress({ x, t, condition, target, rowLoss }) {
      keep('x', x)
      keep('t', t)
      keep('s', condition!)
      keep('target', target)
      keep('loss', rowLoss!)
    },
  })
  const executable = await device.compile(builder.build())
  await executable.run()
  const columns = Object.fromEntries(
    await Promise.all(kept.map(async (name) => [name, (await buffers[name].read()) as Float32Array] as const)),
  ) as Record<(typeof kept)[number], Float32Array>
  await device.dispose()
  // out of the weighted target
  const error = columns.u.map((u, i) => (u - columns.target[i]) * (columns.loss[i] + 1e-3) ** 0.75)
  return { ...columns, error }
}

describe('an average velocity that is learnt from data', () => {
  test('has no loss where it is exact and its velocity is known: data of one value', async () => {
    const { average } = gaussian(0.7, 0)
    const { t, s, loss, error } = await batchOf(average, 0.7, 0, 512)
    // near t = 0 the noise is told from x by its last digits
    const rows = [...t.keys()].filter((i) => s[i] > 0.05)
    expect(rows.length).toBeGreaterThan(300)
    expect(Math.max(...rows.map((i) => loss[i]))).toBeLessThan(1e-6)
    const other = await batchOf((x, at, to) => average(x, at, to) + 0.2 * (at - to), 0.7, 0, 512)
    const apart = rows.filter((i) => s[i] < t[i] - 0.1)
    expect(Math.min(...apart.map((i) => other.loss[i]))).toBeGreaterThan(1e-4)
    // the error is that whose square is reported, by one dimension
    for (const i of apart) expect(Math.abs(other.error[i])).toBeCloseTo(Math.sqrt(other.loss[i]), 3)
    expect(error.length).toBe(512)
  })

  test('draws s below t in its share of rows, and s = t in the others', async () => {
    const { t, s } = await batchOf(() => 0, 0.7, 1, 4096)
    const ratios = [...t.keys()].map((i) => s[i] / t[i])
    const below = ratios.filter((ratio) => ratio < 1 - 1e-5)
    expect(below.length / 4096).toBeCloseTo(1 - SAME_TIMES, 1)
    expect(below.reduce((sum, ratio) => sum + ratio / below.length, 0)).toBeCloseTo(0.5, 1)
    // two draws that have nothing to do with each other
    const centred = [...t.keys()].filter((i) => ratios[i] < 1 - 1e-5).map((i) => (t[i] - 0.5) * (ratios[i] - 0.5))
    expect(Math.abs(centred.reduce((sum, value) => sum + value / centred.length, 0))).toBeLessThan(0.01)
  })

  test('of a Gaussian is exact where the mean error is zero, and only there', async () => {
    const { average } = gaussian(0.8, 0.3)
    /** the largest mean of the error against some functions of the row, in standard errors */
    const largestMean = async (of: typeof average): Promise<number> => {
      const { x, t, s, error } = await batchOf(of, 0.8, 0.3, 20_000)
      const functions = [
        () => 1,
        (i: number) => x[i],
        (i: number) => x[i] * t[i],
        (i: number) => t[i] - s[i],
        (i: number) => (t[i] - s[i]) * x[i],
      ]
      const scores = functions.map((g) => {
        const terms = Array.from(error, (e, i) => e * g(i))
        const mean = terms.reduce((sum, value) => sum + value / terms.length, 0)
        const variance = terms.reduce((sum, value) => sum + (value - mean) ** 2 / terms.length, 0)
        return Math.abs(mean) / Math.sqrt(variance / terms.length)
      })
      return Math.max(...scores)
    }
    expect(await largestMean(average)).toBeLessThan(4)
    // the velocity at t in place of the average, and a little more than it
    expect(await largestMean((x, t) => average(x, t, t))).toBeGreaterThan(10)
    expect(await largestMean((x, t, s) => average(x, t, s) + 0.3 * (t - s))).toBeGreaterThan(10)
  })
})

await describeOn(['native'], 'an average velocity that is learnt from a Gaussian', (device) => {
  test('comes to the exact map, by one evaluation and by four', async () => {
    const [m, v] = [0.8, 0.3]
    const { map } = gaussian(m, v)
    const network = mlpNetwork({
      ...{ kind: 'mlp', dimension: 1, condition: 1, hidden: [32, 32], activation: 'silu', beta: 1, time: 'first' },
      frequencies: [],
    })
    const fit = {
      ...{ name: 'the flow', number: 1, steps: 3000, batch: 256, seed: 3 },
      optimizer: { ...optimizer, lr: 0.01, ema: 0.995, schedule: { kind: 'cosine' } },
    } as const
    const pool = rowsOn(device(), m, v, 4096)
    const start = freshState(network.initialise(3, 1), fit.optimizer)
    const run = fitNetwork(device(), network, task, pool, start, 1, fit, { checkpointEvery: 0 })
    let step = await run.next()
    while (!step.done) step = await run.next()
    pool.left.dispose()
    const solver = { solver: 'euler', steps: 1, clock: 'local', rtol: 1e-5, atol: 1e-5 } as const
    const parameters = step.value.state.average!
    const flow = new Flow(
      {
        network,
        stages: [{ parameters, outputScale: 1, gamma: null, angle: null, jump: { kind: 'average' } }],
        rowShape: [1],
        scaler: null,
        settings: { sample: solver, evaluate: { ...solver, trace: 'exact', probes: 1 }, seed: 1 },
      },
      device(),
      async () => device(),
    )
    const noise = Float32Array.from({ length: 31 }, (_, i) => -1.5 + i / 10)
    for (const evaluations of [1, 4]) {
      const { values } = await flow.decode({ values: noise, shape: [31, 1] }, { evaluations })
      const errors = Array.from(noise, (z, i) => Math.abs(values[i] - map(z, 1, 0)))
      expect(Math.max(...errors)).toBeLessThan(0.12)
    }
    await flow.dispose()
  })
})
