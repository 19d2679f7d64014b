/**
 * From lists of times to the evaluations that integrators run: du/dτ over steps [τ_k, τ_{k+1}] of a clock τ. The clock's change
 * of variables (clock.ts) is in the numbers of the evaluations.
 */

import { LocalFlowError } from '../errors.js'
import { type Dial, type Instant, localDial } from './clock.js'
import type { Evaluation } from './evaluations.js'
import type { Method } from './methods.js'
import { midpoint, type Tableau } from './tableaus.js'

/** Steps through a sub-flow, or a part of it. */
export interface Stretch {
  /** number of the sub-flow in the evaluations */
  readonly network: number
  readonly dial: Dial
  /** readings of the dial, one more than there are steps, all rising or all falling */
  readonly readings: readonly number[]
}

/** `steps` equal steps by the dial from local time `start` to `end`. */
export function evenReadings(dial: Dial, start: number, end: number, steps: number): number[] {
  const [from, to] = [dial.reading(start), dial.reading(end)]
  const width = (to - from) / steps
  return Array.from({ length: steps + 1 }, (_, k) => (k === steps ? to : from + k * width))
}

/** The evaluations of each stretch; a stretch begins where the one before ended. */
export function evaluationsOf(method: Method, stretches: readonly Stretch[]): Evaluation[][] {
  switch (method.kind) {
    case 'runge-kutta':
      return stretches.map((stretch) => rungeKuttaSteps(method.tableau, stretch))
    case 'multistep':
      return adamsBashforth(stretches)
    case 'rotation':
      return stretches.map(rotations)
    case 'adaptive':
      throw new LocalFlowError('An adaptive method finds its steps while it goes; it has no list of evaluations.')
  }
}

/** Equal steps in the local time of one sub-flow. */
export const localSteps = (method: Method, start: number, end: number, steps: number): Evaluation[] =>
  evaluationsOf(method, [{ network: 0, dial: localDial, readings: evenReadings(localDial, start, end, steps) }])[0]

/** A step: where it begins, its width, and the instant at a share of it. */
interface StepOf {
  readonly start: number
  readonly width: number
  at(node: number): Instant
}

/** Step k by the dial. */
function byDial({ dial, readings }: Stretch, k: number): StepOf {
  const [start, end] = [readings[k], readings[k + 1]]
  const width = end - start
  return { start, width, at: (node) => dial.instant(node === 1 ? end : start + node * width) }
}

/** The same step by the sub-flow's own angle: where an evaluation falls on a place at which the clock's rate is infinite. */
function byOwn({ network, dial, readings }: Stretch, k: number): StepOf {
  const ends = [readings[k], readings[k + 1]].map((reading) => dial.own!.reading(dial.instant(reading).time))
  return byDial({ network, dial: dial.own!, readings: ends }, 0)
}

/** k of an evaluation, and the point that the network sees. */
const evaluationAt = (network: number, { time, rate, size, growth }: Instant) => ({
  network,
  time,
  factor: rate / size,
  // −u·growth·rate, of x = size·u
  own: growth === 0 ? 0 : (-growth * rate) / size,
  place: size,
})

function rungeKuttaSteps(tableau: Tableau, stretch: Stretch): Evaluation[] {
  const steps = stretch.readings.length - 1
  return Array.from({ length: steps }, (_, k) => {
    const step = byDial(stretch, k)
    const finite = tableau.nodes.every((node) => Number.isFinite(step.at(node).rate))
    return rungeKuttaStep(tableau, stretch.network, finite ? step : byOwn(stretch, k))
  }).flat()
}

function rungeKuttaStep({ name, nodes, a, weights }: Tableau, network: number, { width, at }: StepOf): Evaluation[] {
  return nodes.map((node, s) => {
    const ends = s === nodes.length - 1
    const next = ends ? [] : a[s + 1]
    if (next.slice(0, -1).some((coefficient) => coefficient !== 0)) {
      throw new LocalFlowError(
        `${name}: a stage starts from other stages than the one before, which no integrator does.`,
      )
    }
    const reach = ends ? 0 : next[s] * width
    return { ...evaluationAt(network, at(node)), share: weights[s] * width, reach, ends, carry: 0 }
  })
}

/**
 * DDIM (Song, Meng and Ermon 2021). By the chain's angle the state is u = cos Θ x̂ + sin Θ ẑ, and du/dΘ = −sin Θ x̂ + cos Θ ẑ, with
 * the denoised point x̂ and the noise ẑ that the velocity implies. While they stay, a step of width w is a rotation:
 * u cos w + (du/dΘ) sin w. A step that begins where the clock's rate is infinite is a midpoint step by the sub-flow's own angle,
 * and so are steps that do not go by the angle, inside a sub-flow.
 */
function rotations(stretch: Stretch): Evaluation[] {
  const { network, dial, readings } = stretch
  return readings.slice(0, -1).flatMap((_, k): Evaluation[] => {
    const { width, at } = byDial(stretch, k)
    const instant = at(0)
    if (!dial.own) return rungeKuttaStep(midpoint, network, byDial(stretch, k))
    if (!Number.isFinite(instant.rate)) return rungeKuttaStep(midpoint, network, byOwn(stretch, k))
    const evaluation = evaluationAt(network, instant)
    const sine = Math.sin(width) / width
    // (cos w − 1)/w, without cancellation
    const turn = (-2 * Math.sin(width / 2) ** 2) / width
    const factor = evaluation.factor * sine
    const own = evaluation.own * sine + turn / evaluation.place
    return [{ ...evaluation, factor, own, share: width, reach: 0, ends: true, carry: 0 }]
  })
}

/** An evaluation that the next step may use too: where it was, and the unit of its k by the dial. */
interface Remembered {
  readonly evaluation: { -readonly [key in keyof Evaluation]: Evaluation[key] }
  readonly at: number
  readonly unit: number
}

/**
 * Two-step Adams–Bashforth with variable steps: a step of width w takes w·k + (w²/2d)(k − k′), of k at its start and of k′ at the
 * distance d before it. The first step, and the first of a sub-flow at whose border the derivative is not smooth, is Euler's; a
 * step that begins where the clock's rate is infinite is a midpoint step by the sub-flow's own angle.
 */
function adamsBashforth(stretches: readonly Stretch[]): Evaluation[][] {
  let before: Remembered | null = null
  return stretches.map((stretch) => {
    const { network, dial, readings } = stretch
    if (!dial.joined) before = null
    return readings.slice(0, -1).flatMap((_, k): Evaluation[] => {
      const { start, width, at } = byDial(stretch, k)
      const instant = at(0)
      if (!Number.isFinite(instant.rate)) {
        const [first, middle] = rungeKuttaStep(midpoint, network, byOwn(stretch, k))
        const reading = dial.reading(middle.time)
        // k was by the own angle: dφ/dΘ is the ratio of the rates
        const unit = dial.instant(reading).rate / dial.own!.instant(dial.own!.reading(middle.time)).rate
        before = { evaluation: middle, at: reading, unit }
        return [first, middle]
      }
      const lean = before ? width / (2 * (start - before.at)) : 0
      if (before) before.evaluation.carry = -width * lean * before.unit
      const share = width * (1 + lean)
      const evaluation = { ...evaluationAt(network, instant), share, reach: 0, ends: true, carry: 0 }
      before = { evaluation, at: start, unit: 1 }
      return [evaluation]
    })
  })
}
