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
