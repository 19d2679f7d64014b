/**
 * Tables of numbers as text. The delimiter (comma, semicolon or tab) is the commonest in the first line; the first line
 * is a header where any of its fields is no number. Where commas do not separate, they may be decimal signs. Everything
 * else must be a finite number, and every row as long as the first.
 */

import { cut, DataError, list, oneLine, show } from '../errors.js'
import { writeFileAtomic } from '../files/atomic.js'
import { cannotWrite } from '../files/reasons.js'
import { narrowed } from './precision.js'
import { takePieces, takeRecords } from './records.js'
import { delimiterOf, hasRowNames, isHeader, isNonFinite, named, numberOf } from './table-text.js'
import { rowLength, type Tensor } from './tensor.js'
import { LONGEST_LINE, nameOf, openText, type TextFile } from './text-file.js'

/** A table of numbers as it was read. */
export interface Table {
  /** [n, d]; float32, or float64 where that would merge values (precision.ts). */
  tensor: Tensor
  /** The header's names of the columns; null where there is no header. */
  columns: string[] | null
  /** Whether the first line held names; left out of what has no such line. */
  headed?: boolean
  /** What a reader should know of how the file was read; one sentence each. */
  remarks: string[]
}

/** How a table is read, where that can be told otherwise than from the file. */
export interface CsvOptions {
  /** whether the first line holds names; left out: where any of its fields is no number */
  header?: boolean
}

/** Columns by name or number from 0; or a function from the header (null where there is none) and the width to numbers. */
export type Columns = readonly (string | number)[] | ((header: readonly string[] | null, width: number) => number[])

/**
 * The numbers of the columns that are asked for: names from the header, or numbers from 0.
 *
 * @param wanted null: all of them
 * @throws DataError for a column that is not there, or is asked for twice, and for a name that two columns have
 */
export function selectColumns(
  path: string,
  width: number,
  header: readonly string[] | null,
  wanted: Columns | null,
): number[] {
  if (typeof wanted === 'function') return wanted(header, width)
  if (!wanted) {
    const twice = header?.findIndex((name, i) => header.indexOf(name) !== i) ?? -1
    if (twice >= 0) throw namedTwice(path, header!, header![twice])
    return Array.from({ length: width }, (_, i) => i)
  }
  const picked = wanted.map((column) => {
    if (typeof column === 'string' && header && header.indexOf(column) !== header.lastIndexOf(column)) {
      throw namedTwice(path, header, column)
    }
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

function namedTwice(path: string, header: readonly string[], name: string): DataError {
  const places = header.flatMap((other, i) => (other === name ? [i] : []))
  const which = `columns ${places.slice(0, -1).join(', ')} and ${places.at(-1)}`
  return new DataError(
    `${path} has the name ${show(name)} twice (${which}, from 0), so that rows to score could not be told by name. ` +
      'Rename one, or take columns by number (data.columns).',
    `${path} has the name of a column twice (${which}, from 0).`,
  )
}

/** Fields of a row, at most. */
const WIDEST = 1 << 20

/** Numbers of a piece of those that grow. */
const PIECE = 1 << 16

/**
 * Numbers that grow, in pieces, none of which moves: as float32 while it holds them exactly, which is half the memory. At a size
 * that doubled there would be three times as much at once.
 */
class Values {
  private readonly pieces: (Float32Array | Float64Array)[] = []
  private piece: Float32Array | Float64Array = new Float32Array(0)
  private exact = true
  private room = 0
  used = 0

  push(value: number): void {
    const at = this.used % PIECE
    if (this.used === this.room) {
      this.piece = this.exact ? new Float32Array(PIECE) : new Float64Array(PIECE)
      this.pieces.push(this.piece)
      this.room += PIECE
    }
    if (this.exact && Math.fround(value) !== value) {
      this.exact = false
      this.piece = new Float64Array(this.piece)
      this.pieces[this.pieces.length - 1] = this.piece
    }
    this.piece[at] = value
    this.used++
  }

  /** All of them, in one; the last that is asked of the list. */
  takeAll(): Float32Array | Float64Array {
    const whole = this.exact ? new Float32Array(this.used) : new Float64Array(this.used)
    for (const [i, piece] of this.pieces.splice(0).entries()) {
      whole.set(piece.subarray(0, Math.min(PIECE, this.used - i * PIECE)), i * PIECE)
    }
    return whole
  }
}

/** Fields of a row up to which two whole numbers may be one with a decimal comma. */
const MOST_PAIRED = 64

/** Reads the fields of one table. */
class TableReader {
  private values = new Values()
  private taken = 0
  private header: string[] | null = null
  private width = 0
  private picked: number[] | null = null
  /** numbers of a column of row names, before it is known to be one; NaN where a field is none */
  private rowNames: number[] | null = null
  private commas: string | null = null
  private wholePairs = true
  private leadingZeros = false

  constructor(
    private readonly name: string,
    private readonly wanted: Columns | null,
    private readonly headed: boolean | undefined,
    private readonly comma: boolean,
  ) {}

  record(record: readonly string[], line: number): void {
    if (!this.picked) {
      this.begin(record)
      if (this.header) return
    }
    if (record.length !== this.width) {
      throw new DataError(
        `${this.name}, line ${line}: ${record.length} fields, but the first line has ${this.width}.` +
          (!this.comma && record.length === 2 * this.width
            ? ' Where commas are decimal signs, write points, or separate columns by semicolons.'
            : ''),
      )
    }
    if (this.rowNames) {
      const number = numberOf(record[0], this.comma)
      this.rowNames.push(Number.isFinite(Math.fround(number)) ? number : Number.NaN)
    }
    for (const index of this.picked!) {
      const field = record[index]
      const value = numberOf(field, this.comma)
      if (!Number.isFinite(Math.fround(value))) throw this.noNumber(`${this.name}, line ${line}`, index, field)
      if (this.comma && this.commas === null && field.includes(',')) this.commas = field
      this.values.push(value)
    }
    this.wholePairs &&=
      !this.comma &&
      record.length % 2 === 0 &&
      record.length <= MOST_PAIRED &&
      record.every((field, i) => (i % 2 === 0 ? /^[+-]?\d+$/ : /^\d+$/).test(field))
    this.leadingZeros ||= this.wholePairs && record.some((field, i) => i % 2 === 1 && /^0\d/.test(field))
  }

  /** Rows that were read and not taken yet. */
  get waiting(): number {
    return this.picked ? this.values.used / this.picked.length : 0
  }

  /** Takes the rows that were read, so that they need no more memory here. */
  take(): Tensor {
    const shape = [this.waiting, this.picked!.length]
    const values = this.values.takeAll()
    this.taken += values.length
    this.values = new Values()
    return { values, shape }
  }

  private begin(record: readonly string[]): void {
    this.width = record.length
    this.header = (this.headed ?? isHeader(record, this.comma)) ? [...record] : null
    const all = this.wanted === null
    if (all && hasRowNames(this.header)) {
      this.rowNames = []
      const rest = selectColumns(this.name, this.width - 1, named(this.header!).slice(1), null)
      this.picked = rest.map((index) => index + 1)
    } else {
      this.picked = selectColumns(this.name, this.width, this.header && named(this.header), this.wanted)
    }
  }

  private noNumber(at: string, index: number, field: string): DataError {
    const unquoted = `${at}: field ${index + 1} is no finite number.`
    const where = `${at}: field ${index + 1}${this.header ? ` (${show(this.header[index])})` : ''}`
    if (field === '') return new DataError(`${where} is empty; every field must be a finite number.`, unquoted)
    if (!isNonFinite(field) && Number.isNaN(numberOf(field, this.comma))) {
      const divided = this.width === 1 && /\d[ |:]+[-+.\d]/.test(field)
      return new DataError(
        `${where} is ${show(field)}, which is no number.` +
          (divided ? ' Columns are divided by commas, semicolons or tabs.' : ''),
        unquoted,
      )
    }
    return new DataError(
      `${where} is ${oneLine(cut(field, 60))}; every field must be a finite float32 number.`,
      unquoted,
    )
  }

  table(): Table {
    const picked = this.picked ?? []
    if (this.taken + this.values.used === 0) {
      throw new DataError(`${this.name} has zero rows of numbers; at least one is needed.`)
    }
    const remarks: string[] = []
    if (this.commas !== null) {
      remarks.push(`${this.name} is read with decimal commas: ${show(this.commas)} is ${numberOf(this.commas, true)}.`)
    }
    // more than two whole numbers are common; beginning with zeros they are decimals
    if (!this.header && this.wholePairs && (this.width === 2 || this.leadingZeros)) {
      remarks.push(
        `${this.name} is read as ${this.width} columns of whole numbers. Where these are numbers with decimal commas, write points, or ` +
          'separate columns by semicolons.',
      )
    }
    const header = this.header && named(this.header)
    let names = header && picked.map((index) => header[index])
    if (names && new Set(names).size < names.length) {
      remarks.push(`${this.name} has names twice among its columns; rows to score are taken by place, not by name.`)
      names = null
    }
    const read = { values: this.values.takeAll(), shape: [this.values.used / picked.length, picked.length] }
    const headed = this.header !== null
    if (!this.rowNames) return { tensor: narrowed(read), columns: names, headed, remarks }
    const first = `${this.name}'s first column (${show(this.header![0])})`
    if (!namesRows(this.rowNames)) {
      return {
        tensor: narrowed(withFirst(read, this.rowNames)),
        columns: [named(this.header!)[0], ...names!],
        headed,
        remarks,
      }
    }
    remarks.push(`${first} names the rows, as pandas and R write it: it is left out. data.columns takes it.`)
    return { tensor: narrowed(read), columns: names, headed, remarks }
  }
}

/** Whether numbers could be names of rows: there are other words among them, or all are whole and no two alike. */
function namesRows(values: readonly number[]): boolean {
  if (values.some(Number.isNaN)) return true
  const sorted = new Float64Array(values).sort()
  return sorted.every((value, i) => Number.isInteger(value) && (i === 0 || value !== sorted[i - 1]))
}

/** A table with a column more before the others. */
function withFirst({ values, shape: [n, d] }: Tensor, first: readonly number[]): Tensor {
  const wider = new Float64Array(n * (d + 1))
  for (let i = 0; i < n; i++) {
    wider[i * (d + 1)] = first[i]
    wider.set(values.subarray(i * d, (i + 1) * d), i * (d + 1) + 1)
  }
  return { values: wider, shape: [n, d + 1] }
}

/**
 * Reads a CSV file, packed by gzip or not; `-` is standard input.
 *
 * A first column without a name that names the rows (whole numbers that are all distinct, or text), as pandas and R write it, is
 * left out where all columns are asked for, and a remark says so.
 *
 * @param columns the columns to take, in this order; default all. Others may hold anything
 * @throws DataError naming file and line for text, an empty field, NaN, infinity (also a number too large for float32)
 *   and a row of another length; and for a missing file, zero rows, an unknown column, two columns of one name
 */
export async function readCsv(
  path: string,
  columns: Columns | null = null,
  { header }: CsvOptions = {},
): Promise<Table> {
  const text = await openText(path)
  const { reader, options } = readerOf(path, text, columns, header)
  await takeRecords(text, options, (record, line) => reader.record(record, line))
  return reader.table()
}

function readerOf(path: string, { firstLine }: TextFile, columns: Columns | null, header: boolean | undefined) {
  const name = nameOf(path)
  const delimiter = delimiterOf(firstLine)
  const reader = new TableReader(name, columns, header, delimiter !== ',')
  return { reader, options: { name, what: 'CSV', delimiter, longest: LONGEST_LINE, widest: WIDEST } }
}

/** Rows that are handed on at once. */
const ROWS_AT_ONCE = 1 << 14

/** What a table that is read in blocks has beside its rows. */
export type CsvRest = Omit<Table, 'tensor'>

/**
 * The rows of a CSV file in blocks [n, d], as readCsv reads them, but as exact as they are written: which of them would do with
 * float32 is known at their end alone. Memory holds a block. Returns what is known at the end.
 *
 * @param columns which columns to take: all of them would need the whole file to tell names of rows from values
 * @throws DataError as readCsv does
 */
export async function* readCsvBlocks(
  path: string,
  columns: Columns,
  { header }: CsvOptions = {},
): AsyncGenerator<Tensor, CsvRest> {
  const text = await openText(path)
  const { reader, options } = readerOf(path, text, columns, header)
  for await (const _ of takePieces(text, options, (record, line) => reader.record(record, line))) {
    if (reader.waiting >= ROWS_AT_ONCE) yield reader.take()
  }
  if (reader.waiting > 0) yield reader.take()
  const { tensor: _, ...rest } = reader.table()
  return rest
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
 * @param header whether the first line has them; of rows that go on after others it has not
 */
export function* csvText(
  { values, shape }: Tensor,
  columns?: readonly string[] | null,
  { header = true }: { header?: boolean } = {},
): Generator<string> {
  const width = rowLength(shape)
  const textOf: (value: number) => string = values instanceof Float32Array ? float32Text : String
  if (header) yield `${(columns ?? Array.from({ length: width }, (_, i) => `x${i}`)).map(quoted).join(',')}\n`
  for (let first = 0; first < shape[0]; first += rowsInPiece) {
    let text = ''
    for (let row = first; row < Math.min(first + rowsInPiece, shape[0]); row++) {
      text += `${Array.from(values.subarray(row * width, (row + 1) * width), textOf).join(',')}\n`
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
