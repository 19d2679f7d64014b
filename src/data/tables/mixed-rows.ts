/**
 * Rows of mixed columns that come one after another, from a program's iterable of objects: a table in memory where they fit into it, else a
 * file of numbers, a level being the number of its text, of which blocks are read as tables again.
 */

import { DataError, show } from '../../errors.js'
import { RowFile } from '../../files/row-file.js'
import { asFloats } from '../spool.js'
import type { KnownColumn } from './kinds.js'
import type { TableGroups } from './read.js'
import type { Table, TableColumn } from './table.js'

/** A value of a row: what is missing is null, undefined, NaN or an empty text. */
export type MixedValue = number | string | boolean | Date | null | undefined

/** A row of mixed columns by their names: numbers, dates, booleans, and texts, which are levels. */
export type MixedRow = Readonly<Record<string, MixedValue>>

/** Rows of mixed columns that come in time: objects, or lists of some of them. */
export type MixedInTime = AsyncIterable<MixedRow | readonly MixedRow[]> | Iterable<MixedRow | readonly MixedRow[]>

/** Whether it is a row by names, and neither one of numbers nor a block of these. */
export const isMixedRow = (item: unknown): item is MixedRow =>
  typeof item === 'object' &&
  item !== null &&
  !Array.isArray(item) &&
  !ArrayBuffer.isView(item) &&
  !('values' in item && 'shape' in item && Array.isArray(item.shape))

/** A row by names, or a list of them. */
export const areMixedRows = (item: unknown): item is MixedRow | readonly MixedRow[] =>
  isMixedRow(Array.isArray(item) ? item[0] : item)

/** A list of objects, which are rows by names. */
export const isListOfMixedRows = (given: unknown): given is readonly MixedRow[] =>
  Array.isArray(given) && given.length > 0 && isMixedRow(given[0])

/** Copies of a number, 8 bytes each, where rows stay in memory: as they came, in the table, and as they are learnt. */
const COPIES = 6
/** Numbers that are written or read at a time. */
const PIECE = 1 << 18

/** Columns in a file. */
export interface TableSpool extends TableGroups {
  close(): Promise<void>
}

type Kind = 'number' | 'date' | 'boolean' | 'category'

/** A column as far as it has come. */
interface Growing {
  readonly name: string
  /** null: every value so far is missing */
  kind: Kind | null
  /** all numbers so far are whole */
  whole: boolean
  /** numbers of the texts, in the order in which they came */
  readonly levels: Map<string, number>
}

const booleans = ['false', 'true'] as const
const words: Readonly<Record<Kind, string>> = {
  number: 'a number',
  date: 'a Date',
  boolean: 'a boolean',
  category: 'a text',
}

function kindOf(value: unknown): Kind | null {
  if (value instanceof Date) return 'date'
  if (typeof value === 'number') return 'number'
  if (typeof value === 'boolean') return 'boolean'
  return typeof value === 'string' ? 'category' : null
}

/** A value as a number: its own, seconds, or the number of its level; NaN where it is missing. */
function numberOf(column: Growing, value: unknown, row: number): number {
  if (value === null || value === undefined || value === '' || Number.isNaN(value)) return Number.NaN
  const at = `in column ${show(column.name)}, row ${row} (from 0)`
  const kind = kindOf(value)
  const held = value instanceof Date ? value.getTime() / 1000 : value
  if (kind === null || held === Infinity || held === -Infinity || Number.isNaN(held)) {
    throw new DataError(
      `rows holds ${show(value)} ${at}; values are finite numbers, texts, booleans, dates, and null where one is missing.`,
    )
  }
  column.kind ??= kind
  if (column.kind !== kind) {
    throw new DataError(
      `rows holds ${words[kind]} ${at}, ${show(value)}, where the rows before hold ${words[column.kind]}. Give all values of a column as one ` +
        'kind.',
    )
  }
  if (typeof held === 'boolean') return held ? 1 : 0
  if (typeof held === 'number') {
    column.whole &&= Number.isInteger(held)
    return held
  }
  const text = held as string
  const known = column.levels.get(text)
  if (known !== undefined) return known
  column.levels.set(text, column.levels.size)
  return column.levels.size - 1
}

/** Columns of rows [n, D] that are such numbers. */
function columnsOf(columns: readonly Growing[], values: Float64Array): TableColumn[] {
  const D = columns.length
  const n = values.length / D
  return columns.map(({ name, kind, whole, levels }, j): TableColumn => {
    if (kind === 'number' || kind === 'date') {
      const own = Float64Array.from({ length: n }, (_, i) => values[i * D + j])
      return { name, kind: kind === 'date' ? 'date' : whole ? 'integer' : 'number', values: own }
    }
    const sorted = kind === 'boolean' ? [...booleans] : [...levels.keys()].sort()
    const places = new Map(sorted.map((level, i) => [level, i]))
    const to = kind === 'boolean' ? [0, 1] : [...levels.keys()].map((level) => places.get(level)!)
    const codes = Int32Array.from({ length: n }, (_, i) => {
      const value = values[i * D + j]
      return Number.isNaN(value) ? -1 : to[value]
    })
    return { name, kind: kind ?? 'category', codes, levels: sorted }
  })
}

/**
 * Takes rows as they come. The first one names the columns; of one that a later row lacks its value is missing.
 *
 * @param memory bytes that they may take; more of them go into a file in `folder`
 * @returns a table in memory, or what is in the file; the caller closes it
 * @throws DataError that names the row, for values of no kind or of another kind than those before, and for columns that the first row does
 *   not have; what the iterable throws; the signal's reason, after the iterable was told to end
 */
export async function gatherMixedRows(
  given: AsyncIterable<unknown>,
  { memory, folder, signal }: { memory: number; folder: string; signal?: AbortSignal },
): Promise<Table | TableSpool> {
  let columns: Growing[] = []
  let names = new Set<string>()
  let rows = 0
  let pieces: Float64Array[] = []
  let piece = new Float64Array(0)
  let used = 0
  let file: RowFile | null = null
  let written = 0
  const flush = async (): Promise<void> => {
    file ??= await RowFile.create(folder, 0, 2 * columns.length)
    for (const part of [...pieces, piece.subarray(0, used)]) {
      await file.write(written, asFloats(part))
      written += part.length / columns.length
    }
    pieces = []
    used = 0
  }
  const take = async (row: unknown): Promise<void> => {
    if (!isMixedRow(row)) {
      throw new DataError(`rows holds ${show(row)} in row ${rows} (from 0), where the rows before are objects.`)
    }
    if (rows === 0) {
      columns = Object.keys(row).map((name) => ({ name, kind: null, whole: true, levels: new Map() }))
      if (columns.length === 0) throw new DataError('rows has a row without columns (row 0).')
      names = new Set(Object.keys(row))
    }
    const other = Object.keys(row).find((name) => !names.has(name))
    if (other !== undefined) {
      throw new DataError(
        `rows has the column ${show(other)} in row ${rows} (from 0), which the first row does not have. Give it there too, as null where it ` +
          'is missing.',
      )
    }
    const D = columns.length
    if (used === piece.length) {
      if (used > 0) pieces.push(piece)
      if (file || 8 * COPIES * rows * D > memory) await flush()
      piece = new Float64Array(D * Math.max(1, Math.floor(PIECE / D)))
      used = 0
    }
    for (const column of columns) piece[used++] = numberOf(column, row[column.name], rows)
    rows++
  }
  try {
    for await (const item of given) {
      signal?.throwIfAborted()
      if (Array.isArray(item)) for (const row of item) await take(row)
      else await take(item)
    }
    if (rows === 0) throw new DataError('rows ended before the first one; at least one is needed.')
    if (!file && 8 * COPIES * rows * columns.length <= memory) {
      const values = new Float64Array(rows * columns.length)
      let at = 0
      for (const part of [...pieces, piece.subarray(0, used)]) {
        values.set(part, at)
        at += part.length
      }
      return { rows, columns: columnsOf(columns, values) }
    }
    await flush()
    return spoolOf(file!, columns, rows)
  } catch (error) {
    await (file as RowFile | null)?.close()
    throw error
  }
}

const spoolOf = (file: RowFile, columns: readonly Growing[], rows: number): TableSpool => ({
  rows,
  width: columns.length,
  async *read() {
    const count = Math.max(1, Math.floor(PIECE / columns.length))
    for (let first = 0; first < rows; first += count) {
      const own = Math.min(count, rows - first)
      const values = new Float64Array((await file.read(first, own)).buffer)
      const known = columnsOf(columns, values).map(
        (column): KnownColumn => ({ name: column.name, column, why: 'as the program says' }),
      )
      yield { rows: own, columns: known }
    }
  },
  close: () => file.close(),
})
