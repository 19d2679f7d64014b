/**
 * Column standardisation, y = (x − μ)/σ with μ and σ of the training part. The model learns y; a log-likelihood of x is
 * log p(x) = log p(y) − Σ log σ.
 */

import { DataError, InvalidArgumentError, invalid } from '../errors.js'
import { columnName, type Tensor } from './tensor.js'

/** Mean and standard deviation (divided by n) of each column; plain numbers, stored with a model as JSON. */
export interface Scaler {
  /** μ of each column, [d] */
  mean: number[]
  /** σ of each column, [d], above 0 */
  std: number[]
}

/**
 * The scaler of a training set.
 *
 * @param x [n, d]
 * @param columns names for messages
 * @throws DataError naming a column whose values are all the same; InvalidArgumentError where x is not two-dimensional
 */
export function fitScaler(x: Tensor, columns?: readonly string[] | null): Scaler {
  if (x.shape.length !== 2) throw invalid('shape of the data to standardise', 'two-dimensional, [n, d]', x.shape)
  const [n, d] = x.shape
  const mean = new Array<number>(d).fill(0)
  const std = new Array<number>(d).fill(0)
  for (let j = 0; j < d; j++) {
    let low = Infinity
    let high = -Infinity
    for (let i = 0; i < n; i++) {
      const value = x.values[i * d + j]
      mean[j] += value
      low = Math.min(low, value)
      high = Math.max(high, value)
    }
    if (low === high) {
      throw new DataError(
        `${columnName(j, columns)} is constant: each of the ${n} training rows has ${low}. ` +
          'A constant column has no density; leave it out (data.columns).',
      )
    }
    mean[j] /= n
    for (let i = 0; i < n; i++) std[j] += (x.values[i * d + j] - mean[j]) ** 2 / n
    std[j] = Math.sqrt(std[j])
  }
  return { mean, std }
}

/** Checks that rows have as many columns as the scaler and maps every value of column j by f(value, j). */
function mapColumns(scaler: Scaler, x: Tensor, f: (value: number, j: number) => number): Tensor {
  const d = scaler.mean.length
  if (x.shape.length !== 2 || x.shape[1] !== d) {
    throw new InvalidArgumentError(`The data must be rows of ${d} columns, but their shape is [${x.shape.join(', ')}].`)
  }
  return { values: Float32Array.from(x.values, (value, i) => f(value, i % d)), shape: x.shape }
}

/** Data units to standardised ones: (x − μ)/σ, [n, d]. Throws InvalidArgumentError for another number of columns. */
export const applyScaler = (scaler: Scaler, x: Tensor): Tensor =>
  mapColumns(scaler, x, (value, j) => (value - scaler.mean[j]) / scaler.std[j])

/** Standardised units back to those of the data: μ + σy, [n, d]. Throws InvalidArgumentError for another number of columns. */
export const undoScaler = (scaler: Scaler, y: Tensor): Tensor =>
  mapColumns(scaler, y, (value, j) => scaler.mean[j] + scaler.std[j] * value)

/** Σ log σ, in nats: what a log-likelihood in standardised units loses in data units. */
export const logDeterminant = (scaler: Scaler): number => scaler.std.reduce((sum, sigma) => sum + Math.log(sigma), 0)
