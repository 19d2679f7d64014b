/** Rows as programs have them: typed arrays with a shape, lists of lists, or flat lists whose width is known. */

import { InvalidArgumentError, invalid, show } from '../errors.js'
import { checkTensor, type RowValues, rowLength, type Tensor } from './tensor.js'

/**
 * Rows that a program may give: { values, shape: [n, …dims] }; a list of rows, each a list of numbers; or all numbers one after
 * another, where it is known how many make a row.
 */
export type RowsLike =
  | Tensor
  | {
      /** one row after another */
      readonly values: readonly number[]
      /** [n, …dims] */
      readonly shape: readonly number[]
    }
  | readonly (readonly number[])[]
  | readonly number[]
  | RowValues

const forms =
  '{ values, shape: [n, ...dims] }, a list of rows ([[1, 2], [3, 4]]), or a Float32Array, Float64Array or list of numbers'

/**
 * The rows as a tensor of their own: the caller may change what it gave afterwards.
 *
 * @param name what they are called in messages
 * @param rowShape […dims] of a row, where it is known; a flat list needs it
 * @param remedy how a caller says it, for the message where it is not known
 * @throws InvalidArgumentError for anything else, for rows of unequal length, and for a flat list that is no whole number of
 *   rows; DataError for no rows and for values that are not finite
 */
export function rowsOf(
  name: string,
  given: RowsLike,
  rowShape: readonly number[] | null = null,
  remedy = 'give { values, shape: [n, d] }',
): Tensor {
  const x = tensorOf(name, given, rowShape, remedy)
  checkTensor(name, x)
  return x
}

function tensorOf(name: string, given: unknown, rowShape: readonly number[] | null, remedy: string): unknown {
  if (given instanceof Float32Array || given instanceof Float64Array) return flat(name, given, rowShape, remedy)
  if (Array.isArray(given)) {
    if (given.length > 0 && !Array.isArray(given[0])) return flat(name, numbers(name, given), rowShape, remedy)
    return listed(name, given)
  }
  if (ArrayBuffer.isView(given)) {
    throw new InvalidArgumentError(
      `${name} is a ${given.constructor.name}; it must be ${forms}. Pixels are { values: Uint8Array, shape: [n, C, H, W] }.`,
    )
  }
  if (typeof given !== 'object' || given === null || !('values' in given)) throw invalid(name, forms, given)
  const { values, shape } = given as { values: unknown; shape?: unknown }
  return {
    values: Array.isArray(values)
      ? numbers(`${name}.values`, values)
      : ArrayBuffer.isView(values)
        ? (values as Tensor['values']).slice()
        : values,
    shape: Array.isArray(shape) ? [...shape] : shape,
  }
}

function flat(name: string, values: RowValues, rowShape: readonly number[] | null, remedy: string): Tensor {
  if (!rowShape) {
    throw new InvalidArgumentError(
      `${name} is a flat list of ${values.length} numbers, and it is not known how many of them make a row: ${remedy}.`,
    )
  }
  const width = rowLength([1, ...rowShape])
  if (values.length % width !== 0) {
    throw new InvalidArgumentError(`${name} has ${values.length} numbers, which are no whole rows of ${width}.`)
  }
  return { values: values.slice(), shape: [values.length / width, ...rowShape] }
}

function numbers(name: string, list: readonly unknown[]): Float64Array {
  const bad = list.findIndex((value) => typeof value !== 'number')
  if (bad >= 0) throw new InvalidArgumentError(`${name}[${bad}] must be a number, but is ${show(list[bad])}.`)
  return Float64Array.from(list as readonly number[])
}

function listed(name: string, rows: readonly unknown[]): Tensor {
  const width = (rows[0] as readonly unknown[] | undefined)?.length ?? 1
  const values = new Float64Array(rows.length * width)
  rows.forEach((row, i) => {
    if (!Array.isArray(row)) {
      throw new InvalidArgumentError(
        `${name}[${i}] must be a list of ${width} numbers, as ${name}[0] is, but is ${show(row)}.`,
      )
    }
    if (row.length !== width) {
      throw new InvalidArgumentError(`${name}[${i}] has ${row.length} numbers, but ${name}[0] has ${width}.`)
    }
    values.set(numbers(`${name}[${i}]`, row), i * width)
  })
  return { values, shape: [rows.length, width] }
}
