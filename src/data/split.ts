/**
 * Train, validation and test parts of a data set. A part is a count of rows (a whole number) or a fraction of them (a
 * number below 1). Training rows are taken from the front of the (shuffled) order, the test part from its end and the
 * validation part before that: so the test rows depend on the seed and on their own number alone, not on how much is
 * trained on.
 */

import { DataError } from '../errors.js'
import { permutation } from '../random/stream.js'
import { type Tensor, takeRows } from './tensor.js'

/** Counts (whole numbers), fractions (below 1), 0 for none; `train` left out: all rows that the others leave. */
export interface PartSizes {
  /** left out: all rows that the others leave */
  train?: number
  /** default 0 */
  validation?: number
  /** default 0 */
  test?: number
}

/** The parts of a data set, [rows, …dims] each. */
export interface Parts {
  /** what is learnt from */
  train: Tensor
  /** what settings are chosen by; null where there is none */
  validation: Tensor | null
  /** what a finished model is measured on; null where there is none */
  test: Tensor | null
}

/** How many of `rows` a count or a fraction is, rounded down. Throws DataError where a fraction gives no row. */
export function partCount(name: string, size: number, rows: number): number {
  if (size >= 1 || size === 0) return size
  // A little more than nothing keeps 0.3 of 10 rows from being 2.
  const part = Math.floor(size * rows + 1e-9)
  if (part === 0) throw new DataError(`${name}: ${size} of ${rows} rows is less than one row.`)
  return part
}

/**
 * How many rows each part gets of `rows`. A fraction is rounded down.
 *
 * @throws DataError where a fraction gives no row, no row is left to train on, or more rows are asked for than there are
 */
export function partCounts(rows: number, { train, validation = 0, test = 0 }: PartSizes): Required<PartSizes> {
  const count = (name: string, size: number): number => partCount(name, size, rows)
  const counts = { validation: count('validation', validation), test: count('test', test) }
  const left = rows - counts.validation - counts.test
  const all = { train: train === undefined ? left : count('train', train), ...counts }
  if (all.train < 1 || all.train > left) {
    const asked = `train ${train === undefined ? 'the rest' : all.train}, validation ${all.validation}, test ${all.test}`
    throw new DataError(`The data have ${rows} rows, too few for the parts asked for: ${asked}.`)
  }
  return all
}

/** Numbers of the rows of each part, in the order that they come in; none for a part that there is not. */
export type PartRows = { readonly [part in keyof Parts]: Uint32Array }

/**
 * Which rows each part has of n.
 *
 * @param seed order of the rows, where they are shuffled
 * @param shuffle default true; false keeps the order of the file (train first, test last)
 * @throws DataError as partCounts does
 */
export function partRows(
  rows: number,
  sizes: PartSizes,
  { seed, shuffle = true }: { seed: number; shuffle?: boolean },
): PartRows {
  const { train, validation, test } = partCounts(rows, sizes)
  const order = shuffle ? permutation(rows, seed) : Uint32Array.from({ length: rows }, (_, i) => i)
  const testStart = rows - test
  return {
    train: order.subarray(0, train),
    validation: order.subarray(testStart - validation, testStart),
    test: order.subarray(testStart),
  }
}

/** Numbers of rows in an order that the seed gives. */
export function shuffledRows(rows: Uint32Array, seed: number): Uint32Array {
  return permutation(rows.length, seed).map((i) => rows[i])
}

/**
 * Splits rows into parts.
 *
 * @param seed order of the rows, where they are shuffled
 * @param shuffle default true; false keeps the order of the file (train first, test last)
 * @throws DataError as partCounts does
 */
export function split(x: Tensor, sizes: PartSizes, order: { seed: number; shuffle?: boolean }): Parts {
  const rows = partRows(x.shape[0], sizes, order)
  const part = (numbers: Uint32Array): Tensor => takeRows(x, numbers, 0, numbers.length)
  return {
    train: part(rows.train),
    validation: rows.validation.length > 0 ? part(rows.validation) : null,
    test: rows.test.length > 0 ? part(rows.test) : null,
  }
}
