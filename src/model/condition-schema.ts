/** What a model is told of its rows, as files hold it. */

import * as z from 'zod'
import { encodingSchema } from '../data/tables/encoding.js'
import type { Condition } from './condition.js'

const wholeNumber = z.int().min(0)
const aboveZero = z.number().positive()
const probability = z.number().min(0).lt(1)
const guidance = z.number().min(0).optional()

export const conditionSchema: z.ZodType<Condition> = z
  .discriminatedUnion('kind', [
    z.object({
      kind: z.literal('columns'),
      names: z.array(z.string()).nullable(),
      scaler: z.object({ mean: z.array(z.number()).min(1), std: z.array(aboveZero).min(1) }),
      dropout: probability,
      guidance,
    }),
    z.object({ kind: z.literal('table'), encoding: encodingSchema, dropout: probability, guidance }),
    z.object({ kind: z.literal('classes'), classes: z.array(wholeNumber).min(1), dropout: probability, guidance }),
  ])
  .refine((said) => {
    if (said.kind === 'table') return true
    if (said.kind === 'classes') return new Set(said.classes).size === said.classes.length
    const { mean, std } = said.scaler
    return mean.length === std.length && (said.names?.length ?? mean.length) === mean.length
  }, 'its columns or classes do not fit together')
