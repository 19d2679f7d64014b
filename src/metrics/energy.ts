/**
 * The energy distance (Székely and Rizzo 2004), by Euclidean distances of all pairs:
 *
 *     2 E|X − Y| − E|X − X′| − E|Y − Y′|
 *
 * which is 0 where the distributions are one and above it elsewhere, in the unit of the data. It is the maximum mean
 * discrepancy, squared, of the kernel −|x − y|. SciPy's `energy_distance` is the root of it.
 */

import { type CentredRows, centred, squaredDistances, TOGETHER } from './distances.js'
import { type Rows, rowCount, turn } from './rows.js'

/** Which form of the energy distance is taken. */
export interface EnergyOptions {
  /**
   * Whether a row's distance to itself (0) is left out of the means within a set. Then sets of one distribution have 0 in the
   * mean, and a single result may lie somewhat below; else it is never below 0, and too large by about 1/n + 1/m times the mean
   * distance. Default true.
   */
  unbiased?: boolean
}

/**
 * The energy distance of two sets of rows, [n, d] and [m, d]. Costs (n + m)²/2 distances: at 10 000 rows each about two
 * seconds in two dimensions.
 *
 * @throws InvalidArgumentError for fewer than two rows or rows of another width, DataError for values that are not finite
 */
export async function energyDistance(a: Rows, b: Rows, d: number, options: EnergyOptions = {}): Promise<number> {
  const { unbiased = true } = options
  const fewest = unbiased ? 2 : 1
  const [n, m] = [rowCount('a', a, d, fewest), rowCount('b', b, d, fewest)]
  const [x, y] = centred([a, b], d)
  const [between, inA, inB] = [await distanceSum(x, y, d), await distanceSum(x, x, d), await distanceSum(y, y, d)]
  return (2 * between) / (n * m) - inA / (n * (unbiased ? n - 1 : n)) - inB / (m * (unbiased ? m - 1 : m))
}

/** Rows of the other set that stay in the cache meanwhile. */
const BLOCK = 1024
const ROWS_A_TURN = 64

/** Σ |x − y| over all pairs; over all ordered pairs where both sets are one. */
async function distanceSum(a: CentredRows, b: CentredRows, d: number): Promise<number> {
  const [n, m] = [a.squares.length, b.squares.length]
  const within = a === b
  const squares = new Float64Array(TOGETHER * BLOCK)
  let sum = 0
  for (let first = 0; first < n; first += TOGETHER) {
    if (first % ROWS_A_TURN === 0) await turn()
    const rows = Math.min(TOGETHER, n - first)
    const before = within ? first : m
    for (let from = 0; from < before; from += BLOCK) {
      const end = Math.min(before, from + BLOCK)
      squaredDistances(a, first, b, from, end, d, squares)
      for (let i = 0; i < rows * (end - from); i++) sum += Math.sqrt(squares[i])
    }
    if (!within) continue
    // the few pairs among the rows themselves
    squaredDistances(a, first, b, first, first + rows, d, squares)
    for (let i = 0; i < rows; i++) for (let j = 0; j < i; j++) sum += Math.sqrt(squares[i * rows + j])
  }
  return within ? 2 * sum : sum
}
