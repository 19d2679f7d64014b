/**
 * Tables that a model's rows are measured beside: its training rows drawn again, columns that know nothing of each other, and a Gaussian
 * copula, which knows how strongly each two hang together and nothing else.
 */

import {
  type CategoryColumn,
  isCategory,
  type NumberColumn,
  type Table,
  type TableColumn,
  takeTableRows,
} from '../../data/tables/table.js'
import { InvalidArgumentError, invalid } from '../../errors.js'
import { normalQuantile, normalShare } from '../../random/normal.js'
import { permutation, RandomStream, streams } from '../../random/stream.js'
import { symmetricEigen } from '../eigen.js'
import { missingRows } from './align.js'
import { correlation } from './pairs.js'

/** The table with every column shuffled by itself: each column as it is, and nothing between any two. */
export function independentColumns(table: Table, { seed = 0 }: { seed?: number } = {}): Table {
  const { rows } = table
  return {
    rows,
    columns: table.columns.map((column, j): TableColumn => {
      const order = permutation(rows, seed + j)
      return isCategory(column)
        ? { ...column, codes: Int32Array.from(order, (row) => column.codes[row]) }
        : { ...column, values: Float64Array.from(order, (row) => column.values[row]) }
    }),
  }
}

/**
 * Rows of the table drawn with replacement: what a model makes that knows its training rows by heart and nothing else. Beside rows that were
 * not learnt from its figures have the chance of three samples (what was learnt from, what is drawn of it, what it is compared
 * with), as a model's have; real rows in its place have that of two.
 *
 * @param rows default as many as the table has
 * @param seed of the draws; default 0
 */
export function redrawnRows(
  table: Table,
  { rows = table.rows, seed = 0 }: { rows?: number; seed?: number } = {},
): Table {
  if (!Number.isInteger(rows) || rows < 1) throw invalid('rows', 'a whole number, at least 1', rows)
  const random = new RandomStream(seed, streams.metric)
  return takeTableRows(
    table,
    Uint32Array.from({ length: rows }, (_, i) => Math.floor(random.row(i).uniform() * table.rows)),
  )
}

/**
 * Rows of a Gaussian copula (the usual baseline for tables; Patki, Wedge and Veeramachaneni 2016). Each column becomes normal by its
 * ranks, the correlations of these normals are measured, and normals with the same correlations become columns again. Equal
 * values share an interval of ranks and are spread over it at random, as are the levels of a category, ordered by their counts. Missing is a level of a
 * category; numbers that may be missing have an indicator with two levels beside them, which takes part in the correlations, and those of
 * the number itself are over the rows where it is there. Values are drawn from those of the column.
 *
 * @param rows default as many as the table has
 * @param seed of the spreading and of the rows; default 0
 */
export function gaussianCopula(
  table: Table,
  { rows = table.rows, seed = 0 }: { rows?: number; seed?: number } = {},
): Table {
  if (table.rows < 2) {
    throw new InvalidArgumentError(`A Gaussian copula needs a table of at least 2 rows, but it has ${table.rows}.`)
  }
  if (!Number.isInteger(rows) || rows < 1) throw invalid('rows', 'a whole number, at least 1', rows)
  const margins = table.columns.flatMap(marginsOf)
  const normals = margins.map((margin, k) => {
    const random = new RandomStream(seed, streams.metric).row(k)
    return margin.ranks(() => random.uniform()).map((rank) => normalQuantile(rank))
  })
  const root = rootOf(correlations(normals), margins.length)
  const ranks = margins.map(() => new Float64Array(rows))
  const drawn = new Float64Array(margins.length)
  // rows of draws after those of the columns
  const random = new RandomStream(seed, streams.metric)
  for (let i = 0; i < rows; i++) {
    random.row(margins.length + i)
    for (let k = 0; k < margins.length; k++) drawn[k] = random.normal()
    ranks.forEach((own, k) => {
      let sum = 0
      for (let j = 0; j < margins.length; j++) sum += root[k * margins.length + j] * drawn[j]
      own[i] = normalShare(sum)
    })
  }
  let at = 0
  return {
    rows,
    columns: table.columns.map((column): TableColumn => {
      if (isCategory(column)) {
        const code = margins[at].value
        return { ...column, codes: Int32Array.from(ranks[at++], code) }
      }
      const value = margins[at].value
      const values = ranks[at++].map(value)
      if (margins[at]?.missingOf === column) {
        const missing = margins[at].value
        ranks[at++].forEach((rank, i) => {
          if (missing(rank) === 1) values[i] = NaN
        })
      }
      return { ...column, values }
    }),
  }
}

/** A column of the copula. */
interface Margin {
  /** of an indicator, the column whose missing values it marks */
  missingOf: NumberColumn | null
  /** the rank of each row in (0, 1), NaN where it has none; equal values are spread over their interval by `uniform` */
  ranks(uniform: () => number): Float64Array
  /** the value at a rank in [0, 1] */
  value(rank: number): number
}

function marginsOf(column: TableColumn): Margin[] {
  if (isCategory(column)) return [categoryMargin(column)]
  const missing = missingRows(column)
  const own = numberMargin(column.values)
  if (missing === 0) return [own]
  const flags = column.values.map((value) => (Number.isNaN(value) ? 1 : 0))
  return [own, { ...numberMargin(flags), missingOf: column }]
}

/** Levels in the order of their counts, the most frequent first: a level's interval is as long as its share. */
function categoryMargin({ codes, levels }: CategoryColumn): Margin {
  const counts = new Float64Array(levels.length + 1)
  for (const code of codes) counts[code + 1]++
  const order = Array.from(counts.keys()).sort((a, b) => counts[b] - counts[a] || a - b)
  const place = new Float64Array(counts.length)
  order.forEach((level, i) => {
    place[level] = i
  })
  const margin = numberMargin(Float64Array.from(codes, (code) => place[code + 1]))
  return { ...margin, value: (rank) => order[margin.value(rank)] - 1 }
}

function numberMargin(values: Float64Array): Margin {
  const sorted = values.filter((value) => !Number.isNaN(value)).sort()
  const n = sorted.length
  return {
    missingOf: null,
    ranks(uniform) {
      return values.map((value) => {
        if (Number.isNaN(value)) return NaN
        const [from, to] = [below(sorted, value, false), below(sorted, value, true)]
        return (from + (to - from > 1 ? uniform() * (to - from) : 0.5)) / n
      })
    },
    value: (rank) => (n === 0 ? NaN : sorted[Math.min(n - 1, Math.floor(rank * n))]),
  }
}

/** How many sorted values are below another, or not above it. */
function below(sorted: Float64Array, value: number, orEqual: boolean): number {
  let [low, high] = [0, sorted.length]
  while (low < high) {
    const middle = (low + high) >> 1
    if (sorted[middle] < value || (orEqual && sorted[middle] === value)) low = middle + 1
    else high = middle
  }
  return low
}

/** Correlations of each two columns over the rows that have both, 0 where there are none, [k, k]. */
function correlations(columns: readonly Float64Array[]): Float64Array {
  const k = columns.length
  const result = new Float64Array(k * k)
  columns.forEach((column, i) => {
    result[i * k + i] = 1
    for (let j = 0; j < i; j++) {
      const own = correlation(column, columns[j]) ?? 0
      result[i * k + j] = own
      result[j * k + i] = own
    }
  })
  return result
}

/** A with A Aᵀ nearest to the matrix and ones on the diagonal: over different rows correlations may be those of no distribution. */
function rootOf(matrix: Float64Array, k: number): Float64Array {
  const { values, vectors } = symmetricEigen(matrix, k)
  const root = new Float64Array(k * k)
  for (let i = 0; i < k; i++) {
    let square = 0
    for (let j = 0; j < k; j++) {
      root[i * k + j] = vectors![i * k + j] * Math.sqrt(Math.max(0, values[j]))
      square += root[i * k + j] ** 2
    }
    for (let j = 0; j < k; j++) root[i * k + j] /= Math.sqrt(square)
  }
  return root
}
