/**
 * Does a model give back its training rows? Each synthetic row's distance to the closest record of the training part is compared with
 * that to the closest of an equally large held-out part (SDMetrics' DCROverfittingProtection looks at the same share).
 */

import { isCategory, type NumberColumn, type Table } from '../../data/tables/table.js'
import { turn } from '../rows.js'
import { alignTables, thin } from './align.js'

/** How near synthetic rows are to the rows that were learnt from, beside rows that were not. */
export interface ClosestRecords {
  /** share of synthetic rows that are closer to training rows, ties by halves: ½ where nothing is memorised, 1 where all is */
  nearerToTraining: number
  /**
   * that share's distance from ½ in standard errors of it where nothing is memorised: of a fair coin for each real row that is the closest
   * to synthetic ones, weighed by how many these are. Many synthetic rows may have the same closest one, and toss one coin together
   */
  z: number
  /** share of synthetic rows that are training rows, value for value */
  copies: number
  /** share that are held-out rows, which a table with few distinct rows has by itself */
  copiesOfHeldOut: number
  /** distance of each synthetic row to the closest training row, [rows] */
  toTraining: Float64Array
  /** and to the closest held-out row */
  toHeldOut: Float64Array
  /** rows of either part that were searched: the larger part is thinned to the smaller one's size */
  rows: number
}

const QUERIES_A_TURN = 64
/** Columns after which a distance that is too long already is left. */
const STRIDE = 2

/**
 * Distances are Gower's (1971): the mean over columns of |x − y| / range for numbers and dates (the range of all real rows, at most 1), and
 * of 0 or 1 for categories; a missing value is 0 from a missing one and 1 from any other. Takes about rows · (training + held-out)
 * · columns.
 *
 * @param seed of the thinning; default 0
 * @throws InvalidArgumentError for tables of other columns, DataError for infinite numbers
 */
export async function closestRecords(
  synthetic: Table,
  training: Table,
  heldOut: Table,
  { seed = 0 }: { seed?: number } = {},
): Promise<ClosestRecords> {
  const tables = alignTables({ training, 'held-out': heldOut, synthetic })
  const rows = Math.min(training.rows, heldOut.rows)
  const scales = scalesOf([tables.training, tables['held-out']])
  const [own, other] = [tables.training, tables['held-out']].map((table) => coded(thin(table, rows, seed), scales))
  const order = farFirst(own)
  const queries = inOrder(coded(tables.synthetic, scales), order)
  const inTraining = await closest(queries, inOrder(own, order))
  const inHeldOut = await closest(queries, inOrder(other, order))
  const [toTraining, toHeldOut] = [inTraining.distances, inHeldOut.distances]
  let [nearer, copies, copiesOfHeldOut] = [0, 0, 0]
  const coins = [inTraining, inHeldOut].map((found) => ({ rows: found.rows, weights: new Float64Array(rows) }))
  for (let i = 0; i < synthetic.rows; i++) {
    const sides = toTraining[i] < toHeldOut[i] ? [0] : toTraining[i] === toHeldOut[i] ? [0, 1] : [1]
    nearer += sides.length === 2 ? 0.5 : 1 - sides[0]
    for (const side of sides) coins[side].weights[coins[side].rows[i]] += 1 / sides.length
    if (toTraining[i] === 0) copies++
    if (toHeldOut[i] === 0) copiesOfHeldOut++
  }
  const nearerToTraining = nearer / synthetic.rows
  const squares = coins.reduce((sum, { weights }) => sum + weights.reduce((own, weight) => own + weight * weight, 0), 0)
  return {
    nearerToTraining,
    z: ((nearerToTraining - 0.5) * 2 * synthetic.rows) / Math.sqrt(squares),
    copies: copies / synthetic.rows,
    copiesOfHeldOut: copiesOfHeldOut / synthetic.rows,
    toTraining,
    toHeldOut,
    rows,
  }
}

/** Rows as numbers whose distance in each column is min(|x − y|, 1), [n, d]. */
interface Coded {
  n: number
  d: number
  values: Float64Array
}

/** A missing number: at least 1 from any that is there. */
const MISSING = 4

/** Least value and range of each column of numbers over both tables; of categories nothing. */
function scalesOf(tables: readonly Table[]): { least: number; range: number }[] {
  return tables[0].columns.map((column, j) => {
    if (isCategory(column)) return { least: 0, range: 1 }
    let [least, most] = [Infinity, -Infinity]
    for (const table of tables) {
      for (const value of (table.columns[j] as NumberColumn).values) {
        if (value < least) least = value
        if (value > most) most = value
      }
    }
    return { least, range: most - least }
  })
}

/** Codes of categories are whole numbers, so that different ones are at least 1 apart. */
function coded(table: Table, scales: readonly { least: number; range: number }[]): Coded {
  const d = table.columns.length
  const values = new Float64Array(table.rows * d)
  table.columns.forEach((column, j) => {
    const { least, range } = scales[j]
    for (let i = 0; i < table.rows; i++) {
      if (isCategory(column)) values[i * d + j] = column.codes[i]
      else if (Number.isNaN(column.values[i])) values[i * d + j] = MISSING
      else {
        const from = column.values[i] - least
        // of a constant every other value is a whole range away; beyond one range all are equally far
        values[i * d + j] = from === 0 ? 0 : range > 0 ? Math.max(-1, Math.min(2, from / range)) : Math.sign(from)
      }
    }
  })
  return { n: table.rows, d, values }
}

/** Columns by the mean distance in them, the farthest first: so most rows are left after a few columns. */
function farFirst({ n, d, values }: Coded): number[] {
  const apart = new Float64Array(d)
  for (let i = 0; i < n; i++) {
    const other = (i + (n >> 1)) % n
    for (let k = 0; k < d; k++) apart[k] += Math.min(1, Math.abs(values[i * d + k] - values[other * d + k]))
  }
  return Array.from({ length: d }, (_, k) => k).sort((a, b) => apart[b] - apart[a] || a - b)
}

const inOrder = ({ n, d, values }: Coded, order: readonly number[]): Coded => ({
  n,
  d,
  values: values.map((_, at) => values[at - (at % d) + order[at % d]]),
})

/** The least distance of each query to the rows, and the first row that has it, [queries]. */
async function closest(queries: Coded, rows: Coded): Promise<{ distances: Float64Array; rows: Uint32Array }> {
  const { d } = queries
  const [a, b] = [queries.values, rows.values]
  const [distances, nearest] = [new Float64Array(queries.n), new Uint32Array(queries.n)]
  for (let i = 0; i < queries.n; i++) {
    if (i % QUERIES_A_TURN === 0) await turn()
    let least = Infinity
    for (let j = 0; j < rows.n && least > 0; j++) {
      let sum = 0
      for (let first = 0; first < d && sum < least; first += STRIDE) {
        const end = Math.min(d, first + STRIDE)
        for (let k = first; k < end; k++) {
          const apart = Math.abs(a[i * d + k] - b[j * d + k])
          sum += apart < 1 ? apart : 1
        }
      }
      if (sum < least) [least, nearest[i]] = [sum, j]
    }
    distances[i] = least / d
  }
  return { distances, rows: nearest }
}
