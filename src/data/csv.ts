/**
 * Tables of numbers as text. The delimiter (comma, semicolon or tab) is the commonest in the first line; the first line
 * is a header where any of its fields is no number. Everything else must be a finite number, and every row as long as
 * the first.
 */

import { createReadStream } from 'node:fs'
import { pipeline } from 'node:stream'
import { parse } from 'csv-parse'
import { parse as parseSync } from 'csv-parse/sync'
import { DataError, show } from '../errors.js'
import { writeFileAtomic } from '../files/atomic.js'
import { cannotRead, cannotWrite } from '../files/reasons.js'
import { rowLength, type Tensor } from './tensor.js'

export interface Table {
  /** Float32Array, [n, d]. */
  tensor: Tensor
  /** The header's names of the columns; null where there is no header. */
  columns: string[] | null
}

const delimiters = [',', ';', '\t']
const decimal = /^[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?$/i
const nonFinite = /^[+-]?(nan|inf|infinity)$/i

/** A field that a header does not have: a number, one that is not finite, or nothing at all. */
const isData = (field: string): boolean => field === '' || decimal.test(field) || nonFinite.test(field)

const commonest = (line: string): string => {
  const counts = delimiters.map((delimiter) => line.replace(/"[^"]*"/g, '').split(delimiter).length)
  return delimiters[counts.indexOf(Math.max(...counts))]
}

/** The first line of a file that is not blank, without reading on. */
async function firstLine(path: string): Promise<string> {
  let text = ''
  for await (const chunk of createReadStream(path, { encoding: 'utf8', highWaterMark: 1 << 14 })) {
    text = (text + chunk).replace(/^[\uFEFF\r\n]+/, '')
    const end = text.search(/[\r\n]/)
    if (end >= 0) return text.slice(0, end)
  }
  return text
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
    const there = header ? header.map(show).join(', ') : `0 to ${width - 1} (there is no header)`
    throw new DataError(`${path} has no column ${show(column)}; its columns are ${there}.`)
  })
  const twice = picked.find((index, i) => picked.indexOf(index) !== i)
  if (twice !== undefined) throw new DataError(`Column ${twice} of ${path} is asked for twice.`)
  return picked
}

/** The names in the first line of a CSV file; null where that line holds numbers. Throws DataError where it cannot be read. */
export async function readCsvHeader(path: string): Promise<string[] | null> {
  const line = await firstLine(path).catch((error) => {
    throw cannotRead(path, error)
  })
  const [record] = parseSync(line, { delimiter: commonest(line), bom: true, trim: true, relax_quotes: true })
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
  let delimiter: string
  try {
    delimiter = commonest(await firstLine(path))
  } catch (error) {
    throw cannotRead(path, error)
  }
  const records = parse({
    delimiter,
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
      const fail = (what: string): never => {
        throw new DataError(`${path}, line ${info.lines}: ${what}.`)
      }
      if (record.length !== width) fail(`${record.length} fields, but the first line has ${width}`)
      if (used + picked.length > values.length) {
        const larger = new Float32Array(Math.max(2 * values.length, used + picked.length))
        larger.set(values)
        values = larger
      }
      for (const index of picked) {
        const field = record[index]
        const where = `field ${index + 1}${header ? ` (${show(header[index])})` : ''}`
        if (field === '') fail(`${where} is empty; every field must be a finite number`)
        if (!decimal.test(field) && !nonFinite.test(field)) fail(`${where} is ${show(field)}, which is no number`)
        const value = Math.fround(Number(field))
        if (!Number.isFinite(value)) fail(`${where} is ${field}; every field must be a finite float32 number`)
        values[used++] = value
      }
    }
  } catch (error) {
    if (error instanceof DataError) throw error
    throw new DataError(`${path} cannot be read as CSV: ${(error as Error).message}.`)
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
