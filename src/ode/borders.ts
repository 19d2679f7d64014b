/** Where a chain is cut into pieces of equal angle (clock.ts). */

import { type AngleRange, angleDial } from './clock.js'

/**
 * The borders of `pieces` pieces, from the data to the noise, as chain times: sub-flow n (from 1) lies between n − 1 and n, and
 * its own time t at n − 1 + t. The first is 0, the last the number of sub-flows. Where a sub-flow's place on the angle is not
 * known, the pieces are even in the chain time.
 */
export function evenBorders(chain: readonly (AngleRange | null)[], pieces: number): number[] {
  const N = chain.length
  const ranges = chain.filter((range) => range !== null)
  const whole = ranges.at(-1)?.to ?? 0
  return Array.from({ length: pieces + 1 }, (_, k) => {
    if (k === 0 || k === pieces) return k === 0 ? 0 : N
    if (ranges.length < N) return (N * k) / pieces
    const angle = (whole * k) / pieces
    const n = ranges.findIndex(({ to }) => angle <= to)
    return n + angleDial(ranges[n]).instant(angle).time
  })
}
