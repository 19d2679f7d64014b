/**
 * Classifier two-sample test (Lopez-Paz and Oquab 2017): a classifier is taught to tell the sets apart and tried on rows that
 * it has not seen. An accuracy of ½ says that it found no difference, 1 that every row gives its set away.
 *
 * The classifier is logistic regression with a ridge, which looks at *features* of a row: the columns, standardised by all rows
 * together; their squares; and the products of two, up to MOST_PAIRED columns. So it sees means, spreads and correlations,
 * and no finer structure: two sets with equal moments pass whatever their shape.
 */

import { invalid } from '../errors.js'
import { permutation } from '../random/stream.js'
import { minimise } from './minimise.js'
import { type Rows, rowCount, turn } from './rows.js'

/** What a classifier sees of a row: its columns; their squares as well; the products of two columns as well. */
export type TwoSampleFeatures = 'columns' | 'squares' | 'pairs'

/** What the classifier sees, and how it is tried. */
export interface TwoSampleOptions {
  /** columns alone; with their squares; with products of two as well. Default 'pairs' up to 20 columns, else 'squares' */
  features?: TwoSampleFeatures
  /** parts of the rows, each tried by a classifier that learnt from the others; default 5 */
  folds?: number
  /** of the parts; default 0 */
  seed?: number
}

/** How well two sets can be told apart. */
export interface TwoSample {
  /** mean of the two sets' shares of rows that were told right: ½ by chance, whatever the sets' sizes */
  accuracy: number
  /** accuracy's distance from ½ in standard errors of chance, √((1/n + 1/m)/16): above 1.64 at odds of 1 : 20, 2.33 of 1 : 100 */
  z: number
  /** features of a row that the classifier saw */
  features: number
}

/** Columns up to which products of two are features by default. */
const MOST_PAIRED = 20
const STEPS = 100

/**
 * Cross-validated accuracy at telling two sets of rows apart, [n, d] and [m, d]. Costs about folds · 100 · (n + m) · features.
 *
 * @throws InvalidArgumentError for fewer rows than folds or rows of another width, DataError for values that are not finite
 */
export async function classifierTwoSample(
  a: Rows,
  b: Rows,
  d: number,
  options: TwoSampleOptions = {},
): Promise<TwoSample> {
  const { features = d <= MOST_PAIRED ? 'pairs' : 'squares', folds = 5, seed = 0 } = options
  if (!Number.isInteger(folds) || folds < 2) throw invalid('folds', 'a whole number, at least 2', folds)
  const [n, m] = [rowCount('a', a, d, folds), rowCount('b', b, d, folds)]
  const x = expand(a, b, d, features)
  const F = x.length / (n + m)
  if (F === 0) return { accuracy: 0.5, z: 0, features: 0 }
  // each set is dealt out evenly, so that every fold has rows of both
  const fold = new Uint8Array(n + m)
  permutation(n, seed).forEach((row, place) => {
    fold[row] = place % folds
  })
  permutation(m, seed + 1).forEach((row, place) => {
    fold[n + row] = place % folds
  })
  const right = [0, 0]
  for (let k = 0; k < folds; k++) {
    await turn()
    const weights = logistic(x, n, F, (row) => fold[row] !== k)
    for (let row = 0; row < n + m; row++) {
      if (fold[row] !== k) continue
      const set = row < n ? 0 : 1
      const logit = score(x, row, F, weights)
      if (logit === 0) right[set] += 0.5
      else if (logit > 0 === (set === 1)) right[set]++
    }
  }
  const accuracy = (right[0] / n + right[1] / m) / 2
  return { accuracy, z: (accuracy - 0.5) / Math.sqrt((1 / n + 1 / m) / 16), features: F }
}

/** Features of the rows of both sets, [n + m, F], each of mean 0 and variance 1; those that never change are left out. */
function expand(a: Rows, b: Rows, d: number, features: TwoSampleFeatures): Float64Array {
  const columns = standardise(joined(a, b), d)
  const rows = (a.length + b.length) / d
  const width = columns.length / rows
  const squares = features === 'columns' ? 0 : width
  const pairs = features === 'pairs' ? (width * (width - 1)) / 2 : 0
  const F = width + squares + pairs
  const x = new Float64Array(rows * F)
  for (let row = 0; row < rows; row++) {
    const from = row * width
    let at = row * F
    for (let j = 0; j < width; j++) x[at++] = columns[from + j]
    for (let j = 0; j < squares; j++) x[at++] = columns[from + j] ** 2
    if (pairs === 0) continue
    for (let j = 0; j < width; j++) for (let k = 0; k < j; k++) x[at++] = columns[from + j] * columns[from + k]
  }
  return standardise(x, F)
}

function joined(a: Rows, b: Rows): Float64Array {
  const rows = new Float64Array(a.length + b.length)
  rows.set(a)
  rows.set(b, a.length)
  return rows
}

/** Columns as (x − mean)/std; a column is left out where its spread is no more than rounding. */
function standardise(x: Float64Array, d: number): Float64Array {
  const n = d === 0 ? 0 : x.length / d
  const mean = new Float64Array(d)
  const std = new Float64Array(d)
  for (let i = 0; i < x.length; i++) mean[i % d] += x[i] / n
  for (let i = 0; i < x.length; i++) std[i % d] += (x[i] - mean[i % d]) ** 2 / n
  const kept = Array.from({ length: d }, (_, j) => j).filter((j) => {
    std[j] = Math.sqrt(std[j])
    return std[j] > 1e-12 * Math.abs(mean[j])
  })
  const result = new Float64Array(n * kept.length)
  for (let row = 0, at = 0; row < n; row++) for (const j of kept) result[at++] = (x[row * d + j] - mean[j]) / std[j]
  return result
}

/** bias + w · x of a row; `weights` holds w, then the bias. */
function score(x: Float64Array, row: number, F: number, weights: Float64Array): number {
  let sum = weights[F]
  for (let k = 0, at = row * F; k < F; k++) sum += weights[k] * x[at + k]
  return sum
}

/**
 * Weights that minimise the mean of log(1 + e^{∓score}) over the two sets' rows that are taken, both sets counting alike, plus
 * |w|²/(2 rows). Set 0 is rows 0 … n − 1.
 */
function logistic(x: Float64Array, n: number, F: number, taken: (row: number) => boolean): Float64Array {
  const rows = Uint32Array.from({ length: x.length / F }, (_, i) => i).filter(taken)
  const first = rows.filter((row) => row < n).length
  const ridge = 1 / rows.length
  return minimise(F + 1, STEPS, (weights, gradient) => {
    let loss = 0
    for (let k = 0; k < F; k++) {
      loss += (ridge / 2) * weights[k] ** 2
      gradient[k] = ridge * weights[k]
    }
    gradient[F] = 0
    for (const row of rows) {
      const sign = row < n ? -1 : 1
      const weight = 0.5 / (row < n ? first : rows.length - first)
      const margin = sign * score(x, row, F, weights)
      // log(1 + e^{−margin}) without overflow
      const small = Math.exp(-Math.abs(margin))
      loss += weight * (Math.log1p(small) + Math.max(0, -margin))
      const slope = (-sign * weight * (margin > 0 ? small : 1)) / (1 + small)
      for (let k = 0, at = row * F; k < F; k++) gradient[k] += slope * x[at + k]
      gradient[F] += slope
    }
    return loss
  })
}
