/**
 * The two implementations that the native engine has of 3 × 3 convolutions of stride 1 and of their gradients, its *variants*:
 *
 * - `direct`: every tap is multiplied (native/patches.h, native/lines.h).
 * - `winograd`: 36 products for 16 pixels instead of 144, with a rounding error of about twice the direct one's
 *   (native/winograd.h; docs/kernels.md).
 *
 * The choice depends on channels alone, never on the number of pictures: a picture's result does not depend on the others.
 */

import type { Attributes, Shape } from '../../kernels/contract.js'
import type { ConvolutionGeometry } from '../../kernels/convolution.js'

export const convolutionVariants = ['direct', 'winograd'] as const
export type ConvolutionVariant = (typeof convolutionVariants)[number]

/** Operands whose pixels are transformed, for each contract; their channels lie beside one another where a layout is nhwc. */
const transformed = {
  conv2d: ['x'],
  conv2d_backward_input: ['dy'],
  conv2d_backward_weight: ['x', 'dy'],
} as const
export type ConvolutionName = keyof typeof transformed

export const isConvolution = (name: string): name is ConvolutionName => name in transformed

/** Channels in and out from which on the transforms cost less than the products they save. */
const FEWEST_CHANNELS = 16

/** The variants that a convolution may have, the suggested one first. */
export function usableVariants(
  name: ConvolutionName,
  shapes: Readonly<Record<string, Shape>>,
  attributes: Attributes,
): readonly ConvolutionVariant[] {
  const { stride, upsample } = attributes as unknown as ConvolutionGeometry
  const [kh, kw, C, N] = shapes.weight ?? shapes.dweight
  const fits =
    kh === 3 &&
    kw === 3 &&
    stride === 1 &&
    // the gradient of an enlarged input is one of 4 × 4 taps
    !(name === 'conv2d_backward_input' && upsample === 2) &&
    transformed[name].every((operand) => attributes[`${operand}Layout`] === 'nhwc')
  if (!fits) return ['direct']
  return Math.min(C, N) >= FEWEST_CHANNELS ? ['winograd', 'direct'] : ['direct', 'winograd']
}
