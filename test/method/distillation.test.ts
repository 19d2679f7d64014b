/**
 * Distillation: where the pieces of a teacher end, that students see the teacher's own states and every pair once, that they begin
 * as the teacher's Euler step and come nearer to it, that a fit goes on bit-identically, and what a jump of a student is.
 */

import { describe, expect, it, test } from 'vitest'
import { resolveOptions } from '../../src/config/index.js'
import type { Device, DeviceBuffer } from '../../src/device/device.js'
import { openReference } from '../../src/device/reference/device.js'
import { stageCombine } from '../../src/kernels/stage_combine.js'
import { averageVelocity } from '../../src/learn/tasks/displacement.js'
import { Flow, type Stage } from '../../src/model/flow.js'
import { takesSecondTime } from '../../src/model/transport.js'
import { mlpNetwork } from '../../src/networks/mlp/mlp.js'
import type { MlpSpec } from '../../src/networks/mlp/spec.js'
import { evenBorders } from '../../src/ode/borders.js'
import { angleDial } from '../../src/ode/clock.js'
import type { SolverSettings } from '../../src/ode/solver.js'
import { ProgramBuilder } from '../../src/program/program.js'
import { anglesOf } from '../../src/recipes/angles.js'
import { distillation } from '../../src/recipes/distillation.js'
import { type DistillKind, type DistillSettings, distillKinds, jumpOf, piecesOf } from '../../src/recipes/pieces.js'
import type { Recipe, RecipeSettings, RecipeState } from '../../src/recipes/recipe.js'
import { runRecipe } from '../../src/recipes/run-recipe.js'
import { openPairs, streamPaths } from '../../src/recipes/teacher-states.js'
import { describeOn } from '../devices.js'
import { chain as chainOf, optimizer } from '../training.js'

const spec: MlpSpec = {
  kind: 'mlp',
  dimension: 2,
  condition: 0,
  hidden: [24],
  activation: 'silu',
  beta: 1,
  time: 'first',
  frequencies: [],
}
const network = mlpNetwork(spec)
const twoTimes = mlpNetwork({ ...spec, condition: 1, secondTime: true })
const gammas = [0.2, null]
const chain = anglesOf(gammas.map((gamma) => ({ gamma, path: 'arc' })))
const solver: SolverSettings = { solver: 'midpoint', steps: 4, evaluations: 24, clock: 'angle', rtol: 1e-5, atol: 1e-5 }

const networkOf = (kind: DistillKind) => (distillKinds[kind].secondTime ? twoTimes : network)

/** A teacher with weights of its own; the stages' times are those of the chain. */
const teacherOn = (device: Device): Flow => {
  const stages: Stage[] = gammas.map((gamma, i) => {
    return { parameters: network.initialise(40 + i, 1), outputScale: 5, gamma, angle: chain[i] }
  })
  return modelOn(device, stages)
}

const modelOn = (device: Device, stages: Stage[]): Flow =>
  new Flow(
    {
      network: takesSecondTime(stages[0].jump) ? twoTimes : network,
      stages,
      rowShape: [2],
      scaler: null,
      settings: { sample: solver, evaluate: { ...solver, trace: 'exact', probes: 1 }, seed: 1 },
    },
    device,
    async () => device,
  )

const settingsFor = (
  kind: DistillKind,
  into: number,
  over: Partial<RecipeSettings> = {},
): RecipeSettings<DistillSettings> => ({
  ...chainOf(gammas, { steps: new Array<number>(into).fill(10), fit: { batch: 24, seed: 3, optimizer } }),
  ...over,
  own: { kind, into, chain, every: 4, solver, guidance: 1 },
})

/** Runs a distillation to its end; `states` are its checkpoints. */
async function distil(device: Device, settings: RecipeSettings<DistillSettings>, start: RecipeState | null = null) {
  const teacher = teacherOn(device)
  const states: RecipeState[] = []
  const student = networkOf(settings.own.kind)
  const run = runRecipe(distillation as Recipe, { device, network: student, data: null, teacher, settings }, {}, start)
  for (;;) {
    const step = await run.next()
    if (step.done) {
      await teacher.dispose()
      return { ...step.value, states }
    }
    states.push(step.value.state)
  }
}

const rms = (a: ArrayLike<number>, b: ArrayLike<number>): number =>
  Math.sqrt(Array.from(a).reduce((sum, value, i) => sum + (value - b[i]) ** 2, 0) / a.length)

describe('the pieces of a teacher', () => {
  it.each([1, 2, 3, 4, 7])('%d of them are even in the angle of a chain and of a single flow', (into) => {
    for (const [ranges, whole] of [
      [chain, Math.PI / 2],
      [anglesOf([{ gamma: null, path: 'linear' }]), Math.PI / 2],
      [anglesOf([{ gamma: 0.3, path: 'trig' }]), Math.acos(Math.exp(-0.3))],
    ] as const) {
      const angles = evenBorders(ranges, into).map((time) => {
        const n = Math.max(0, Math.ceil(time) - 1)
        return angleDial(ranges[n]).reading(time - n)
      })
      angles.forEach((angle, k) => {
        expect(angle).toBeCloseTo((whole * k) / into, 10)
      })
    }
  })

  it('end at the noise side of a sub-flow where they end at its border', () => {
    // two equal angles of one chain: the border of the pieces is that of the sub-flows
    const half = anglesOf([
      { gamma: -Math.log(Math.SQRT1_2), path: 'arc' },
      { gamma: null, path: 'arc' },
    ])
    const [first, second] = piecesOf({ kind: 'pairs', chain: half, into: 2 })
    expect(first.to).toBeCloseTo(1, 12)
    expect(second).toMatchObject({ from: first.to, to: 2 })
    expect(jumpOf('pairs', { from: 0, to: 1 })).toEqual({ kind: 'map', time: 1 })
    expect(jumpOf('terminal', { from: 0, to: 1.25 })).toEqual({ kind: 'map', time: 0.25, secondTime: 0 })
    expect(jumpOf('reflow', { from: 0, to: 1 })).toBeUndefined()
  })

  it('are even in the chain time where the angle is not known', () => {
    expect(evenBorders([null, null], 4)).toEqual([0, 0.5, 1, 1.5, 2])
  })
})

await describeOn(['webgpu', 'native', 'reference'], 'the states that students see', (device) => {
  const where = { from: 0.4, to: 1.3, n: 100, solver, seed: 8, stream: 2 }

  test('are states of one path of the teacher, other ones in every block, the same for the same number', async () => {
    const teacher = teacherOn(device())
    const pairs = await openPairs(device(), teacher, where)
    const noise = await openPairs(device(), teacher, { ...where, from: 1.3, to: 2 })
    const read = async ({ pool }: typeof pairs): Promise<Float32Array[]> =>
      (await Promise.all([pool.left.read(), pool.right.read()])) as Float32Array[]
    await pairs.fill(0)
    await noise.fill(0)
    const [[left, right], [first, latent]] = [await read(pairs), await read(noise)]
    // the path of the same noise by the model itself
    const { states } = await teacher.trajectory({ values: latent, shape: [100, 2] }, { times: [2, 1.3, 0.4] })
    expect(rms(states[1].values, right)).toBeLessThan(1e-5)
    expect(rms(states[1].values, first)).toBeLessThan(1e-5)
    expect(rms(states[2].values, left)).toBeLessThan(1e-5)
    expect(rms(left, right)).toBeGreaterThan(0.05)

    await pairs.fill(100)
    const [other] = await read(pairs)
    const seen = new Set(left)
    expect(other.filter((value) => seen.has(value)).length).toBeLessThan(4)
    await pairs.fill(0)
    expect((await read(pairs))[0]).toEqual(left)
    for (const { pool, close } of [pairs, noise]) {
      close()
      pool.left.dispose()
      pool.right.dispose()
    }
    await teacher.dispose()
  })
})

await describeOn(['native', 'reference'], 'a distillation', (device) => {
  test.each(['pairs', 'terminal', 'any-step', 'reflow'] as const)(
    'of the kind %s goes on from every checkpoint to the same bits',
    async (kind) => {
      const settings = settingsFor(kind, 2, { checkpointEvery: 3 })
      const whole = await distil(device(), settings)
      // checkpoints inside a block of four steps, and at its end
      const cut = whole.states.filter(({ training }) => training && [3, 9].includes(training.step))
      const fits = kind === 'any-step' ? [1] : [1, 2]
      expect(cut.map(({ fit, training }) => [fit, training!.step])).toEqual(
        fits.flatMap((fit) => [
          [fit, 3],
          [fit, 9],
        ]),
      )
      expect(whole.states.every(({ pool }) => pool === null)).toBe(true)
      for (const state of cut) expect((await distil(device(), settings, state)).networks).toEqual(whole.networks)
    },
  )

  test('begins as one Euler step of the teacher over each piece', async () => {
    const still = { ...optimizer, lr: 1e-30 }
    const settings = settingsFor('pairs', 2, { steps: [1, 1], fit: { batch: 24, seed: 3, optimizer: still } })
    const { networks } = await distil(device(), settings)
    const teacher = teacherOn(device())
    const pieces = piecesOf(settings.own)
    const stages = networks.map((trained, i) => {
      return { ...trained, gamma: null, angle: null, jump: jumpOf('pairs', pieces[i]) }
    })
    const student = modelOn(device(), stages)
    const noise = { values: Float32Array.from({ length: 80 }, (_, i) => Math.sin(1.7 * i)), shape: [40, 2] }
    const euler = await teacher.decode(noise, { solver: 'euler', clock: 'angle', steps: 1 })
    // the second piece lies in the free sub-flow; of arcs a step in the angle is one in local time
    const { states } = await student.trajectory(noise)
    expect(student.evaluations).toEqual({ mean: 2, max: 2 })
    const time = pieces[1].from - 1
    const half = await teacher.trajectory(noise, { times: [2, 1 + time], solver: 'euler', clock: 'angle', steps: 1 })
    expect(rms(states[1].values, half.states[1].values)).toBeLessThan(1e-5)
    expect(rms(states[2].values, euler.values)).toBeGreaterThan(1e-3)
    await teacher.dispose()
    await student.dispose()
  })
})

await describeOn(['native'], 'students of a teacher', (device) => {
  test.each([
    ['pairs', 1],
    ['pairs', 2],
    ['terminal', 1],
    ['terminal', 2],
    ['reflow', 2],
  ] as const)(
    'of the kind %s, %d of them, come three times nearer to it than an undistilled copy',
    async (kind, into) => {
      const fit = {
        batch: 200,
        seed: 3,
        optimizer: { ...optimizer, lr: 0.01, ema: 0.99, schedule: { kind: 'cosine' } },
      } as const
      const errorOf = async (steps: number, lr: number): Promise<number> => {
        const settings = settingsFor(kind, into, {
          steps: new Array<number>(into).fill(steps),
          fit: { ...fit, optimizer: { ...fit.optimizer, lr } },
        })
        const { networks } = await distil(device(), settings)
        const pieces = piecesOf(settings.own)
        const stages = networks.map((trained, i) => {
          return { ...trained, gamma: null, angle: null, jump: jumpOf(kind, pieces[i]) }
        })
        const student = modelOn(device(), stages)
        const teacher = teacherOn(device())
        const noise = { values: Float32Array.from({ length: 800 }, (_, i) => 1.4 * Math.sin(1.7 * i)), shape: [400, 2] }
        const wanted = await teacher.decode(noise)
        const step = kind === 'reflow' ? ({ solver: 'euler', clock: 'local', evaluations: into } as const) : {}
        const found = await student.decode(noise, step)
        expect(student.evaluations!.mean).toBe(into)
        await teacher.dispose()
        await student.dispose()
        return rms(found.values, wanted.values)
      }
      const [before, after] = [await errorOf(1, 1e-30), await errorOf(500, 0.01)]
      expect(before / after).toBeGreaterThan(3)
    },
  )
})

await describeOn(['webgpu', 'native', 'reference'], 'an average velocity', (device) => {
  test('is learnt between two states of a path, with their times', async () => {
    const teacher = teacherOn(device())
    const borders = evenBorders(chain, 16)
    const n = 96
    const context = { device: device(), network: twoTimes, data: null, teacher, settings: settingsFor('any-step', 1) }
    const rows = await streamPaths(context, borders, { rows: n, solver, seed: 8, stream: 2 })
    await rows.fill(3)
    const { left, right, condition, span } = rows.pool as Required<typeof rows.pool>
    const read = async (buffer: DeviceBuffer) => Array.from(((await buffer.read()) as Float32Array).slice(0, 2 * n))
    const [low, high, from, to, inverse] = await Promise.all(
      [left, right, condition, span.time, span.inverse].map(read),
    )
    // every state is the teacher's at its time: carried on from the later one it comes to the earlier one
    const draws = new Set<string>()
    for (let i = 0; i < n; i++) {
      draws.add(`${from[i]} ${to[i]}`)
      expect(from[i]).toBeLessThan(to[i])
      expect(inverse[i]).toBeCloseTo(1 / (to[i] - from[i]), 3)
    }
    expect(draws.size).toBeGreaterThan(8)
    const latest = to.indexOf(1)
    const noise = { values: Float32Array.from(high.slice(2 * latest, 2 * latest + 2)), shape: [1, 2] }
    const { states } = await teacher.trajectory(noise, { times: borders })
    const reached = states[16 - 16 * from[latest]].values
    expect(rms(reached, low.slice(2 * latest, 2 * latest + 2))).toBeLessThan(1e-4)

    // and the batch has x_t, t, s and (x_t − x_s)/(t − s) of one row each
    const B = 32
    const kept = { x: 2 * B, t: B, condition: B, target: 2 * B }
    const out = Object.fromEntries(Object.entries(kept).map(([name, length]) => [name, device().createBuffer(length)]))
    const state = device().createBuffer(8, 'u32')
    const tables = Object.entries(averageVelocity.tables).map(([name, values]) => {
      const buffer = device().createBuffer(values.length)
      buffer.write(values)
      return [name, buffer] as const
    })
    const builder = new ProgramBuilder()
    averageVelocity.addStep(builder, {
      network: twoTimes,
      pool: rows.pool,
      tables: Object.fromEntries(tables.map(([name, buffer]) => [name, builder.tensor(buffer)])),
      batch: B,
      seed: 4,
      stream: 1,
      state: builder.tensor(state),
      inputs: 'f32',
      differentiate() {},
      evaluate() {},
      regress(operands) {
        for (const name of ['x', 't', 'condition', 'target'] as const) {
          const tensor = operands[name]!
          const stages = builder.constant(new Float32Array(kept[name]), [1, kept[name]])
          builder.add(
            stageCombine,
            { y: tensor, stages, out: builder.tensor(out[name], tensor.shape) },
            { coefficients: [0] },
          )
        }
      },
    })
    const executable = await device().compile(builder.build())
    await executable.run()
    const [x, t, s, target] = await Promise.all(['x', 't', 'condition', 'target'].map((name) => read(out[name])))
    const found = new Set<number>()
    for (let b = 0; b < B; b++) {
      const i = to.findIndex((time, k) => time === t[b] && from[k] === s[b] && high[2 * k] === x[2 * b])
      expect(i).toBeGreaterThanOrEqual(0)
      found.add(i)
      for (const d of [0, 1]) {
        expect(target[2 * b + d]).toBeCloseTo((high[2 * i + d] - low[2 * i + d]) / (to[i] - from[i]), 3)
      }
    }
    expect(found.size).toBe(B)
    executable.dispose()
    for (const buffer of [state, ...Object.values(out), ...tables.map(([, buffer]) => buffer)]) buffer.dispose()
    rows.dispose()
    await teacher.dispose()
  })

  test('carries rows from any time to any earlier one, by as many even jumps as are asked for', async () => {
    const parameters = twoTimes.initialise(5, 1)
    const student = modelOn(device(), [
      { parameters, outputScale: 0.7, gamma: null, angle: null, jump: { kind: 'average' } },
    ])
    const noise = Float32Array.from({ length: 8 }, (_, i) => Math.sin(1.7 * i))
    const jumped = await student.decode({ values: noise, shape: [4, 2] }, { evaluations: 2 })
    expect(student.evaluations).toEqual({ mean: 2, max: 2 })
    // x − (t − s)·u(x, t, s) by the network itself, on the reference
    const reference = openReference()
    let x = noise
    for (const [t, s] of [
      [1, 0.5],
      [0.5, 0],
    ]) {
      const [input, u, weights] = [8, 8, parameters.length].map((length) => reference.createBuffer(length))
      input.write(x)
      weights.write(parameters)
      const builder = new ProgramBuilder()
      const operands = {
        parameters: builder.tensor(weights),
        x: builder.tensor(input, [4, 2]),
        t: builder.constant([t]),
        condition: builder.constant([s, s, s, s], [4, 1]),
        out: builder.tensor(u, [4, 2]),
      }
      twoTimes.addVelocity(builder, operands, 0.7)
      const executable = await reference.compile(builder.build())
      await executable.run()
      const velocity = (await u.read()) as Float32Array
      x = x.map((value, i) => value - (t - s) * velocity[i])
      executable.dispose()
    }
    await reference.dispose()
    expect(rms(jumped.values, x)).toBeLessThan(1e-5)
    await expect(student.decode({ values: noise, shape: [4, 2] }, { evaluations: 0 })).rejects.toThrow(/from 1 to 1024/)
    await student.dispose()
  })
})

await describeOn(['native'], 'one student of any number of steps', (device) => {
  test('comes three times nearer to its teacher than an undistilled copy, with one evaluation and with two', async () => {
    const settings = settingsFor('any-step', 1, {
      steps: [700],
      fit: { batch: 200, seed: 3, optimizer: { ...optimizer, lr: 0.01, ema: 0.98, schedule: { kind: 'cosine' } } },
    })
    const { networks } = await distil(device(), settings)
    const student = modelOn(device(), [{ ...networks[0], gamma: null, angle: null, jump: { kind: 'average' } }])
    const teacher = teacherOn(device())
    const noise = { values: Float32Array.from({ length: 800 }, (_, i) => 1.4 * Math.sin(1.7 * i)), shape: [400, 2] }
    const wanted = await teacher.decode(noise)
    const errorAt = async (model: Flow, evaluations: number): Promise<number> =>
      rms((await model.decode(noise, { evaluations })).values, wanted.values)
    const start = await distil(
      device(),
      settingsFor('any-step', 1, { steps: [1], fit: { ...settings.fit, optimizer: { ...optimizer, lr: 1e-30 } } }),
    )
    const copy = modelOn(device(), [{ ...start.networks[0], gamma: null, angle: null, jump: { kind: 'average' } }])
    for (const evaluations of [1, 2]) {
      expect((await errorAt(copy, evaluations)) / (await errorAt(student, evaluations))).toBeGreaterThan(3)
    }
    for (const model of [student, teacher, copy]) await model.dispose()
  })
})

describe('a distillation that cannot be', () => {
  const issues = (distill: object, over: object = {}): string[] => {
    try {
      resolveOptions({ flow: { gammas: [0.1, null] }, distill, ...over })
    } catch (error) {
      return (error as { issues: string[] }).issues
    }
    return []
  }

  it.each([
    [{ kind: 'pairs', into: 0 }, {}, /^distill\.into must be a whole number from 1 to 64, but is 0/],
    [{ kind: 'pairs', into: 33 }, {}, /^distill\.into must be at most 16, the evaluations of the teacher's states/],
    [{ kind: 'pair', into: 2 }, {}, /^distill\.kind must be .*, but is 'pair'; did you mean pairs\?/],
    [{ kind: 'pairs', into: 2, evaluations: 3 }, {}, /^distill\.evaluations must be at least 4/],
    [
      { kind: 'pairs', into: 2, teacher: { kind: 'pairs', into: 2 } },
      {},
      /^distill\.kind pairs learns from states inside a flow, but the teacher is a student of the kind pairs, whose maps have none; take its own teacher, or the kind reflow\.$/,
    ],
    [
      { kind: 'any-step', into: 2, teacher: { kind: 'pairs', into: 2 } },
      {},
      /^distill\.kind any-step learns from states inside a flow, but the teacher is a student of the kind pairs/,
    ],
    [
      { kind: 'pairs', into: 2, teacher: { kind: 'any-step', into: 2 } },
      {},
      /kind any-step, which has only its own jumps: .*; take its own teacher, or the kind any-step or reflow\.$/,
    ],
    [
      { kind: 'terminal', into: 2, teacher: { kind: 'terminal', into: 2 } },
      {},
      /^distill\.kind terminal learns from states inside a flow, but the teacher is a student of the kind terminal, whose maps have none; take its own teacher, or the kind reflow\.$/,
    ],
    [{ kind: 'terminal', into: 17 }, {}, /^distill\.into must be at most 16, the evaluations of the teacher's states/],
    [
      { kind: 'any-step', into: 17 },
      {},
      /^distill\.into must be at most 16, the states of a path that any-step learns from/,
    ],
    [
      { kind: 'reflow', into: 3, teacher: { kind: 'pairs', into: 2 } },
      {},
      /^distill\.into must divide 2, the maps of the teacher/,
    ],
    [
      { kind: 'pairs', into: 2 },
      { train: { steps: [1, 2, 3] } },
      /^train\.steps has 3 entries, but there are 2 students/,
    ],
    [
      { kind: 'pairs', into: 2 },
      { train: { steps: 10_000_000, batch: 1000 } },
      /^train\.steps × train\.batch must be at most 4294967296/,
    ],
    [
      { kind: 'reflow', into: 2 },
      { ode: { sample: { clock: 'angle' } } },
      /^ode\.sample\.clock must be local: the places of students on the chain's angle are not known\.$/,
    ],
  ])('%o is refused in one line', (distill, over, message) => {
    expect(issues(distill, over)).toEqual([expect.stringMatching(message)])
  })

  it('is otherwise resolved, of a student that is a flow or has states at its ends too', () => {
    const { distill, train } = resolveOptions({
      flow: { gammas: [0.1, null] },
      train: { steps: [5, 6, 7] },
      distill: { kind: 'pairs', into: 3, teacher: { kind: 'reflow', into: 2 } },
    })
    expect(train.steps).toEqual([5, 6, 7])
    expect(distill).toMatchObject({ every: 16, solver: { solver: 'midpoint', evaluations: 16, clock: 'local' } })
    const of = { kind: 'reflow', into: 1, teacher: { kind: 'pairs', into: 2 } } as const
    expect(resolveOptions({ flow: { gammas: [0.1, null] }, distill: of }).distill).toMatchObject(of)
    const single = { gammas: [null] }
    const statesOf = (flow: object, asked: object): object =>
      resolveOptions({ flow, distill: { kind: 'pairs', into: 4, ...asked } } as never).distill!.solver
    // few pieces of a single flow by the two-step method, unless something is said
    expect(statesOf(single, {})).toMatchObject({ solver: 'ab2', evaluations: 8, clock: 'angle' })
    expect(statesOf(single, { kind: 'terminal' })).toMatchObject({ solver: 'ab2', evaluations: 8 })
    for (const asked of [{ solver: 'midpoint' }, { into: 5 }, { kind: 'reflow' }]) {
      expect(statesOf(single, asked)).toMatchObject({ solver: 'midpoint', evaluations: 16 })
    }
    const long = { gammas: [...new Array<number>(11).fill(0.1), null] }
    expect(resolveOptions({ flow: long, distill: { kind: 'pairs', into: 2 } }).distill!.solver.evaluations).toBe(48)
  })
})
