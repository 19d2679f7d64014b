/**
 * Recipes beside Local Flow's own chain: reflow resumes bit-identically and straightens its paths, a simulated push draws
 * left ends of the process, plain is a chain of one, and what a config can say wrongly about them.
 */

import { describe, expect, it, test } from 'vitest'
import { resolveOptions } from '../../src/config/index.js'
import { gaussian } from '../../src/data/gaussian.js'
import { toy } from '../../src/data/toy.js'
import type { Device } from '../../src/device/device.js'
import { stageCombine } from '../../src/kernels/stage_combine.js'
import { type PoolValues, uploadPool } from '../../src/learn/pool.js'
import type { Task } from '../../src/learn/task.js'
import { timeQuantiles } from '../../src/learn/times.js'
import { Flow } from '../../src/model/flow.js'
import { mlpNetwork } from '../../src/networks/mlp/mlp.js'
import type { MlpSpec } from '../../src/networks/mlp/spec.js'
import type { Network } from '../../src/networks/network.js'
import { ProgramBuilder } from '../../src/program/program.js'
import { localFlow } from '../../src/recipes/local-flow.js'
import { plain } from '../../src/recipes/plain.js'
import type { Recipe, RecipeSettings, RecipeState, TrainedNetwork } from '../../src/recipes/recipe.js'
import { type ReflowSettings, reflow } from '../../src/recipes/reflow.js'
import { recipeOf, recipeSettings } from '../../src/recipes/settings.js'
import { describeOn } from '../devices.js'
import { chain, optimizer, trainChain } from '../training.js'

const net = (hidden: number[], dimension = 2): MlpSpec => ({
  kind: 'mlp',
  dimension,
  condition: 0,
  hidden,
  activation: 'silu',
  beta: 1,
  time: 'first',
  frequencies: [],
})
const small = mlpNetwork(net([12]))
const rows = (n: number): Float32Array =>
  Float32Array.from({ length: 2 * n }, (_, i) => Math.sin(0.37 * i * i) + (i % 2))

await describeOn(['reference', 'native'], 'reflow', (device) => {
  const settings = chain([null], {
    steps: [12, 9, 8],
    paths: ['linear', 'linear', 'trig'],
    fit: { batch: 24, seed: 12, optimizer: { ...optimizer, ema: 0.9, warmup: 2, schedule: { kind: 'cosine' } } },
    own: { rounds: 2, pairs: 70, time: 'uniform' },
    checkpointEvery: 5,
  })
  const run = async (start: RecipeState | null = null) => {
    const checkpoints: RecipeState[] = []
    const onCheckpoint = async (state: RecipeState) => {
      checkpoints.push(state)
    }
    const trained = await trainChain(device(), small, rows(60), settings, { onCheckpoint }, start, reflow)
    return { ...trained, checkpoints }
  }

  test('goes on from every checkpoint to the bits of a run that was never cut', async () => {
    const whole = await run()
    expect(whole.checkpoints.map(({ fit, training }) => [fit, training?.step ?? null])).toEqual([
      ...[
        [1, 5],
        [1, 10],
        [1, 12],
      ],
      ...[
        [2, null],
        [2, 5],
        [2, 9],
      ],
      ...[
        [3, null],
        [3, 5],
        [3, 8],
      ].slice(0, 2),
      [4, 8],
    ])
    // pairs of the asked number, other ones in every round
    const pools = whole.checkpoints.map(({ pool }) => pool)
    expect(pools[0]).toBeNull()
    for (const pool of [pools[3]!, pools[6]!]) expect([pool.left.length, pool.right!.length]).toEqual([140, 140])
    expect(pools[6]!.right).not.toEqual(pools[3]!.right)
    expect(whole.networks).toHaveLength(3)
    for (const checkpoint of whole.checkpoints) {
      const resumed = await run(checkpoint)
      expect(resumed.networks, `fit ${checkpoint.fit}`).toEqual(whole.networks)
    }
  })

  test('pairs noise with what the flow makes of it', async () => {
    const { checkpoints, networks } = await run()
    const { left, right } = checkpoints[3].pool!
    const model = modelOf(device(), small, networks[0], settings)
    const made = await model.decode({ values: right!, shape: [70, 2] }, { solver: settings.pushSolver })
    made.values.forEach((value, i) => {
      expect(value).toBeCloseTo(left[i], 5)
    })
    const mean = right!.reduce((sum, value) => sum + value, 0) / 140
    const variance = right!.reduce((sum, value) => sum + (value - mean) ** 2, 0) / 140
    expect(Math.abs(mean)).toBeLessThan(0.35)
    expect(variance).toBeGreaterThan(0.6)
    expect(variance).toBeLessThan(1.5)
    await model.dispose()
  })
})

/** A model of one stage. */
function modelOf(device: Device, network: Network, trained: TrainedNetwork, { pushSolver }: RecipeSettings): Flow {
  const settings = { sample: pushSolver, evaluate: { ...pushSolver, trace: 'exact', probes: 1 } as const, seed: 1 }
  const stages = [{ ...trained, gamma: null, angle: null }]
  return new Flow({ network, stages, rowShape: [2], scaler: null, settings }, device, async () => device)
}

await describeOn(['native'], 'reflow of moons', (device) => {
  test('leaves one Euler step near the flow, at least five times nearer than before', async () => {
    const data = toy('moons').sample(4000, 7)
    const network = mlpNetwork(net([48, 48]))
    const settings = chain([null], {
      steps: [700, 900],
      paths: ['linear', 'linear'],
      fit: { batch: 256, seed: 3, optimizer: { ...optimizer, lr: 5e-3, schedule: { kind: 'cosine' } } },
      pushSolver: { solver: 'rk4', steps: 8, rtol: 1e-5, atol: 1e-5 },
      own: { rounds: 1, time: 'uniform' },
    })
    const { networks } = await trainChain(device(), network, data, settings, {}, null, reflow)
    const normal = gaussian(
      [0, 0],
      [
        [1, 0],
        [0, 1],
      ],
    )
    const noise = { values: normal.sample(400, 8), shape: [400, 2] }
    const [before, after] = await Promise.all(
      networks.map(async (trained) => {
        const model = modelOf(device(), network, trained, settings)
        const whole = await model.decode(noise)
        const step = await model.decode(noise, { solver: { solver: 'euler', steps: 1 } })
        await model.dispose()
        return Math.sqrt(
          Float64Array.from(whole.values).reduce((sum, value, i) => sum + (value - step.values[i]) ** 2, 0) / 400,
        )
      }),
    )
    expect(before / after).toBeGreaterThan(5)
  })
})

/** One batch of B rows as a task draws it on a device: x, t and the target. */
async function drawn(device: Device, task: Task, data: Float32Array, D: number, B: number, seed: number) {
  const builder = new ProgramBuilder()
  const state = device.createBuffer(8, 'u32')
  const pool = uploadPool(device, { left: data }, D, 0)
  const tables = Object.entries(task.tables).map(([name, values]) => {
    const buffer = device.createBuffer(values.length)
    buffer.write(values)
    return [name, buffer] as const
  })
  const kept = { x: device.createBuffer(B * D), t: device.createBuffer(B), target: device.createBuffer(B * D) }
  task.addStep(builder, {
    network: { dimension: D, condition: 0 } as Network,
    pool,
    tables: Object.fromEntries(tables.map(([name, buffer]) => [name, builder.tensor(buffer)])),
    batch: B,
    seed,
    stream: 1,
    state: builder.tensor(state),
    inputs: 'f32',
    differentiate() {},
    evaluate() {},
    regress(operands) {
      for (const name of ['x', 't', 'target'] as const) {
        const { shape } = operands[name]
        const length = shape.reduce((product, extent) => product * extent, 1)
        const stages = builder.constant(new Float32Array(length), [1, length])
        builder.add(
          stageCombine,
          { y: operands[name], stages, out: builder.tensor(kept[name], shape) },
          { coefficients: [0] },
        )
      }
    },
  })
  const executable = await device.compile(builder.build())
  await executable.run()
  const [x, t, target] = (await Promise.all([kept.x.read(), kept.t.read(), kept.target.read()])) as Float32Array[]
  executable.dispose()
  for (const buffer of [state, pool.left, ...tables.map(([, buffer]) => buffer), ...Object.values(kept)])
    buffer.dispose()
  return { x, t, target }
}

const moments = (values: Float32Array) => {
  const mean = values.reduce((sum, value) => sum + value, 0) / values.length
  return { mean, variance: values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / values.length }
}

await describeOn(['reference', 'native'], 'a simulated push', (device) => {
  const n = 20_000
  const [mean, spread] = [2, 0.5]
  const data = gaussian(
    [mean, -mean],
    [
      [spread ** 2, 0],
      [0, spread ** 2],
    ],
  )
    .sample(n, 4)
    .map((v, i) => v * (i % 2 ? -1 : 1))
  const gammas = [0.2, 0.5, 0.3]
  /** all times at one end */
  const plan = (at: number) =>
    localFlow.plan(
      chain(gammas, {
        steps: [1, 1, 1],
        push: 'simulated',
        quantiles: gammas.map(() => new Float32Array(4097).fill(at)),
        sampling: 'replacement',
      }),
    )

  test.each([0, 1, 2])(
    'draws left ends and right ends of sub-flow %d with the moments of the process',
    async (number) => {
      for (const at of [0, 1]) {
        const { x, t } = await drawn(device(), plan(at).fits[number].task, data, 2, n, 6)
        expect(t.every((value) => value === at)).toBe(true)
        const total = gammas.slice(0, number + at).reduce((sum, gamma) => sum + gamma, 0)
        const found = moments(x)
        const variance = spread ** 2 * Math.exp(-2 * total) + 1 - Math.exp(-2 * total)
        // five standard errors of 40 000 values
        expect(Math.abs(found.mean - mean * Math.exp(-total)), `mean at ${at}`).toBeLessThan(
          0.025 * Math.sqrt(variance),
        )
        expect(Math.abs(found.variance / variance - 1), `variance at ${at}`).toBeLessThan(0.036)
      }
    },
  )

  test('has the rows themselves at the first sub-flow, and fresh noise in every batch after it', async () => {
    const first = await drawn(device(), plan(0).fits[0].task, data, 2, 100, 6)
    const known = new Set(data)
    expect(first.x.every((value) => known.has(value))).toBe(true)
    const second = await drawn(device(), plan(0).fits[1].task, data, 2, 100, 6)
    const other = await drawn(device(), plan(0).fits[1].task, data, 2, 100, 7)
    // but for what float32 lets coincide
    expect(second.x.filter((value) => known.has(value)).length).toBeLessThan(10)
    expect(other.x).not.toEqual(second.x)
  })

  test('leaves the pool the data, and gives other parameters than a learned one', async () => {
    const settings = chain([0.3, null], { steps: [6, 6], warmStart: false })
    const pools: unknown[] = []
    const simulated = await trainChain(
      device(),
      small,
      rows(60),
      { ...settings, push: 'simulated' },
      { onCheckpoint: async ({ pool }) => void pools.push(pool) },
    )
    expect(pools.length).toBeGreaterThan(1)
    expect(pools.every((pool) => pool === null)).toBe(true)
    expect(simulated.pushEvaluations).toEqual([])
    const learned = await trainChain(device(), small, rows(60), settings)
    expect(simulated.networks[0]).toEqual(learned.networks[0])
    expect(simulated.networks[1]).not.toEqual(learned.networks[1])
  })
})

await describeOn(['reference', 'native'], 'fits', (device) => {
  // a rate so small that float32 parameters stay where they are
  const still = { ...optimizer, lr: 1e-30 }
  const begin = (over: Partial<RecipeSettings>, data: PoolValues = rows(60)) =>
    trainChain(
      device(),
      small,
      data,
      chain([0.3, null], { steps: [1, 1], fit: { batch: 24, seed: 4, optimizer: still }, ...over }),
    )

  test('begin from parameters of their own, or from those of the one before', async () => {
    const [first, second] = [1, 2].map((number) => small.initialise(4, number))
    const fresh = await begin({ warmStart: false })
    expect(fresh.networks.map(({ parameters }) => parameters)).toEqual([first, second])
    const warm = await begin({ warmStart: true })
    expect(warm.networks.map(({ parameters }) => parameters)).toEqual([first, first])
  })

  test('give the average of their parameters, where one is kept', async () => {
    const states: RecipeState[] = []
    const { networks } = await trainChain(
      device(),
      small,
      rows(60),
      chain([0.3, null], { steps: [3, 3], fit: { batch: 24, seed: 4, optimizer: { ...optimizer, ema: 0.9 } } }),
      { onCheckpoint: async (state) => void states.push(state) },
    )
    const end = states.find(({ fit, training }) => fit === 1 && training)!.training!
    expect(networks[0].parameters).toEqual(end.average)
    expect(networks[0].parameters).not.toEqual(end.parameters)
  })

  test('scale outputs by the target’s spread, of bytes as of the floats that they stand for', async () => {
    const bytes = Uint8Array.from({ length: 120 }, (_, i) => (i % 2 === 0 ? 60 + ((7 * i) % 90) : (31 * i) % 256))
    const floats = Float32Array.from(bytes, (byte) => (byte - 127.5) / 127.5)
    const variances = [0, 1].map((d) => moments(floats.filter((_, i) => i % 2 === d)).variance)
    const S = (variances[0] + variances[1]) / 2
    for (const data of [bytes, floats]) {
      const { networks } = await begin({ outputScale: true }, data)
      const wanted = Math.sqrt((1 - Math.exp(-0.3)) ** 2 * S + 1 - Math.exp(-0.6))
      expect(networks[0].outputScale).toBeCloseTo(wanted, 6)
    }
    const plainly = await begin({ outputScale: false })
    expect(plainly.networks.map(({ outputScale }) => outputScale)).toEqual([1, 1])
  })
})

await describeOn(['reference', 'native'], 'plain', (device) => {
  test('is the chain of one free sub-flow with all the steps, bit for bit', async () => {
    const options = resolveOptions({
      flow: { recipe: 'plain', gammas: [0.1, 0.2, null], interpolant: ['linear', 'linear', 'trig'], outputScale: true },
      train: { batch: 24, steps: [5, 4, 6], ema: 0.9, lr: 0.01 },
      seed: 9,
    })
    expect(options.flow).toMatchObject({ gammas: [null], interpolant: ['trig'] })
    expect(options.train.steps).toEqual([15])
    const one = await trainChain(device(), small, rows(60), recipeSettings(options), {}, null, plain)
    const settings = resolveOptions({
      flow: { gammas: [null], interpolant: 'trig', outputScale: true },
      train: { batch: 24, steps: 15, ema: 0.9, lr: 0.01 },
      seed: 9,
    })
    const chained = await trainChain(device(), small, rows(60), recipeSettings(settings))
    expect(one.networks).toEqual(chained.networks)
    expect(one.networks).toHaveLength(1)
    expect(one.networks[0].outputScale).not.toBe(1)
  })
})

describe('a config', () => {
  const issues = (options: object): string[] => {
    try {
      resolveOptions(options)
    } catch (error) {
      return (error as { issues: string[] }).issues
    }
    return []
  }

  it.each([
    [{ flow: { plain: true, recipe: 'reflow' } }, /^flow\.plain.*reflow/],
    [
      { flow: { push: 'simulated', coupling: 'shuffled' } },
      /^flow\.push: simulated goes with flow\.coupling: dependent, not with shuffled/,
    ],
    [{ flow: { push: 'simulated', coupling: 'independent' } }, /not with independent/],
    [
      { flow: { recipe: 'reflow' }, train: { steps: [1, 2, 3] } },
      /^train\.steps has 3 entries, but there are 2 fits; give one for each, or one for all\.$/,
    ],
    [
      { flow: { recipe: 'reflow', reflow: { rounds: 2 }, interpolant: ['linear', 'trig'] } },
      /^flow\.interpolant has 2 entries, but there are 3 fits/,
    ],
    [
      { flow: { recipe: 'plain', gammas: [0.1, null] }, train: { steps: [1, 2, 3] } },
      /^train\.steps has 3 entries, but there are 2 sub-flows/,
    ],
    [
      { flow: { recipe: 'reflow', reflow: { rounds: 0 } } },
      /^flow\.reflow\.rounds must be a whole number from 1 on, but is 0/,
    ],
    [{ flow: { recipe: 'rectified' } }, /^flow\.recipe must be local, shared, plain or reflow, but is 'rectified'/],
    [{ flow: { push: 'learnt' } }, /^flow\.push must be learned or simulated, but is 'learnt'/],
  ])('with %o is refused in one line', (options, message) => {
    expect(issues(options)).toEqual([expect.stringMatching(message)])
  })

  it('of a recipe says what is fitted', () => {
    const { flow, train } = resolveOptions({
      flow: { recipe: 'reflow', reflow: { rounds: 2, pairs: 50 }, gammas: [0.1, null] },
      train: { steps: [30, 20, 10] },
    })
    expect(flow).toMatchObject({ recipe: 'reflow', plain: false, gammas: [null], reflow: { rounds: 2, pairs: 50 } })
    expect(train.steps).toEqual([30, 20, 10])
    expect(flow.interpolant).toEqual(['linear', 'linear', 'linear'])
    expect(resolveOptions({ flow: { plain: true } }).flow.recipe).toBe('plain')
    expect(resolveOptions({}).flow).toMatchObject({ recipe: 'local', push: 'learned' })
  })

  it('gives each fit its law of times, and plain flow matching that of the last', () => {
    const time = ['uniform', { beta: [0.5, 1] }] as const
    const timesOf = (recipe: 'local' | 'plain') => {
      const options = resolveOptions({ flow: { recipe, gammas: [0.1, null], time } })
      const { fits } = recipeOf(options).plan(recipeSettings(options))
      return fits.map(({ task }) => task.tables.quantiles ?? null)
    }
    expect(timesOf('local')).toEqual([null, timeQuantiles({ beta: [0.5, 1] })])
    expect(timesOf('plain')).toEqual([timeQuantiles({ beta: [0.5, 1] })])
    expect(issues({ flow: { gammas: [0.1, 0.2, null], time } })).toEqual([
      'flow.time has 2 entries, but there are 3 sub-flows; give one for each, or one for all.',
    ])
  })

  it('gives the fits on pairs their own law of times', () => {
    const settings = recipeSettings(
      resolveOptions({
        flow: { recipe: 'reflow', gammas: [null], time: 'uniform', reflow: { time: { beta: [1, 0.5] } } },
      }),
    )
    const [first, onPairs] = reflow.plan(settings as RecipeSettings<ReflowSettings>).fits
    expect(first.task.tables).not.toHaveProperty('quantiles')
    expect(onPairs.task.tables.quantiles).toEqual(timeQuantiles({ beta: [1, 0.5] }))
  })

  it.each([
    [reflow, [2]],
    [plain, [0]],
    [localFlow, [0, 1, 2]],
  ] as const)('plans $description', (recipe: Recipe, stages) => {
    const gammas = recipe === localFlow ? [0.1, 0.2, null] : [null]
    const over = { own: { rounds: 2, time: 'uniform' } }
    const { fits, stages: found } = recipe.plan(
      chain(gammas, { steps: [4, 5, 6], paths: ['linear', 'trig', 'arc'], ...over }),
    )
    expect(found).toEqual(stages)
    expect(fits.map(({ settings }) => settings.steps)).toEqual(recipe === plain ? [4] : [4, 5, 6])
    // the path of the last fit is the only one here that is read from a table
    expect(fits.map(({ task }) => 'path' in task.tables)).toEqual(recipe === plain ? [false] : [false, false, true])
    // streams of random draws are kept apart by the number
    expect(fits.map(({ settings }) => settings.number)).toEqual(fits.map((_, i) => i + 1))
  })
})
