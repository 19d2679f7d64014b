/**
 * Rows of numbers that come one after another, from a program's iterable: in memory where they fit into it, else in a file as exact as
 * they came, with the mean and the spread of each column, which are taken as they go by.
 */

import { DataError, InvalidArgumentError, show } from '../errors.js'
import { RowFile } from '../files/row-file.js'
import { permutation } from '../random/stream.js'
import { type LargeRows, placeRows } from './large.js'
import { headRows, windowBytes } from './memory.js'
import { Moments } from './moments.js'
import { narrowed } from './precision.js'
import { type RowsLike, rowsOf } from './rows.js'
import { applyScaler, type Scaler } from './scaler.js'
import type { Tensor } from './tensor.js'

/** Rows that come in time: each a list of numbers, or several of them at once as rows are given elsewhere. */
export type RowsInTime = AsyncIterable<RowsLike> | Iterable<RowsLike>

export const comeInTime = (given: unknown): given is RowsInTime =>
  typeof given === 'object' &&
  given !== null &&
  !Array.isArray(given) &&
  !ArrayBuffer.isView(given) &&
  (Symbol.asyncIterator in given || Symbol.iterator in given)

/** The first of what comes in time (undefined: nothing does), and all of it with that. */
export async function peeked<T>(given: AsyncIterable<T> | Iterable<T>): Promise<{ first?: T; all: AsyncIterable<T> }> {
  const from = Symbol.asyncIterator in given ? given[Symbol.asyncIterator]() : given[Symbol.iterator]()
  const head = await from.next()
  async function* all(): AsyncGenerator<T> {
    try {
      for (let item = head; !item.done; item = await from.next()) yield item.value
    } finally {
      await from.return?.()
    }
  }
  return { ...(!head.done && { first: head.value }), all: all() }
}

/** Copies of a number, 4 bytes each, where rows stay in memory: as they came, as they are given on, and as they are learnt. */
const COPIES = 6
/** Rows at hand of more, at most: each is read by itself. */
const MOST_HEAD_ROWS = 20_000
/** Numbers that are written at a time. */
const PIECE = 1 << 20

/** Rows in a file, as float64. */
export interface Spool {
  readonly rows: number
  readonly width: number
  readonly moments: Pick<Moments, 'scaler'>
  /** Rows [first, first + count), flat. */
  read(first: number, count: number): Promise<Float64Array>
  close(): Promise<void>
}

/** The same memory as a file of rows takes it. */
export const asFloats = ({ buffer, byteOffset, length }: Float64Array): Float32Array =>
  new Float32Array(buffer, byteOffset, 2 * length)

/**
 * Takes rows as they come.
 *
 * @param width of a row, where it is known
 * @param memory bytes that they may take; more of them go into a file in `folder`
 * @returns [n, D] in memory, or what is in the file; the caller closes it
 * @throws InvalidArgumentError and DataError that name the row, for what is no row, rows of unequal length and values that are not finite;
 *   what the iterable throws; the signal's reason, after the iterable was told to end
 */
export async function gatherRows(
  given: RowsInTime,
  { width: known, memory, folder, signal }: { width?: number; memory: number; folder: string; signal?: AbortSignal },
): Promise<Tensor | Spool> {
  let width = known
  let rows = 0
  let pieces: Float64Array[] = []
  let piece = new Float64Array(0)
  let used = 0
  let file: RowFile | null = null
  let written = 0
  let moments: Moments | null = null
  const flush = async (): Promise<void> => {
    file ??= await RowFile.create(folder, 0, 2 * width!)
    for (const part of [...pieces, piece.subarray(0, used)]) {
      for (let at = 0; at < part.length; at += width!) moments!.add(part, at)
      await file.write(written, asFloats(part))
      written += part.length / width!
    }
    pieces = []
    used = 0
  }
  const take = async (values: ArrayLike<number>, D: number): Promise<void> => {
    if (width === undefined) {
      if (D === 0) throw new DataError('rows has a row without numbers (row 0).')
      width = D
    }
    if (D !== width) {
      throw new InvalidArgumentError(`rows: row ${rows} (from 0) has ${D} numbers, where ${width} make a row.`)
    }
    moments ??= new Moments(width)
    for (let i = 0; i < values.length; i++) {
      if (used === piece.length) {
        if (used > 0) pieces.push(piece)
        if (file || 4 * COPIES * rows * width > memory) await flush()
        piece = new Float64Array(width * Math.max(1, Math.floor(PIECE / width)))
        used = 0
      }
      const value = values[i]
      if (typeof value !== 'number' || !Number.isFinite(value)) {
        throw new DataError(
          `rows holds ${show(value)} in row ${rows}, column ${i % width} (both from 0); every value must be a finite number.`,
        )
      }
      piece[used++] = value
      if ((i + 1) % width === 0) rows++
    }
  }
  try {
    for await (const item of given as AsyncIterable<RowsLike>) {
      signal?.throwIfAborted()
      const isRow = ArrayBuffer.isView(item) || (Array.isArray(item) && !Array.isArray(item[0]))
      if (isRow) await take(item as ArrayLike<number>, (item as ArrayLike<number>).length)
      else {
        const block = rowsOf(`rows, from row ${rows} on,`, item)
        if (block.shape.length !== 2) {
          throw new InvalidArgumentError(
            `rows: what came from row ${rows} on has the shape [${block.shape.join(', ')}]; rows that come in time are rows of columns, ` +
              '[n, d].',
          )
        }
        await take(block.values, block.shape[1])
      }
    }
    if (rows === 0) throw new DataError('rows ended before the first one; at least one is needed.')
    if (!file && 4 * COPIES * rows * width! <= memory)
      return inMemory([...pieces, piece.subarray(0, used)], rows, width!)
    await flush()
    return spoolOf(file!, rows, width!, moments!)
  } catch (error) {
    await (file as RowFile | null)?.close()
    throw error
  }
}

function inMemory(pieces: readonly Float64Array[], rows: number, width: number): Tensor {
  const values = new Float64Array(rows * width)
  let at = 0
  for (const piece of pieces) {
    values.set(piece, at)
    at += piece.length
  }
  return { values, shape: [rows, width] }
}

const spoolOf = (file: RowFile, rows: number, width: number, moments: Moments): Spool => ({
  rows,
  width,
  moments,
  async read(first, count) {
    const { buffer } = await file.read(first, count)
    return new Float64Array(buffer)
  },
  close: () => file.close(),
})

/**
 * The training rows of a spool: the first of them, in the order that a seed shuffles them to, and all of them for a file.
 *
 * @param scaler null: as they are
 */
export async function spooledRows(
  spool: Spool,
  scaler: Scaler | null,
  memory: number,
  seed: number,
): Promise<{ train: Tensor; large: LargeRows }> {
  const { rows, width } = spool
  const order = permutation(rows, seed)
  const head = order.subarray(0, Math.min(MOST_HEAD_ROWS, headRows(rows, width, memory)))
  const values = new Float64Array(head.length * width)
  for (let i = 0; i < head.length; i++) values.set(await spool.read(head[i], 1), i * width)
  async function* blocks(): AsyncGenerator<Float32Array> {
    const count = Math.max(1, Math.floor(PIECE / width))
    for (let first = 0; first < rows; first += count) {
      const some = await spool.read(first, Math.min(count, rows - first))
      yield scaler
        ? applyScaler(scaler, { values: some, shape: [some.length / width, width] }).values
        : Float32Array.from(some)
    }
  }
  return {
    train: narrowed({ values, shape: [head.length, width] }),
    large: {
      rows,
      width,
      windowBytes: windowBytes(memory),
      store: (folder, options) => placeRows(folder, order, width, blocks(), windowBytes(memory), options),
    },
  }
}
