/**
 * The *pool* of a fit: the rows that its batches are drawn from, on the device, as named columns. `left` are the left ends:
 * the data themselves, X_0, which may be pixels, a byte a value, mirrored at random; or pushed rows, which are floats, each
 * picture in the orientation that it was pushed in. `right` are the right ends that belong to them, if a task learns from
 * such pairs.
 */

import type { Device, DeviceBuffer } from '../device/device.js'
import { type PoolAttributes, packPixels, poolWords } from '../kernels/pool.js'
import type { Network } from '../networks/network.js'
import type { StorageBuffer } from '../program/program.js'

/** Rows on the host: pixels are bytes, anything else is float32, standardised as the model's data are. */
export type PoolValues = Float32Array | Uint8Array

/** A pool on the host: columns [n, D] of the same n rows. */
export interface PoolColumns {
  readonly left: PoolValues
  readonly right?: Float32Array
}

/** Rows [n, D] that are larger than memory, in the order in which they are learnt from. */
export interface StoredRows {
  /** n */
  readonly rows: number
  /** the rows [first, first + count), standardised as the model's data are */
  read(first: number, count: number): Promise<Float32Array>
}

/** A place for such rows; whoever made it closes it. */
export interface RowStore extends StoredRows {
  /** puts whole rows where row `first` on are */
  write(first: number, values: Float32Array): Promise<void>
  close(): Promise<void>
}

/** Conditions of a pool's rows on the host, [n, C]; they stay with the rows when these are pushed. */
export type PoolConditions = Float32Array

/** What rows [first, first + count) are told that are told the conditions [n, C] in turn, from the first again after the last. */
export function toldInTurn(conditions: PoolConditions, C: number, first: number, count: number): PoolConditions {
  const n = conditions.length / C
  if (first + count <= n) return conditions.subarray(first * C, (first + count) * C)
  const rows = new Float32Array(count * C)
  for (let i = 0; i < count; i++) {
    const row = (first + i) % n
    rows.set(conditions.subarray(row * C, (row + 1) * C), i * C)
  }
  return rows
}

/** A pool as a program sees it. */
export interface PoolBuffers {
  /** [n, D], or [n, ⌈D/4⌉] of pixels */
  readonly left: StorageBuffer
  /** [n, D] */
  readonly right?: StorageBuffer
  /** [n, C] */
  readonly condition?: StorageBuffer
  /** [n] each: the time t of `right`, and 1/(t − s) with the time s of `left` */
  readonly span?: { readonly time: StorageBuffer; readonly inverse: StorageBuffer }
  /** whose velocities are learnt from */
  readonly teacher?: TeacherField
  /** n */
  readonly rows: number
  /** how `left` is read, and whether it is mirrored */
  readonly reading: PoolAttributes
}

/** The velocities of a teacher's stages, N of them. */
export interface TeacherField<Buffer extends StorageBuffer = StorageBuffer> {
  readonly network: Network
  /** [N·P] */
  readonly parameters: Buffer
  /** [N] */
  readonly outputScales: readonly number[]
}

export interface Pool extends PoolBuffers {
  readonly left: DeviceBuffer
  readonly right?: DeviceBuffer
  readonly condition?: DeviceBuffer
  readonly span?: { readonly time: DeviceBuffer; readonly inverse: DeviceBuffer }
  readonly teacher?: TeacherField<DeviceBuffer>
}

/** Rows that are read as floats, none mirrored. */
export const plainReading: PoolAttributes = { values: 'floats', mirror: 0 }

/**
 * Uploads rows of D values.
 * @param mirror width of pictures that are mirrored at random; 0: none
 * @param conditions of the rows, where there are any
 */
export function uploadPool(
  device: Device,
  { left: values, right: ends }: PoolColumns,
  D: number,
  mirror: number,
  conditions: PoolConditions | null = null,
): Pool {
  const rows = values.length / D
  const pixels = values instanceof Uint8Array
  const reading: PoolAttributes = { values: pixels ? 'pixels' : 'floats', mirror }
  const left = device.createBuffer(rows * poolWords(D, reading.values), pixels ? 'u32' : 'f32')
  left.write(pixels ? packPixels(values, D) : values)
  const right = ends && device.createBuffer(rows * D)
  if (ends) right!.write(ends)
  const condition = conditions ? device.createBuffer(conditions.length) : undefined
  if (conditions) condition!.write(conditions)
  return { left, right, condition, rows, reading }
}

/** A pool that was made of another's rows, which keep their conditions; the memory of the other's rest is freed. */
export function replacePool(pool: Pool, made: Pool): Pool {
  if (made.condition || !pool.condition) {
    disposePool(pool)
    return made
  }
  const { condition, ...rest } = pool
  disposePool(rest)
  return { ...made, condition }
}

/** Frees the memory of all columns. */
export function disposePool({ left, right, condition, span, teacher }: Pool): void {
  for (const buffer of [left, right, condition, span?.time, span?.inverse, teacher?.parameters]) buffer?.dispose()
}
