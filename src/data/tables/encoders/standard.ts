/**
 * Numbers with mean 0 and standard deviation 1 of the training rows, whatever their distribution. A value that is a multiple of
 * a unit has a place in the cell around it at random; what comes back is rounded, and kept within the training rows' range.
 */

import * as z from 'zod'
import { type Encoder, roundTo, within } from './encoder.js'

const schema = z.object({
  mean: z.number(),
  std: z.number().positive(),
  unit: z.number().min(0),
  least: z.number(),
  most: z.number(),
})

export const standard: Encoder<z.output<typeof schema>> = {
  schema,
  describe: ({ unit }) => `standardised${unit > 0 ? `, rounded to ${Number(unit.toPrecision(6))}` : ''}`,
  fit({ sorted, unit }) {
    const n = sorted.length
    const mean = sorted.reduce((sum, value) => sum + value / n, 0)
    // the places in a cell have a spread of their own
    const variance = sorted.reduce((sum, value) => sum + (value - mean) ** 2 / n, unit ** 2 / 12)
    return { mean, std: Math.sqrt(variance), unit, least: sorted[0], most: sorted[n - 1] }
  },
  open({ mean, std, unit, least, most }) {
    return {
      names: ['value'],
      are: 'number',
      encode(value, draws, out, at) {
        const place = unit > 0 ? within(value - unit / 2, value + unit / 2, draws) : value
        out[at] = (place - mean) / std
      },
      decode(row, at) {
        return Math.min(most, Math.max(least, roundTo(mean + std * row[at], unit)))
      },
    }
  },
}
