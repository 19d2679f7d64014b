/**
 * Columns that have no density, or none together: a model's likelihood of them grows without end while it trains, and its
 * samples are only near to them. Training goes on, and says so.
 */

import { columnName, type Tensor } from './tensor.js'

/** Rows that are looked at, evenly spaced. */
const MOST_ROWS = 20_000
/** A column of fewer distinct values than this, and than a tenth of the rows, is taken for discrete. */
const DISCRETE_BELOW = 100
/** Columns up to which linear dependence is looked for. */
const MOST_COLUMNS = 256
/** Share of a column's variance that the columns before it leave over, below which it is taken for a combination of them. */
const LEAST_LEFT = 1e-6
/** Columns that a remark names. */
const MOST_NAMED = 8

/** Sentences on the columns of training rows [n, d]; none for pictures, bytes or a few rows. */
export function columnRemarks(x: Tensor, columns: readonly string[] | null): string[] {
  const [n, d] = x.shape
  if (x.shape.length !== 2 || n < 20) return []
  const step = Math.ceil(n / MOST_ROWS)
  const rows = Math.floor((n - 1) / step) + 1
  const all = Array.from({ length: d }, (_, j) =>
    Float64Array.from({ length: rows }, (_, i) => x.values[i * step * d + j]),
  )
  const distinct = all.map((column) => new Set(column).size)
  const name = (j: number): string => columnName(j, columns)
  const constant = distinct.flatMap((count, j) => (count === 1 ? [j] : []))
  const discrete = distinct.flatMap((count, j) => (count > 1 && count < Math.min(DISCRETE_BELOW, rows / 10) ? [j] : []))
  const numbers = all.flatMap((column, j) => (step === 1 && numbersRows(column, distinct[j]) ? [j] : []))
  const dependent = d <= MOST_COLUMNS ? combinations(all.map(standardised), constant) : []
  const remarks: string[] = []
  if (constant.length > 0) {
    remarks.push(`${listed(constant.map(name))} ${constant.length === 1 ? 'is' : 'are'} constant, and ${ENDLESS}`)
  }
  if (discrete.length > 0) {
    const named = discrete.map((j) => `${name(j)} (${distinct[j]} values)`)
    remarks.push(
      `${listed(named)} ${discrete.length === 1 ? 'is' : 'are'} discrete: the density there is infinite, and ${ENDLESS}`,
    )
  }
  if (numbers.length > 0) {
    remarks.push(
      `${listed(numbers.map(name))} ${numbers.length === 1 ? 'looks' : 'look'} like the rows' numbers: whole, and no two alike. ` +
        'A model learns them as it does any column; leave out what is no measured number (data.columns).',
    )
  }
  if (dependent.length > 0) {
    remarks.push(
      `${listed(dependent.map(name))} ${dependent.length === 1 ? 'is a linear combination' : 'are linear combinations'} of ` +
        `the columns before: all lie on a plane, where the density is infinite, and ${ENDLESS}`,
    )
  }
  return remarks
}

/** Whether a column could count the rows: whole numbers, all distinct, nearly one for each row. Some rows may be in other parts. */
function numbersRows(column: Float64Array, distinct: number): boolean {
  if (distinct < column.length || !column.every(Number.isInteger)) return false
  let [low, high] = [Infinity, -Infinity]
  for (const value of column) {
    low = Math.min(low, value)
    high = Math.max(high, value)
  }
  return high - low < 2 * column.length
}

const ENDLESS = 'the likelihood of a model means nothing there. Leave out what is no measured number (data.columns).'

const listed = (names: readonly string[]): string => {
  const shown = names.slice(0, MOST_NAMED)
  const rest = names.length - shown.length
  const last = rest > 0 ? `${rest} more` : shown.pop()
  return shown.length > 0 ? `${shown.join(', ')} and ${last}` : last!
}

/** A column with mean 0 and length 1; zeros where it is constant. */
function standardised(column: Float64Array): Float64Array {
  const mean = column.reduce((sum, value) => sum + value / column.length, 0)
  const centred = column.map((value) => value - mean)
  const length = Math.sqrt(centred.reduce((sum, value) => sum + value * value, 0))
  return centred.map((value) => (length > 0 ? value / length : 0))
}

/** Columns of which the ones before leave next to nothing, by Gram and Schmidt's orthogonalisation. */
function combinations(columns: readonly Float64Array[], constant: readonly number[]): number[] {
  const basis: Float64Array[] = []
  return columns.flatMap((column, j) => {
    if (constant.includes(j)) return []
    const left = column.slice()
    for (const direction of basis) {
      const along = left.reduce((sum, value, i) => sum + value * direction[i], 0)
      for (let i = 0; i < left.length; i++) left[i] -= along * direction[i]
    }
    const square = left.reduce((sum, value) => sum + value * value, 0)
    if (square < LEAST_LEFT) return [j]
    basis.push(left.map((value) => value / Math.sqrt(square)))
    return []
  })
}
