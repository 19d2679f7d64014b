/**
 * Numbers of any distribution as a normal: z = Φ⁻¹(F(x)), with F the training rows' distribution function, linear between
 * quantiles. A value that is a multiple of a unit stands for the cell of that width around it: a row has a place in its cell at
 * random, and what comes back is rounded to the unit. Values of which many are the same keep a stretch of F for themselves.
 */

import * as z from 'zod'
import { normalQuantile, normalShare } from '../../../random/normal.js'
import { type Encoder, firstFrom, roundTo, within } from './encoder.js'

/** Quantiles at even shares, and in each tail at shares that halve from one of these to the next. */
const EVEN = 1000

const schema = z
  .object({
    /** quantiles, not falling */
    x: z.array(z.number()).min(2),
    /** their shares, growing; the ends a little within 0 and 1, which are infinite as normals */
    u: z.array(z.number().gt(0).lt(1)).min(2),
    unit: z.number().min(0),
  })
  .refine(({ x, u }) => x.length === u.length, 'x and u must be as many')

/** Shares at which quantiles are kept, for n rows. */
function sharesFor(n: number): number[] {
  const even = Math.min(EVEN, n)
  const tail: number[] = []
  for (let share = 1 / even / 2; share * n >= 1; share /= 2) tail.push(share)
  const middle = Array.from({ length: even - 1 }, (_, i) => (i + 1) / even)
  const edge = 1 / (4 * n)
  return [edge, ...tail.toReversed(), ...middle, ...tail.map((share) => 1 - share), 1 - edge]
}

export const quantile: Encoder<z.output<typeof schema>> = {
  schema,
  describe: ({ unit }) => `quantiles as a normal${unit > 0 ? `, rounded to ${Number(unit.toPrecision(6))}` : ''}`,
  fit({ sorted, unit }) {
    const n = sorted.length
    // rows of the same value lie evenly in its cell
    const spread = Float64Array.from(sorted)
    for (let i = 0; unit > 0 && i < n; ) {
      let end = i + 1
      while (end < n && sorted[end] === sorted[i]) end++
      for (let k = i; k < end; k++) spread[k] = sorted[i] + unit * ((k - i + 0.5) / (end - i) - 0.5)
      i = end
    }
    const [least, most] = [sorted[0] - unit / 2, sorted[n - 1] + unit / 2]
    const u = sharesFor(n)
    const x = u.map((share) => {
      const place = share * n - 0.5
      if (place < 0) return least
      if (place > n - 1) return most
      const i = Math.floor(place)
      return spread[i] + (place - i) * ((spread[i + 1] ?? most) - spread[i])
    })
    return { x, u, unit }
  },
  open({ x, u, unit }) {
    const last = x.length - 1
    const [least, most] = [x[0] + unit / 2, x[last] - unit / 2]
    return {
      names: ['value'],
      are: 'number',
      encode(value, draws, out, at) {
        const place = unit > 0 ? within(value - unit / 2, value + unit / 2, draws) : value
        const first = firstFrom(x, place)
        let share: number
        if (first > last) share = u[last]
        else if (x[first] !== place) share = first === 0 ? u[0] : between(place, x, u, first)
        else {
          let end = first
          while (end < last && x[end + 1] === place) end++
          share = end === first ? u[first] : within(u[first], u[end], draws)
        }
        out[at] = normalQuantile(share)
      },
      decode(row, at) {
        const share = normalShare(row[at])
        const first = Math.min(Math.max(1, firstFrom(u, share)), last)
        return Math.min(most, Math.max(least, roundTo(between(share, u, x, first), unit)))
      },
    }
  },
}

/** The point at x of the line from (xs[i − 1], ys[i − 1]) to (xs[i], ys[i]). */
function between(x: number, xs: readonly number[], ys: readonly number[], i: number): number {
  const width = xs[i] - xs[i - 1]
  return width === 0 ? ys[i] : ys[i - 1] + ((ys[i] - ys[i - 1]) * Math.min(width, Math.max(0, x - xs[i - 1]))) / width
}
