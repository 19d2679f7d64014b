/** The keys of `model` for a UNet. */

import * as z from 'zod'
import { count, flag, key, listOf } from '../../schema/words.js'
import { classesKey } from '../classes-key.js'

export const unetSchema = z.strictObject({
  kind: z.literal('unet').meta({ description: 'A UNet, for pictures [C, H, W].' }),
  width: count('Channels of the first level, for a multiplier of 1.', 65_536).default(32),
  multipliers: listOf(
    count('', 1024),
    'a non-empty list of at most 16 whole numbers from 1 to 1024',
    'Channels of each level, as multiples of width; each level has half the extents of the one before.',
    16,
  ).default([1, 2, 2]),
  depth: count('Residual blocks of each level on the way down; one more on the way up.', 64).default(1),
  attention: key(
    z.array(count()).max(16),
    'a list of at most 16 heights',
    'Heights of the levels that have self-attention, such as 16. The middle always has it.',
  ).default([16]),
  headChannels: count('Channels of an attention head.').default(32),
  groups: count('Groups of every normalisation; must divide the channels of every level.').default(32),
  dropout: key(
    z.number().min(0).lt(1),
    'a number from 0 to below 1',
    'Dropout probability of the activations before the second convolution of a block.',
  ).default(0),
  scaleShift: flag(
    'The time scales and shifts the second normalisation of a block, instead of being added before it; so does a condition, always.',
  ).default(false),
  residualResampling: flag(
    'Change the size inside residual blocks, by pooling and nearest neighbours, instead of by convolutions between them.',
  ).default(false),
  classes: classesKey(),
})

export type UnetModel = z.output<typeof unetSchema>
