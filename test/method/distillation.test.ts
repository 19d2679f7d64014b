/**
 * Distillation: where the pieces of a teacher end, that students see the teacher's own states and every pair once, that they begin
 * as the teacher's Euler step and come nearer to it, that a fit goes on bit-identically, and what a jump of a student is.
 */

import { describe, expect, it, test } from 'vitest'
import { resolveOptions } from '../../src/config/index.js'
import type { Device } from '../../src/device/device.js'
import { Flow, type Stage } from '../../src/model/flow.js'
import { mlpNetwork } from '../../src/networks/mlp/mlp.js'
import { evenBorders } from '../../src/ode/borders.js'
import { angleDial } from '../../src/ode/clock.js'
import type { SolverSettings } from '../../src/ode/solver.js'
import { anglesOf } from '../../src/recipes/angles.js'
import { distillation } from '../../src/recipes/distillation.js'
import { type DistillKind, type DistillSettings, jumpOf, piecesOf } from '../../src/recipes/pieces.js'
import type { Recipe, RecipeSettings, RecipeState } from '../../src/recipes/recipe.js'
import { runRecipe } from '../../src/recipes/run-recipe.js'
import { openPairs } from '../../src/recipes/teacher-states.js'
import { describeOn } from '../devices.js'
import { chain as chainOf, optimizer } from '../training.js'

const network = mlpNetwork({
  kind: 'mlp',
  dimension: 2,
  condition: 0,
  hidden: [12],
  activation: 'silu',
  beta: 1,
  time: 'first',
  frequencies: [],
})
const gammas = [0.2, null]
const chain = anglesOf(gammas.map((gamma) => ({ gamma, path: 'arc' })))
const solver: SolverSettings = { solver: 'midpoint', steps: 4, evaluations: 24, clock: 'angle', rtol: 1e-5, atol: 1e-5 }

/** A teacher with weights of its own; the stages' times are those of the chain. */
const teacherOn = (device: Device): Flow => {
  const stages: Stage[] = gammas.map((gamma, i) => {
    return { parameters: network.initialise(40 + i, 1), outputScale: 1.5, gamma, angle: chain[i] }
  })
  return modelOn(device, stages)
}

const modelOn = (device: Device, stages: Stage[]): Flow =>
  new Flow(
    {
      network,
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
  own: { kind, into, chain, every: 4, solver },
})

/** Runs a distillation to its end; `states` are its checkpoints. */
async function distil(device: Device, settings: RecipeSettings<DistillSettings>, start: RecipeState | null = null) {
  const teacher = teacherOn(device)
  const states: RecipeState[] = []
  const run = runRecipe(distillation as Recipe, { device, network, data: null, teacher, settings }, {}, start)
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
    const [first, second] = piecesOf({ chain: half, into: 2 })
    expect(first.to).toBeCloseTo(1, 12)
    expect(second).toMatchObject({ from: first.to, to: 2 })
    expect(jumpOf('pairs', { from: 0, to: 1 })).toEqual({ kind: 'map', time: 1 })
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
  test.each(['pairs', 'reflow'] as const)(
    'of the kind %s goes on from every checkpoint to the same bits',
    async (kind) => {
      const settings = settingsFor(kind, 2, { checkpointEvery: 3 })
      const whole = await distil(device(), settings)
      // checkpoints inside a block of four steps, and at its end
      const cut = whole.states.filter(({ training }) => training && [3, 9].includes(training.step))
      expect(cut.map(({ fit, training }) => [fit, training!.step])).toEqual([
        [1, 3],
        [1, 9],
        [2, 3],
        [2, 9],
      ])
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
    ['pairs', 3],
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
    [{ kind: 'pairs', into: 33 }, {}, /^distill\.into must be at most 32, the evaluations of the teacher's states/],
    [{ kind: 'pair', into: 2 }, {}, /^distill\.kind must be .*, but is 'pair'; did you mean pairs\?/],
    [{ kind: 'pairs', into: 2, evaluations: 3 }, {}, /^distill\.evaluations must be at least 4/],
    [
      { kind: 'pairs', into: 2, teacher: { kind: 'pairs', into: 2 } },
      {},
      /^distill\.kind pairs learns from states inside a flow, but the teacher is a student of the kind pairs, whose maps have none; take its own teacher, or the kind reflow\.$/,
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
    expect(distill).toMatchObject({ every: 16, solver: { solver: 'midpoint', evaluations: 32, clock: 'local' } })
    const of = { kind: 'reflow', into: 1, teacher: { kind: 'pairs', into: 2 } } as const
    expect(resolveOptions({ flow: { gammas: [0.1, null] }, distill: of }).distill).toMatchObject(of)
    const long = { gammas: [...new Array<number>(11).fill(0.1), null] }
    expect(resolveOptions({ flow: long, distill: { kind: 'pairs', into: 2 } }).distill!.solver.evaluations).toBe(48)
  })
})
