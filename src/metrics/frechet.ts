/**
 * The Fréchet distance between two Gaussians, and FID (Heusel et al. 2017), which is that of the Gaussians with the moments of
 * two sets' features: |m₁ − m₂|² + tr(S₁ + S₂ − 2 (S₁ S₂)^½). The trace of the root is Σ √λ over the eigenvalues of
 * S₁^½ S₂ S₁^½, which is symmetric, so that a singular covariance needs no care. All in float64.
 */

import { InvalidArgumentError } from '../errors.js'
import { symmetricEigen } from './eigen.js'
import { type Rows, rowCount } from './rows.js'

/** Mean [d] and covariance [d, d] (divided by n − 1, as NumPy's cov does). */
export interface Moments {
  /** [d] */
  mean: Float64Array
  /** [d, d], row-major */
  covariance: Float64Array
}

/** A guess of the mean, corrected by the mean of what the rows have above it. */
function addMean(values: Rows, guess: Float64Array): Float64Array {
  const d = guess.length
  const n = values.length / d
  const above = new Float64Array(d)
  for (let i = 0; i < values.length; i += d) for (let j = 0; j < d; j++) above[j] += (values[i + j] - guess[j]) / n
  return above.map((value, j) => guess[j] + value)
}

/**
 * Rows that are all alike have a covariance of exact zeros.
 *
 * @param values [n, d]
 * @throws InvalidArgumentError for fewer than two rows or rows of another width, DataError for values that are not finite
 */
export function momentsOf(values: Rows, d: number): Moments {
  const n = rowCount('the set whose covariance is asked for', values, d, 2)
  // the second pass corrects what the first one rounded
  const mean = addMean(values, addMean(values, new Float64Array(d)))
  const covariance = new Float64Array(d * d)
  const centred = new Float64Array(d)
  for (let i = 0; i < values.length; i += d) {
    for (let j = 0; j < d; j++) centred[j] = values[i + j] - mean[j]
    for (let j = 0; j < d; j++) {
      const own = centred[j] / (n - 1)
      for (let k = 0; k <= j; k++) covariance[j * d + k] += own * centred[k]
    }
  }
  for (let j = 0; j < d; j++) for (let k = 0; k < j; k++) covariance[k * d + j] = covariance[j * d + k]
  return { mean, covariance }
}

/**
 * The squared Fréchet (2-Wasserstein) distance between Gaussians of these moments; tiny negative results are 0.
 *
 * @throws InvalidArgumentError where the moments are of different widths, or not finite
 */
export function frechetDistance(a: Moments, b: Moments): number {
  const d = a.mean.length
  for (const [name, { mean, covariance }] of [['first', a] as const, ['second', b] as const]) {
    if (mean.length !== d || covariance.length !== d * d) {
      throw new InvalidArgumentError(
        `A Fréchet distance needs moments of one width, but the first mean has ${d} values and the ${name} set's moments ` +
          `have ${mean.length} and ${covariance.length}.`,
      )
    }
    for (const values of [mean, covariance]) {
      const bad = values.find((value) => !Number.isFinite(value))
      if (bad === undefined) continue
      const what = values === mean ? 'mean' : 'covariance'
      throw new InvalidArgumentError(
        `A Fréchet distance needs finite moments, but the ${name} set's ${what} holds ${bad}.`,
      )
    }
  }
  let distance = 0
  for (let i = 0; i < d; i++) {
    distance += (a.mean[i] - b.mean[i]) ** 2 + a.covariance[i * d + i] + b.covariance[i * d + i]
  }
  const { values } = symmetricEigen(between(a.covariance, b.covariance, d), d, false)
  return Math.max(0, distance - 2 * values.reduce((sum, value) => sum + Math.sqrt(Math.max(0, value)), 0))
}

/** Λ^½ Qᵀ B Q Λ^½ where A = Q Λ Qᵀ: has the eigenvalues of A^½ B A^½. */
function between(A: Float64Array, B: Float64Array, d: number): Float64Array {
  const { values, vectors } = symmetricEigen(A, d)
  // rows of R are the eigenvectors, each times the root of its eigenvalue
  const R = new Float64Array(d * d)
  for (let i = 0; i < d; i++) {
    const root = Math.sqrt(Math.max(0, values[i]))
    for (let k = 0; k < d; k++) R[i * d + k] = root * vectors![k * d + i]
  }
  return timesTransposed(timesTransposed(R, B, d), R, d)
}

/** X Yᵀ, [d, d]; B of `between` is symmetric, so that R B is R Bᵀ. */
function timesTransposed(X: Float64Array, Y: Float64Array, d: number): Float64Array {
  const result = new Float64Array(d * d)
  for (let i = 0; i < d; i++) {
    for (let j = 0; j < d; j++) {
      let sum = 0
      for (let k = 0; k < d; k++) sum += X[i * d + k] * Y[j * d + k]
      result[i * d + j] = sum
    }
  }
  return result
}

/** FID of two sets of features, [n, d] and [m, d]. */
export const fid = (a: Rows, b: Rows, d: number): number => frechetDistance(momentsOf(a, d), momentsOf(b, d))

/** Samples for each feature below which FID's bias is worth a word: 2048 features ask for the usual 40 000 to 50 000. */
const SAMPLES_A_FEATURE = 20

/**
 * Why an FID of n samples in d features should be taken with care, in a sentence; null where there are many. FID of a finite
 * sample is too high, by an amount that falls as 1/n and differs from model to model (Chong and Forsyth 2020).
 */
export function fidCaution(n: number, d: number): string | null {
  if (n >= SAMPLES_A_FEATURE * d) return null
  const singular = n <= d ? " With no more samples than features the samples' covariance is singular." : ''
  return (
    `FID of ${n} samples in ${d} features is too high, by an amount that differs from model to model: compare it at equal ` +
    `counts alone, beside that of the data; ${SAMPLES_A_FEATURE * d} samples make the excess small.${singular}`
  )
}
