/**
 * Nearest neighbours by Euclidean distance, exact. Rows of many columns are first compared in a few: distances between
 * projections on orthonormal directions are never longer than the distances themselves, so that a row whose projection is
 * farther than the nearest row so far is passed over. The directions are those of greatest spread, by a few rounds of
 * orthogonal iteration; any would be right.
 */

import { RandomStream, streams } from '../random/stream.js'
import { centred, squaredDifference, squaredDistances, TOGETHER } from './distances.js'
import { type Rows, rowCount, turn } from './rows.js'

/** Columns up to which distances are computed at once. */
const FEW = 64
/** Directions of a projection. */
const DIRECTIONS = 16
const ROUNDS = 3
/** Rows that the directions are found on. */
const MOST_LOOKED_AT = 1000
/** More than float64 rounds in a projection, as a part of the squared lengths that it comes from. */
const SLACK = 1e-9
const QUERIES_A_TURN = 32

/**
 * For each query, [q, d], the distance to the nearest of the rows, [n, d].
 *
 * @throws InvalidArgumentError for no rows or rows of another width, DataError for values that are not finite
 */
export async function nearestDistances(queries: Rows, rows: Rows, d: number): Promise<Float64Array> {
  const q = rowCount('the queries', queries, d)
  const n = rowCount('the rows', rows, d)
  const projection = d > FEW ? new Projection(rows, d) : null
  const width = projection ? DIRECTIONS + 1 : d
  const [low, short] = centred(
    [queries, rows].map((set) => projection?.of(set) ?? set),
    width,
  )
  const slack = projection ? SLACK * (projection.longest(queries) + projection.longest(rows)) : 0
  const bounds = new Float64Array(TOGETHER * n)
  const result = new Float64Array(q)
  for (let i = 0; i < q; i++) {
    if (i % QUERIES_A_TURN === 0) await turn()
    if (i % TOGETHER === 0) squaredDistances(low, i, short, 0, n, width, bounds)
    const own = bounds.subarray((i % TOGETHER) * n, ((i % TOGETHER) + 1) * n)
    let nearest = 0
    for (let j = 1; j < n; j++) if (own[j] < own[nearest]) nearest = j
    if (!projection) {
      result[i] = Math.sqrt(own[nearest])
      continue
    }
    let least = squaredDifference(queries, i, rows, nearest, d, Infinity)
    for (let j = 0; j < n; j++) {
      if (own[j] - slack < least) least = Math.min(least, squaredDifference(queries, i, rows, j, d, least))
    }
    result[i] = Math.sqrt(least)
  }
  return result
}

/** Coordinates along DIRECTIONS orthonormal directions through the rows' mean, and the length of what these leave. */
class Projection {
  readonly #mean: Float64Array
  readonly #directions: Float64Array[]

  constructor(
    rows: Rows,
    private readonly d: number,
  ) {
    const n = rows.length / d
    this.#mean = new Float64Array(d)
    for (let i = 0; i < rows.length; i++) this.#mean[i % d] += rows[i] / n
    const random = new RandomStream(0, streams.metric)
    this.#directions = Array.from({ length: DIRECTIONS }, (_, k) => {
      random.row(k)
      return Float64Array.from({ length: d }, () => random.normal())
    })
    orthonormalise(this.#directions)
    const stride = Math.ceil(n / MOST_LOOKED_AT)
    for (let round = 0; round < ROUNDS; round++) {
      const sums = this.#directions.map(() => new Float64Array(d))
      for (let i = 0; i < n; i += stride) {
        const row = this.#centred(rows, i)
        this.#directions.forEach((direction, k) => {
          const along = dot(direction, row)
          for (let j = 0; j < d; j++) sums[k][j] += along * row[j]
        })
      }
      // rows that all lie in fewer dimensions leave some directions as they were
      this.#directions.forEach((direction, k) => {
        if (dot(sums[k], sums[k]) > 0) direction.set(sums[k])
      })
      orthonormalise(this.#directions)
    }
  }

  #centred(rows: Rows, i: number): Float64Array {
    return Float64Array.from({ length: this.d }, (_, k) => rows[i * this.d + k] - this.#mean[k])
  }

  /** [n, DIRECTIONS + 1]. */
  of(rows: Rows): Float64Array {
    const width = DIRECTIONS + 1
    const result = new Float64Array((rows.length / this.d) * width)
    for (let i = 0, at = 0; at < result.length; i++, at += width) {
      const row = this.#centred(rows, i)
      let left = dot(row, row)
      this.#directions.forEach((direction, k) => {
        result[at + k] = dot(direction, row)
        left -= result[at + k] ** 2
      })
      result[at + DIRECTIONS] = Math.sqrt(Math.max(0, left))
    }
    return result
  }

  /** Largest squared distance of a row from the mean. */
  longest(rows: Rows): number {
    let most = 0
    for (let i = 0; i < rows.length / this.d; i++) {
      const row = this.#centred(rows, i)
      most = Math.max(most, dot(row, row))
    }
    return most
  }
}

/** Gram and Schmidt's, each direction twice, so that rounding leaves them orthonormal; one that vanishes becomes zeros. */
function orthonormalise(directions: readonly Float64Array[]): void {
  directions.forEach((direction, k) => {
    const before = Math.sqrt(dot(direction, direction))
    for (let pass = 0; pass < 2; pass++) {
      for (const other of directions.slice(0, k)) {
        const along = dot(direction, other)
        for (let j = 0; j < direction.length; j++) direction[j] -= along * other[j]
      }
    }
    const length = Math.sqrt(dot(direction, direction))
    for (let j = 0; j < direction.length; j++) direction[j] = length > 1e-8 * before ? direction[j] / length : 0
  })
}

function dot(a: Float64Array, b: Float64Array): number {
  let sum = 0
  for (let i = 0; i < a.length; i++) sum += a[i] * b[i]
  return sum
}
