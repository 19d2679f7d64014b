/**
 * The rows of a table of text whose columns are known, in blocks: memory holds one of them. The table is read twice. What one row
 * cannot say (which way numbers are written, whether the first line has names) is found first, and with it whatever is wrong.
 */

import { DataError, show } from '../../errors.js'
import { takePieces } from '../records.js'
import { hasRowNames, named } from '../table-text.js'
import { nameOf } from '../text-file.js'
import { type DateFormat, formatsOf } from './dates.js'
import { type ColumnAs, type KindOptions, missingTexts, understand } from './kinds.js'
import { type NumberWay, NumberWays } from './numbers.js'
import type { ReadTableOptions } from './read.js'
import { checkRecord, distinctNames, namesColumns, openTableText } from './read-text.js'
import type { Table } from './table.js'
import { RoomForTexts, type TextColumn, TextColumnBuilder } from './text-column.js'

/** Rows that are handed on at once. */
const ROWS_AT_ONCE = 1 << 14

/** A table of text that was read once. */
export interface TextBlocks {
  /** how many rows there are */
  readonly rows: number
  /** of all columns of the file, those that are left out too, but for a first one that has no name of its own */
  readonly names: readonly string[]
  /** Reads it again: the columns that are known, in the file's order. */
  blocks(): AsyncGenerator<Table>
}

/** How a table of known columns is read. */
export interface TextBlocksOptions extends Pick<ReadTableOptions, 'header' | 'decimal' | 'missing'> {
  /** what columns are, by name; others are left out */
  readonly known: Readonly<Record<string, ColumnAs>>
}

/**
 * Reads a table of text once, with columns as readMixedTable has them.
 *
 * @param check throws for a block whose values are none of the model's. @param first rows before it
 * @throws DataError as readMixedTable does of columns that are known, and what `check` throws
 */
export async function openTextBlocks(
  path: string,
  options: TextBlocksOptions,
  check: (table: Table, first: number) => void,
): Promise<TextBlocks> {
  const name = nameOf(path)
  const missing = options.missing ?? missingTexts
  const known = { ...options.known }
  const ways = new Map<string, NumberWays>()
  const formats = new Map<string, readonly DateFormat[]>()
  /** Learns from a block's texts of a column what holds for all of its texts. */
  const learn = (column: TextColumn, comma: boolean): void => {
    const as = options.known[column.name]
    const of = ways.get(column.name) ?? new NumberWays(comma)
    if (as === 'number' || as === 'integer') ways.set(column.name, of)
    column.texts.forEach((text, i) => {
      if (missing.includes(text)) return
      if (ways.has(column.name) && !of.add(text)) throw otherWay(name, column, i)
      if (as !== 'date') return
      const fitting = formats.get(column.name)?.filter((format) => !Number.isNaN(format.read(text))) ?? formatsOf(text)
      if (fitting.length === 0) throw otherWay(name, column, i)
      formats.set(column.name, fitting)
    })
  }
  let rows = 0
  let names: readonly string[] = []
  let comma = false
  for await (const block of textBlocks(path, options)) {
    names = block.names
    comma = block.comma
    const tell = { comma, missing, said: options.known }
    const columns = block.columns.map((column) => {
      const { column: understood } = understand(name, column, tell)
      learn(column, block.comma)
      return understood!
    })
    check({ rows: block.rows, columns }, rows)
    rows += block.rows
  }
  for (const [column, [first]] of formats) known[column] = { date: first.format }
  const found = new Map<string, NumberWay>()
  for (const [column, of] of ways) found.set(column, of.found()!)
  const kinds: KindOptions = { comma, missing, said: known, ways: found }
  return {
    rows,
    names,
    async *blocks() {
      for await (const { rows, columns } of textBlocks(path, options)) {
        yield { rows, columns: columns.map((column) => understand(name, column, kinds).column!) }
      }
    },
  }
}

const otherWay = (file: string, { name, texts, places, unit }: TextColumn, i: number): DataError =>
  new DataError(
    `${file}: column ${show(name)} holds ${show(texts[i])} in ${unit} ${places[i]}, which is written in another way than what stands ` +
      'before it.',
    `${file}: a column is written in two ways.`,
  )

/** The texts of the columns that are known, in blocks. */
async function* textBlocks(
  path: string,
  { header, decimal, missing = missingTexts, known }: TextBlocksOptions,
): AsyncGenerator<{ rows: number; names: readonly string[]; columns: TextColumn[]; comma: boolean }> {
  const { text, records, comma } = await openTableText(path, decimal && decimal === 'comma')
  const { name } = records
  let width = 0
  let names: string[] = []
  let listed: readonly string[] = []
  let builders: { name: string; at: number; builder: TextColumnBuilder }[] = []
  let [rows, all] = [0, 0]
  const begin = (): void => {
    const room = new RoomForTexts(name)
    builders = names.flatMap((column, at) =>
      Object.hasOwn(known, column) ? [{ name: column, at, builder: new TextColumnBuilder('line', room) }] : [],
    )
    rows = 0
  }
  const take = (record: readonly string[], line: number): void => {
    for (const { at, builder } of builders) builder.add(record[at], line)
    rows++
    all++
  }
  const block = () => ({
    rows,
    names: listed,
    comma,
    columns: builders.map(({ name, builder }) => builder.column(name)),
  })
  for await (const _ of takePieces(text, records, (record, line) => {
    checkRecord(name, record, line, width || record.length)
    if (width > 0) return take(record, line)
    width = record.length
    const own = namesOf(record)
    const headed =
      header ?? namesColumns(record, { comma, missing }) ?? Object.keys(known).every((one) => own.includes(one))
    names = headed ? own : record.map((_, i) => `column ${i}`)
    const unnamed = headed && hasRowNames(record) && !Object.hasOwn(known, names[0])
    listed = unnamed ? names.slice(1) : names
    begin()
    if (!headed) take(record, line)
  })) {
    if (rows < ROWS_AT_ONCE) continue
    yield block()
    begin()
  }
  if (width === 0) throw new DataError(`${name} is empty.`)
  if (all === 0) throw new DataError(`${name} has names of columns and no rows.`)
  if (rows > 0) yield block()
}

const namesOf = (record: readonly string[]): string[] => distinctNames(named(record)).names
