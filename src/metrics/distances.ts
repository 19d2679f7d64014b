/**
 * Squared Euclidean distances of all pairs, four rows of one set against a block of the other at a time: |x|² + |y|² − 2 x·y of
 * rows about a common centre, in float64. Where little is left of the sum, rounding would be seen, and the distance is taken from the
 * differences instead.
 */

import type { Rows } from './rows.js'

/** Rows that are compared at once: each value of the other set is read once for all of them. */
export const TOGETHER = 4

/** Rows that distances are taken of. */
export interface CentredRows {
  /** [n, d], as they were given */
  readonly rows: Rows
  /** [n, d], less the common centre; always float64, so that the loop below is compiled for one type */
  readonly values: Float64Array
  /** squared lengths of these, [n] */
  readonly squares: Float64Array
}

/** Sets of rows [·, d] about one centre: the mean of the first. */
export function centred(sets: readonly Rows[], d: number): CentredRows[] {
  const centre = new Float64Array(d)
  const n = sets[0].length / d
  for (let i = 0; i < sets[0].length; i++) centre[i % d] += sets[0][i] / n
  return sets.map((rows) => {
    const values = Float64Array.from(rows)
    const squares = new Float64Array(values.length / d)
    for (let i = 0; i < squares.length; i++) {
      for (let k = 0; k < d; k++) {
        values[i * d + k] -= centre[k]
        squares[i] += values[i * d + k] ** 2
      }
    }
    return { rows, values, squares }
  })
}

/** Share of |x|² + |y|² below which a distance is taken from the differences. */
const NEAR = 1 / 64

/**
 * Distances of rows `first` … `first + 3` of a to rows `from` … `end − 1` of b, squared: out[r · (end − from) + j − from]. Rows
 * beyond the end of a are its last row again.
 */
export function squaredDistances(
  a: CentredRows,
  first: number,
  b: CentredRows,
  from: number,
  end: number,
  d: number,
  out: Float64Array,
): void {
  const x = a.values
  const y = b.values
  const last = a.squares.length - 1
  const rows = [0, 1, 2, 3].map((r) => Math.min(last, first + r))
  const [x0, x1, x2, x3] = rows.map((row) => row * d)
  const [l0, l1, l2, l3] = rows.map((row) => a.squares[row])
  const lengths = b.squares
  const count = end - from
  const [o1, o2, o3] = [count, 2 * count, 3 * count]
  for (let j = from; j < end; j += 2) {
    // the last of an odd number is taken twice
    const second = Math.min(j + 1, end - 1)
    const y0 = j * d
    const y1 = second * d
    let [s00, s10, s20, s30, s01, s11, s21, s31] = [0, 0, 0, 0, 0, 0, 0, 0]
    for (let k = 0; k < d; k++) {
      const p0 = x[x0 + k]
      const p1 = x[x1 + k]
      const p2 = x[x2 + k]
      const p3 = x[x3 + k]
      const q0 = y[y0 + k]
      const q1 = y[y1 + k]
      s00 += p0 * q0
      s10 += p1 * q0
      s20 += p2 * q0
      s30 += p3 * q0
      s01 += p0 * q1
      s11 += p1 * q1
      s21 += p2 * q1
      s31 += p3 * q1
    }
    const at = j - from
    const length = lengths[j]
    out[at] = l0 + length - 2 * s00
    out[o1 + at] = l1 + length - 2 * s10
    out[o2 + at] = l2 + length - 2 * s20
    out[o3 + at] = l3 + length - 2 * s30
    const other = second - from
    const others = lengths[second]
    out[other] = l0 + others - 2 * s01
    out[o1 + other] = l1 + others - 2 * s11
    out[o2 + other] = l2 + others - 2 * s21
    out[o3 + other] = l3 + others - 2 * s31
  }
  rows.forEach((row, r) => {
    const length = a.squares[row]
    for (let j = from, at = r * count; j < end; j++, at++) {
      if (!(out[at] > NEAR * (length + lengths[j]))) out[at] = squaredDifference(a.rows, row, b.rows, j, d)
    }
  })
}

/** Columns after which a distance that is too long already is left. */
const STRIDE = 32

/** |aᵢ − bⱼ|²; anything of at least `enough` where it is no less than that. */
export function squaredDifference(a: Rows, i: number, b: Rows, j: number, d: number, enough = Infinity): number {
  let sum = 0
  for (let first = 0; first < d && sum < enough; first += STRIDE) {
    const end = Math.min(d, first + STRIDE)
    for (let k = first; k < end; k++) {
      const apart = a[i * d + k] - b[j * d + k]
      sum += apart * apart
    }
  }
  return sum
}
