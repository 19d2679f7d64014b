/**
 * Training rows that, as numbers, are larger than the memory that they may take (memory.ts): a file of them (files/row-file.ts), in the
 * order in which a data set is split, which is a random one where it is shuffled.
 */

import { RowFile } from '../files/row-file.js'

/** Training rows that are too many for memory. A data set has the first of them beside this. */
export interface LargeRows {
  /** n, all training rows */
  readonly rows: number
  /** numbers of a row */
  readonly width: number
  /** bytes that the rows of a window may take on the device */
  readonly windowBytes: number
  /**
   * Writes all of them to a file in a folder, standardised as the model's data are; the caller closes it.
   *
   * @throws DataError where the disk has no room for them, and for what is wrong with the rows
   */
  store(folder: string, options?: StoreOptions): Promise<RowsInFile>
}

/** Rows in a file that is there while they are learnt from. */
export interface RowsInFile {
  /** n */
  readonly rows: number
  /** the rows [first, first + count) */
  read(first: number, count: number): Promise<Float32Array>
  /** of all of them, one after another */
  sha256(signal?: AbortSignal): Promise<string>
  /** removes the file */
  close(): Promise<void>
}

/** How rows are written to a file. */
export interface StoreOptions {
  /** aborting rejects with signal.reason, and leaves no file */
  readonly signal?: AbortSignal
  /** called while they are written */
  readonly onRows?: (rows: number, of: number) => void
}

/** Writes blocks of whole rows that come in their order. @param rows of all blocks together */
export async function storeRows(
  folder: string,
  rows: number,
  width: number,
  blocks: Iterable<Float32Array>,
  { signal, onRows }: StoreOptions = {},
): Promise<RowsInFile> {
  const file = await RowFile.create(folder, rows, width)
  try {
    let first = 0
    for (const block of blocks) {
      signal?.throwIfAborted()
      await file.write(first, block)
      first += block.length / width
      onRows?.(first, rows)
    }
    return file
  } catch (error) {
    await file.close()
    throw error
  }
}

/**
 * Writes rows that come in another order than the one that they are to have: into regions of the file, each of which is put in order by
 * itself then.
 *
 * @param order numbers of the rows as they come, in the order that they are to have; rows that are not among them are left out
 * @param bytes that each of two copies of some rows may take meanwhile
 */
export async function placeRows(
  folder: string,
  order: Uint32Array,
  width: number,
  blocks: AsyncIterable<Float32Array>,
  bytes: number,
  { signal, onRows }: StoreOptions = {},
): Promise<RowsInFile> {
  const { length: rows } = order
  const size = Math.max(1, Math.floor(bytes / (4 * width)))
  const regions = Math.ceil(rows / size)
  const file = await RowFile.create(folder, rows, width)
  try {
    // the rows of each region in the order in which they come
    const come = order.slice()
    for (let k = 0; k < regions; k++) come.subarray(k * size, (k + 1) * size).sort()
    const next = Uint32Array.from({ length: regions }, (_, k) => k * size)
    const places = placesOf(order)
    const room = Math.max(1, Math.floor(size / regions))
    const waiting = Array.from({ length: regions }, () => new Float32Array(room * width))
    const counts = new Uint32Array(regions)
    const flush = async (k: number): Promise<void> => {
      await file.write(next[k], waiting[k].subarray(0, counts[k] * width))
      next[k] += counts[k]
      counts[k] = 0
    }
    let row = 0
    for await (const block of blocks) {
      signal?.throwIfAborted()
      for (let at = 0; at < block.length; at += width, row++) {
        if (row >= places.length || places[row] === NOWHERE) continue
        const k = Math.floor(places[row] / size)
        waiting[k].set(block.subarray(at, at + width), counts[k]++ * width)
        if (counts[k] === room) await flush(k)
      }
      onRows?.(Math.min(row, rows), rows)
    }
    for (let k = 0; k < regions; k++) if (counts[k] > 0) await flush(k)
    waiting.length = 0
    for (let k = 0; k < regions; k++) {
      signal?.throwIfAborted()
      const [first, end] = [k * size, Math.min(rows, (k + 1) * size)]
      const came = await file.read(first, end - first)
      const placed = new Float32Array(came.length)
      for (let i = first; i < end; i++) {
        placed.set(came.subarray((i - first) * width, (i - first + 1) * width), (places[come[i]] - first) * width)
      }
      await file.write(first, placed)
    }
    return file
  } catch (error) {
    await file.close()
    throw error
  }
}

/** The place of a row that has none. */
export const NOWHERE = 2 ** 32 - 1

/** The place of each row, by its number as it comes. */
export function placesOf(order: Uint32Array): Uint32Array {
  const places = new Uint32Array(order.reduce((most, row) => Math.max(most, row), 0) + 1).fill(NOWHERE)
  order.forEach((row, i) => {
    places[row] = i
  })
  return places
}
