/** A chain that is trained on a mixture in one dimension, measured by quadrature: what it makes, and what it learnt. */

import type { Device } from '../../src/device/device.js'
import { openDevice } from '../../src/device/node/select.js'
import { ouStep } from '../../src/learn/noise.js'
import { noisingOf } from '../../src/learn/paths/path.js'
import { paths } from '../../src/learn/paths/registry.js'
import type { Stage } from '../../src/model/flow.js'
import type { Network } from '../../src/networks/network.js'
import { ProgramBuilder } from '../../src/program/program.js'
import { RandomStream } from '../../src/random/stream.js'
import { LocalFlow } from '../../src/run/local-flow.js'
import {
  bestVelocity,
  type Cloud,
  type Divergences,
  density,
  divergences,
  grid,
  type Mixture,
  NOISE_POINTS,
  normalDensity,
  states,
} from './one-dimension.js'

export interface TrainedChain {
  /** of X_0 … X_N from N(0, 1) */
  readonly along: readonly Divergences[]
  /** of the data from what the chain makes of N(0, 1) */
  readonly made: Divergences
  /** the loss above the least one that any velocity has, for each sub-flow */
  readonly excess: readonly number[]
}

const ROWS = 50_000
/** Times at which the excess is taken. */
const TIMES = 20

function rowsOf({ weights, means, variances }: Mixture, seed: number): Float32Array {
  const random = new RandomStream(seed, 0)
  return Float32Array.from({ length: ROWS }, () => {
    const u = random.uniform()
    let k = 0
    for (let sum = weights[0]; u > sum && k < weights.length - 1; k++) sum += weights[k + 1]
    return means[k] + Math.sqrt(variances[k]) * random.normal()
  })
}

/** Trains a chain on rows of the mixture. @param gammas null, only ever the last: straight to noise */
export async function trainedChain(
  data: Mixture,
  gammas: readonly (number | null)[],
  { steps, seed }: { readonly steps: number; readonly seed: number },
): Promise<TrainedChain> {
  const device = await openDevice('native')
  try {
    return await measured(device, data, gammas, steps, seed)
  } finally {
    await device.dispose()
  }
}

async function measured(
  device: Device,
  data: Mixture,
  gammas: readonly (number | null)[],
  steps: number,
  seed: number,
): Promise<TrainedChain> {
  await using flow = await LocalFlow.train(
    { values: rowsOf(data, seed), shape: [ROWS, 1] },
    {
      standardise: false,
      model: { hidden: [32, 32], activation: 'silu' },
      flow: { gammas: [...gammas], interpolant: 'linear' },
      train: { batch: 1000, steps, lr: 0.01, schedule: 'cosine' },
      ode: { push: { solver: 'rk4', steps: 8 }, evaluate: { solver: 'rk4', steps: 16 } },
      device: 'native',
      seed,
    },
  )
  // the data as points with their masses: the chain carries the points, the masses stay
  const { points, width } = grid(-3.2, 3.2, 640)
  const heavy = points.filter((x) => density(data, x) > 1e-7)
  const mass = heavy.map((x) => density(data, x) * width)
  const rows = { values: Float32Array.from(heavy), shape: [heavy.length, 1] }
  const { states: carried } = await flow.trajectory(rows, { direction: 'encode' })
  const clouds = carried.map(({ values }): Cloud => ({ points: [...values], mass }))
  const made = await flow.logProb(rows)
  const excess: number[] = []
  for (const [n, gamma] of gammas.entries()) {
    // what is learnt is looked at from fewer points; what is best needs all of them, closer together than the least noise
    const thin = every(4, clouds[n])
    await using velocity = await velocityOf(device, flow.field, flow.stages[n], thin.points.length * NOISE_POINTS)
    let sum = 0
    for (let k = 0; k < TIMES; k++) {
      const t = (k + 0.5) / TIMES
      const noising = noisingOf(paths.linear, t, ouStep(gamma))
      const { points: xs, mass: weights } = states(thin, noising)
      const learnt = await velocity.at(xs, t)
      sum += meanOf(
        weights,
        xs.map((x, i) => (learnt[i] - bestVelocity(clouds[n], noising, x)) ** 2),
      )
    }
    excess.push(sum / TIMES)
  }
  return {
    along: clouds.map((cloud) => divergences(cloud.mass, ratioToNormal(cloud))),
    made: divergences(
      mass,
      heavy.map((x, i) => density(data, x) / Math.exp(made[i])),
    ),
    excess,
  }
}

const meanOf = (weights: readonly number[], values: readonly number[]): number =>
  values.reduce((sum, value, i) => sum + weights[i] * value, 0) / weights.reduce((sum, weight) => sum + weight, 0)

/** Every k-th point with the mass of k. */
const every = (k: number, { points, mass }: Cloud): Cloud => ({
  points: points.filter((_, i) => i % k === 0),
  mass: mass.filter((_, i) => i % k === 0).map((m) => k * m),
})

/** p/q at the points of a cloud in order, q = N(0, 1), p by the gaps between them. */
function ratioToNormal({ points, mass }: Cloud): number[] {
  const last = points.length - 1
  return points.map((x, i) => {
    const [before, after] = [Math.max(0, i - 1), Math.min(last, i + 1)]
    const gap = (points[after] - points[before]) / (after - before)
    return mass[i] / gap / normalDensity(x, 0, 1)
  })
}

interface Velocity extends AsyncDisposable {
  at(points: readonly number[], time: number): Promise<Float32Array>
}

/** A stage's network for `rows` points at one time. */
async function velocityOf(
  device: Device,
  field: Network,
  { parameters, outputScale }: Stage,
  rows: number,
): Promise<Velocity> {
  const buffer = (length: number) => device.createBuffer(Math.ceil(length / 64) * 64)
  const [weights, x, t, out] = [parameters.length, rows, 1, rows].map(buffer)
  weights.write(parameters)
  const builder = new ProgramBuilder()
  field.addVelocity(
    builder,
    {
      parameters: builder.tensor(weights, [parameters.length]),
      x: builder.tensor(x, [rows, 1]),
      t: builder.tensor(t, [1]),
      out: builder.tensor(out, [rows, 1]),
    },
    outputScale,
  )
  const program = await device.compile(builder.build())
  return {
    async at(points: readonly number[], time: number): Promise<Float32Array> {
      x.write(Float32Array.from(points))
      t.write(Float32Array.of(time))
      await program.run()
      return (await out.read(0, rows)) as Float32Array
    },
    async [Symbol.asyncDispose](): Promise<void> {
      for (const made of [program, weights, x, t, out]) made.dispose()
    },
  }
}
