/**
 * A table of mixed columns in memory: what a reader of files makes, encoders turn into numbers, and metrics compare.
 */

import { DataError, invalid, show } from '../../errors.js'

/** How the values of a column of numbers are written in a file. */
export interface NumberFormat {
  /** digits after the decimal sign; left out: as many as tell a value from its neighbours */
  decimals?: number
  /** all of these digits are written, zeros at the end too; default false */
  padded?: boolean
  /** the decimal sign is a comma; default false */
  comma?: boolean
  /** what stands between thousands; default nothing */
  thousands?: string
  /** of dates, as strptime has it; default %Y-%m-%d, with %H:%M:%S where a value is no midnight */
  date?: string
}

/** A column of numbers. Dates are seconds since 1970-01-01 (UTC). A missing value is NaN. */
export interface NumberColumn {
  /** no other column of a table has it */
  name: string
  /** integers are whole numbers; dates are seconds */
  kind: 'number' | 'integer' | 'date'
  /** [rows] */
  values: Float64Array
  /** how they were written, and will be again */
  format?: NumberFormat
}

/** A column that holds one of a list of levels in each row; a boolean has two. A missing value is −1. */
export interface CategoryColumn {
  /** no other column of a table has it */
  name: string
  /** a boolean has two levels, the false one first */
  kind: 'category' | 'boolean'
  /** [rows], indices into `levels`, or −1 */
  codes: Int32Array
  /** texts that are all distinct */
  levels: readonly string[]
}

/** A column of numbers or of levels. */
export type TableColumn = NumberColumn | CategoryColumn

/** Columns of equal length, in the order of their file. */
export interface Table {
  /** the length of every column */
  rows: number
  /** in the order of the file */
  columns: readonly TableColumn[]
}

/** Whether a column holds levels and not numbers. */
export function isCategory(column: TableColumn): column is CategoryColumn {
  return column.kind === 'category' || column.kind === 'boolean'
}

/** Rows of a table by number, copied, in this order. */
export function takeTableRows(table: Table, order: ArrayLike<number>): Table {
  const columns = table.columns.map(
    (column): TableColumn =>
      isCategory(column)
        ? { ...column, codes: Int32Array.from(order, (i) => column.codes[i]) }
        : { ...column, values: Float64Array.from(order, (i) => column.values[i]) },
  )
  return { rows: order.length, columns }
}

/** Tables of the same columns and levels, one below the other. */
export function joinTables(tables: readonly Table[]): Table {
  if (tables.length === 1) return tables[0]
  const rows = tables.reduce((sum, table) => sum + table.rows, 0)
  const columns = tables[0].columns.map((column, j): TableColumn => {
    const parts = tables.map((table) => table.columns[j])
    if (isCategory(column)) {
      const codes = new Int32Array(rows)
      let at = 0
      for (const part of parts as CategoryColumn[]) {
        codes.set(part.codes, at)
        at += part.codes.length
      }
      return { ...column, codes }
    }
    const values = new Float64Array(rows)
    let at = 0
    for (const part of parts as NumberColumn[]) {
      values.set(part.values, at)
      at += part.values.length
    }
    return { ...column, values }
  })
  return { rows, columns }
}

/** Rows [first, end) of a table; memory is shared. */
export const tableRows = ({ columns }: Table, first: number, end: number): Table => ({
  rows: end - first,
  columns: columns.map((column) =>
    isCategory(column)
      ? { ...column, codes: column.codes.subarray(first, end) }
      : { ...column, values: column.values.subarray(first, end) },
  ),
})

/** Whether a value looks like a table of mixed columns, and not like rows of numbers. */
export const isTable = (value: unknown): value is Table =>
  typeof value === 'object' && value !== null && 'rows' in value && 'columns' in value && !('values' in value)

/**
 * Checks a table that a program made.
 *
 * @throws InvalidArgumentError for columns of other lengths than it has rows, codes that are no levels, and names that occur twice;
 *   DataError for no rows and for infinite numbers
 */
export function checkTable(name: string, { rows, columns }: Table): void {
  if (!Number.isSafeInteger(rows) || rows < 0) throw invalid(`${name}.rows`, 'a whole number of rows', rows)
  if (!Array.isArray(columns) || columns.length === 0) throw invalid(`${name}.columns`, 'a list of columns', columns)
  if (rows === 0) throw new DataError(`${name} has zero rows; at least one is needed.`)
  const names = new Set<string>()
  columns.forEach((column: TableColumn, j) => {
    const at = `${name}.columns[${j}]`
    if (typeof column?.name !== 'string') throw invalid(`${at}.name`, 'a text', column?.name)
    if (names.has(column.name)) throw invalid(`${at}.name`, 'a name that no other column has', column.name)
    names.add(column.name)
    const values: unknown = isCategory(column) ? column.codes : column.values
    const type = isCategory(column) ? Int32Array : Float64Array
    const [key, what] = isCategory(column) ? ['codes', 'an Int32Array'] : ['values', 'a Float64Array']
    if (!(values instanceof type) || values.length !== rows) {
      throw invalid(`${at}.${key}`, `${what} of ${rows} values, one for each row`, values)
    }
    if (!isCategory(column)) {
      const row = column.values.findIndex((value) => value === Infinity || value === -Infinity)
      if (row >= 0) throw new DataError(`${name} has ${column.values[row]} in column ${show(column.name)}, row ${row}.`)
      return
    }
    const { codes, levels } = column
    if (!Array.isArray(levels) || !levels.every((level) => typeof level === 'string')) {
      throw invalid(`${at}.levels`, 'a list of texts', levels)
    }
    const row = codes.findIndex((code) => code < -1 || code >= levels.length)
    if (row >= 0) throw invalid(`${at}.codes[${row}]`, `-1 or a number of its ${levels.length} levels`, codes[row])
  })
}
