/**
 * What the convolution kernels share: attributes, the extents that follow from them, and their cost. A weight is
 * [kh, kw, C, N] on a device: C channels in, N out (files hold PyTorch's [N, C, kh, kw]; src/networks/unet/unet.ts translates). The
 * picture may be enlarged before the convolution (`upsample` 2: each pixel becomes 2 × 2, nearest neighbour); no enlarged
 * picture is stored. Beyond the picture's edge, `padding` pixels on each side are zero.
 *
 * A kernel of one row and several columns is one of *sequences*, pictures of one row: [1, k, C, N] over [B, 1, steps, C].
 * Stride, padding and enlargement are then along the steps alone.
 */

import { InvalidArgumentError } from '../errors.js'
import { expectShape, extents, type ReferenceTensor, type Shape } from './contract.js'
import { toHalf } from './convert.js'
import type { Layout } from './pictures.js'
import { lossScaleOf, STATE_LENGTH } from './state.js'

export interface ConvolutionGeometry {
  readonly stride: 1 | 2
  readonly padding: number
  /** nearest-neighbour enlargement of the input, before the convolution */
  readonly upsample: 1 | 2
}

/** What a convolution's product multiplies. */
export interface ConvolutionFactors {
  /**
   * f16: both factors are rounded to float16 before they are multiplied, values too large for it to infinity; the sums stay
   * float32. A weight is given in float16 then, all else in float32. All channels, and where windows of them begin and how
   * large their tensors are, must be multiples of four, in the layout nhwc
   */
  readonly factors: 'f32' | 'f16'
}

/** A factor as it is multiplied, for references. */
export const factorOf = ({ factors }: ConvolutionFactors): ((value: number) => number) =>
  factors === 'f16' ? toHalf : (value) => value

/** The loss scale of the state, by which a gradient is multiplied before it is rounded; 1 without one. */
export const factorScale = (state: ReferenceTensor | undefined): number => (state ? lossScaleOf(state.data) : 1)

/** What factors in float16 ask of channels: `numbers` are counts of them, and where windows begin. */
export function checkFactors(
  kernel: string,
  { factors }: ConvolutionFactors,
  layouts: readonly Layout[],
  numbers: readonly (number | undefined)[],
  state?: Shape,
): void {
  if (factors !== 'f16' && factors !== 'f32') {
    throw new InvalidArgumentError(`${kernel}: factors must be f32 or f16, but is ${factors}.`)
  }
  if (state) expectShape(kernel, 'state', state, [STATE_LENGTH])
  if (factors === 'f32') {
    if (state) throw new InvalidArgumentError(`${kernel}: a loss scale is for factors in float16; leave state out.`)
    return
  }
  const odd = numbers.find((number) => number !== undefined && number % 4 !== 0)
  if (odd === undefined && layouts.every((layout) => layout === 'nhwc')) return
  throw new InvalidArgumentError(
    `${kernel}: with factors in float16, layouts must be nhwc, and channels, their windows and the tensors they lie in ` +
      `multiples of four, but ${odd === undefined ? `a layout is ${layouts.join(' and ')}` : `${odd} is none`}.`,
  )
}

export interface ConvolutionExtents {
  /** extents of the kernel, channels in and channels out */
  readonly kh: number
  readonly kw: number
  readonly C: number
  readonly N: number
  /** zeros above and below: the padding, or none of a sequence */
  readonly paddingY: number
  /** extents of the output */
  readonly outH: number
  readonly outW: number
}

/** Checks geometry and weight against a picture of H × W, and returns what follows from them. */
export function convolutionExtents(
  kernel: string,
  H: number,
  W: number,
  weight: Shape | undefined,
  { stride, padding, upsample }: ConvolutionGeometry,
  operand = 'weight',
): ConvolutionExtents {
  const [kh, kw, C, N] = extents(kernel, operand, weight, 4)
  if (stride !== 1 && stride !== 2)
    throw new InvalidArgumentError(`${kernel}: stride must be 1 or 2, but is ${stride}.`)
  if (upsample !== 1 && upsample !== 2) {
    throw new InvalidArgumentError(`${kernel}: upsample must be 1 or 2, but is ${upsample}.`)
  }
  const sequence = isSequenceKernel(kh, kw)
  if (sequence && H !== 1) {
    throw new InvalidArgumentError(
      `${kernel}: a kernel of 1 × ${kw} is for sequences, pictures of one row, but these have ${H} rows.`,
    )
  }
  if (!Number.isInteger(padding) || padding < 0 || padding >= kw || (padding >= kh && !sequence)) {
    throw new InvalidArgumentError(
      `${kernel}: padding must be a whole number from 0 to below the kernel's ${kh} × ${kw}, but is ${padding}.`,
    )
  }
  const paddingY = sequence ? 0 : padding
  const outH = sequence ? 1 : outExtent(H, kh, stride, padding, upsample)
  const outW = outExtent(W, kw, stride, padding, upsample)
  if (outH < 1 || outW < 1) {
    throw new InvalidArgumentError(`${kernel}: a kernel of ${kh} × ${kw} does not fit into a picture of ${H} × ${W}.`)
  }
  return { kh, kw, C, N, paddingY, outH, outW }
}

/** Whether a kernel is one of sequences. */
export const isSequenceKernel = (kh: number, kw: number): boolean => kh === 1 && kw > 1

export const outExtent = (extent: number, k: number, stride: number, padding: number, upsample: number): number =>
  Math.floor((extent * upsample + 2 * padding - k) / stride) + 1

/** Flops of a direct convolution, the zeros of the padding counted as work; forward and both gradients cost the same. */
export const convolutionFlops = (B: number, { kh, kw, C, N, outH, outW }: ConvolutionExtents): number =>
  2 * B * outH * outW * kh * kw * C * N

/**
 * Calls visit(output y, output x, tap row, tap column, input y, input x) for every tap that lies within the picture;
 * the input's coordinates are those of the picture before it was enlarged.
 */
export function eachTap(
  H: number,
  W: number,
  { kh, kw, paddingY, outH, outW }: ConvolutionExtents,
  { stride, padding, upsample }: ConvolutionGeometry,
  visit: (y: number, x: number, i: number, j: number, inY: number, inX: number) => void,
): void {
  for (let y = 0; y < outH; y++) {
    for (let x = 0; x < outW; x++) {
      for (let i = 0; i < kh; i++) {
        for (let j = 0; j < kw; j++) {
          const inY = y * stride - paddingY + i
          const inX = x * stride - padding + j
          if (inY < 0 || inX < 0 || inY >= H * upsample || inX >= W * upsample) continue
          visit(y, x, i, j, Math.floor(inY / upsample), Math.floor(inX / upsample))
        }
      }
    }
  }
}
