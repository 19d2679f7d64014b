/**
 * Which numbers need float64. A model computes in float32 on standardised rows; what is lost before the mean is taken away and
 * the spread divided out is lost for good: unix times, about 1.7·10⁹, are 128 apart in float32. So rows stay float64 until
 * they are standardised wherever float32 would round by more than about 2⁻¹⁴ of a column's standard deviation, which is where a
 * column lies more than 2¹⁰ standard deviations from 0. Everything else is float32, at half the memory.
 */

import { columnName, type RowValues, type Tensor } from './tensor.js'

/** Standard deviations from 0 beyond which float32 is too coarse for a column. */
const FARTHEST = 1024
/** Standard deviations from 0 beyond which float32 has merged a float32 column's values: a step is 1/64 of the spread. */
const MERGED = 2 ** 18

interface ColumnScale {
  /** greatest magnitude */
  readonly most: number
  readonly mean: number
  readonly std: number
}

/** Of every column of [n, d]. */
export function columnScales({ values, shape: [n, d] }: Tensor): ColumnScale[] {
  return Array.from({ length: d }, (_, j) => {
    let [most, mean, squares] = [0, 0, 0]
    for (let i = j; i < values.length; i += d) {
      most = Math.max(most, Math.abs(values[i]))
      mean += values[i] / n
    }
    for (let i = j; i < values.length; i += d) squares += (values[i] - mean) ** 2 / n
    return { most, mean, std: Math.sqrt(squares) }
  })
}

/** float64 values as float32 where these hold all that a model could tell apart; columns alone, [n] or [n, d], may keep float64. */
export function narrowed({ values, shape }: Tensor): Tensor {
  if (!(values instanceof Float64Array)) return { values, shape }
  const exact = values.every((value) => Math.fround(value) === value)
  const matrix = { values, shape: shape.length === 1 ? [shape[0], 1] : shape }
  const coarse = !exact && matrix.shape.length === 2 && columnScales(matrix).some(isCoarse)
  return { values: coarse ? values : new Float32Array(values), shape }
}

const isCoarse = ({ most, std }: ColumnScale): boolean => std > 0 && most > FARTHEST * std

/** Room for n values in the units of the data that a scaler belongs to. */
export function roomFor({ mean, std }: { readonly mean: number[]; readonly std: number[] }, n: number): RowValues {
  return mean.some((value, j) => Math.abs(value) > FARTHEST * std[j]) ? new Float64Array(n) : new Float32Array(n)
}

/**
 * Rows of a file that is read in blocks, as exact as the model they are for can tell apart: what a block holds does not decide it.
 * @param scaler the model's; null: it takes float32
 */
export function asExactAs(
  scaler: { readonly mean: number[]; readonly std: number[] } | null,
  { values, shape }: Tensor,
): { values: RowValues; shape: readonly number[] } {
  const room = scaler ? roomFor(scaler, values.length) : new Float32Array(values.length)
  room.set(values)
  return { values: room, shape }
}

/** Root mean squares of a column between which a network learns well without standardising. */
const [LEAST, MOST] = [0.05, 20]

/** Sentences on rows [n, d] whose scale spoils training. `standardised`: whether each column is scaled before. */
export function scaleRemarks(x: Tensor, standardised: boolean, columns: readonly string[] | null): string[] {
  if (x.shape.length !== 2) return standardised ? [] : scaleOfAll(x)
  const scales = columnScales(x)
  if (standardised) {
    if (!(x.values instanceof Float32Array)) return []
    const merged = scales.findIndex(({ most, std }) => std > 0 && most > MERGED * std)
    if (merged < 0) return []
    return [
      `${columnName(merged, columns)} lies about ${scales[merged].mean.toPrecision(3)} with a standard deviation of ` +
        `${scales[merged].std.toPrecision(3)}, and came as float32, which has merged values that are closer than that allows: ` +
        'give them as a Float64Array.',
    ]
  }
  const far = scales.findIndex(({ mean, std }) => outside(Math.hypot(mean, std)))
  return far < 0 ? [] : [unscaled(columnName(far, columns), scales[far].mean, scales[far].std)]
}

const outside = (size: number): boolean => size > MOST || (size < LEAST && size > 0)

/** Rows of more than one dimension, pixels aside, have one scale. */
function scaleOfAll({ values, shape }: Tensor): string[] {
  if (values instanceof Uint8Array) return []
  const [{ mean, std }] = columnScales({ values, shape: [values.length, 1] })
  return outside(Math.hypot(mean, std)) ? [unscaled(`x [${shape.join(', ')}]`, mean, std)] : []
}

const unscaled = (what: string, mean: number, std: number): string =>
  `${what} has the mean ${mean.toPrecision(3)} and the standard deviation ${std.toPrecision(3)} and is not standardised: networks ` +
  'learn what lies about 0 with a spread of about 1, and samples will be far from such data. Set standardise, or scale them.'
