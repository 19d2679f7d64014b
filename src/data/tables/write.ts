/** Writes tables of mixed columns: CSV, and Parquet with the types that the columns have. */

import { extname } from 'node:path'
import { writeFileAtomic } from '../../files/atomic.js'
import { cannotWrite } from '../../files/reasons.js'
import { parquetWriteBuffer } from './parquet.js'
import { dataOf, elementOf } from './parquet-columns.js'
import type { Table } from './table.js'
import { tableText } from './texts.js'

/** A table as the bytes of a Parquet file. */
export function encodeParquet({ columns }: Table): Uint8Array {
  const elements = columns.map((column) => elementOf(column, true))
  const schema = [{ name: 'root', num_children: elements.length }, ...elements]
  const columnData = columns.map((column, j) => dataOf(column, elements[j]))
  return new Uint8Array(parquetWriteBuffer({ columnData, schema }))
}

/** Writes a table as Parquet, atomically. Throws DataError where it cannot be written. */
async function writeParquet(path: string, table: Table): Promise<void> {
  await writeFileAtomic(path, encodeParquet(table)).catch((error) => {
    throw cannotWrite(path, error)
  })
}

/**
 * Writes a table of mixed columns: Parquet where the name ends in .parquet, else CSV, each value as its column was written.
 * Throws DataError where it cannot be written.
 */
export async function writeMixedTable(path: string, table: Table): Promise<void> {
  if (extname(path).toLowerCase() === '.parquet') return writeParquet(path, table)
  await writeFileAtomic(path, tableText(table)).catch((error) => {
    throw cannotWrite(path, error)
  })
}
