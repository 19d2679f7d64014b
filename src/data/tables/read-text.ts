/**
 * Tables of mixed columns as text: every field is kept as it is written until the whole file is read, and only then it is told
 * what each column holds (kinds.ts), and whether the first line has names.
 */

import { DataError, show } from '../../errors.js'
import { type RecordOptions, takeRecords } from '../records.js'
import { delimiterOf, hasRowNames, named } from '../table-text.js'
import { nameOf, openText, type TextFile } from '../text-file.js'
import { formatsOf } from './dates.js'
import { numberWay } from './numbers.js'
import { RoomForTexts, type TextColumn, TextColumnBuilder } from './text-column.js'

/** Characters of a field, at most. */
export const LONGEST_FIELD = 1_000_000
/** Characters of a line, at most. */
export const LONGEST_RECORD = 2_000_000
/** Fields of a line, at most, before it is known how many columns there are. */
export const MOST_FIELDS = 1_000_000
/** Columns of a table, at most: each has an encoding and lines in the report. */
export const MOST_COLUMNS = 10_000

/** Columns of text, and what a reader should know of how they were read. */
export interface TextTable {
  readonly rows: number
  readonly columns: readonly TextColumn[]
  readonly remarks: readonly string[]
}

export interface TextOptions {
  /** whether the first line holds names; left out: where it has no numbers or dates, or other rows of its column have */
  readonly header?: boolean
  /** left out: decimal commas are looked for where commas do not separate */
  readonly comma?: boolean
  readonly missing: readonly string[]
}

/** Whether a text has characters that no table of text has: control characters, or bytes that are no UTF-8. */
function isBinary(text: string): boolean {
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i)
    if (code < 9 || (code > 13 && code < 32) || code === 0xfffd) return true
  }
  return false
}

const isData = (text: string, { comma, missing }: { comma: boolean; missing: readonly string[] }): boolean =>
  numberWay([text], comma) !== null || formatsOf(text).length > 0 || missing.includes(text)

/** Whether a first record names the columns, as far as it says so by itself; null: the records after it have to say. */
export function namesColumns(
  first: readonly string[],
  options: { comma: boolean; missing: readonly string[] },
): boolean | null {
  const data = first.map((text) => isData(text, options))
  if (data.every(Boolean)) return false
  return data.some((is, i) => is && first[i] !== '') ? null : true
}

/** Whether the first record names the columns, which the records after it are in. */
function isHeader(
  first: readonly string[],
  columns: readonly TextColumn[],
  options: { comma: boolean; missing: readonly string[] },
): boolean {
  const said = namesColumns(first, options)
  if (said !== null) return said
  const data = first.map((text) => isData(text, options))
  // a name that is a number may stand among names: then a column of numbers begins with a word
  return columns.some(({ texts }, i) => {
    const present = texts.filter((text) => !options.missing.includes(text))
    return !data[i] && present.length > 0 && present.every((text) => isData(text, options))
  })
}

/** Names that are all distinct: a second 'age' is 'age (2)'. */
export function distinctNames(names: readonly string[]): { names: string[]; twice: string[] } {
  const used = new Set<string>()
  const twice: string[] = []
  const distinct = names.map((name) => {
    let own = name
    for (let n = 2; used.has(own); n++) own = `${name} (${n})`
    if (own !== name) twice.push(own)
    used.add(own)
    return own
  })
  return { names: distinct, twice }
}

/**
 * Opens a table of text.
 *
 * @param comma whether decimal commas are looked for; left out: where commas do not separate
 * @throws DataError for what is none
 */
export async function openTableText(
  path: string,
  comma?: boolean,
): Promise<{ text: TextFile; records: RecordOptions; comma: boolean }> {
  const name = nameOf(path)
  const text = await openText(path, LONGEST_RECORD)
  const { firstLine, stream } = text
  if (firstLine.startsWith('PAR1')) {
    stream.destroy()
    throw new DataError(`${name} is Parquet, which is read from a file whose name ends in .parquet.`)
  }
  if (isBinary(firstLine)) {
    stream.destroy()
    throw new DataError(`${name} is no table of text: its first line has characters that no text has.`)
  }
  const delimiter = delimiterOf(firstLine)
  const records = { name, what: 'a table of text', delimiter, longest: LONGEST_RECORD, widest: MOST_FIELDS }
  return { text, records, comma: comma ?? delimiter !== ',' }
}

/**
 * Reads a table of text, packed by gzip or not; `-` is standard input.
 *
 * A first column without a name whose texts are all distinct names the rows, as pandas and R write it: it is left out, and a
 * remark says so.
 *
 * @throws DataError naming the line, for rows of unequal length and fields of more than 10⁶ characters; and for a missing
 *   file, no rows, and what is no text
 */
export async function readTextTable(path: string, options: TextOptions): Promise<TextTable & { comma: boolean }> {
  const name = nameOf(path)
  const { text, records, comma } = await openTableText(path, options.comma)
  let first = null as readonly string[] | null
  let builders: TextColumnBuilder[] = []
  let rows = 0
  const take = (record: readonly string[], line: number): void => {
    for (let i = 0; i < record.length; i++) builders[i].add(record[i], line)
    rows++
  }
  await takeRecords(text, records, (record, line) => {
    checkRecord(name, record, line, first?.length ?? record.length)
    if (first) return take(record, line)
    first = record
    const room = new RoomForTexts(name)
    builders = record.map(() => new TextColumnBuilder('line', room))
  })
  if (!first) throw new DataError(`${name} is empty.`)
  const record = first
  const read = builders.map((builder, i) => builder.column(record[i]))
  const columnsOf = (names: readonly string[]): TextColumn[] => read.map((column, i) => ({ ...column, name: names[i] }))
  const header = options.header ?? isHeader(record, read, { comma, missing: options.missing })
  const remarks: string[] = []
  if (!header) {
    // it stands first, and its texts may be new ones
    return { ...withFirst(columnsOf(record.map((_, i) => `column ${i}`)), record, rows), remarks, comma }
  }
  if (rows === 0) throw new DataError(`${name} has names of columns and no rows.`)
  const { names, twice } = distinctNames(named(record))
  const columns = columnsOf(names)
  if (twice.length > 0) {
    remarks.push(`${name} has names twice among its columns; the later ones are called ${twice.map(show).join(', ')}.`)
  }
  const rowNames = hasRowNames(record) && columns.length > 1 && columns[0].texts.length === rows
  if (rowNames) {
    remarks.push(
      `${name}'s first column (${show(record[0])}) names the rows, as pandas and R write it: it is left out.`,
    )
  }
  return { rows, columns: rowNames ? columns.slice(1) : columns, remarks, comma }
}

/** Throws DataError for a record of another length than the first, for too many fields, and for one that is too long. */
export function checkRecord(name: string, record: readonly string[], line: number, width: number): void {
  if (record.length !== width) {
    throw new DataError(`${name}, line ${line}: ${record.length} fields, but the first line has ${width}.`)
  }
  if (width > MOST_COLUMNS) throw new DataError(`${name} has ${width} columns; a table has at most ${MOST_COLUMNS}.`)
  const long = record.findIndex((text) => text.length > LONGEST_FIELD)
  if (long >= 0) {
    throw new DataError(
      `${name}, line ${line}: field ${long + 1} has ${record[long].length} characters; a field has at most ${LONGEST_FIELD}.`,
    )
  }
}

/** The columns with one more row before the others. */
function withFirst(
  columns: readonly TextColumn[],
  record: readonly string[],
  rows: number,
): Omit<TextTable, 'remarks'> {
  const longer = columns.map(({ name, texts, counts, codes, places, unit }, i): TextColumn => {
    const there = texts.indexOf(record[i])
    const code = there < 0 ? texts.length : there
    const whole = new Int32Array(rows + 1)
    whole[0] = code
    whole.set(codes, 1)
    const more = Array.from(
      { length: Math.max(texts.length, code + 1) },
      (_, k) => (counts[k] ?? 0) + (k === code ? 1 : 0),
    )
    return {
      name,
      texts: there < 0 ? [...texts, record[i]] : texts,
      counts: more,
      codes: whole,
      places: there < 0 ? [...places, 1] : places.map((place, k) => (k === code ? 1 : place)),
      unit,
    }
  })
  return { rows: rows + 1, columns: longer }
}
