/**
 * The kind `unet1d`: a UNet along the steps of sequences, rows [steps, channels], as diffusion policies have it (Chi et al. 2023,
 * arXiv 2303.04137): kernels of five steps, eight groups, and scale and shift of every residual block by the time and the
 * condition. Blocks are those of the UNet for pictures (spec.ts), which normalise before they convolve; the paper's do it after.
 */

import * as z from 'zod'
import { ConfigError } from '../../errors.js'
import { count, key, listOf } from '../../schema/words.js'
import { classesKey } from '../classes-key.js'
import { type UnetSpec, unetProblem } from './spec.js'

export const unet1dSchema = z.strictObject({
  kind: z.literal('unet1d').meta({ description: 'A UNet along the steps of sequences [steps, channels].' }),
  width: count('Channels of the first level, for a multiplier of 1.', 65_536).default(64),
  multipliers: listOf(
    count('', 1024),
    'a non-empty list of at most 16 whole numbers from 1 to 1024',
    'Channels of each level, as multiples of width; each level has half the steps of the one before.',
    16,
  ).default([1, 2, 4]),
  depth: count('Residual blocks of each level on the way down; one more on the way up.', 64).default(1),
  kernel: key(
    z
      .int()
      .min(1)
      .max(31)
      .refine((steps) => steps % 2 === 1),
    'an odd number from 1 to 31',
    'Steps under the kernel of a convolution.',
  ).default(5),
  groups: count('Groups of every normalisation; must divide the channels of every level.').default(8),
  dropout: key(
    z.number().min(0).lt(1),
    'a number from 0 to below 1',
    'Dropout probability of the activations before the second convolution of a block.',
  ).default(0),
  classes: classesKey(),
})

export type Unet1dModel = z.output<typeof unet1dSchema>

/** The network of a model for rows [steps, channels]. Throws ConfigError where they do not fit. */
export function sequenceSpec({ kind, classes: _, ...model }: Unet1dModel, rowShape: readonly number[]): UnetSpec {
  if (rowShape.length !== 2) {
    throw new ConfigError(
      `model.kind unet1d is for sequences, rows [steps, channels], but the rows have the shape [${rowShape.join(', ')}]. ` +
        'Take data of three dimensions, or model.kind mlp.',
    )
  }
  const [steps, channels] = rowShape
  const net: UnetSpec = {
    kind,
    channels,
    height: 1,
    breadth: steps,
    condition: 0,
    attention: [],
    headChannels: 1,
    scaleShift: true,
    residualResampling: false,
    ...model,
  }
  const problem = unetProblem(net)
  if (problem) throw new ConfigError(problem)
  return net
}

/** One line for people. */
export function describeUnet1d({ width, multipliers, depth, kernel, dropout }: Unet1dModel): string {
  const words = [
    `unet1d of width ${width} · (${multipliers.join(', ')})`,
    `kernels of ${kernel}`,
    `${depth} ${depth === 1 ? 'block' : 'blocks'} a level`,
    ...(dropout > 0 ? [`dropout ${dropout}`] : []),
  ]
  return words.join(', ')
}
