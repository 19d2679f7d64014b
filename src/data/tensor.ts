/**
 * The array that data sets, samples and latents are given in: n rows, each of the same shape, one after another.
 */

import { DataError, InvalidArgumentError, invalid, show } from '../errors.js'

/** Numbers of rows: float64 where float32 would merge values that a model tells apart (precision.ts), else float32. */
export type RowValues = Float32Array | Float64Array

/** Values in row-major order; `shape` is [n, …dims]. Uint8Array holds 8-bit pictures. */
export interface Tensor {
  /** one row after another, each in row-major order */
  values: RowValues | Uint8Array
  /** [n, …dims]: rows first */
  shape: readonly number[]
}

/** A matrix [n, d] in float64, row after row. */
export interface Matrix {
  readonly values: Float64Array
  readonly shape: readonly [number, number]
}

/** The number of values in one row: the product of all dimensions but the first. */
export const rowLength = (shape: readonly number[]): number => shape.slice(1).reduce((product, d) => product * d, 1)

/**
 * Whether the values are 8-bit pixels, which a model takes scaled to [−1, 1] (src/kernels/pool.ts): bytes in rows of more than
 * one dimension. Bytes in a table of columns are numbers like any others.
 */
export const holdsPixels = ({ values, shape }: Tensor): boolean => values instanceof Uint8Array && shape.length > 2

/** What a column is called in a message: its number from 0, and its name where it has one. */
export const columnName = (index: number, columns?: readonly string[] | null): string =>
  columns ? `column ${index} (${show(columns[index])})` : `column ${index}`

/**
 * Checks an array given by a caller.
 *
 * @param name what the array is called in messages
 * @throws InvalidArgumentError where it is no { values, shape } pair or the shape does not fit the values
 * @throws DataError for zero rows, and for NaN or infinity (row and column named, both from 0)
 */
export function checkTensor(name: string, x: unknown): asserts x is Tensor {
  const expected = '{ values: Float32Array | Float64Array | Uint8Array, shape: [n, ...dims] }'
  if (typeof x !== 'object' || x === null) throw invalid(name, expected, x)
  const { values, shape } = x as { values?: unknown; shape?: unknown }
  if (!(values instanceof Float32Array || values instanceof Float64Array || values instanceof Uint8Array)) {
    const kind = ArrayBuffer.isView(values) ? values.constructor.name : show(values)
    throw new InvalidArgumentError(
      `${name}.values must be a Float32Array, a Float64Array or a Uint8Array, but is ${kind}.`,
    )
  }
  const wholeNumbers = Array.isArray(shape) && shape.every((d) => Number.isSafeInteger(d) && d >= 0)
  if (!wholeNumbers || shape.length < 2 || shape.slice(1).includes(0)) {
    throw invalid(`${name}.shape`, 'a list of at least two whole numbers, rows first ([n, ...dims])', shape)
  }
  if (shape[0] === 0) throw new DataError(`${name} has zero rows; at least one is needed.`)
  const width = rowLength(shape)
  if (values.length !== shape[0] * width) {
    throw new InvalidArgumentError(
      `${name} has ${values.length} values, but its shape [${shape.join(', ')}] asks for ${shape[0] * width}.`,
    )
  }
  if (values instanceof Uint8Array) return
  const bad = values.findIndex((v) => !Number.isFinite(v))
  if (bad >= 0) {
    throw new DataError(
      `${name} holds ${values[bad]} in row ${Math.floor(bad / width)}, column ${bad % width} (both from 0); ` +
        'every value must be finite.',
    )
  }
}

/** Zeros of the type of other values; a Buffer, as files are read into, is bytes. */
export const emptyLike = (values: Tensor['values'], length: number): Tensor['values'] =>
  values instanceof Uint8Array
    ? new Uint8Array(length)
    : values instanceof Float64Array
      ? new Float64Array(length)
      : new Float32Array(length)

/** Rows `order[start]` … `order[end − 1]` of a tensor, copied. */
export function takeRows(x: Tensor, order: ArrayLike<number>, start: number, end: number): Tensor {
  const width = rowLength(x.shape)
  const values = emptyLike(x.values, (end - start) * width)
  for (let i = start; i < end; i++) {
    values.set(x.values.subarray(order[i] * width, (order[i] + 1) * width), (i - start) * width)
  }
  return { values, shape: [end - start, ...x.shape.slice(1)] }
}
