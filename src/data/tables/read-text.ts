/**
 * Tables of mixed columns as text: every field is kept as it is written until the whole file is read, and only then it is told
 * what each column holds (kinds.ts), and whether the first line has names.
 */

import { pipeline } from 'node:stream'
import { parse } from 'csv-parse'
import { cut, DataError, show } from '../../errors.js'
import { cannotRead, isOfSystem } from '../../files/reasons.js'
import { delimiterOf, hasRowNames, named } from '../table-text.js'
import { LINE_ENDS, nameOf, openText, tooLong } from '../text-file.js'
import { formatsOf } from './dates.js'
import { numberWay } from './numbers.js'
import { type TextColumn, TextColumnBuilder } from './text-column.js'

/** Characters of a field, at most. */
export const LONGEST_FIELD = 1_000_000
/** Characters of a line, at most: csv-parse holds it many times over. */
export const LONGEST_RECORD = 2_000_000
/** Delimiters in a line, at most: csv-parse makes a field behind each before it says how many there are. */
export const MOST_DELIMITERS = 1_000_000
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

/** Whether the first record names the columns, which the records after it are in. */
function isHeader(
  first: readonly string[],
  columns: readonly TextColumn[],
  options: { comma: boolean; missing: readonly string[] },
): boolean {
  const data = first.map((text) => isData(text, options))
  if (data.every(Boolean)) return false
  if (!data.some((is, i) => is && first[i] !== '')) return true
  // a name that is a number may stand among names: then a column of numbers begins with a word
  return columns.some(({ texts }, i) => {
    const present = texts.filter((text) => !options.missing.includes(text))
    return !data[i] && present.length > 0 && present.every((text) => isData(text, options))
  })
}

/** Names that are all distinct: a second 'age' is 'age (2)'. */
function distinctNames(names: readonly string[]): { names: string[]; twice: string[] } {
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
  const { firstLine, stream } = await openText(path, LONGEST_RECORD)
  if (firstLine.startsWith('PAR1')) {
    stream.destroy()
    throw new DataError(`${name} is Parquet, which is read from a file whose name ends in .parquet.`)
  }
  if (isBinary(firstLine)) {
    stream.destroy()
    throw new DataError(`${name} is no table of text: its first line has characters that no text has.`)
  }
  const delimiter = delimiterOf(firstLine)
  const comma = options.comma ?? delimiter !== ','
  const records = parse({
    delimiter,
    record_delimiter: LINE_ENDS,
    max_record_size: LONGEST_RECORD,
    bom: true,
    trim: true,
    info: true,
    relax_column_count: true,
    skip_empty_lines: true,
  })
  pipeline(
    stream,
    (chunks: AsyncIterable<Buffer>) => withoutLongLines(name, chunks, delimiter),
    records,
    () => {},
  )
  let first: { record: string[]; line: number } | null = null
  let builders: TextColumnBuilder[] = []
  let rows = 0
  const take = (record: readonly string[], line: number): void => {
    record.forEach((text, i) => {
      builders[i].add(text, () => `line ${line}`)
    })
    rows++
  }
  try {
    for await (const { record, info } of records as AsyncIterable<{ record: string[]; info: { lines: number } }>) {
      const line = info.lines
      checkRecord(name, record, line, first?.record.length ?? record.length)
      if (!first) {
        first = { record, line }
        builders = record.map(() => new TextColumnBuilder())
      } else {
        take(record, line)
      }
    }
  } catch (error) {
    if (error instanceof DataError) throw error
    if ((error as { code?: string }).code === 'CSV_MAX_RECORD_SIZE') throw tooLong(name, LONGEST_RECORD)
    if (isOfSystem(error)) throw cannotRead(name, error)
    const what = `${name} cannot be read as a table of text`
    throw new DataError(`${what}: ${cut((error as Error).message, 200)}.`, `${what}.`)
  }
  if (!first) throw new DataError(`${name} is empty.`)
  const { record } = first
  const columnsOf = (names: readonly string[]): TextColumn[] => builders.map((builder, i) => builder.column(names[i]))
  const header = options.header ?? isHeader(record, columnsOf(record), { comma, missing: options.missing })
  const remarks: string[] = []
  if (!header) {
    // it stands first, and its texts may be new ones: the columns are made again
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

/** Passes a text on. Throws DataError for a line with more delimiters than any table has, before it is parsed. */
async function* withoutLongLines(
  name: string,
  chunks: AsyncIterable<Buffer>,
  delimiter: string,
): AsyncGenerator<Buffer> {
  const code = delimiter.charCodeAt(0)
  let found = 0
  for await (const chunk of chunks) {
    for (let i = 0; i < chunk.length; i++) {
      if (chunk[i] === code) found++
      else if (chunk[i] === 10 || chunk[i] === 13) found = 0
    }
    if (found > MOST_DELIMITERS) {
      throw new DataError(`${name} is no table: a line of it has more than ${MOST_DELIMITERS} delimiters.`)
    }
    yield chunk
  }
}

function checkRecord(name: string, record: readonly string[], line: number, width: number): void {
  const at = `${name}, line ${line}`
  if (record.length !== width) {
    throw new DataError(`${at}: ${record.length} fields, but the first line has ${width}.`)
  }
  if (width > MOST_COLUMNS) throw new DataError(`${name} has ${width} columns; a table has at most ${MOST_COLUMNS}.`)
  const long = record.findIndex((text) => text.length > LONGEST_FIELD)
  if (long >= 0) {
    throw new DataError(
      `${at}: field ${long + 1} has ${record[long].length} characters; a field has at most ${LONGEST_FIELD}.`,
    )
  }
}

/** The columns with one more row before the others. */
function withFirst(
  columns: readonly TextColumn[],
  record: readonly string[],
  rows: number,
): Omit<TextTable, 'remarks'> {
  const longer = columns.map(({ name, texts, counts, codes, places }, i): TextColumn => {
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
      places: there < 0 ? [...places, 'line 1'] : places.map((place, k) => (k === code ? 'line 1' : place)),
    }
  })
  return { rows: rows + 1, columns: longer }
}
