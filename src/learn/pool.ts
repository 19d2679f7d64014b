/**
 * The training pool of a sub-flow: the rows X_{n−1} on the device and how kernels read them. The data themselves, X_0, may be
 * pixels, a byte a value, mirrored at random; what was pushed is floats, and each of its pictures keeps the orientation
 * that it was pushed with.
 */

import { holdsPixels, type Tensor } from '../data/tensor.js'
import type { Device, DeviceBuffer } from '../device/device.js'
import { type PoolAttributes, packPixels, pixelValue, poolWords } from '../kernels/pool.js'

/** Rows on the host: pixels are bytes, anything else is float32 in the scale of the model. */
export type PoolValues = Float32Array | Uint8Array

export interface Pool {
  readonly buffer: DeviceBuffer
  /** n */
  readonly rows: number
  readonly reading: PoolAttributes
}

/** The values as a model takes them where its data have no scaler: pixels scaled to [−1, 1], everything else as it is. */
export function modelValues(x: Tensor): Float32Array {
  if (x.values instanceof Float32Array) return x.values
  return holdsPixels(x) ? Float32Array.from(x.values, pixelValue) : Float32Array.from(x.values)
}

/**
 * Uploads rows of D values.
 * @param mirror width of pictures that are mirrored at random; 0: none
 */
export function uploadPool(device: Device, values: PoolValues, D: number, mirror: number): Pool {
  const rows = values.length / D
  const pixels = values instanceof Uint8Array
  const reading: PoolAttributes = { values: pixels ? 'pixels' : 'floats', mirror }
  const buffer = device.createBuffer(rows * poolWords(D, reading.values), pixels ? 'u32' : 'f32')
  buffer.write(pixels ? packPixels(values, D) : values)
  return { buffer, rows, reading }
}
