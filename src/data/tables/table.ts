/**
 * A table of mixed columns in memory: what a reader of files makes, encoders turn into numbers, and metrics compare.
 */

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
  name: string
  kind: 'number' | 'integer' | 'date'
  /** [rows] */
  values: Float64Array
  /** how they were written, and will be again */
  format?: NumberFormat
}

/** A column that holds one of a list of levels in each row; a boolean has two. A missing value is −1. */
export interface CategoryColumn {
  name: string
  kind: 'category' | 'boolean'
  /** [rows], indices into `levels`, or −1 */
  codes: Int32Array
  levels: readonly string[]
}

export type TableColumn = NumberColumn | CategoryColumn

/** Columns of equal length, in the order of their file. */
export interface Table {
  rows: number
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
