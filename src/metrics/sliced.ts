/**
 * The sliced Wasserstein distance (Rabin et al. 2011; Bonneel et al. 2015): rows of both sets are projected on directions that
 * are uniform on the sphere, on each the distance is that of sorted numbers, and the directions' mean is taken of p-th powers:
 *
 *     SW_p(a, b) = ( mean over θ of W_p(θ·a, θ·b)^p )^{1/p},   W_p(u, v)^p = ∫₀¹ |F_u⁻¹(q) − F_v⁻¹(q)|^p dq
 *
 * so that the result has the data's unit. Some libraries leave out the root, or take the mean after it.
 */

import { invalid } from '../errors.js'
import { RandomStream, streams } from '../random/stream.js'
import { type Rows, rowCount } from './rows.js'

/** Which power the distance has, and along what it is measured. */
export interface SlicedOptions {
  /** at least 1; default 2 */
  p?: number
  /** directions; default 64. In one dimension one is enough and is what is taken */
  directions?: number
  /** of the directions: the same seed compares every pair of sets along the same ones; default 0 */
  seed?: number
}

/**
 * SW_p of two sets of rows, [n, d] and [m, d]; n and m may differ. Costs directions · (n + m) · (d + log n).
 *
 * @returns in the unit of the data. Even two sets of one distribution are some way apart: see samplingFloor
 * @throws InvalidArgumentError for no rows or rows of another width, DataError for values that are not finite
 */
export function slicedWasserstein(a: Rows, b: Rows, d: number, options: SlicedOptions = {}): number {
  const { p = 2, directions = 64, seed = 0 } = options
  const [n, m] = [rowCount('a', a, d), rowCount('b', b, d)]
  if (!(p >= 1 && Number.isFinite(p))) throw invalid('p', 'a number of at least 1', p)
  if (!Number.isInteger(directions) || directions < 1)
    throw invalid('directions', 'a whole number, at least 1', directions)
  const random = new RandomStream(seed, streams.metric)
  const [u, v] = [new Float64Array(n), new Float64Array(m)]
  const count = d === 1 ? 1 : directions
  let sum = 0
  for (let k = 0; k < count; k++) {
    const direction = d === 1 ? Float64Array.of(1) : unitVector(random.row(k), d)
    project(a, direction, u)
    project(b, direction, v)
    sum += wassersteinPower(u.sort(), v.sort(), p)
  }
  return (sum / count) ** (1 / p)
}

/** A direction that is uniform on the sphere. */
function unitVector(random: RandomStream, d: number): Float64Array {
  const vector = Float64Array.from({ length: d }, () => random.normal())
  const length = Math.sqrt(vector.reduce((sum, x) => sum + x * x, 0))
  return vector.map((x) => x / length)
}

function project(rows: Rows, direction: Float64Array, out: Float64Array): void {
  const d = direction.length
  for (let i = 0, at = 0; i < out.length; i++, at += d) {
    let sum = 0
    for (let k = 0; k < d; k++) sum += rows[at + k] * direction[k]
    out[i] = sum
  }
}

/** W_p^p of sorted numbers, each of weight 1/n or 1/m: their quantile functions are steps, which meet at i/n and j/m. */
function wassersteinPower(u: Float64Array, v: Float64Array, p: number): number {
  const [n, m] = [u.length, v.length]
  let sum = 0
  // weights in units of 1/(n m), so that whole numbers say where steps end
  for (let i = 0, j = 0, at = 0; i < n; ) {
    const [uEnd, vEnd] = [(i + 1) * m, (j + 1) * n]
    const end = Math.min(uEnd, vEnd)
    const apart = Math.abs(u[i] - v[j])
    sum += (end - at) * (p === 2 ? apart * apart : apart ** p)
    at = end
    if (uEnd === end) i++
    if (vEnd === end) j++
  }
  return sum / (n * m)
}
