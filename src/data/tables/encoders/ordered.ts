/**
 * Numbers of which each occurs often: ordered levels. Level k has the stretch [F(v_{k−1}), F(v_k)] of (0, 1), a row a place in
 * it at random, and its number is Φ⁻¹ of that: normal over all rows, and a level again whatever is in its stretch.
 */

import * as z from 'zod'
import { normalQuantile, normalShare } from '../../../random/normal.js'
import { type Encoder, firstFrom, within } from './encoder.js'

const schema = z
  .object({ values: z.array(z.number()).min(1), ends: z.array(z.number().gt(0).lte(1)).min(1) })
  .refine(({ values, ends }) => values.length === ends.length, 'values and ends must be as many')

export const ordered: Encoder<z.output<typeof schema>> = {
  schema,
  describe: ({ values }) => `${values.length} ordered values, each a stretch of a normal`,
  fit({ sorted }) {
    const values: number[] = []
    const ends: number[] = []
    sorted.forEach((value, i) => {
      if (value !== sorted[i + 1]) {
        values.push(value)
        ends.push((i + 1) / sorted.length)
      }
    })
    return { values, ends }
  },
  open({ values, ends }) {
    return {
      names: ['value'],
      are: 'number',
      encode(value, draws, out, at) {
        // a value that no training row had is taken for the next one
        const k = Math.min(firstFrom(values, value), values.length - 1)
        out[at] = normalQuantile(within(k === 0 ? 0 : ends[k - 1], ends[k], draws))
      },
      decode: (row, at) => values[Math.min(firstFrom(ends, normalShare(row[at])), values.length - 1)],
    }
  },
}
