/** A model whose networks predict choices: which path the end of each stage has, and the networks with that. */

import type { SegmentTables } from '../kernels/segments.js'
import { choicesNetwork } from '../networks/choices/choices.js'
import type { Network } from '../networks/network.js'
import type { AngleRange } from '../ode/clock.js'

/** Knots of a path's table, between which it is linear: five digits of a quarter of a circle. */
const KNOTS = 257

/**
 * A, B, A′, B′ of the path from an encoded row x to noise, x_t = A x + B ε, inside a stage whose left ends are the process's image
 * of the data at the angle Θ: with x_l = x cos Θ + z′ sin Θ and x_t = a x_l + b z, A = a cos Θ and B² = a² sin² Θ + b².
 */
function pathOfEnd({ from, path }: AngleRange): number[] {
  const [cos, sin] = [Math.cos(from), Math.sin(from)]
  return Array.from({ length: KNOTS }, (_, k) => {
    const { signal, noise, signalRate, noiseRate } = path(k / (KNOTS - 1))
    const spread = Math.hypot(signal * sin, noise)
    // at the data, where nothing is noise yet, it grows as the path's own
    const spreadRate = spread === 0 ? noiseRate : (signal * signalRate * sin * sin + noise * noiseRate) / spread
    return [signal * cos, spread, signalRate * cos, spreadRate]
  }).flat()
}

/**
 * The velocity of a stage's network.
 * @param angle where the stage lies on the chain's
 * @param fills whether the network is told which numbers of a row are given
 */
export const velocityOfChoices = (field: Network, segments: SegmentTables, angle: AngleRange, fills = false): Network =>
  choicesNetwork(field, { segments, path: pathOfEnd(angle), fills })
