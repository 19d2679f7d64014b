/**
 * Tables of numbers as text. The delimiter (comma, semicolon or tab) is the commonest in the first line; the first line
 * is a header where any of its fields is no number. Everything else must be a finite number, and every row as long as
 * the first.
 */

import { createReadStream } from 'node:fs'
import { pipeline } from 'node:stream'
import { parse } from 'csv-parse'
import { parse as parseSync } from 'csv-parse/sync'
import { cut, DataError, list, oneLine, show } from '../errors.js'
import { writeFileAtomic } from '../files/atomic.js'
import { expectRegular } from '../files/reading.js'
import { cannotRead, cannotWrite, isOfSystem } from '../files/reasons.js'
import { rowLength, type Tensor } from './tensor.js'

export interface Table {
  /** Float32Array, [n, d]. */
  tensor: Tensor
  /** The header's names of the columns; null where there is no header. */
  columns: string[] | null
}

const delimiters = [',', ';', '\t']
const decimal = /^[+-]?(?:\d+(?:\.\d*)?|\.\d+)(?:e[+-]?\d+)?$/i
const nonFinite = /^[+-]?(nan|inf|infinity)$/i

/** A field that a header does not have: a number, one that is not finite, or nothing at all. */
const isData = (field: string): boolean => field === '' || decimal.test(field) || nonFinite.test(field)

const commonest = (line: string): string => {
  const counts = delimiters.map((delimiter) => line.replace(/"[^"]*"/g, '').split(delimiter).length)
  return delimiters[counts.indexOf(Math.max(...counts))]
}

/** Characters of a line, at most: 2^20 columns of numbers have room. */
const LONGEST_LINE = 1 << 24
const tooLong = (path: string): DataError =>
  new DataError(`${path} is no table: a line of it has more than ${LONGEST_LINE} characters.`)

/** The first line of a file that is not blank, without reading on. Throws DataError where it has no end. */
async function firstLine(path: string): Promise<string> {
  await expectRegular(path)
  const parts: string[] = []
  let length = 0
  try {
    for await (const chunk of createReadStream(path, { encoding: 'utf8', highWaterMark: 1 << 14 })) {
      const part = length === 0 ? (chunk as string).replace(/^[\uFEFF\r\n]+/, '') : (chunk as string)
      const end = part.search(/[\r\n]/)
      if (end >= 0) return parts.join('') + part.slice(0, end)
      parts.push(part)
      length += part.length
      if (length > LONGEST_LINE) throw tooLong(path)
    }
  } catch (error) {
    throw error instanceof DataError ? error : cannotRead(path, error)
  }
  return parts.join('')
}

/**
 * The numbers of the columns that are asked for: names from the header, or numbers from 0.
 *
 * @param wanted null: all of them
 * @throws DataError for a column that is not there, or is asked for twice
 */
export function selectColumns(
  path: string,
  width: number,
  header: readonly string[] | null,
  wanted: readonly (string | number)[] | null,
): number[] {
  if (!wanted) return Array.from({ length: width }, (_, i) => i)
  const picked = wanted.map((column) => {
    const index = typeof column === 'number' ? column : (header?.indexOf(column) ?? -1)
    if (index >= 0 && index < width) return index
    const there = header ? list(header.map(show)) : `0 to ${width - 1} (there is no header)`
    const absent = `${path} has no column ${show(column)}`
    throw new DataError(`${absent}; its columns are ${there}.`, `${absent}.`)
  })
  const twice = picked.find((index, i) => picked.indexOf(index) !== i)
  if (twice !== undefined) throw new DataError(`Column ${twice} of ${path} is asked for twice.`)
  return picked
}

async function parsedLine(path: string, line: string): Promise<string[][]> {
  try {
    return parseSync(line, { delimiter: commonest(line), bom: true, trim: true, relax_quotes: true })
  } catch (error) {
    throw noCsv(path, error)
  }
}

/** What the parser says of a file, which quotes it. */
const noCsv = (path: string, error: unknown): DataError =>
  new DataError(
    `${path} cannot be read as CSV: ${cut((error as Error).message, 200)}.`,
    `${path} cannot be read as CSV.`,
  )

/** The names in the first line of a CSV file; null where that line holds numbers. Throws DataError where it cannot be read. */
export async function readCsvHeader(path: string): Promise<string[] | null> {
  const line = await firstLine(path)
  const [record] = await parsedLine(path, line)
  return !record || record.every(isData) ? null : record
}

/**
 * Reads a CSV file.
 *
 * @param columns the columns to take, by name or number from 0, in this order; default all. Others may hold anything
 * @throws DataError naming file and line for text, an empty field, NaN, infinity (also a number too large for float32)
 *   and a row of another length; and for a missing file, zero rows, an unknown column
 */
export async function readCsv(path: string, columns: readonly (string | number)[] | null = null): Promise<Table> {
  const records = parse({
    delimiter: commonest(await firstLine(path)),
    max_record_size: LONGEST_LINE,
    bom: true,
    trim: true,
    info: true,
    relax_column_count: true,
    skip_empty_lines: true,
  })
  // The callback form closes the file where reading stops early; a failure reaches the loop below through `records`.
  pipeline(createReadStream(path), records, () => {})
  let header: string[] | null = null
  let width = 0
  let picked: number[] | null = null
  let names: string[] | null = null
  let values = new Float32Array(1 << 12)
  let used = 0
  try {
    for await (const { record, info } of records as AsyncIterable<{ record: string[]; info: { lines: number } }>) {
      if (!picked) {
        width = record.length
        header = record.every(isData) ? null : record
        picked = selectColumns(path, width, header, columns)
        names = header && picked.map((index) => header![index])
        if (header) continue
      }
      const at = `${path}, line ${info.lines}`
      const fail = (what: string, unquoted = what): never => {
        throw new DataError(`${at}: ${what}.`, `${at}: ${unquoted}.`)
      }
      if (record.length !== width) fail(`${record.length} fields, but the first line has ${width}`)
      if (used + picked.length > values.length) {
        const larger = new Float32Array(Math.max(2 * values.length, used + picked.length))
        larger.set(values)
        values = larger
      }
      for (const index of picked) {
        const field = record[index]
        const value = Math.fround(decimal.test(field) ? Number(field) : Number.NaN)
        if (!Number.isFinite(value)) {
          const unquoted = `field ${index + 1} is no finite number`
          const where = `field ${index + 1}${header ? ` (${show(header[index])})` : ''}`
          if (field === '') fail(`${where} is empty; every field must be a finite number`, unquoted)
          if (!decimal.test(field) && !nonFinite.test(field)) {
            fail(`${where} is ${show(field)}, which is no number`, unquoted)
          }
          fail(`${where} is ${oneLine(cut(field, 60))}; every field must be a finite float32 number`, unquoted)
        }
        values[used++] = value
      }
    }
  } catch (error) {
    if (error instanceof DataError) throw error
    if ((error as { code?: string }).code === 'CSV_MAX_RECORD_SIZE') throw tooLong(path)
    throw isOfSystem(error) ? cannotRead(path, error) : noCsv(path, error)
  }
  if (!picked || used === 0) throw new DataError(`${path} has zero rows of numbers; at least one is needed.`)
  return {
    tensor: { values: values.slice(0, used), shape: [used / picked.length, picked.length] },
    columns: names,
  }
}

/** The shortest decimal text that reads back as the same float32. */
export function float32Text(value: number): string {
  for (let digits = 6; digits < 9; digits++) {
    const text = Number(value.toPrecision(digits))
    if (Math.fround(text) === value) return String(text)
  }
  return String(Number(value.toPrecision(9)))
}

const quoted = (field: string): string => (/[",;\t\r\n]/.test(field) ? `"${field.replaceAll('"', '""')}"` : field)

/** Rows that become one piece of text; keeps pieces well below the longest string. */
const rowsInPiece = 4096

/**
 * A tensor as CSV, in pieces: a header, then a line a row; rows of more than one dimension are flattened.
 *
 * @param columns names of the columns; default x0, x1, …
 */
export function* csvText({ values, shape }: Tensor, columns?: readonly string[] | null): Generator<string> {
  const width = rowLength(shape)
  yield `${(columns ?? Array.from({ length: width }, (_, i) => `x${i}`)).map(quoted).join(',')}\n`
  for (let first = 0; first < shape[0]; first += rowsInPiece) {
    let text = ''
    for (let row = first; row < Math.min(first + rowsInPiece, shape[0]); row++) {
      text += `${Array.from(values.subarray(row * width, (row + 1) * width), float32Text).join(',')}\n`
    }
    yield text
  }
}

/** Writes a CSV file atomically, see csvText. Throws DataError where it cannot be written. */
export async function writeCsv(path: string, x: Tensor, columns?: readonly string[] | null): Promise<void> {
  await writeFileAtomic(path, csvText(x, columns)).catch((error) => {
    throw cannotWrite(path, error)
  })
}
