/**
 * Sets of pictures as every reader of them gives them: 8-bit pixels or floats [n, C, H, W], with a class for each picture
 * where the source has classes. The readers are image-folder.ts, idx.ts, cifar10.ts and npy.ts; what they share is here:
 * picking some of them, and making them smaller squares.
 */

import { DataError } from '../errors.js'
import { emptyLike, rowLength, type Tensor, takeRows } from './tensor.js'

/** A set of pictures as it was read. */
export interface Pictures {
  /** [n, C, H, W] */
  tensor: Tensor
  /** [n], numbers of classes from 0; null where the source has none */
  labels: Uint16Array | null
  /** what a reader should know of how they were read; one sentence each */
  remarks?: readonly string[]
}

/** Numbers of `limit` of n things, evenly spaced in their order; all where there are no more than that. */
export function evenly(n: number, limit: number | undefined): number[] {
  const count = Math.min(n, limit ?? n)
  return Array.from({ length: count }, (_, i) => Math.floor((i * n) / count))
}

/** Some of a set of pictures, copied. */
export function takePictures({ tensor, labels }: Pictures, order: readonly number[]): Pictures {
  return {
    tensor: takeRows(tensor, order, 0, order.length),
    labels: labels && Uint16Array.from(order, (i) => labels[i]),
  }
}

/** What each of `size` pixels averages: first source pixel, and the weights from there on, of a line of `length`. */
function areaWeights(length: number, size: number): { first: number; weights: number[] }[] {
  const scale = length / size
  return Array.from({ length: size }, (_, i) => {
    const [start, end] = [i * scale, (i + 1) * scale]
    const first = Math.floor(start)
    const weights: number[] = []
    for (let j = first; j < end - 1e-9 && j < length; j++) {
      weights.push((Math.min(end, j + 1) - Math.max(start, j)) / scale)
    }
    return { first, weights }
  })
}

/**
 * Squares of a smaller side by area average: each pixel is the mean over the part of the source that it covers; bytes are
 * rounded to the nearest. What is not square is cut to its centre first.
 *
 * @param name what the set is called in messages
 * @param x [n, C, H, W]
 * @throws DataError where a side is shorter than `size`
 */
export function shrink(name: string, x: Tensor, size: number): Tensor {
  const [n, C, H, W] = x.shape
  if (H === size && W === size) return x
  const side = Math.min(H, W)
  if (side < size) {
    throw new DataError(
      `${name} is ${W}×${H} pixels, less than the ${size}×${size} that data.size asks for; pictures are only made ` +
        `smaller. Take data.size of at most ${side}.`,
    )
  }
  const [top, left] = [Math.floor((H - side) / 2), Math.floor((W - side) / 2)]
  const spans = areaWeights(side, size)
  const values = emptyLike(x.values, n * C * size * size)
  const bytes = x.values instanceof Uint8Array
  const rows = new Float64Array(size * side)
  for (let plane = 0; plane < n * C; plane++) {
    const from = plane * H * W
    rows.fill(0)
    spans.forEach(({ first, weights }, i) => {
      weights.forEach((weight, k) => {
        const at = from + (top + first + k) * W + left
        for (let j = 0; j < side; j++) rows[i * side + j] += weight * x.values[at + j]
      })
    })
    const to = plane * size * size
    for (let i = 0; i < size; i++) {
      spans.forEach(({ first, weights }, j) => {
        let sum = 0
        for (let k = 0; k < weights.length; k++) sum += weights[k] * rows[i * side + first + k]
        values[to + i * size + j] = bytes ? Math.round(sum) : sum
      })
    }
  }
  return { values, shape: [n, C, size, size] }
}

/** Throws DataError where there is not one label for each picture. */
export function checkLabels(path: string, labels: ArrayLike<number>, n: number): void {
  if (labels.length !== n) {
    throw new DataError(`${path} has ${labels.length} labels, but there are ${n} pictures; it must have one for each.`)
  }
}

/** 'n pictures of 32×32 pixels in 3 channels' */
export function describePictures({ tensor: { shape } }: Pictures): string {
  const [n, C, H, W] = shape
  return `${n} pictures of ${W}×${H} pixels in ${C === 1 ? 'one channel' : `${C} channels`}`
}

/** Several sets after one another. All have rows of the same shape and type. */
export function joinPictures(parts: readonly Pictures[]): Pictures {
  const [{ tensor: first, labels }] = parts
  const n = parts.reduce((sum, { tensor }) => sum + tensor.shape[0], 0)
  const width = rowLength(first.shape)
  const values = emptyLike(first.values, n * width)
  const joined = labels && new Uint16Array(n)
  let row = 0
  for (const part of parts) {
    values.set(part.tensor.values, row * width)
    joined?.set(part.labels!, row)
    row += part.tensor.shape[0]
  }
  return { tensor: { values, shape: [n, ...first.shape.slice(1)] }, labels: joined }
}
