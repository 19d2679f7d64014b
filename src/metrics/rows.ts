/** What the metrics of points take: n rows of d numbers, one after another, [n, d]. */

import { DataError, InvalidArgumentError, invalid } from '../errors.js'

export type Rows = Float32Array | Float64Array | Uint8Array

/**
 * The number of rows.
 *
 * @param name what the rows are called in messages
 * @throws InvalidArgumentError where the values are no whole rows of d, or fewer than `fewest`; DataError where one is not
 *   finite (its row and column, both from 0)
 */
export function rowCount(name: string, rows: Rows, d: number, fewest = 1): number {
  if (!Number.isInteger(d) || d < 1) throw invalid('d', 'a whole number of columns, at least 1', d)
  const n = rows.length / d
  if (!Number.isInteger(n)) {
    throw new InvalidArgumentError(`${name} has ${rows.length} values, which are no whole rows of ${d}.`)
  }
  if (n < fewest)
    throw new InvalidArgumentError(`${name} has ${n} ${n === 1 ? 'row' : 'rows'}; at least ${fewest} are needed.`)
  if (!(rows instanceof Uint8Array)) {
    for (let i = 0; i < rows.length; i++) {
      if (Number.isFinite(rows[i])) continue
      throw new DataError(
        `${name} holds ${rows[i]} in row ${Math.floor(i / d)}, column ${i % d} (both from 0); every value must be finite.`,
      )
    }
  }
  return n
}

/** Lets the event loop turn, for loops that take seconds. */
export const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve))
