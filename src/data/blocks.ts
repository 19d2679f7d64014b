/** Rows that come in pieces of any size, as pieces of one size. */

import { DataError, show } from '../errors.js'
import type { NumberBlock } from './row-formats.js'
import { isCategory, joinTables, type Table, tableRows } from './tables/table.js'

/** How rows are counted, cut and put together. */
export interface Cutting<B> {
  rows(block: B): number
  part(block: B, first: number, end: number): B
  join(blocks: readonly B[]): B
}

export const cutTables: Cutting<Table> = { rows: ({ rows }) => rows, part: tableRows, join: joinTables }

export const cutNumbers: Cutting<NumberBlock> = {
  rows: ({ shape }) => shape[0],
  part({ values, shape: [n, ...dims] }, first, end) {
    const width = values.length / n
    return { values: values.subarray(first * width, end * width), shape: [end - first, ...dims] }
  },
  join(blocks) {
    if (blocks.length === 1) return blocks[0]
    const [{ values: some, shape }] = blocks
    const rows = blocks.reduce((sum, block) => sum + block.shape[0], 0)
    const length = blocks.reduce((sum, { values }) => sum + values.length, 0)
    const values = some instanceof Float64Array ? new Float64Array(length) : new Float32Array(length)
    let at = 0
    for (const block of blocks) {
      values.set(block.values, at)
      at += block.values.length
    }
    return { values, shape: [rows, ...shape.slice(1)] }
  },
}

/**
 * Columns of numbers side by side, as rows.
 *
 * @param path what the table is called in messages
 * @param values room for them, [rows, columns]
 */
export function numberRows(path: string, { rows, columns }: Table, values: Float32Array | Float64Array): NumberBlock {
  const D = columns.length
  columns.forEach((column, j) => {
    if (isCategory(column)) {
      throw new DataError(`${path}: column ${show(column.name)} has no numbers.`, `${path}: a column has no numbers.`)
    }
    for (let i = 0; i < rows; i++) values[i * D + j] = column.values[i]
  })
  return { values, shape: [rows, D] }
}

/** The same rows behind the first `skip`, `size` at a time but for the last. */
export async function* recut<B>(
  pieces: AsyncIterable<B>,
  size: number,
  { rows, part, join }: Cutting<B>,
  skip = 0,
): AsyncGenerator<B> {
  let waiting: B[] = []
  let count = 0
  let left = skip
  for await (const piece of pieces) {
    let at = Math.min(left, rows(piece))
    left -= at
    while (at < rows(piece)) {
      const end = Math.min(rows(piece), at + size - count)
      waiting.push(part(piece, at, end))
      count += end - at
      at = end
      if (count < size) continue
      yield join(waiting)
      waiting = []
      count = 0
    }
  }
  if (count > 0) yield join(waiting)
}
