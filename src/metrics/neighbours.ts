/**
 * Nearest neighbours by Euclidean distance, and what is measured with them: precision and recall of a set of samples
 * (Kynkäänniemi et al. 2019), and the training rows that are nearest to a sample.
 */

import { InvalidArgumentError } from '../errors.js'
import type { Rows } from './rows.js'

/** Squared distances of row i of a to rows of b, [m]. */
function distancesTo(a: Rows, i: number, b: Rows, d: number, out: Float64Array): void {
  const at = i * d
  const whole = d - (d % 4)
  for (let j = 0; j < out.length; j++) {
    const from = j * d
    // four sums, so that no addition waits for the one before
    let [s0, s1, s2, s3] = [0, 0, 0, 0]
    for (let k = 0; k < whole; k += 4) {
      const d0 = a[at + k] - b[from + k]
      const d1 = a[at + k + 1] - b[from + k + 1]
      const d2 = a[at + k + 2] - b[from + k + 2]
      const d3 = a[at + k + 3] - b[from + k + 3]
      s0 += d0 * d0
      s1 += d1 * d1
      s2 += d2 * d2
      s3 += d3 * d3
    }
    for (let k = whole; k < d; k++) s0 += (a[at + k] - b[from + k]) ** 2
    out[j] = s0 + s1 + (s2 + s3)
  }
}

/** The k least of a list of numbers, with their places, least first. */
function least(values: Float64Array, k: number): { index: number; value: number }[] {
  const found: { index: number; value: number }[] = []
  for (let index = 0; index < values.length; index++) {
    const value = values[index]
    if (found.length === k && value >= found[k - 1].value) continue
    let place = found.length
    while (place > 0 && found[place - 1].value > value) place--
    found.splice(place, 0, { index, value })
    if (found.length > k) found.pop()
  }
  return found
}

/** For each row of `queries` [q, d] the k rows of `rows` [n, d] that are nearest, nearest first: their numbers, [q][k]. */
export function nearestRows(queries: Rows, rows: Rows, d: number, k: number): number[][] {
  const distances = new Float64Array(rows.length / d)
  return Array.from({ length: queries.length / d }, (_, i) => {
    distancesTo(queries, i, rows, d, distances)
    return least(distances, k).map(({ index }) => index)
  })
}

/** Shares from 0 to 1. */
export interface PrecisionRecall {
  /** share of samples that lie in the data's manifold: are they good? */
  precision: number
  /** share of data that lie in the samples' manifold: is everything there? */
  recall: number
}

/**
 * Precision and recall: the manifold of a set is the union of balls about its points, each as large as the distance to
 * the point's k-th nearest neighbour in the set.
 *
 * @param data features [n, d]; `samples` features [m, d]
 * @param k default 3
 */
export async function precisionRecall(
  data: Float32Array,
  samples: Float32Array,
  d: number,
  k = 3,
): Promise<PrecisionRecall> {
  const fewest = Math.min(data.length, samples.length) / d
  if (fewest <= k)
    throw new InvalidArgumentError(`Precision and recall need more than ${k} rows, but there are ${fewest}.`)
  const [dataRadii, sampleRadii] = [await radii(data, d, k), await radii(samples, d, k)]
  return {
    precision: await shareInside(samples, data, dataRadii, d),
    recall: await shareInside(data, samples, sampleRadii, d),
  }
}

/** Rows after which the event loop may turn. */
const ROWS_A_TURN = 64
const turn = (i: number): Promise<void> | undefined =>
  i % ROWS_A_TURN === 0 ? new Promise((resolve) => setImmediate(resolve)) : undefined

/** Squared distance of each row to its k-th neighbour among the others. */
async function radii(rows: Float32Array, d: number, k: number): Promise<Float64Array> {
  const n = rows.length / d
  const distances = new Float64Array(n)
  const result = new Float64Array(n)
  for (let i = 0; i < n; i++) {
    await turn(i)
    distancesTo(rows, i, rows, d, distances)
    // the row itself is the nearest
    result[i] = least(distances, k + 1)[k].value
  }
  return result
}

/** Share of `points` that are in some ball about a row of `centres`. */
async function shareInside(
  points: Float32Array,
  centres: Float32Array,
  squaredRadii: Float64Array,
  d: number,
): Promise<number> {
  const n = points.length / d
  const distances = new Float64Array(squaredRadii.length)
  let inside = 0
  for (let i = 0; i < n; i++) {
    await turn(i)
    distancesTo(points, i, centres, d, distances)
    if (distances.some((distance, j) => distance <= squaredRadii[j])) inside++
  }
  return inside / n
}
