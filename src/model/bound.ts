/**
 * The variational bound on log p(row) of a model that predicts levels. Such a model has no likelihood along its flow, whose velocity
 * has no bound at the data; but what it predicts, the expected row E[x₀ | x_Θ] at every angle Θ between the data and noise, makes a
 * diffusion as well, and that has one (Kingma, Salimans, Poole and Ho 2021, in continuous time). With x_Θ = x₀ cos Θ + ε sin Θ,
 *
 *     log p(row) ≥ E log p(row | x_Θ₀) − ∫_Θ₀^Θ_N E‖x₀ − E[x₀ | x_Θ]‖² cos Θ/sin³ Θ dΘ − KL(x_Θ_N ‖ N(0, I))
 *
 * for Θ₀ near the data, where a level is decoded by its predicted chance and a number by a normal of the spread tan Θ₀. It is an
 * equality where the predictions are the posterior's, up to Θ₀. The chances are of levels, and the densities of numbers as they are learnt.
 *
 * Where a state beside a number says that there is none, the row holds noise in its place, of which the network has learnt
 * nothing: there the expectation is that of N(0, 1), weighed by the chance that there is none, and the density of the noise is taken
 * off again, so that the bound is of what the row says.
 */

import type { SegmentTables } from '../kernels/segments.js'
import { type AngleRange, angleDial } from '../ode/clock.js'

/** Θ₀: noise of a fiftieth beside numbers of spread 1 and levels that lie further apart than that. */
export const FIRST_ANGLE = 0.02

/** A point of the integral. */
export interface BoundPoint {
  /** number of the stage that it lies in */
  readonly stage: number
  /** its local time there */
  readonly time: number
  /** x_t = A x₀ + B ε, and the rates of A and B */
  readonly signal: number
  readonly noise: number
  readonly signalRate: number
  readonly noiseRate: number
  /** what ‖x₀ − E[x₀ | x]‖² is weighed by; null: it is Θ₀, where the row is decoded */
  readonly weight: number | null
}

/**
 * Θ₀, and the midpoints of as many even pieces of u = log tan(Θ/2) as there are other evaluations: even in u, since near the data numbers
 * err by Θ and weigh 1/Θ³.
 */
export function boundPoints(stages: readonly AngleRange[], evaluations: number): BoundPoint[] {
  const end = stages[stages.length - 1].to
  const [from, to] = [FIRST_ANGLE, end].map((angle) => Math.log(Math.tan(angle / 2)))
  const step = (to - from) / (evaluations - 1)
  const angles = Array.from({ length: evaluations - 1 }, (_, k) => 2 * Math.atan(Math.exp(from + (k + 0.5) * step)))
  return [FIRST_ANGLE, ...angles].map((angle, k) => {
    const stage = Math.max(
      0,
      stages.findIndex(({ to }) => angle <= to),
    )
    const range = stages[stage]
    const { time } = angleDial(range).instant(angle)
    const { signal, noise, signalRate, noiseRate } = range.path(time)
    const [cos, sin] = [Math.cos(range.from), Math.sin(range.from)]
    const spread = Math.hypot(signal * sin, noise)
    return {
      stage,
      time,
      signal: signal * cos,
      noise: spread,
      signalRate: signalRate * cos,
      noiseRate: (signal * signalRate * sin * sin + noise * noiseRate) / spread,
      // dΘ = sin Θ du
      weight: k === 0 ? null : (step * Math.cos(angle)) / Math.sin(angle) ** 2,
    }
  })
}

/** log N(z; 0, 1) */
const standardLog = (z: number): number => -(z * z + Math.log(2 * Math.PI)) / 2

/** What the points add up to for rows of the same table, one point after another. */
export class BoundSum {
  /** [rows] so far */
  readonly bounds: Float64Array
  private readonly chances: Float64Array

  /**
   * @param rows [n, D] as the model takes them
   * @param end Θ_N, where the chain ends
   */
  constructor(
    private readonly segments: SegmentTables,
    private readonly rows: ArrayLike<number>,
    end: number,
  ) {
    const D = segments.scale.length
    this.bounds = new Float64Array(rows.length / D)
    this.chances = new Float64Array(D)
    const [cos, sin] = [Math.cos(end), Math.sin(end)]
    for (let i = 0; i < rows.length; i++) {
      const row = Math.floor(i / D)
      // KL of N(x cos Θ, sin² Θ) from N(0, 1): nothing where the chain ends in noise
      this.bounds[row] -= ((cos * rows[i]) ** 2 + sin * sin - 1) / 2 - Math.log(sin)
    }
    for (let row = 0; row < this.bounds.length; row++) {
      for (let s = 0; s < segments.gates.length; s++) {
        if (this.absent(row, s)) this.bounds[row] -= standardLog(rows[row * D + segments.starts[s]])
      }
    }
  }

  /** Whether the row's state says that it has no number in segment s. */
  private absent(row: number, s: number): boolean {
    const { gates, scale, centre } = this.segments
    const [D, gate] = [scale.length, gates[s]]
    return gate < D && this.rows[row * D + gate] / scale[gate] + centre[gate] < 0.5
  }

  /**
   * Adds a point.
   * @param x [n, D] states there
   * @param out [n, D] what the network says of them: logits of categories, velocities of numbers
   */
  add(
    { signal, noise, signalRate, noiseRate, weight }: BoundPoint,
    x: ArrayLike<number>,
    out: ArrayLike<number>,
  ): void {
    const { starts, gates, scale, centre } = this.segments
    const { chances, rows } = this
    const D = scale.length
    const ofState = noiseRate / noise
    const ofEnd = signalRate - signal * ofState
    // where there is no number, x is of the variance A² + B²
    const square = signal * signal + noise * noise
    const spread = noise / signal
    const known = (signal * noise) / square
    for (let row = 0; row < this.bounds.length; row++) {
      const at = row * D
      let [errors, decoded] = [0, 0]
      for (let s = 0; s < gates.length; s++) {
        const [first, next] = [starts[s], starts[s + 1]]
        if (next - first === 1) continue
        softmax(out, at, first, next, chances)
        for (let d = first; d < next; d++) {
          const there = rows[at + d] / scale[d] + centre[d]
          errors += (scale[d] * (chances[d] - there)) ** 2
          if (there > 0.5) decoded += Math.log(Math.max(chances[d], Number.MIN_VALUE))
        }
      }
      for (let s = 0; s < gates.length; s++) {
        const d = starts[s]
        if (starts[s + 1] - d !== 1) continue
        const state = x[at + d]
        const number = rows[at + d]
        const predicted = (out[at + d] - ofState * state) / ofEnd
        const none = (signal / square) * state
        const chance = gates[s] < D ? chances[gates[s]] : 1
        errors += (number - chance * predicted - (1 - chance) * none) ** 2
        // of a normal the error is mostly that of the noise, whose square is 1 in the mean: taking off what it has more leaves less chance
        const more = ((state - signal * number) / noise) ** 2 - 1
        errors -= known * known * more
        const [mean, deviation] = this.absent(row, s) ? [none, noise / Math.sqrt(square)] : [predicted, spread]
        decoded += standardLog((number - mean) / deviation) - Math.log(deviation) + more / 2
      }
      this.bounds[row] += weight === null ? decoded : -weight * errors
    }
  }
}

function softmax(out: ArrayLike<number>, at: number, first: number, next: number, chances: Float64Array): void {
  let top = Number.NEGATIVE_INFINITY
  for (let d = first; d < next; d++) top = Math.max(top, out[at + d])
  let sum = 0
  for (let d = first; d < next; d++) {
    chances[d] = Math.exp(out[at + d] - top)
    sum += chances[d]
  }
  for (let d = first; d < next; d++) chances[d] /= sum
}
