/** How the memory that a data set and its training may take is shared out. */

import { DataError } from '../errors.js'
import { machineBytes } from '../files/machine.js'

/** What each part of the work may take of the memory in all. The rest is the program's, and what reads and draws. */
const WINDOW_SHARE = 1 / 8
const UNSEEN_SHARE = 1 / 4
const HEAD_SHARE = 1 / 32
/** Rows that are at hand of more, at most: for pictures and figures. */
const MOST_HEAD_ROWS = 100_000
/** Copies of a row as numbers, where all are in memory: the host's and the device's, and as much for the table that they are of. */
const COPIES = 3
/** Of the machine's memory where nothing is said. */
const USUAL_SHARE = 1 / 2

const units: Readonly<Record<string, number>> = {
  KB: 1e3,
  MB: 1e6,
  GB: 1e9,
  TB: 1e12,
  KiB: 2 ** 10,
  MiB: 2 ** 20,
  GiB: 2 ** 30,
  TiB: 2 ** 40,
}
const pattern = new RegExp(`^(\\d+(?:\\.\\d+)?) ?(${Object.keys(units).join('|')})$`)

/** Bytes of '2 GB', '512MiB'; null where it is no such text. */
export function bytesOf(text: string): number | null {
  const [, number, unit] = pattern.exec(text) ?? []
  const bytes = number === undefined ? 0 : Math.floor(Number(number) * units[unit])
  return bytes > 0 ? bytes : null
}

/** The memory that a data set may take: as it is said, or half of the machine's. */
export const memoryFor = (said: string | undefined): number =>
  said === undefined ? machineBytes() * USUAL_SHARE : (bytesOf(said) ?? 0)

/** Whether n rows of D numbers are too many to be in memory as floats. */
export const isLarge = (rows: number, width: number, memory: number): boolean => 4 * COPIES * rows * width > memory

export const windowBytes = (memory: number): number => memory * WINDOW_SHARE

/** How many of the training rows are at hand. */
export const headRows = (rows: number, width: number, memory: number): number =>
  Math.min(rows, MOST_HEAD_ROWS, Math.max(1000, Math.floor((memory * HEAD_SHARE) / (4 * width))))

/** Fields of a table that may be in memory, each 8 bytes: all of it; and of one that is read row group by row group, those that are kept. */
export const fieldsInMemory = (memory: number): { all: number; kept: number } => ({
  all: Math.floor(memory / 4 / 8),
  kept: Math.floor(memory / 8 / 24),
})

/** Throws DataError where the rows that are not learnt from take too much of the memory, in which they all are. */
export function checkUnseen(rows: number, width: number, memory: number): void {
  const bytes = 4 * rows * width
  if (bytes <= memory * UNSEEN_SHARE) return
  const megabytes = (bytes: number): string => `${Math.round(bytes / 1e6)} MB`
  const most = Math.floor((memory * UNSEEN_SHARE) / (4 * width))
  throw new DataError(
    `Validation and test rows stay in memory: ${rows} of ${width} numbers take ${megabytes(bytes)}, of which data.memory ` +
      `(${megabytes(memory)}) leaves them ${megabytes(memory * UNSEEN_SHARE)}. Give data.validation and data.test at most ${most} rows ` +
      'together, or more data.memory.',
  )
}

/** Of rows that take more than `data.memory`, where all of them are needed in memory. */
export const needsAll = (path: string): DataError =>
  new DataError(
    `The rows of ${path} take more than data.memory as numbers, and are needed in memory here; lfm train and run learn from rows in a ` +
      'file. Give more data.memory, or leave it out.',
  )
