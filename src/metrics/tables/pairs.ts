/**
 * Pair trends: whether two columns hang together in the synthetic table as they do in the real one, by the definitions of SDMetrics
 * (1 is best, 0 worst).
 */

import { isCategory, type NumberColumn, type Table, type TableColumn } from '../../data/tables/table.js'
import { alignTables, missingRows } from './align.js'
import { mean, present } from './columns.js'

/** The figure of two columns. */
export interface PairScore {
  /** name of a column */
  first: string
  /** and of another */
  second: string
  /** 1 is best, 0 worst */
  score: number
  /** Pearson's, of two numbers */
  correlations?: {
    /** of the real table */
    real: number
    /** of the synthetic one */
    synthetic: number
  }
}

/** Pair trends of a table: the mean over pairs, and each pair's own. */
export interface PairFigure {
  /** mean over the pairs that have the figure; NaN where none has */
  score: number
  /** pairs (first, second) in the real table's order */
  pairs: PairScore[]
}

/** Bins of equal width over the real range that a number is cut to beside a category. */
const BINS = 10

/**
 * Two columns of numbers or dates: 1 − |ρ − σ|/2 of Pearson's correlations over the rows that have both values
 * (CorrelationSimilarity); the pair is left out where the real table's correlation is not defined (a constant column, fewer than
 * two rows), and a synthetic one that is not defined counts as 0. Other pairs: 1 − total variation of the shares of all combinations (ContingencySimilarity),
 * numbers cut to 10 bins of equal width over the real range, two bins beyond it, and missing as a level.
 *
 * @param told names of columns that the rows were made given: no two of them are a pair
 * @throws InvalidArgumentError for tables of other columns, DataError for infinite numbers
 */
export function pairTrends(real: Table, synthetic: Table, told: readonly string[] = []): PairFigure {
  const sides = sidesOf(real, synthetic)
  const isMade = ({ real }: Side): boolean => !told.includes(real.name)
  return figure(
    sides.flatMap((second, j) =>
      sides
        .slice(0, j)
        .filter((first) => isMade(first) || isMade(second))
        .map((first) => [first, second] as const),
    ),
  )
}

/**
 * Whether what is missing hangs on other columns as it does in the real table: `pairTrends` of the indicator of each column with
 * missing real values (1 where it is missing, else 0), as a number, with each other column. SDMetrics has no such figure.
 *
 * @param told names of columns that the rows were made given: what is missing of them is none of the rows'
 * @throws InvalidArgumentError for tables of other columns, DataError for infinite numbers
 */
export function missingTrends(real: Table, synthetic: Table, told: readonly string[] = []): PairFigure {
  const sides = sidesOf(real, synthetic)
  return figure(
    sides
      .filter((side) => missingRows(side.real) > 0 && !told.includes(side.real.name))
      .flatMap((side) => {
        const indicator = sideOf(indicatorOf(side.real), indicatorOf(side.synthetic))
        return sides.filter((other) => other !== side).map((other) => [indicator, other] as const)
      }),
  )
}

/** A column of both tables, with the cell of each row. */
interface Side {
  real: TableColumn
  synthetic: TableColumn
  cells: { real: Int32Array; synthetic: Int32Array }
}

function sidesOf(real: Table, synthetic: Table): Side[] {
  const tables = alignTables({ real, synthetic })
  return tables.real.columns.map((column, j) => sideOf(column, tables.synthetic.columns[j]))
}

function sideOf(real: TableColumn, synthetic: TableColumn): Side {
  const edges = isCategory(real) ? null : range(real)
  return { real, synthetic, cells: { real: cellsOf(real, edges), synthetic: cellsOf(synthetic, edges) } }
}

const indicatorOf = (column: TableColumn): NumberColumn => ({
  name: column.name,
  kind: 'number',
  values: Float64Array.from(isCategory(column) ? column.codes : column.values, (value) =>
    (isCategory(column) ? value < 0 : Number.isNaN(value)) ? 1 : 0,
  ),
})

function figure(of: readonly (readonly [Side, Side])[]): PairFigure {
  const pairs = of.flatMap(([first, second]): PairScore[] => {
    const names = { first: first.real.name, second: second.real.name }
    if (isCategory(first.real) || isCategory(second.real)) {
      const apart = contingency(first.cells.real, second.cells.real, first.cells.synthetic, second.cells.synthetic)
      return [{ ...names, score: 1 - apart }]
    }
    const rho = correlation(first.real.values, second.real.values)
    if (rho === null) return []
    const [a, b] = [first.synthetic as NumberColumn, second.synthetic as NumberColumn]
    const sigma = correlation(a.values, b.values) ?? 0
    return [{ ...names, score: 1 - Math.abs(rho - sigma) / 2, correlations: { real: rho, synthetic: sigma } }]
  })
  return { score: mean(pairs.map((pair) => pair.score)), pairs }
}

/** The least and the greatest value of a column, [0, 0] of one without values. */
function range(column: NumberColumn): [number, number] {
  const values = present(column)
  return values.length === 0 ? [0, 0] : [values[0], values[values.length - 1]]
}

/** The cell of each row: 0 is missing. */
function cellsOf(column: TableColumn, edges: readonly [number, number] | null): Int32Array {
  if (isCategory(column)) return column.codes.map((code) => code + 1)
  const [least, most] = edges!
  return Int32Array.from(column.values, (value) => {
    if (Number.isNaN(value)) return 0
    if (value < least) return 1
    if (value > most) return BINS + 2
    return least === most ? 2 : 2 + Math.min(BINS - 1, Math.floor(((value - least) / (most - least)) * BINS))
  })
}

/** Total variation of two tables of shares, given by the cells of their rows. */
function contingency(a: Int32Array, b: Int32Array, c: Int32Array, d: Int32Array): number {
  const width = 1 + Math.max(b.reduce(greater, 0), d.reduce(greater, 0))
  const differences = new Map<number, number>()
  const add = (x: Int32Array, y: Int32Array, share: number): void => {
    for (let i = 0; i < x.length; i++) {
      const cell = x[i] * width + y[i]
      differences.set(cell, (differences.get(cell) ?? 0) + share)
    }
  }
  // counts times the other table's rows, so that equal shares differ by exactly 0
  add(a, b, c.length)
  add(c, d, -a.length)
  let sum = 0
  for (const difference of differences.values()) sum += Math.abs(difference)
  return sum / (2 * a.length * c.length)
}

const greater = (a: number, b: number): number => Math.max(a, b)

/** Pearson's correlation over the rows that have both; null where there is none. */
export function correlation(x: ArrayLike<number>, y: ArrayLike<number>): number | null {
  let n = 0
  let [meanX, meanY, xx, yy, xy] = [0, 0, 0, 0, 0]
  for (let i = 0; i < x.length; i++) {
    if (Number.isNaN(x[i]) || Number.isNaN(y[i])) continue
    n++
    // Welford's updates: seconds since 1970 are far from 0 for their spread
    const [dx, dy] = [x[i] - meanX, y[i] - meanY]
    meanX += dx / n
    meanY += dy / n
    xx += dx * (x[i] - meanX)
    yy += dy * (y[i] - meanY)
    xy += dx * (y[i] - meanY)
  }
  const tiny = (sum: number, middle: number): boolean => sum <= 1e-24 * n * middle * middle
  if (n < 2 || tiny(xx, meanX) || tiny(yy, meanY)) return null
  return Math.max(-1, Math.min(1, xy / Math.sqrt(xx) / Math.sqrt(yy)))
}
