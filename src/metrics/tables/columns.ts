/**
 * Figures of one column at a time, by the definitions of SDMetrics (1 is best, 0 worst): the shapes of columns, the shares of
 * missing values, and how much of the real range or of the real levels the synthetic column covers.
 */

import {
  type CategoryColumn,
  isCategory,
  type NumberColumn,
  type Table,
  type TableColumn,
} from '../../data/tables/table.js'
import { alignTables, missingRows } from './align.js'

/** The figure of one column. */
export interface ColumnScore {
  /** of the column */
  name: string
  /** 1 is best, 0 worst */
  score: number
}

/** A figure of a table: the mean over columns, and each column's own. */
export interface ColumnFigure {
  /** mean over the columns that have the figure; NaN where none has */
  score: number
  /** in the real table's order */
  columns: ColumnScore[]
}

/**
 * Column shapes: for numbers and dates 1 − the Kolmogorov–Smirnov statistic, max_x |F(x) − G(x)| of the two distribution functions,
 * over the values that are there (KSComplement); for categories 1 − the total variation ½ Σ |p − q| of the levels' shares, with
 * missing as a level (TVComplement). Where neither table has a number in a column its score is 1, where one has none it is 0.
 *
 * @throws InvalidArgumentError for tables of other columns, DataError for infinite numbers
 */
export const columnShapes = (real: Table, synthetic: Table): ColumnFigure =>
  figure(real, synthetic, (a, b) => {
    if (isCategory(a)) return 1 - totalVariation(shares(a), shares(b as CategoryColumn))
    return 1 - kolmogorovSmirnov(present(a), present(b as NumberColumn))
  })

/**
 * Missing values: 1 − |difference of the missing shares| of each column (MissingValueSimilarity).
 *
 * @throws InvalidArgumentError for tables of other columns, DataError for infinite numbers
 */
export const missingValues = (real: Table, synthetic: Table): ColumnFigure =>
  figure(real, synthetic, (a, b) => 1 - Math.abs(missingRows(a) / real.rows - missingRows(b) / synthetic.rows))

/**
 * Range coverage of numbers and dates: how much of the real column's range, from its least to its greatest value, the synthetic
 * column's range holds (RangeCoverage). A real column of one value is covered where the synthetic range holds that value.
 * Columns without real numbers have none.
 *
 * @throws InvalidArgumentError for tables of other columns, DataError for infinite numbers
 */
export const rangeCoverage = (real: Table, synthetic: Table): ColumnFigure =>
  figure(real, synthetic, (a, b) => {
    if (isCategory(a)) return null
    const [values, made] = [present(a), present(b as NumberColumn)]
    if (values.length === 0) return null
    if (made.length === 0) return 0
    const [least, most] = [values[0], values[values.length - 1]]
    const [low, high] = [made[0], made[made.length - 1]]
    if (least === most) return low <= least && least <= high ? 1 : 0
    const lost = Math.max(low - least, 0) + Math.max(most - high, 0)
    return Math.max(0, 1 - lost / (most - least))
  })

/**
 * Category coverage: the share of the levels in the real column that occur in the synthetic one (CategoryCoverage). Columns
 * without a real level have none.
 *
 * @throws InvalidArgumentError for tables of other columns, DataError for infinite numbers
 */
export const categoryCoverage = (real: Table, synthetic: Table): ColumnFigure =>
  figure(real, synthetic, (a, b) => {
    if (!isCategory(a)) return null
    const [wanted, made] = [new Set(a.codes), new Set((b as CategoryColumn).codes)]
    wanted.delete(-1)
    return wanted.size === 0 ? null : [...wanted].filter((code) => made.has(code)).length / wanted.size
  })

function figure(
  real: Table,
  synthetic: Table,
  score: (real: TableColumn, synthetic: TableColumn) => number | null,
): ColumnFigure {
  const tables = alignTables({ real, synthetic })
  const columns = tables.real.columns.flatMap((column, j) => {
    const own = score(column, tables.synthetic.columns[j])
    return own === null ? [] : [{ name: column.name, score: own }]
  })
  return { score: mean(columns.map((column) => column.score)), columns }
}

/** NaN of nothing. */
export const mean = (values: readonly number[]): number => values.reduce((sum, value) => sum + value, 0) / values.length

/** The values that are there, in order. */
export const present = ({ values }: NumberColumn): Float64Array => values.filter((value) => !Number.isNaN(value)).sort()

/** max |F − G| of two sorted samples' distribution functions; 0 of two empty ones, 1 of one. */
function kolmogorovSmirnov(a: Float64Array, b: Float64Array): number {
  if (a.length === 0 || b.length === 0) return a.length === b.length ? 0 : 1
  let most = 0
  for (let i = 0, j = 0; i < a.length && j < b.length; ) {
    const at = Math.min(a[i], b[j])
    while (i < a.length && a[i] === at) i++
    while (j < b.length && b[j] === at) j++
    most = Math.max(most, Math.abs(i / a.length - j / b.length))
  }
  return most
}

/** Shares of the rows by level, the last of those that are missing, [levels + 1]. */
function shares({ codes, levels }: CategoryColumn): Float64Array {
  const result = new Float64Array(levels.length + 1)
  for (const code of codes) result[code < 0 ? levels.length : code] += 1 / codes.length
  return result
}

function totalVariation(p: Float64Array, q: Float64Array): number {
  return p.reduce((sum, share, i) => sum + Math.abs(share - q[i]), 0) / 2
}
