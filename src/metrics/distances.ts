/** Squared Euclidean distances of all pairs, four rows of one set against a block of the other at a time. */

import type { Rows } from './rows.js'

/** Rows that are compared at once: each value of the other set is read once for all of them. */
export const TOGETHER = 4

/**
 * Distances of rows `first` … `first + 3` of a to rows `from` … `end − 1` of b, squared: out[r · (end − from) + j − from]. Rows
 * beyond the end of a are its last row again.
 */
export function squaredDistances(
  a: Rows,
  first: number,
  b: Rows,
  from: number,
  end: number,
  d: number,
  out: Float64Array,
): void {
  const last = a.length - d
  const [a0, a1, a2, a3] = [0, 1, 2, 3].map((r) => Math.min(last, (first + r) * d))
  const count = end - from
  for (let j = 0; j < count; j++) {
    const row = (from + j) * d
    let [s0, s1, s2, s3] = [0, 0, 0, 0]
    for (let k = 0; k < d; k++) {
      const y = b[row + k]
      const d0 = a[a0 + k] - y
      const d1 = a[a1 + k] - y
      const d2 = a[a2 + k] - y
      const d3 = a[a3 + k] - y
      s0 += d0 * d0
      s1 += d1 * d1
      s2 += d2 * d2
      s3 += d3 * d3
    }
    out[j] = s0
    out[count + j] = s1
    out[2 * count + j] = s2
    out[3 * count + j] = s3
  }
}
