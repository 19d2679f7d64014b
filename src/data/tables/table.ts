/**
 * A table of mixed columns in memory: what a reader of files makes, encoders turn into numbers, and metrics compare.
 */

/** A column of numbers. Dates are seconds since 1970-01-01 (UTC). A missing value is NaN. */
export interface NumberColumn {
  name: string
  kind: 'number' | 'integer' | 'date'
  /** [rows] */
  values: Float64Array
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
