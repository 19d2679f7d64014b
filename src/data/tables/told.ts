/**
 * Columns of a table that a model is told, and does not make. They are encoded as other columns are (encoding.ts), fitted on the
 * training rows alone, and with nothing drawn: one row told twice is told the same.
 */

import { DataError, list, show } from '../../errors.js'
import { type ConformWords, type Encoding, fitEncoding, type NumberEncoding, openEncoding } from './encoding.js'
import { type Table, type TableColumn, takeTableRows } from './table.js'

/** One row of what a model is told, a value for each column by its name; null: it is missing. Dates are Date, or seconds since 1970. */
export type ToldRow = Readonly<Record<string, string | number | boolean | Date | null>>

/** What a model is told of the rows of each part, and how that is encoded. */
export interface ToldTables {
  /** fitted on the training rows */
  readonly encoding: Encoding
  /** the columns that are told, of the training rows */
  readonly train: Table
  /** and of the validation rows; null where there are none */
  readonly validation: Table | null
  /** and of the test rows; null where there are none */
  readonly test: Table | null
}

const told: ConformWords = { column: 'the column that the model is told', rows: 'the rows that it learnt from' }

/** The numbers of a row of told columns. */
export const toldWidth = (encoding: Encoding): number => openEncoding(encoding).width

/**
 * What rows are told, [rows, toldWidth].
 * @param name what messages call the table
 * @throws DataError for columns that are not there, and levels and holes that the training rows did not have
 */
export function toldRows(encoding: Encoding, table: Table, name: string): Float32Array {
  const { conform, encodeMiddle } = openEncoding(encoding)
  return encodeMiddle(conform(table, name, false, told))
}

/** Throws as toldRows does. */
export const checkTold = (encoding: Encoding, table: Table, name: string): Table =>
  openEncoding(encoding).conform(table, name, false, told)

/** A row that could be told. */
export function anyToldRow(encoding: Encoding): Table {
  const { width, decode } = openEncoding(encoding)
  return decode(new Float32Array(width), 0)
}

/** What is told of each part. @throws DataError where nothing is: a column of one value says nothing */
export function toldTables(
  parts: { readonly train: Table; readonly validation: Table | null; readonly test: Table | null },
  numbers?: NumberEncoding,
): ToldTables {
  const all = Uint32Array.from({ length: parts.train.rows }, (_, i) => i)
  const names = list(parts.train.columns.map(({ name }) => show(name)))
  try {
    const fitted = fitEncoding(parts.train, all, { numbers })
    return { ...parts, encoding: { columns: fitted.columns.map(ofTraining) } }
  } catch (error) {
    if (!(error instanceof DataError)) throw error
    throw new DataError(`The columns that the model is told (${names}): ${error.message}`)
  }
}

/** Without levels that no training row has, where there are no rare ones that they could stand with. */
function ofTraining(column: Encoding['columns'][number]): Encoding['columns'][number] {
  if (!('kept' in column) || column.rare.length > 0) return column
  const { kept, levels } = column
  return { ...column, levels: kept.map((level) => levels[level]), kept: kept.map((_, i) => i) }
}

/**
 * A table without the columns that are told, and those alone.
 * @param names of columns, or their numbers in the file
 * @param all names of the file's columns, those that are left out too
 * @param called how messages call the table
 * @throws DataError for columns that are not there or left out, that are named twice, and where none is left to make
 */
export function toldApart(
  table: Table,
  names: readonly (string | number)[],
  all: readonly string[],
  called: string,
): { made: Table; told: Table } {
  const picked = names.map((given) => {
    const name = typeof given === 'number' ? all[given] : given
    if (name === undefined || !all.includes(name)) {
      throw new DataError(
        `${called} has no column ${show(given)}, which condition names; its columns are ${list(all.map(show))}.`,
        `${called} does not have all columns that condition names.`,
      )
    }
    const column = table.columns.find((one) => one.name === name)
    if (column) return column
    throw new DataError(
      `Column ${show(name)} of ${called} is left out, and condition names it: say what it is by data.columns.`,
      `A column that condition names is left out of ${called}.`,
    )
  })
  const twice = picked.find((column, i) => picked.indexOf(column) !== i)
  if (twice) throw new DataError(`condition names the column ${show(twice.name)} of ${called} twice.`)
  const made = table.columns.filter((column) => !picked.includes(column))
  if (made.length === 0) {
    throw new DataError(`condition names all columns of ${called}: none is left to make.`)
  }
  return { made: { rows: table.rows, columns: made }, told: { rows: table.rows, columns: picked } }
}

/** What each part is told, of all rows. */
export function splitTold(
  table: Table,
  rows: { readonly train: Uint32Array; readonly validation: Uint32Array; readonly test: Uint32Array },
  numbers?: NumberEncoding,
): ToldTables {
  const part = (some: Uint32Array): Table | null => (some.length > 0 ? takeTableRows(table, some) : null)
  return toldTables({ train: part(rows.train)!, validation: part(rows.validation), test: part(rows.test) }, numbers)
}

/** The table of rows by name. @throws DataError for a column that a row lacks, and what is no value of its kind */
export function tableOfRows({ columns }: Encoding, rows: readonly ToldRow[], name: string): Table {
  const toldValue = (row: number, column: string): ToldRow[string] => {
    const value = rows[row][column]
    if (value !== undefined) return value
    throw new DataError(`${name}: row ${row + 1} does not have the column that the model is told ${show(column)}.`)
  }
  const bad = (row: number, column: string, wanted: string): DataError =>
    new DataError(
      `${name}: column ${show(column)} has ${show(rows[row][column])} in row ${row + 1}; it must be ${wanted}.`,
    )
  return {
    rows: rows.length,
    columns: columns.map((own): TableColumn => {
      if ('kept' in own) {
        const levels = new Map<string, number>()
        const codes = Int32Array.from(rows, (_, row) => {
          const value = toldValue(row, own.name)
          if (value === null) return -1
          if (typeof value === 'object') throw bad(row, own.name, 'a text')
          const text = String(value)
          if (!levels.has(text)) levels.set(text, levels.size)
          return levels.get(text)!
        })
        return { name: own.name, kind: own.kind, codes, levels: [...levels.keys()] }
      }
      const values = Float64Array.from(rows, (_, row) => {
        const value = toldValue(row, own.name)
        if (value === null) return Number.NaN
        const number = value instanceof Date ? value.getTime() / 1000 : value
        if (typeof number === 'number' && Number.isFinite(number)) return number
        throw bad(
          row,
          own.name,
          own.kind === 'date' ? 'a Date, or seconds since 1970' : 'a finite number, or null where it is missing',
        )
      })
      return { name: own.name, kind: own.kind, values }
    }),
  }
}

/** Two tables of as many rows side by side. */
export const beside = (left: Table, right: Table): Table => ({
  rows: left.rows,
  columns: [...left.columns, ...right.columns],
})
