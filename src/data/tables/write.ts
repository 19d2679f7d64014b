/** Writes tables of mixed columns: CSV, and Parquet with the types that the columns have. */

import { extname } from 'node:path'
import { parquetWriteBuffer } from 'hyparquet-writer'
import { writeFileAtomic } from '../../files/atomic.js'
import { cannotWrite } from '../../files/reasons.js'
import { isCategory, type Table, type TableColumn } from './table.js'
import { tableText } from './texts.js'

type Written = Parameters<typeof parquetWriteBuffer>[0]
type ColumnSource = Written['columnData'][number]
type SchemaElement = NonNullable<Written['schema']>[number]

const INT32 = 2 ** 31 - 1

/** A column's values and type in Parquet; a missing value is null. */
function source(column: TableColumn): { data: ColumnSource; element: SchemaElement } {
  const { name } = column
  const optional = { name, repetition_type: 'OPTIONAL' } as const
  if (isCategory(column)) {
    const { codes, levels } = column
    if (column.kind === 'boolean' && levels.length === 2 && levels[0] === 'false' && levels[1] === 'true') {
      const data = Array.from(codes, (code) => (code < 0 ? null : code === 1))
      return { data: { name, data }, element: { ...optional, type: 'BOOLEAN' } }
    }
    const data = Array.from(codes, (code) => (code < 0 ? null : levels[code]))
    return { data: { name, data }, element: { ...optional, type: 'BYTE_ARRAY', converted_type: 'UTF8' } }
  }
  const { values, kind } = column
  const present = <T>(value: (number: number) => T): (T | null)[] =>
    Array.from(values, (number) => (Number.isNaN(number) ? null : value(number)))
  if (kind === 'date') {
    const days = values.every((value) => Number.isNaN(value) || value % 86_400 === 0)
    const data = present((seconds) => new Date(1000 * seconds))
    return days
      ? { data: { name, data }, element: { ...optional, type: 'INT32', converted_type: 'DATE' } }
      : { data: { name, data }, element: { ...optional, type: 'INT64', converted_type: 'TIMESTAMP_MILLIS' } }
  }
  if (kind === 'number') return { data: { name, data: present(Number) }, element: { ...optional, type: 'DOUBLE' } }
  return values.every((value) => Number.isNaN(value) || Math.abs(value) <= INT32)
    ? { data: { name, data: present(Number) }, element: { ...optional, type: 'INT32' } }
    : { data: { name, data: present(BigInt) }, element: { ...optional, type: 'INT64' } }
}

/** A table as the bytes of a Parquet file. */
export function encodeParquet(table: Table): Uint8Array {
  const sources = table.columns.map(source)
  const schema: SchemaElement[] = [
    { name: 'root', num_children: sources.length },
    ...sources.map(({ element }) => element),
  ]
  return new Uint8Array(parquetWriteBuffer({ columnData: sources.map(({ data }) => data), schema }))
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
