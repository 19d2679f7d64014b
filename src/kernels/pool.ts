/**
 * The training pool as kernels read it: n rows of D values, either float32 or *pixels*: bytes, four to a word, the first in
 * the lowest bits; every row begins with a new word ([n, ⌈D/4⌉] words). A pixel b has the value (b − 127.5)/127.5 in
 * [−1, 1]. A row of pictures [C, H, W] can be read *mirrored*: column j of each row of W pixels as
 * column W − 1 − j.
 */

import { InvalidArgumentError } from '../errors.js'
import { expectShape, type ReferenceTensor, type Shape } from './contract.js'

export const poolValues = ['floats', 'pixels'] as const

export interface PoolAttributes {
  readonly values: (typeof poolValues)[number]
  /** W, the width of pictures that are mirrored at random; 0: none are */
  readonly mirror: number
}

/** Parts into which a device splits a pool that is larger than it can read from at a time. */
export const MOST_POOL_PIECES = 4

/** Words of a row of D values. */
export const poolWords = (D: number, values: PoolAttributes['values']): number =>
  values === 'pixels' ? Math.ceil(D / 4) : D

/** Asserts the shape of a pool of n rows of D values. */
export function expectPool(
  kernel: string,
  actual: Shape | undefined,
  [n, D]: readonly [number, number],
  { values }: PoolAttributes,
): void {
  expectShape(kernel, 'pool', actual, [n, poolWords(D, values)])
}

/** Throws InvalidArgumentError unless a row of D values is made of whole rows of pixels. */
export function checkMirror(kernel: string, D: number, { mirror }: PoolAttributes): void {
  if (!Number.isInteger(mirror) || mirror < 0 || (mirror > 0 && D % mirror !== 0)) {
    throw new InvalidArgumentError(
      `${kernel}: mirror must be 0 or a width that divides the ${D} values of a row, but is ${mirror}.`,
    )
  }
}

/** The value of a byte. */
export const pixelValue = (byte: number): number => (byte - 127.5) / 127.5

/** Value d of a row, as the reference reads it. */
export function poolValue(
  pool: ReferenceTensor,
  row: number,
  d: number,
  mirrored: boolean,
  { values, mirror }: PoolAttributes,
): number {
  const column = mirrored ? d - (d % mirror) + (mirror - 1 - (d % mirror)) : d
  const width = pool.shape[1]
  if (values === 'floats') return pool.data[row * width + column]
  return pixelValue((pool.data[row * width + (column >> 2)] >>> (8 * (column & 3))) & 0xff)
}

/**
 * Bytes [n, D] as words [n, ⌈D/4⌉]: what a device buffer of a pool of pixels holds. Where rows are whole words already, the words
 * are the bytes' own memory.
 */
export function packPixels(bytes: Uint8Array, D: number): Uint32Array {
  const rows = bytes.length / D
  const stride = 4 * poolWords(D, 'pixels')
  if (stride === D && bytes.byteOffset % 4 === 0) {
    return new Uint32Array(bytes.buffer, bytes.byteOffset, bytes.length / 4)
  }
  const packed = new Uint8Array(rows * stride)
  for (let i = 0; i < rows; i++) packed.set(bytes.subarray(i * D, (i + 1) * D), i * stride)
  return new Uint32Array(packed.buffer)
}
