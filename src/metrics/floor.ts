/**
 * The sampling floor of a distance: what it says of two sets that are both the truth, of the counts that are compared. A model
 * is as good as can be told where its samples' distance from the data comes down to it.
 */

import { InvalidArgumentError, invalid } from '../errors.js'
import { permutation } from '../random/stream.js'
import { type Rows, rowCount } from './rows.js'

/** Of how many rows a floor is that of, and how often it is measured. */
export interface FloorOptions {
  /** rows of the two sets; default half of the truth each */
  counts?: readonly [number, number]
  /** times that the truth is shuffled and parted anew; default 5 */
  repeats?: number
  /** of the shuffles; default 0 */
  seed?: number
}

/** What a distance says of two parts of one distribution. */
export interface SamplingFloor {
  /** over the repeats, in the distance's unit */
  mean: number
  /** over the repeats (divided by repeats − 1; 0 for one). They share rows, so that it says somewhat too little */
  std: number
  /** of each repeat */
  values: number[]
}

/**
 * A distance between disjoint parts of true rows, drawn without replacement.
 *
 * @param distance for instance `(a, b) => slicedWasserstein(a, b, d)`
 * @param truth [N, d], with at least as many rows as both counts together
 */
export async function samplingFloor(
  distance: (a: Rows, b: Rows) => number | Promise<number>,
  truth: Rows,
  d: number,
  options: FloorOptions = {},
): Promise<SamplingFloor> {
  const N = rowCount('the truth', truth, d, 2)
  const half = Math.floor(N / 2)
  const { counts = [half, half], repeats = 5, seed = 0 } = options
  const [n, m] = counts
  if (![n, m].every((count) => Number.isInteger(count) && count > 0))
    throw invalid('counts', 'two whole numbers, at least 1', counts)
  if (!Number.isInteger(repeats) || repeats < 1) throw invalid('repeats', 'a whole number, at least 1', repeats)
  if (n + m > N) {
    throw new InvalidArgumentError(
      `A sampling floor at ${n} against ${m} rows needs ${n + m} true rows, but there are ${N}; give smaller counts.`,
    )
  }
  const values: number[] = []
  for (let repeat = 0; repeat < repeats; repeat++) {
    const order = permutation(N, seed + repeat)
    const rows = pick(truth, order.subarray(0, n + m), d)
    values.push(await distance(rows.subarray(0, n * d), rows.subarray(n * d)))
  }
  const mean = values.reduce((sum, value) => sum + value, 0) / repeats
  const squares = values.reduce((sum, value) => sum + (value - mean) ** 2, 0)
  return { mean, std: repeats > 1 ? Math.sqrt(squares / (repeats - 1)) : 0, values }
}

/** Some rows, copied in an order. */
export function pick(rows: Rows, order: Uint32Array, d: number): Rows {
  const picked = rows.slice(0, order.length * d)
  order.forEach((from, i) => {
    picked.set(rows.subarray(from * d, (from + 1) * d), i * d)
  })
  return picked
}
