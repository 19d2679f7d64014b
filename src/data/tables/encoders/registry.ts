/** The encoders of columns, a row each. */

import * as z from 'zod'
import { constant } from './constant.js'
import type { Encoder, OpenEncoder, Sample } from './encoder.js'
import { code, oneHot } from './levels.js'
import { ordered } from './ordered.js'
import { quantile } from './quantile.js'
import { standard } from './standard.js'

export const encoders = { constant, ordered, quantile, standard, oneHot, code } as const

export type EncoderName = keyof typeof encoders
export const encoderNames = Object.keys(encoders) as [EncoderName, ...EncoderName[]]

/** An encoder by name with its parameters, as JSON holds it. */
export interface Fitted {
  readonly encoder: EncoderName
  readonly parameters: unknown
}

const anyEncoder = (name: EncoderName): Encoder<unknown> => encoders[name] as Encoder<unknown>

export const fittedSchema: z.ZodType<Fitted> = z
  .object({ encoder: z.enum(encoderNames), parameters: z.unknown() })
  .refine(({ encoder, parameters }) => anyEncoder(encoder).schema.safeParse(parameters).success, {
    message: 'its parameters are none of its encoder',
  })

export const fitEncoder = (encoder: EncoderName, sample: Sample): Fitted => ({
  encoder,
  parameters: anyEncoder(encoder).fit(sample),
})
export const openEncoder = ({ encoder, parameters }: Fitted): OpenEncoder => anyEncoder(encoder).open(parameters)
export const describeEncoder = ({ encoder, parameters }: Fitted): string => anyEncoder(encoder).describe(parameters)
