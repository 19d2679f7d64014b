/**
 * The linear assignment problem, solved exactly by the method of Jonker and Volgenant (1987): a column reduction and two
 * passes of row reduction match most rows cheaply, shortest augmenting paths match the rest. O(n³) at worst.
 */

/**
 * The column of each row in an assignment of least total cost.
 * @param cost [n, n], row-major, finite
 * @returns [n], a permutation
 */
export function assign(cost: Float64Array, n: number): Int32Array {
  const columnOf = new Int32Array(n).fill(-1)
  const rowOf = new Int32Array(n).fill(-1)
  // prices of columns: cost[i, j] − price[j] is least over j at the column that row i has
  const price = new Float64Array(n)
  reduceColumns(cost, n, columnOf, rowOf, price)
  let free = Array.from({ length: n }, (_, i) => i).filter((i) => columnOf[i] < 0)
  for (let pass = 0; pass < 2; pass++) free = reduceRows(cost, n, free, columnOf, rowOf, price)
  const search = new Search(n)
  for (const row of free) search.augment(cost, row, columnOf, rowOf, price)
  return columnOf
}

/** Each column's price becomes its least cost, and the row that has it takes the column where it has none yet. */
function reduceColumns(
  cost: Float64Array,
  n: number,
  columnOf: Int32Array,
  rowOf: Int32Array,
  price: Float64Array,
): void {
  for (let j = n - 1; j >= 0; j--) {
    let least = 0
    for (let i = 1; i < n; i++) if (cost[i * n + j] < cost[least * n + j]) least = i
    price[j] = cost[least * n + j]
    if (columnOf[least] < 0) {
      columnOf[least] = j
      rowOf[j] = least
    }
  }
}

/** Each free row takes its best column, whose price falls by how much better it is than the second. Returns the rows that lost theirs. */
function reduceRows(
  cost: Float64Array,
  n: number,
  free: readonly number[],
  columnOf: Int32Array,
  rowOf: Int32Array,
  price: Float64Array,
): number[] {
  const still: number[] = []
  for (const i of free) {
    let [best, second] = [Number.POSITIVE_INFINITY, Number.POSITIVE_INFINITY]
    let [j1, j2] = [-1, -1]
    for (let j = 0; j < n; j++) {
      const reduced = cost[i * n + j] - price[j]
      if (reduced < best) {
        ;[second, j2] = [best, j1]
        ;[best, j1] = [reduced, j]
      } else if (reduced < second) [second, j2] = [reduced, j]
    }
    if (best < second && j2 >= 0) price[j1] -= second - best
    else if (rowOf[j1] >= 0 && j2 >= 0) j1 = j2
    const before = rowOf[j1]
    if (before >= 0) {
      columnOf[before] = -1
      still.push(before)
    }
    columnOf[i] = j1
    rowOf[j1] = i
  }
  return still
}

/** Dijkstra's search for the nearest free column of a row, with memory that is used for all rows. */
class Search {
  private readonly distance: Float64Array
  private readonly from: Int32Array
  /** columns: those that were scanned from the end backwards, the others before them */
  private readonly columns: Int32Array

  constructor(private readonly n: number) {
    this.distance = new Float64Array(n)
    this.from = new Int32Array(n)
    this.columns = Int32Array.from({ length: n }, (_, j) => j)
  }

  augment(cost: Float64Array, row: number, columnOf: Int32Array, rowOf: Int32Array, price: Float64Array): void {
    const { n, distance, from, columns } = this
    let nearest = 0
    for (let k = 0; k < n; k++) {
      const j = columns[k]
      distance[j] = cost[row * n + j] - price[j]
      from[j] = row
      if (distance[j] < distance[columns[nearest]]) nearest = k
    }
    let left = n
    let end = columns[nearest]
    while (rowOf[end] >= 0) {
      columns[nearest] = columns[--left]
      columns[left] = end
      const i = rowOf[end]
      const shift = cost[i * n + end] - price[end] - distance[end]
      nearest = 0
      for (let k = 0; k < left; k++) {
        const j = columns[k]
        const through = cost[i * n + j] - price[j] - shift
        if (through < distance[j]) {
          distance[j] = through
          from[j] = i
        }
        if (distance[j] < distance[columns[nearest]]) nearest = k
      }
      end = columns[nearest]
    }
    for (let k = left; k < n; k++) price[columns[k]] += distance[columns[k]] - distance[end]
    // along the path every row takes the next column
    for (let j = end; ; ) {
      const i = from[j]
      const before = columnOf[i]
      columnOf[i] = j
      rowOf[j] = i
      if (i === row) break
      j = before
    }
  }
}
