/** Reads a table of mixed columns from a file of text or Parquet, and says what each column is and why. */

import { extname } from 'node:path'
import { DataError, list, show } from '../../errors.js'
import { nameOf, STANDARD_INPUT } from '../text-file.js'
import { type ColumnAs, type KindOptions, type KnownColumn, missingTexts, understand } from './kinds.js'
import type { ParquetFile, ParquetRows } from './read-parquet.js'
import { readTextTable } from './read-text.js'
import { isCategory, type Table, type TableColumn } from './table.js'
import { RoomForTexts, type TextColumn, TextColumnBuilder } from './text-column.js'
import { textOf } from './texts.js'

/** How a table is read, where that can be told otherwise than from the file. */
export interface ReadTableOptions {
  /** what columns are, by name; left out: told from their texts or types */
  readonly columns?: Readonly<Record<string, ColumnAs>>
  /** the same, of columns that the file need not have */
  readonly known?: Readonly<Record<string, ColumnAs>>
  /** whether the first line holds names; left out: told from it and the lines after it */
  readonly header?: boolean
  /** the decimal sign; left out: points, and commas where commas do not separate columns */
  readonly decimal?: 'point' | 'comma'
  /** texts that stand for a missing value. Default: nothing, NA, N/A, NaN, nan, null and NULL */
  readonly missing?: readonly string[]
}

/** A table with what is known of how it was read. */
export interface ReadTable {
  /** the columns that are not left out, in the file's order */
  readonly table: Table
  /** every column of the file, those that are left out too */
  readonly columns: readonly KnownColumn[]
  /** what a reader should know; one sentence each */
  readonly remarks: readonly string[]
}

/**
 * Reads a table: Parquet where the name ends in .parquet, else text (.csv, .tsv, packed by gzip or not); `-` is text on standard
 * input.
 *
 * @throws DataError naming line or row for what cannot be read, for columns that are not there, and for no column that is left
 */
export async function readMixedTable(path: string, options: ReadTableOptions = {}): Promise<ReadTable> {
  const name = nameOf(path)
  const { columns: asked = {}, known: expected = {} } = options
  const said = { ...expected, ...asked }
  const missing = options.missing ?? missingTexts
  const { rows, known, remarks } = isParquet(path)
    ? await fromParquet(path, { comma: false, missing, said })
    : await fromText(path, name, options, { missing, said })
  const names = known.map((column) => column.name)
  const absent = Object.keys(asked).filter((column) => !names.includes(column))
  if (absent.length > 0) {
    throw new DataError(
      `${name} has no column ${list(absent.map(show))}, which data.columns names; its columns are ${list(names.map(show))}.`,
      `${name} does not have all columns that data.columns names.`,
    )
  }
  const columns = known.flatMap(({ column }) => column ?? [])
  if (columns.length === 0) throw new DataError(`${name} has no column that is left to learn.`)
  return {
    table: { rows, columns },
    columns: known,
    remarks: [...remarks, ...known.flatMap(({ remark }) => remark ?? [])],
  }
}

export const isParquet = (path: string): boolean =>
  path !== STANDARD_INPUT && extname(path).toLowerCase() === '.parquet'

interface Known {
  rows: number
  known: KnownColumn[]
  remarks: readonly string[]
}

async function fromText(
  path: string,
  name: string,
  { header, decimal }: ReadTableOptions,
  options: Omit<KindOptions, 'comma'>,
): Promise<Known> {
  const comma = decimal && decimal === 'comma'
  const read = await readTextTable(path, { header, comma, missing: options.missing })
  const known = read.columns.map((column) => understand(name, column, { ...options, comma: read.comma }))
  return { rows: read.rows, known, remarks: read.remarks }
}

async function fromParquet(path: string, options: KindOptions): Promise<Known> {
  const file = await openedParquet(path, options)
  return parquetRows(path, await file.read(0, file.groups), options)
}

const saidOf = ({ said }: KindOptions, name: string): ColumnAs | undefined =>
  Object.hasOwn(said, name) ? said[name] : undefined

async function openedParquet(path: string, options: KindOptions): Promise<ParquetFile> {
  // what unpacks it takes gigabytes of addresses, which a process may have been denied
  const { openParquet } = await import('./read-parquet.js')
  return openParquet(path, (name) => saidOf(options, name) === 'ignore')
}

function parquetRows(path: string, { rows, columns }: ParquetRows, options: KindOptions): Known {
  const known = columns.map((column): KnownColumn => {
    if ('ignored' in column) return { name: column.ignored, column: null, why: 'as data.columns says' }
    if ('text' in column) return understand(path, column.text, options)
    const { typed } = column
    const as = saidOf(options, typed.name)
    if (as === undefined || as === typed.kind) return { name: typed.name, column: typed, why: `its type in the file` }
    return understand(path, asTexts(typed), options)
  })
  return { rows, known, remarks: [] }
}

/**
 * The tables of a Parquet file's row groups, one after another: memory holds one of them. Columns that nothing is said of may be
 * of one kind in one of them and of another in the next.
 *
 * @param known what columns are, by name; others are ignored where that is said
 * @throws DataError as readMixedTable does
 */
export async function* readParquetTables(
  path: string,
  known: Readonly<Record<string, ColumnAs>>,
): AsyncGenerator<Table & { readonly of: number }> {
  const options: KindOptions = { comma: false, missing: missingTexts, said: known }
  const file = await openedParquet(path, options)
  for (let group = 0; group < file.groups; group++) {
    const { rows, known: columns } = parquetRows(path, await file.read(group, group + 1), options)
    if (rows > 0) yield { rows, columns: columns.flatMap(({ column }) => column ?? []), of: file.rows }
  }
}

/** The columns of one row group. */
export interface KnownGroup {
  readonly rows: number
  readonly columns: readonly KnownColumn[]
}

/** A table that is read group of rows by group of rows, any number of times: a Parquet file, or rows of a program in a file. */
export interface TableGroups {
  /** of the whole file */
  readonly rows: number
  /** how many columns there are, those that are left out too */
  readonly width: number
  /** What texts are told to be in the first group holds for all; whole numbers and others may follow each other. */
  read(): AsyncGenerator<KnownGroup>
}

/** Opens a Parquet file to be read so. Throws DataError as readMixedTable does. */
export async function openParquetGroups(path: string, options: ReadTableOptions): Promise<TableGroups> {
  const { columns: said = {}, missing = missingTexts } = options
  const file = await openedParquet(path, { comma: false, missing, said })
  const absent = Object.keys(said).filter((column) => !file.names.includes(column))
  if (absent.length > 0) {
    throw new DataError(
      `${path} has no column ${list(absent.map(show))}, which data.columns names; its columns are ${list(file.names.map(show))}.`,
      `${path} does not have all columns that data.columns names.`,
    )
  }
  return {
    rows: file.rows,
    width: file.names.length,
    async *read() {
      const texts: Record<string, ColumnAs> = {}
      for (let group = 0; group < file.groups; group++) {
        const read = await file.read(group, group + 1)
        if (read.rows === 0) continue
        const { rows, known } = parquetRows(path, read, { comma: false, missing, said: { ...texts, ...said } })
        read.columns.forEach((column, j) => {
          if (!('text' in column)) return
          const { column: made, name } = known[j]
          const date = made && !isCategory(made) && made.kind === 'date' ? made.format?.date : undefined
          texts[name] ??= date ? { date } : (made?.kind ?? 'ignore')
        })
        yield { rows, columns: known }
      }
    },
  }
}

/** A column of a type as texts, for a config that says it is of another kind. */
function asTexts(column: TableColumn): TextColumn {
  const builder = new TextColumnBuilder('row', new RoomForTexts(`Column ${show(column.name)}`))
  const text = textOf(column)
  const { length } = isCategory(column) ? column.codes : column.values
  for (let row = 0; row < length; row++) builder.add(text(row), row + 1)
  return builder.column(column.name)
}
