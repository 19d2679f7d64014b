/**
 * Column standardisation, y = (x − μ)/σ with μ and σ of the training part. The model learns y; a log-likelihood of x is
 * log p(x) = log p(y) − Σ log σ.
 */

import { DataError, InvalidArgumentError, invalid } from '../errors.js'
import { roomFor } from './precision.js'
import { columnName, holdsPixels, type RowValues, rowLength, type Tensor } from './tensor.js'

/** Mean and standard deviation (divided by n) of each column; plain numbers, stored with a model as JSON. */
export interface Scaler {
  /** μ of each column, [d]; of rows of more dimensions one for each value of a row */
  mean: number[]
  /** σ of each column, [d], above 0; as the mean */
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
          'A constant column has no density; leave it out (in a config by data.columns).',
      )
    }
    mean[j] /= n
    for (let i = 0; i < n; i++) std[j] += (x.values[i * d + j] - mean[j]) ** 2 / n
    std[j] = Math.sqrt(std[j])
  }
  return { mean, std }
}

/**
 * Centre and half width of each column of a training set, so that it goes from −1 to 1.
 *
 * @param x [n, d]
 * @param columns names for messages
 * @throws as fitScaler
 */
function fitRange(x: Tensor, columns?: readonly string[] | null): Scaler {
  const { mean } = fitScaler(x, columns)
  const d = mean.length
  const low = new Array<number>(d).fill(Infinity)
  const high = new Array<number>(d).fill(-Infinity)
  for (let i = 0; i < x.values.length; i++) {
    low[i % d] = Math.min(low[i % d], x.values[i])
    high[i % d] = Math.max(high[i % d], x.values[i])
  }
  return { mean: low.map((from, j) => (from + high[j]) / 2), std: low.map((from, j) => (high[j] - from) / 2) }
}

/** How training rows are standardised: as they are, by mean and spread, to [−1, 1], or by a scaler of the caller's. */
export type Standardise = boolean | 'range' | Scaler

/**
 * The scaler that training rows are standardised by; null where they stay as they are. Of sequences [n, steps, channels] each
 * channel has one mean and spread, and stands in the scaler once for each step: its lists are as long as a row.
 *
 * @param x [n, …dims]
 * @param standardise true: by mean and spread of the rows; 'range': so that those of the training go from −1 to 1; a scaler: by its
 *   own. Left out: true for rows of columns, [n, d], false for all others, whose numbers have no scale of their own
 * @throws DataError for a constant column; InvalidArgumentError for a scaler of other rows
 */
export function scalerOf(
  x: Tensor,
  standardise: Standardise = x.shape.length === 2,
  columns?: readonly string[] | null,
): Scaler | null {
  if (standardise === false) return null
  const [n, steps, channels] = x.shape
  const sequences = x.shape.length === 3
  if (holdsPixels(x) || (x.shape.length !== 2 && !sequences)) {
    const only = 'rows of columns, [n, d], and sequences of numbers, [n, steps, channels]'
    throw invalid('standardise', `left out or false: only ${only}, are standardised`, standardise)
  }
  if (standardise === true || standardise === 'range') {
    const scaled = standardise === true ? fitScaler : fitRange
    if (!sequences) return scaled(x, columns)
    const { mean, std } = scaled({ values: x.values, shape: [n * steps, channels] })
    const all = (list: number[]): number[] => Array.from({ length: steps * channels }, (_, i) => list[i % channels])
    return { mean: all(mean), std: all(std) }
  }
  const d = rowLength(x.shape)
  const { mean, std } = (standardise ?? {}) as Partial<Scaler>
  const fits = (list: unknown, ok: (value: number) => boolean): boolean =>
    Array.isArray(list) && list.length === d && list.every((value) => Number.isFinite(value) && ok(value))
  if (!fits(mean, () => true) || !fits(std, (value) => value > 0)) {
    throw invalid('standardise', `true, false, 'range' or { mean, std } of ${d} numbers each, std above 0`, standardise)
  }
  return { mean: [...mean!], std: [...std!] }
}

/** Rows in units that the scaler has made or unmade; values of the type V. */
export interface ScaledRows<V extends RowValues = RowValues> {
  /** row-major */
  values: V
  /** [n, d], or [n, …dims] */
  shape: readonly number[]
}

/** Checks that rows have as many columns as the scaler; writes f(value, j) of every value of column j. */
function mapColumns<V extends RowValues>(
  scaler: Scaler,
  { values, shape }: Tensor,
  into: V,
  f: (value: number, j: number) => number,
): ScaledRows<V> {
  const d = scaler.mean.length
  if (rowLength(shape) !== d) {
    throw new InvalidArgumentError(`The data must be rows of ${d} columns, but their shape is [${shape.join(', ')}].`)
  }
  for (let i = 0; i < values.length; i++) into[i] = f(values[i], i % d)
  return { values: into, shape }
}

/**
 * Data units to standardised ones: (x − μ)/σ, [n, d], computed in float64 and rounded to float32 at the end. Throws
 * InvalidArgumentError for another number of columns.
 */
export const applyScaler = (scaler: Scaler, x: Tensor): ScaledRows<Float32Array> =>
  mapColumns(scaler, x, new Float32Array(x.values.length), (value, j) => (value - scaler.mean[j]) / scaler.std[j])

/**
 * Standardised units back to those of the data: μ + σy, [n, d]; a Float64Array where a column lies so far from 0 that float32
 * would merge its values. Throws InvalidArgumentError for another number of columns.
 */
export const undoScaler = (scaler: Scaler, y: Tensor): ScaledRows =>
  mapColumns(scaler, y, roomFor(scaler, y.values.length), (value, j) => scaler.mean[j] + scaler.std[j] * value)

/** Σ log σ, in nats: what a log-likelihood in standardised units loses in data units. */
export const logDeterminant = (scaler: Scaler): number => scaler.std.reduce((sum, sigma) => sum + Math.log(sigma), 0)
