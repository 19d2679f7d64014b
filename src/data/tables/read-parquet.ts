/**
 * Tables in Parquet: row groups one after another, the columns with types of their own. Columns inside columns, and what is
 * neither number, text, date nor boolean, are refused by name.
 */

import { open } from 'node:fs/promises'
import type { AsyncBuffer, FileMetaData } from 'hyparquet'
import { cut, DataError, show } from '../../errors.js'
import { expectRegular } from '../../files/reading.js'
import { cannotRead, isOfSystem } from '../../files/reasons.js'
import { decimalsOf } from './numbers.js'
import { asyncBufferFromFile, compressors, parquetMetadataAsync, parquetRead } from './parquet.js'
import { expectDescription, expectPages } from './parquet-pages.js'
import { MOST_COLUMNS } from './read-text.js'
import type { NumberColumn, TableColumn } from './table.js'
import { GrowingValues, RoomForTexts, type TextColumn, TextColumnBuilder } from './text-column.js'

/** A column as Parquet has it: typed, or texts of which it is still to be told what they are. */
export type ParquetColumn = { readonly typed: TableColumn } | { readonly text: TextColumn }

/** Takes the values of one column, of which every row group brings some. */
interface Taker {
  take(value: unknown, row: number): void
  column(): ParquetColumn
}

type SchemaElement = FileMetaData['schema'][number]

const isMissing = (value: unknown): value is null | undefined => value === null || value === undefined

function numbers(name: string, element: SchemaElement): Taker {
  const values = new GrowingValues()
  const whole = element.type === 'INT32' || element.type === 'INT64'
  return {
    take(value, row) {
      if (isMissing(value)) return values.push(Number.NaN)
      const number = Number(value)
      if (typeof value === 'bigint' && !Number.isSafeInteger(number)) {
        throw new DataError(
          `Column ${show(name)} has ${value} in row ${row + 1}, beyond 2^53, up to which whole numbers are kept apart. Leave it ` +
            `out by data.columns: { ${cut(name, 60)}: ignore }, or write it as text.`,
          'A column has whole numbers beyond 2^53.',
        )
      }
      if (number === Infinity || number === -Infinity) {
        throw new DataError(
          `Column ${show(name)} has ${value} in row ${row + 1}; numbers must be finite.`,
          'A column has a number that is not finite.',
        )
      }
      return values.push(number)
    },
    column() {
      const all = values.takeAll()
      const scaled = element.converted_type === 'DECIMAL' || element.logical_type?.type === 'DECIMAL'
      const decimals = whole && !scaled ? 0 : decimalsOf(all, element.type === 'FLOAT')
      const typed: NumberColumn = {
        name,
        kind: decimals === 0 ? 'integer' : 'number',
        values: all,
        ...(decimals !== undefined && { format: { decimals } }),
      }
      return { typed }
    },
  }
}

function dates(name: string, format: string | null): Taker {
  const values = new GrowingValues()
  return {
    take: (value) => values.push(isMissing(value) ? Number.NaN : (value as Date).getTime() / 1000),
    column() {
      const all = values.takeAll()
      const days = all.every((value) => Number.isNaN(value) || value % 86_400 === 0)
      const whole = all.every((value) => Number.isNaN(value) || Number.isInteger(value))
      const usual = days ? '%Y-%m-%d' : whole ? '%Y-%m-%d %H:%M:%S' : '%Y-%m-%d %H:%M:%S.%L'
      return { typed: { name, kind: 'date', values: all, format: { date: format ?? usual } } }
    },
  }
}

function booleans(name: string): Taker {
  const values = new GrowingValues()
  return {
    take: (value) => values.push(isMissing(value) ? -1 : Number(value)),
    column: () => ({
      typed: { name, kind: 'boolean', codes: new Int32Array(values.takeAll()), levels: ['false', 'true'] },
    }),
  }
}

function texts(name: string): Taker {
  const builder = new TextColumnBuilder('row', new RoomForTexts(`Column ${show(name)}`))
  return {
    take(value, row) {
      if (!isMissing(value) && typeof value !== 'string') {
        throw new DataError(
          `Column ${show(name)} holds ${show(value)} in row ${row + 1}, which is no text.`,
          'A column of texts holds something else.',
        )
      }
      builder.add(value ?? '', row + 1)
    },
    column: () => ({ text: builder.column(name) }),
  }
}

const refused = (name: string, what: string): DataError =>
  new DataError(
    `Column ${show(name)} ${what}; a table has numbers, texts, dates and booleans. Leave it out by data.columns: ` +
      `{ ${cut(name, 60)}: ignore }.`,
    `A column ${what}.`,
  )

function takerOf(element: SchemaElement): Taker {
  const { name, type, converted_type: converted, logical_type: logical } = element
  if (element.num_children) throw refused(name, 'has columns inside')
  if (element.repetition_type === 'REPEATED') throw refused(name, 'has lists inside')
  const kind = logical?.type
  if (converted === 'DATE' || kind === 'DATE') return dates(name, '%Y-%m-%d')
  if (type === 'INT96' || kind === 'TIMESTAMP' || converted?.startsWith('TIMESTAMP')) return dates(name, null)
  if (type === 'BOOLEAN') return booleans(name)
  if (converted === 'DECIMAL' || kind === 'DECIMAL' || kind === 'FLOAT16') return numbers(name, element)
  if (type === 'INT32' || type === 'INT64' || type === 'FLOAT' || type === 'DOUBLE') return numbers(name, element)
  if (type === 'BYTE_ARRAY' && (converted === 'UTF8' || converted === 'ENUM' || kind === 'STRING' || kind === 'ENUM')) {
    return texts(name)
  }
  throw refused(name, `is ${kind ?? converted ?? type ?? 'of no type'}`)
}

/** Columns at the top of a file's schema, with what lies inside them skipped. */
function topColumns({ schema }: FileMetaData): SchemaElement[] {
  const top: SchemaElement[] = []
  const inside: number[] = []
  schema.slice(1).forEach((element) => {
    if (inside.length === 0) top.push(element)
    else inside[inside.length - 1]--
    if (element.num_children) inside.push(element.num_children)
    while (inside.length > 0 && inside[inside.length - 1] === 0) inside.pop()
  })
  return top
}

/** Throws DataError where a file does not begin and end as Parquet does. */
async function expectParquet(path: string): Promise<void> {
  const file = await open(path, 'r').catch((error) => {
    throw cannotRead(path, error)
  })
  try {
    const { size } = await file.stat()
    const word = async (at: number): Promise<string> => {
      const { buffer, bytesRead } = await file.read(Buffer.alloc(4), 0, 4, at)
      return buffer.toString('latin1', 0, bytesRead)
    }
    if (size < 12 || (await word(0)) !== 'PAR1') throw new DataError(`${path} is no Parquet file.`)
    if ((await word(size - 4)) !== 'PAR1') {
      throw new DataError(`${path} is a Parquet file without its end: it was not written or copied to the end.`)
    }
  } finally {
    await file.close()
  }
}

/** What the columns of some row groups hold. */
export interface ParquetRows {
  readonly rows: number
  readonly columns: readonly (ParquetColumn | { readonly ignored: string })[]
}

/** A Parquet file whose description and pages were looked through. */
export interface ParquetFile {
  /** of the whole file */
  readonly rows: number
  readonly names: readonly string[]
  /** how many row groups there are */
  readonly groups: number
  /** The rows of the groups [first, end). Throws DataError for values that no table has. */
  read(first: number, end: number): Promise<ParquetRows>
}

/** Runs what reads a file; an error names it. */
async function naming<T>(path: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work()
  } catch (error) {
    if (error instanceof DataError) {
      const { withoutContent } = error
      throw new DataError(`${path}: ${error.message}`, withoutContent && `${path}: ${withoutContent}`)
    }
    if (isOfSystem(error)) throw cannotRead(path, error)
    throw new DataError(`${path} cannot be read as Parquet: ${cut((error as Error).message, 200)}.`)
  }
}

/**
 * Opens a Parquet file to be read row group by row group.
 *
 * @param ignored whether a column is left unread
 * @throws DataError for what is no Parquet file or ends too early, for columns inside columns and types that a table has not (by
 *   name), and, when they are read, for whole numbers beyond 2⁵³
 */
export async function openParquet(path: string, ignored: (name: string) => boolean): Promise<ParquetFile> {
  await expectRegular(path)
  await expectParquet(path)
  return naming(path, async () => {
    const file: AsyncBuffer = await asyncBufferFromFile(path)
    await expectDescription(file)
    const metadata = await parquetMetadataAsync(file)
    const elements = topColumns(metadata)
    if (elements.length > MOST_COLUMNS) {
      throw new DataError(`It has ${elements.length} columns; a table has at most ${MOST_COLUMNS}.`)
    }
    const names = elements.map(({ name }) => name)
    const twice = names.find((name, i) => names.indexOf(name) !== i)
    if (twice !== undefined)
      throw new DataError(`It has two columns ${show(twice)}.`, 'It has the name of a column twice.')
    const taken = elements.filter(({ name }) => !ignored(name))
    taken.forEach(takerOf) // refuses what cannot be read
    await expectPages(file, metadata, taken)
    const sizes = metadata.row_groups.map(({ num_rows }) => Number(num_rows))
    const starts = sizes.map((_, i) => sizes.slice(0, i).reduce((sum, size) => sum + size, 0))
    const rows = sizes.reduce((sum, size) => sum + size, 0)
    if (rows === 0) throw new DataError('It has no rows.')
    return {
      rows,
      names,
      groups: sizes.length,
      read: (first, end) =>
        naming(path, async () => {
          const takers = new Map(taken.map((element) => [element.name, takerOf(element)]))
          let count = 0
          for (let i = first; i < end; i++) {
            await readGroup({ file, metadata }, takers, starts[i], sizes[i])
            count += sizes[i]
          }
          return {
            rows: count,
            columns: elements.map(({ name }) => takers.get(name)?.column() ?? { ignored: name }),
          }
        }),
    }
  })
}

/** Hands the values of a row group to the takers of its columns. */
async function readGroup(
  { file, metadata }: { file: AsyncBuffer; metadata: FileMetaData },
  takers: ReadonlyMap<string, Taker>,
  start: number,
  count: number,
): Promise<void> {
  const seen = new Map<string, number>()
  // what a callback throws would go nowhere
  let failed: unknown
  await parquetRead({
    file,
    metadata,
    compressors,
    columns: [...takers.keys()],
    rowStart: start,
    rowEnd: start + count,
    onChunk: ({ columnName, columnData, rowStart }) => {
      const taker = takers.get(columnName)
      if (!taker || failed) return
      try {
        for (let i = 0; i < columnData.length; i++) taker.take(columnData[i], rowStart + i)
      } catch (error) {
        failed = error
      }
      seen.set(columnName, (seen.get(columnName) ?? 0) + columnData.length)
    },
  })
  if (failed) throw failed
  for (const name of takers.keys()) {
    if (seen.get(name) !== count) {
      throw new DataError(
        `Column ${show(name)} has ${seen.get(name) ?? 0} values where ${count} rows are claimed.`,
        'A column has fewer values than rows are claimed.',
      )
    }
  }
}

/** Reads a Parquet file, see openParquet. */
export async function readParquet(path: string, ignored: (name: string) => boolean): Promise<ParquetRows> {
  const file = await openParquet(path, ignored)
  return file.read(0, file.groups)
}
