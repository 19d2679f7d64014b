/**
 * Pair trends: whether two columns hang together in the synthetic table as they do in the real one, by the definitions of SDMetrics
 * (1 is best, 0 worst).
 */

import { isCategory, type NumberColumn, type Table, type TableColumn } from '../../data/tables/table.js'
import { alignTables } from './align.js'
import { mean, present } from './columns.js'

/** Pair trends of a table: the mean over pairs, and each pair's own. */
export interface PairFigure {
  /** mean over the pairs that have the figure; NaN where none has */
  score: number
  /** every pair (first, second) with first before second in the real table's order */
  pairs: { first: string; second: string; score: number }[]
}

/** Bins of equal width over the real range that a number is cut to beside a category. */
const BINS = 10

/**
 * Two columns of numbers or dates: 1 − |ρ − σ|/2 of Pearson's correlations over the rows that have both values
 * (CorrelationSimilarity); the pair is left out where the real table's correlation is not defined (a constant column, fewer than two rows), and a synthetic one
 * that is not defined counts as 0. Other pairs: 1 − total variation of the shares of all combinations (ContingencySimilarity),
 * numbers cut to 10 bins of equal width over the real range, two bins beyond it, and missing as a level.
 *
 * @throws InvalidArgumentError for tables of other columns, DataError for infinite numbers
 */
export function pairTrends(real: Table, synthetic: Table): PairFigure {
  const tables = alignTables({ real, synthetic })
  const [a, b] = [tables.real.columns, tables.synthetic.columns]
  const cells = a.map((column, j) => {
    const edges = isCategory(column) ? null : range(column)
    return [cellsOf(column, edges), cellsOf(b[j], edges)]
  })
  const pairs: PairFigure['pairs'] = []
  a.forEach((second, j) => {
    for (let i = 0; i < j; i++) {
      const first = a[i]
      let score: number | null
      if (isCategory(first) || isCategory(second)) {
        score = 1 - contingency(cells[i][0], cells[j][0], cells[i][1], cells[j][1])
      } else {
        const rho = correlation(first.values, second.values)
        const sigma = correlation((b[i] as NumberColumn).values, (b[j] as NumberColumn).values) ?? 0
        score = rho === null ? null : 1 - Math.abs(rho - sigma) / 2
      }
      if (score !== null) pairs.push({ first: first.name, second: second.name, score })
    }
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
