/**
 * What the kernels on pictures share. A *picture tensor* has four extents: 'nhwc' [B, H, W, C] inside networks, or
 * 'nchw' [B, C, H, W], as rows of data are. A nhwc operand may be a *window* of channels: the operand is
 * [B, H, W, S] and the kernel sees C of its S channels from `first` on. So several operations write parts of one tensor, and
 * a concatenation of channels needs no copy.
 */

import { InvalidArgumentError } from '../errors.js'
import { expectShape, extents, type ReferenceTensor, type Shape } from './contract.js'

export type Layout = 'nhwc' | 'nchw'

/** B, H, W and the channels of a picture tensor, all S of them. */
export interface PictureExtents {
  readonly B: number
  readonly H: number
  readonly W: number
  readonly S: number
}

export function pictureExtents(
  kernel: string,
  operand: string,
  shape: Shape | undefined,
  layout: Layout = 'nhwc',
): PictureExtents {
  const [B, second, third, fourth] = extents(kernel, operand, shape, 4)
  return layout === 'nhwc' ? { B, H: second, W: third, S: fourth } : { B, H: third, W: fourth, S: second }
}

/** Asserts that an operand is a picture tensor of B pictures of H × W with C channels from `first` on. */
export function expectPictures(
  kernel: string,
  operand: string,
  shape: Shape | undefined,
  [B, H, W, C]: readonly [number, number, number, number],
  first = 0,
  layout: Layout = 'nhwc',
): void {
  if (layout === 'nchw') {
    expectFirst(kernel, operand, first, C, C)
    expectShape(kernel, operand, shape, [B, C, H, W])
    return
  }
  const { S } = pictureExtents(kernel, operand, shape)
  expectFirst(kernel, operand, first, C, S)
  expectShape(kernel, operand, shape, [B, H, W, S])
}

/** Asserts that C columns or channels from `first` on lie within S. */
export function expectFirst(kernel: string, operand: string, first: number, C: number, S: number): void {
  if (!Number.isInteger(first) || first < 0 || first + C > S) {
    throw new InvalidArgumentError(
      `${kernel}: the window of operand ${operand} is ${C} of its ${S} channels from ${first} on, which are not there.`,
    )
  }
}

/** Place of channel c at (b, y, x) in a picture tensor's data. */
export type PictureIndex = (b: number, y: number, x: number, c: number) => number

export function pictureIndex({ shape }: ReferenceTensor, first = 0, layout: Layout = 'nhwc'): PictureIndex {
  if (layout === 'nhwc') {
    const [, H, W, S] = shape
    return (b, y, x, c) => ((b * H + y) * W + x) * S + first + c
  }
  const [, C, H, W] = shape
  return (b, y, x, c) => ((b * C + c) * H + y) * W + x
}
