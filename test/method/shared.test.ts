/** One network for all sub-flows: what it is told becomes a bias, its batches are those of the sub-flows, and its runs are runs. */

import { mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, test } from 'vitest'
import { resolveOptions } from '../../src/config/index.js'
import { gaussian } from '../../src/data/gaussian.js'
import type { Device } from '../../src/device/device.js'
import { LocalFlow, type Progress, run } from '../../src/index.js'
import { stageCombine } from '../../src/kernels/stage_combine.js'
import { disposePool, uploadPool } from '../../src/learn/pool.js'
import type { RegressOperands, Task } from '../../src/learn/task.js'
import { leastBatch, partBounds } from '../../src/learn/tasks/told-parts.js'
import { mlpNetwork, padded } from '../../src/networks/mlp/mlp.js'
import type { MlpSpec } from '../../src/networks/mlp/spec.js'
import type { Network } from '../../src/networks/network.js'
import { ProgramBuilder } from '../../src/program/program.js'
import { localFlow } from '../../src/recipes/local-flow.js'
import { shared } from '../../src/recipes/shared.js'
import { describeOn } from '../devices.js'
import { chain } from '../training.js'

const scratch = mkdtempSync(join(tmpdir(), 'lfm-shared-'))
afterAll(() => rmSync(scratch, { recursive: true, force: true }))

const spec = (over: Partial<MlpSpec> = {}): MlpSpec => ({
  kind: 'mlp',
  dimension: 3,
  condition: 4,
  hidden: [10, 6],
  activation: 'silu',
  beta: 1,
  time: 'first',
  frequencies: [],
  ...over,
})

/** The batch that a task draws at step 0, as numbers. */
async function drawn(device: Device, task: Task, network: Network, batch: number, stream: number) {
  const D = network.dimension
  const values = Float32Array.from({ length: 150 * D }, (_, i) => Math.sin(0.7 * i * i))
  const pool = uploadPool(device, { left: values }, D, 0)
  const builder = new ProgramBuilder()
  const tables = Object.fromEntries(
    Object.entries(task.tables).map(([name, table]) => [name, builder.constant(table as Float32Array)]),
  )
  let given: RegressOperands | null = null
  const state = device.createBuffer(8, 'u32')
  const out = {
    x: device.createBuffer(batch * D),
    target: device.createBuffer(batch * D),
    t: device.createBuffer(batch),
  }
  task.addStep(builder, {
    network,
    pool,
    tables,
    batch,
    seed: 9,
    stream,
    state: builder.tensor(state),
    inputs: 'f32',
    differentiate: () => {
      throw new TypeError('nothing is differentiated')
    },
    evaluate: () => {
      throw new TypeError('nothing is evaluated')
    },
    regress(operands) {
      given = operands
      for (const name of ['x', 'target', 't'] as const) {
        const from = operands[name]
        const stages = builder.view(from, [1, from.shape.reduce((a, b) => a * b)])
        builder.add(stageCombine, { y: from, stages, out: builder.tensor(out[name], from.shape) }, { coefficients: [] })
      }
    },
  })
  const executable = await device.compile(builder.build())
  await executable.run(1)
  executable.dispose()
  const read = {
    x: (await out.x.read()) as Float32Array,
    target: (await out.target.read()) as Float32Array,
    t: (await out.t.read()) as Float32Array,
  }
  for (const buffer of [...Object.values(out), state]) buffer.dispose()
  disposePool(pool)
  return { ...read, condition: given!.condition }
}

await describeOn(['reference', 'native', 'webgpu'], 'a network that is told', (device) => {
  test.each([
    spec(),
    spec({ frequencies: [1.5, 3], time: 'every', hidden: [9] }),
    spec({ activation: 'softplus', beta: 3 }),
  ])('is the same network with another bias (case %#)', async (net) => {
    const [whole, alone] = [net, { ...net, condition: 0 }].map((one) => mlpNetwork(one, padded(one)))
    const parameters = whole.initialise(4, 1)
    const condition = Float32Array.of(0, 2, -0.5, 0.25)
    const B = 5
    const x = Float32Array.from({ length: 3 * B }, (_, i) => Math.cos(i))
    const velocity = async (network: Network, flat: Float32Array, told: Float32Array | null) => {
      const builder = new ProgramBuilder()
      const out = device().createBuffer(3 * B)
      network.addVelocity(
        builder,
        {
          parameters: builder.constant(flat),
          x: builder.constant(x, [B, 3]),
          t: builder.constant([0.3]),
          condition: told ? builder.constant(told, [B, 4]) : undefined,
          out: builder.tensor(out, [B, 3]),
        },
        1.5,
      )
      const executable = await device().compile(builder.build())
      await executable.run(1)
      executable.dispose()
      const values = (await out.read()) as Float32Array
      out.dispose()
      return values
    }
    const repeated = Float32Array.from({ length: 4 * B }, (_, i) => condition[i % 4])
    const expected = await velocity(whole, parameters, repeated)
    const folded = await velocity(alone, whole.told!(parameters, condition), null)
    expected.forEach((value, i) => {
      expect(folded[i]).toBeCloseTo(value, 5)
    })
    // the condition matters, or the test would say nothing
    const other = await velocity(alone, whole.told!(parameters, new Float32Array(4)), null)
    expect(Math.max(...other.map((value, i) => Math.abs(value - expected[i])))).toBeGreaterThan(0.05)
  })
})

describe('parts of a batch', () => {
  test('begin at multiples of 64 rows and of the times of a pair, and leave nothing out', () => {
    expect(partBounds(1000, 3, 1)).toEqual([0, 320, 640, 1000])
    expect(partBounds(2000, 4, 5)).toEqual([0, 320, 960, 1280, 2000])
    expect(partBounds(100, 3, 1)).toEqual([0, 0, 64, 100])
    expect(leastBatch(3, 1)).toBe(192)
    expect(leastBatch(4, 5)).toBe(1280)
  })
})

await describeOn(['reference', 'native'], 'a batch of one network', (device) => {
  test('has the rows of every sub-flow, as a simulated push draws them, on one scale', async () => {
    const settings = chain([0.1, 0.4, null], { steps: [20], paths: ['linear', 'trig', 'arc'], push: 'simulated' })
    const { fits, told, stages } = shared.plan(settings)
    const apart = localFlow.plan({ ...settings, steps: [1, 1, 1] }).fits
    expect([fits.length, stages]).toEqual([1, [0, 0, 0]])
    const network = mlpNetwork(spec({ condition: 3 }))
    const B = 320
    const whole = await drawn(device(), fits[0].task, network, B, 1)
    const bounds = partBounds(B, 3, 1)
    expect(bounds).toEqual([0, 64, 192, 320])
    const { storage } = whole.condition!
    const conditions = storage.kind === 'constant' ? storage.values : new Float32Array(0)
    for (let k = 0; k < 3; k++) {
      const [first, end] = [bounds[k], bounds[k + 1]]
      const own = await drawn(device(), apart[k].task, mlpNetwork(spec({ condition: 0 })), end - first, k + 1)
      expect(whole.x.slice(3 * first, 3 * end)).toEqual(own.x)
      expect(whole.t.slice(first, end)).toEqual(own.t)
      const scale = told![k].outputScale
      own.target.forEach((value, i) => {
        expect(whole.target[3 * first + i] * scale).toBeCloseTo(value, 5)
      })
      expect(conditions.slice(3 * first, 3 * first + 3)).toEqual(told![k].condition)
      expect(conditions.slice(3 * end - 3, 3 * end)).toEqual(told![k].condition)
    }
    // small steps have small velocities, which are learnt as large ones
    expect(told![0].outputScale).toBeLessThan(0.5)
    expect(told![2].outputScale).toBe(1)
  })
})

const config = (over: object = {}) => ({
  data: { kind: 'toy', name: 'moons', train: 300, validation: 400, test: 40 } as const,
  model: { hidden: [8] },
  flow: { recipe: 'shared' } as const,
  train: { batch: 256, steps: [30], validateEvery: 10, checkpointEvery: 10 },
  device: 'native' as const,
  seed: 3,
  ...over,
})

await describeOn(['native'], 'a chain of one network', () => {
  test('learns a Gaussian to its entropy', async () => {
    const density = gaussian(
      [0.5, -1],
      [
        [1, 0.8],
        [0.8, 1],
      ],
    )
    const rows = (n: number, seed: number) => ({ values: density.sample(n, seed), shape: [n, 2] })
    await using flow = await LocalFlow.train(rows(20_000, 1), {
      model: { hidden: [32, 32], activation: 'silu' },
      flow: { recipe: 'shared', gammas: [0.1, 0.4, null] },
      train: { batch: 256, steps: { total: 1200 }, lr: 5e-3, ema: 0.99 },
      ode: { solver: 'rk4', steps: 6 },
      seed: 4,
      device: 'native',
    })
    const test = rows(2000, 2)
    const logProb = await flow.logProb(test)
    const truth = density.logDensity(test.values)
    const kl = truth.reduce((sum, value, i) => sum + value - logProb[i], 0) / logProb.length
    expect(Math.abs(kl)).toBeLessThan(0.04)
    // the sub-flows are one network but for the first bias
    const tensors = flow.stages.map(({ parameters }) => flow.field.toTensors(parameters, ''))
    expect(tensors).toHaveLength(3)
    for (const { name, values } of tensors[0]) {
      const others = tensors.slice(1).map((stage) => stage.find((tensor) => tensor.name === name)!.values)
      for (const other of others) {
        if (name === 'layers.0.bias') expect(other).not.toEqual(values)
        else expect(other).toEqual(values)
      }
    }
  })

  test('is a run of one network, which is read again, saved again, and goes on after an interruption to the same bits', async () => {
    const out = join(scratch, 'whole')
    await using whole = await run(config(), { out })
    expect(whole.training!.losses.map(({ length }) => length)).toEqual([30])
    expect(whole.training!.validation[0].steps).toEqual([10, 20, 30])
    expect(readdirSync(out).filter((name) => name.startsWith('subflow-'))).toHaveLength(1)
    const samples = (await whole.sample(7)).values
    await using loaded = await LocalFlow.load(out)
    expect((await loaded.sample(7)).values).toEqual(samples)
    await loaded.save(join(scratch, 'again'))
    await using again = await LocalFlow.load(join(scratch, 'again'))
    expect((await again.sample(7)).values).toEqual(samples)
    expect(readdirSync(join(scratch, 'again')).filter((name) => name.startsWith('subflow-'))).toHaveLength(1)

    const part = join(scratch, 'part')
    const stop = new AbortController()
    const onProgress = (progress: Progress) => {
      if (progress.phase === 'train' && progress.step >= 10) stop.abort()
    }
    await expect(run(config(), { out: part, signal: stop.signal, onProgress })).rejects.toThrow()
    await using resumed = await run(config(), { out: part, resume: true })
    expect((await resumed.sample(7)).values).toEqual(samples)
  })

  test('that was exported is a chain of networks of its own', async () => {
    await using flow = await run(config())
    await flow.export({ to: 'hf', out: join(scratch, 'hub') })
    await using read = await LocalFlow.load(join(scratch, 'hub'))
    await read.save(join(scratch, 'imported'))
    await using back = await LocalFlow.load(join(scratch, 'imported'))
    const samples = (await flow.sample(7)).values
    const imported = (await back.sample(7)).values
    samples.forEach((value, i) => {
      expect(imported[i]).toBeCloseTo(value, 5)
    })
    expect(readdirSync(join(scratch, 'imported')).filter((name) => name.startsWith('subflow-'))).toHaveLength(3)
  })
})

describe('what it is not for', () => {
  const issues = (over: object): string => {
    try {
      resolveOptions({ flow: { recipe: 'shared', gammas: [0.1, 0.4, null] }, ...over })
    } catch (error) {
      return (error as Error).message
    }
    return 'nothing'
  }
  test.each([
    [{ model: { kind: 'unet' } }, 'model.kind unet does not go with flow.recipe: shared'],
    [{ train: { objective: 'mean-flow' } }, 'train.objective: mean-flow does not go with flow.recipe: shared'],
    [
      { flow: { recipe: 'shared', gammas: [0.1, null], coupling: 'independent' } },
      'flow.coupling: independent does not go with flow.recipe: shared',
    ],
    [
      { train: { batch: 100 } },
      'train.batch must be at least 192, of which each of the 3 sub-flows has rows, but is 100',
    ],
    [{ train: { steps: [10, 20] } }, 'train.steps has 2 entries, but there are 3 sub-flows'],
  ])('%j', (over, said) => {
    expect(issues(over)).toContain(said)
  })

  test('steps are those of all sub-flows together', () => {
    const stepsOf = (steps: unknown) =>
      resolveOptions({ flow: { recipe: 'shared', gammas: [0.1, 0.4, null] }, train: { steps } }).train.steps
    expect([stepsOf(100), stepsOf([10, 20, 30]), stepsOf([70]), stepsOf({ total: 90 })]).toEqual([
      [300],
      [60],
      [70],
      [90],
    ])
  })

  test('a conditional model', async () => {
    const x = { values: new Float32Array(600).map((_, i) => Math.sin(i)), shape: [300, 2] }
    const cond = { values: new Float32Array(300), shape: [300, 1] }
    const training = LocalFlow.train(x, {
      flow: { recipe: 'shared' },
      train: { batch: 256 },
      device: 'native',
      cond,
    } as never)
    await expect(training).rejects.toThrow('flow.recipe: shared tells its network which sub-flow it is')
  })
})
