/**
 * Columns as small whole numbers, which gradient boosting makes its histograms of. Bin 0 is missing. Numbers have up to 64 bins
 * that hold about equally many of the rows they were made on, or one for each value where there are no more; of a category the
 * most frequent levels have a bin each, and the rest share the last.
 */

import { isCategory, type TableColumn } from '../../data/tables/table.js'
import { present } from './columns.js'

/** Bins of what is there, at most. */
export const MOST_BINS = 64

/** How a column is binned, made on the rows that are learnt from. */
export interface Binning {
  /** bins with that of the missing: 1 + those of what is there */
  bins: number
  /** whether the bins have an order, as those of numbers do */
  ordered: boolean
  /** bins of the rows of such a column */
  of(column: TableColumn): Uint8Array
}

/** The bins of a column by these rows of it. */
export function binning(column: TableColumn): Binning {
  if (isCategory(column)) return levelBins(column.codes, column.levels.length)
  const edges = edgesOf(present(column))
  return {
    bins: edges.length + 2,
    ordered: true,
    of: (other) => Uint8Array.from(isCategory(other) ? [] : other.values, (value) => binOf(value, edges)),
  }
}

/** What lies between bins: halfway between neighbouring values. */
function edgesOf(sorted: Float64Array): Float64Array {
  const distinct: { value: number; count: number }[] = []
  for (const value of sorted) {
    const last = distinct.at(-1)
    if (last?.value === value) last.count++
    else distinct.push({ value, count: 1 })
  }
  const edges: number[] = []
  let [inside, left] = [0, sorted.length]
  distinct.forEach(({ value, count }, i) => {
    if (i === distinct.length - 1) return
    inside += count
    // a value that is held by many has a bin of its own, and what is left is shared by the bins that are left
    const next = distinct[i + 1]
    const full =
      distinct.length <= MOST_BINS ||
      inside + next.count / 2 > left / (MOST_BINS - edges.length) ||
      distinct.length - i - 1 <= MOST_BINS - edges.length - 1
    if (!full || edges.length === MOST_BINS - 1) return
    edges.push(value + (next.value - value) / 2)
    left -= inside
    inside = 0
  })
  return Float64Array.from(edges)
}

/** 1 + the edges below a value; 0 where it is missing. */
function binOf(value: number, edges: Float64Array): number {
  if (Number.isNaN(value)) return 0
  let [low, high] = [0, edges.length]
  while (low < high) {
    const middle = (low + high) >> 1
    if (edges[middle] < value) low = middle + 1
    else high = middle
  }
  return low + 1
}

function levelBins(codes: Int32Array, levels: number): Binning {
  const counts = new Float64Array(levels)
  for (const code of codes) if (code >= 0) counts[code]++
  const seen = Array.from(counts.keys()).filter((code) => counts[code] > 0)
  const byCount = seen.sort((a, b) => counts[b] - counts[a] || a - b)
  const own = byCount.length <= MOST_BINS ? byCount.length : MOST_BINS - 1
  const shared = own < byCount.length
  const binOfLevel = new Uint8Array(levels).fill(shared ? MOST_BINS : 0)
  byCount.slice(0, own).forEach((code, i) => {
    binOfLevel[code] = i + 1
  })
  return {
    bins: 1 + own + (shared ? 1 : 0),
    ordered: false,
    // a level that was not there to learn from is like one that is missing, or like the rare ones
    of: (other) =>
      Uint8Array.from(isCategory(other) ? other.codes : [], (code) => (code < 0 ? 0 : (binOfLevel[code] ?? 0))),
  }
}
