/**
 * Levels of a category: one column each (one-hot), or the binary digits of their number where there are many. Columns are
 * centred on the training rows' shares and scaled, so that a level is as far from another as the noise is wide.
 */

import * as z from 'zod'
import type { Encoder, Sample } from './encoder.js'

/** Levels up to which each has a column of its own. */
export const MOST_ONE_HOT = 128
/** What a column's value gains where its level is there. */
const SCALE = 2

const share = z.number().min(0).max(1)

/** Shares of the levels 0 … K − 1 among training rows. */
function sharesOf({ sorted }: Sample): number[] {
  const shares = new Array<number>((sorted.at(-1) ?? 0) + 1).fill(0)
  for (const level of sorted) shares[level] += 1 / sorted.length
  return shares.map((value) => Math.min(1, value))
}

const oneHotSchema = z.object({ shares: z.array(share).min(2), scale: z.number().positive() })

export const oneHot: Encoder<z.output<typeof oneHotSchema>> = {
  schema: oneHotSchema,
  describe: ({ shares }) => `${shares.length} columns, one a level`,
  fit: (sample) => ({ shares: sharesOf(sample), scale: SCALE }),
  open({ shares, scale }) {
    const K = shares.length
    return {
      names: shares.map((_, k) => String(k)),
      are: 'levels',
      levels: { scale, shares },
      encode(value, _, out, at) {
        for (let k = 0; k < K; k++) out[at + k] = scale * ((k === value ? 1 : 0) - shares[k])
      },
      decode(row, at) {
        let best = 0
        for (let k = 1; k < K; k++) {
          if (row[at + k] + scale * shares[k] > row[at + best] + scale * shares[best]) best = k
        }
        return best
      },
    }
  },
}

const codeSchema = z.object({ levels: z.int().min(2), means: z.array(share).min(1), scale: z.number().positive() })

export const code: Encoder<z.output<typeof codeSchema>> = {
  schema: codeSchema,
  describe: ({ levels, means }) => `${levels} levels as a code of ${means.length} columns`,
  fit(sample) {
    const shares = sharesOf(sample)
    const bits = Math.ceil(Math.log2(shares.length))
    const means = Array.from({ length: bits }, (_, bit) =>
      Math.min(
        1,
        shares.reduce((sum, value, level) => sum + ((level >> bit) & 1) * value, 0),
      ),
    )
    return { levels: shares.length, means, scale: SCALE }
  },
  open({ levels, means, scale }) {
    const bits = means.length
    /** distance of a level's code from the numbers */
    const distance = (row: ArrayLike<number>, at: number, level: number): number => {
      let sum = 0
      for (let bit = 0; bit < bits; bit++) sum += (row[at + bit] - scale * (((level >> bit) & 1) - means[bit])) ** 2
      return sum
    }
    return {
      names: means.map((_, bit) => `bit ${bit}`),
      are: 'code',
      encode(value, _, out, at) {
        for (let bit = 0; bit < bits; bit++) out[at + bit] = scale * (((value >> bit) & 1) - means[bit])
      },
      decode(row, at) {
        let level = 0
        for (let bit = 0; bit < bits; bit++) {
          if (row[at + bit] > scale * (0.5 - means[bit])) level += 1 << bit
        }
        if (level < levels) return level
        // a code of no level: the nearest one that is
        let [best, least] = [0, Infinity]
        for (let other = 0; other < levels; other++) {
          const far = distance(row, at, other)
          if (far < least) [best, least] = [other, far]
        }
        return best
      },
    }
  },
}
