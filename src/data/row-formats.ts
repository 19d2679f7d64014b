/**
 * Rows as a file that is written block by block: a block becomes bytes, and a *state* is what a writer has to know of the blocks
 * before. However rows are cut into blocks the bytes are the same, but that each block is a row group of a Parquet file.
 */

import type { BlockFormat } from './block-formats.js'
import { csvText } from './csv.js'
import { bytesOf, npyHeader } from './npy.js'
import { type ColumnData, dataOf, elementOf, numberData, numberElements } from './tables/parquet-columns.js'
import { ParquetStream } from './tables/parquet-stream.js'
import type { Table } from './tables/table.js'
import { tableText } from './tables/texts.js'
import { type RowValues, rowLength } from './tensor.js'

/** Rows of numbers, [n, …dims]. */
export interface NumberBlock {
  readonly values: RowValues
  readonly shape: readonly number[]
}

/** Writes the blocks of one file in their order. */
export interface BlockWriter<B> {
  /** The bytes of a block, good until the next is asked for. @param first whether no rows stand before it */
  block(rows: B, first: boolean): Iterable<Uint8Array | string>
  /** What ends the file. */
  end(): Iterable<Uint8Array>
  /** What another writer needs to go on behind the last block, as JSON holds it. */
  state(): unknown
}

/**
 * Opens a writer.
 * @param n rows of the whole file
 * @param state that of the writer of the blocks before; null: there are none
 */
export type OpenWriter<B> = (n: number, state: unknown) => BlockWriter<B>

/** Block behind block, and nothing to remember. */
const plain = <B>(pieces: (rows: B, first: boolean, n: number) => Iterable<Uint8Array | string>): OpenWriter<B> => {
  return (n) => ({ block: (rows, first) => pieces(rows, first, n), end: () => [], state: () => null })
}

/** Parquet, by the types that the first block has. */
const parquet = <B>(
  elementsOf: (rows: B) => Parameters<typeof ParquetStream.begin>[0],
  columnsOf: (rows: B, elements: ReturnType<typeof elementsOf>) => ColumnData[],
): OpenWriter<B> => {
  return (_, state) => {
    let stream = state ? ParquetStream.resume(state as ParquetStream['state']) : null
    return {
      block(rows) {
        stream ??= ParquetStream.begin(elementsOf(rows))
        return [stream.group(columnsOf(rows, stream.elements))]
      },
      end: () => (stream ? [stream.end()] : []),
      state: () => stream?.state ?? null,
    }
  }
}

function* npyPieces({ values, shape }: NumberBlock, first: boolean, n: number): Generator<Uint8Array> {
  if (first) yield npyHeader(values, [n, ...shape.slice(1)])
  yield bytesOf(values)
}

/** Formats of rows of numbers. @param columns their names; null: x0, x1, … */
export const numberFormats = (
  columns: readonly string[] | null,
): Readonly<Record<BlockFormat, OpenWriter<NumberBlock>>> => ({
  csv: plain((rows, header) => csvText(rows, columns, { header })),
  npy: plain(npyPieces),
  parquet: parquet(
    ({ values, shape }) => numberElements(values, rowLength(shape), columns),
    ({ values }, elements) => numberData(values, elements),
  ),
})

/** Formats of tables of mixed columns, whose columns have kinds and formats that do not depend on the rows. */
export const tableFormats: Readonly<Record<Exclude<BlockFormat, 'npy'>, OpenWriter<Table>>> = {
  csv: plain((table, header) => tableText(table, { header })),
  parquet: parquet(
    ({ columns }) => columns.map((column) => elementOf(column, false)),
    ({ columns }, elements) => columns.map((column, j) => dataOf(column, elements[j])),
  ),
}
