/**
 * Methods of few evaluations that the library does not have, for comparison with those that it has: a step at a time on the host,
 * by the chain's angle Θ from π/2 at the noise to 0 at the data. With u the state, r = du/dΘ, and the point x̂ = u cos Θ − r sin Θ and
 * the noise ẑ = u sin Θ + r cos Θ that they imply.
 */

import type { Device } from '../../src/device/device.js'
import type { LocalFlow } from '../../src/index.js'
import { planEvaluations } from '../../src/ode/solver.js'
import { ProgramBuilder } from '../../src/program/program.js'

type Values = Float32Array | Float64Array

/** A state where the velocity was found. */
export interface Visited {
  readonly angle: number
  readonly u: Values
  readonly r: Values
}

/** The state at the angle `to`, from the states that were visited, the last one first. */
export type Step = (visited: readonly [Visited, ...Visited[]], to: number) => Values

/** Σ weight_k · value_k */
function combined(...terms: readonly (readonly [number, Values])[]): Values {
  const sum = terms[0][1].slice().fill(0)
  for (const [weight, values] of terms) for (let i = 0; i < sum.length; i++) sum[i] += weight * values[i]
  return sum
}

const pointOf = ({ angle, u, r }: Visited): Values => combined([Math.cos(angle), u], [-Math.sin(angle), r])
const noiseOf = ({ angle, u, r }: Visited): Values => combined([Math.sin(angle), u], [Math.cos(angle), r])

/** Adams and Bashforth's method of the third order: of the second in its second step, Euler's first. */
const thirdOrder: Step = ([here, before, first], to) => {
  const width = to - here.angle
  if (!before) return combined([1, here.u], [width, here.r])
  const a = before.angle - here.angle
  if (!first) return combined([1, here.u], [width - width ** 2 / (2 * a), here.r], [width ** 2 / (2 * a), before.r])
  const b = first.angle - here.angle
  // integrals over the step of the parabola's three weights
  const [square, cube] = [width ** 2 / 2, width ** 3 / 3]
  return combined(
    [1, here.u],
    [(cube - (a + b) * square) / (a * b) + width, here.r],
    [(cube - b * square) / (a * (a - b)), before.r],
    [(cube - a * square) / (b * (b - a)), first.r],
  )
}

/** log(cos Θ/sin Θ), half the logarithm of the ratio of signal to noise. */
const logRatio = (angle: number): number => Math.log(Math.cos(angle) / Math.sin(angle))

/**
 * DPM-Solver++(2M) of Lu et al. 2022: exact for a point x̂ that is linear in log(cos Θ/sin Θ); the first step from noise and the last
 * one, which ends at an infinite ratio, are of the first order.
 */
const dpmSolver: Step = ([here, before], to) => {
  const shrink = Math.sin(to) / Math.sin(here.angle)
  const [gain, h] = [Math.cos(to) - Math.cos(here.angle) * shrink, logRatio(to) - logRatio(here.angle)]
  const point = pointOf(here)
  const lean = before && before.angle < Math.PI / 2 && (0.5 * h) / (logRatio(here.angle) - logRatio(before.angle))
  if (!lean || !Number.isFinite(lean)) return combined([shrink, here.u], [gain, point])
  return combined([shrink, here.u], [gain * (1 + lean), point], [-gain * lean, pointOf(before)])
}

/** A rotation as DDIM's, of a point and a noise that go on as they went in the step before. */
const leaningRotation: Step = ([here, before], to) => {
  const [cosine, sine] = [Math.cos(to) - Math.cos(here.angle), Math.sin(to) - Math.sin(here.angle)]
  const lean = before ? (to - here.angle) / (2 * (here.angle - before.angle)) : 0
  const now = [[cosine * (1 + lean), pointOf(here)] as const, [sine * (1 + lean), noiseOf(here)] as const]
  const then = before && [[-cosine * lean, pointOf(before)] as const, [-sine * lean, noiseOf(before)] as const]
  return combined([1, here.u], ...now, ...(then ?? []))
}

export const multistep = {
  'third-order Adams–Bashforth': thirdOrder,
  'DPM-Solver++(2M)': dpmSolver,
  'rotation of a leaning point': leaningRotation,
} as const satisfies Record<string, Step>

/** du/dΘ of rows, evaluation by evaluation. */
export class Stepper {
  private readonly state
  private readonly time
  private readonly out

  private constructor(
    private readonly flow: LocalFlow,
    device: Device,
    private readonly rows: number,
  ) {
    const { dimension } = flow.field
    this.state = device.createBuffer(rows * dimension)
    this.time = device.createBuffer(rows)
    this.out = device.createBuffer(rows * dimension)
  }

  private readonly velocities: { run(times: number): Promise<void> }[] = []

  /** @param rows that are carried at a time */
  static async open(flow: LocalFlow, device: Device, rows: number): Promise<Stepper> {
    const stepper = new Stepper(flow, device, rows)
    const { field } = flow
    for (const { parameters, outputScale } of flow.stages) {
      const weights = device.createBuffer(parameters.length)
      weights.write(parameters)
      const builder = new ProgramBuilder()
      const shape = [rows, field.dimension]
      const operands = {
        parameters: builder.tensor(weights, [parameters.length]),
        x: builder.tensor(stepper.state, shape),
        t: builder.tensor(stepper.time, [rows]),
        out: builder.tensor(stepper.out, shape),
      }
      field.addVelocity(builder, operands, outputScale)
      stepper.velocities.push(await device.compile(builder.build()))
    }
    return stepper
  }

  /** Rows of noise, as many as are carried at a time, to the data; in the model's own unit. */
  async samples(noise: Float32Array, step: Step, evaluations: number): Promise<Values> {
    const { stages } = this.flow
    const way = stages.map((_, i) => ({ subFlow: stages.length - 1 - i, start: 1, end: 0 }))
    const settings = { solver: 'euler', clock: 'angle', steps: 1, evaluations, rtol: 1, atol: 1 } as const
    const plan = planEvaluations(
      settings,
      stages.map(({ angle }) => angle),
      way,
    ).flat()
    let u: Values = noise
    let angle = stages[stages.length - 1].angle!.to
    const visited: Visited[] = []
    for (const { network, time, factor, own, place, share } of plan) {
      const x = combined([place, u])
      this.state.write(x as Float32Array)
      this.time.write(new Float32Array(this.rows).fill(time))
      await this.velocities[network].run(1)
      const v = (await this.out.read(0, x.length)) as Float32Array
      const here = { angle, u, r: combined([factor, v], [own, x]) }
      visited.unshift(here)
      // the angle of the last one is 0, but for the sum's rounding
      const to = visited.length === plan.length ? 0 : angle + share
      u = step([here, ...visited.slice(1, 3)], to)
      angle = to
    }
    return u
  }
}
