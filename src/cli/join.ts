/**
 * `lfm join`: one file of samples that were drawn apart, as folders of parts of ranges; its bytes are those of samples that were
 * drawn together.
 */

import { extname, join as joined } from 'node:path'
import { type Cutting, cutNumbers, cutTables, numberRows, recut } from '../data/blocks.js'
import { readNpy } from '../data/index.js'
import { roomFor } from '../data/precision.js'
import { type NumberBlock, numberFormats, type OpenWriter, tableFormats } from '../data/row-formats.js'
import { asKnown, type Encoding, openEncoding } from '../data/tables/encoding.js'
import { readParquetTables } from '../data/tables/read.js'
import { isCategory, type Table, type TableColumn } from '../data/tables/table.js'
import type { RowValues } from '../data/tensor.js'
import { DataError } from '../errors.js'
import { difference, type Facts } from '../files/growing.js'
import { openRun, type RunExtra, teacherSha256 } from '../run/run.js'
import { PART_ROWS, type PartList, readParts, writeGrowing } from './grow.js'
import { writerFor } from './output.js'
import { formatsOf, usualPartRows } from './sample-formats.js'
import { print, printJson } from './terminal.js'

export interface JoinCommandOptions {
  output: string
  resume?: boolean
  partRows?: number
  json?: boolean
}

/** A folder of samples [first, first + n) of a sequence. */
interface Range extends PartList {
  readonly folder: string
  readonly first: number
  readonly n: number
}

async function readRange(folder: string): Promise<Range> {
  const list = await readParts(folder)
  const { first, n } = list.facts
  if (!Number.isSafeInteger(first) || !Number.isSafeInteger(n)) {
    throw new DataError(`The list of ${folder} does not say which samples it has.`)
  }
  return { ...list, folder, first: first as number, n: n as number }
}

/** Facts that are not of the range alone. */
function shared({ facts }: PartList): Facts {
  const { first: _, n: __, format: ___, [PART_ROWS]: ____, ...rest } = facts
  return rest
}

const rowsText = (first: number, end: number): string =>
  end - first === 1 ? `Sample ${first} is` : `Samples ${first} to ${end - 1} are`

/** Throws DataError where ranges are of other sequences, overlap, or leave gaps. */
function expectWhole(ranges: readonly Range[]): void {
  for (const range of ranges.slice(1)) {
    const other = difference(shared(ranges[0]), shared(range))
    if (other) {
      const text = other.replaceAll(' there', ` in ${ranges[0].folder}`).replaceAll(' here', ` in ${range.folder}`)
      throw new DataError(`${range.folder} and ${ranges[0].folder} are of different sequences: ${text}.`)
    }
  }
  for (const [i, { folder, first }] of ranges.entries()) {
    if (i === 0) continue
    const before = ranges[i - 1]
    const end = before.first + before.n
    if (first < end) {
      const last = Math.min(end, first + ranges[i].n)
      throw new DataError(`${rowsText(first, last)} both in ${before.folder} and in ${folder}: give one of the two.`)
    }
    if (first > end) {
      throw new DataError(
        `${rowsText(end, first)} missing between ${before.folder} and ${folder}. Draw them with: lfm sample … --first ${end} ` +
          `-n ${first - end}`,
      )
    }
  }
}

/** The rows of numbers of all parts. */
async function* numbersOf(
  ranges: readonly Range[],
  model: Pick<RunExtra, 'columns' | 'scaler'>,
): AsyncGenerator<NumberBlock> {
  for (const { folder, parts } of ranges) {
    for (const { file, rows } of parts) {
      const path = joined(folder, file)
      if (extname(file) === '.npy') {
        const { values, shape } = await readNpy(path)
        expectRows(path, shape[0], rows)
        yield { values: values as RowValues, shape }
        continue
      }
      let count = 0
      for await (const table of readParquetTables(path, {})) {
        yield numbersOfTable(path, table, model)
        count += table.rows
      }
      expectRows(path, count, rows)
    }
  }
}

function expectRows(path: string, there: number, rows: number): void {
  if (there !== rows) throw new DataError(`${path} has ${there} rows, but its folder's list says ${rows}.`)
}

/** Columns of numbers as rows, as exact as the model's samples are. */
function numbersOfTable(
  path: string,
  table: Table,
  { columns: names, scaler }: Pick<RunExtra, 'columns' | 'scaler'>,
): NumberBlock {
  const { rows, columns } = table
  if (names && columns.map(({ name }) => name).join() !== names.join()) {
    throw new DataError(`${path} has other columns than the model.`)
  }
  const length = rows * columns.length
  return numberRows(path, table, scaler ? roomFor(scaler, length) : new Float32Array(length))
}

/** The tables of all parts, with kinds, formats and levels of the model's columns. */
async function* tablesOf(ranges: readonly Range[], encoding: Encoding): AsyncGenerator<Table> {
  const known = Object.fromEntries(encoding.columns.map((column) => [column.name, asKnown(column)]))
  const { conform } = openEncoding(encoding)
  for (const { folder, parts } of ranges) {
    for (const { file, rows } of parts) {
      const path = joined(folder, file)
      let count = 0
      for await (const table of readParquetTables(path, known)) {
        const columns = conform(table, path).columns.map((column, j): TableColumn => {
          const own = encoding.columns[j]
          if (isCategory(column) || 'kept' in own) return column
          return { name: own.name, kind: own.kind, values: column.values, ...(own.format && { format: own.format }) }
        })
        yield { rows: table.rows, columns }
        count += table.rows
      }
      expectRows(path, count, rows)
    }
  }
}

export async function join(folder: string, folders: string[], options: JoinCommandOptions): Promise<void> {
  const { output } = options
  const run = await openRun(folder)
  const formats = formatsOf(run)
  const format = await writerFor(output, Object.fromEntries(formats.map((name) => [`.${name}`, name])))
  const ranges = (await Promise.all(folders.map(readRange))).sort((a, b) => a.first - b.first)
  const sha256 = teacherSha256(run)
  const strange = ranges.find(({ facts }) => facts['the run'] !== sha256)
  if (strange) throw new DataError(`The samples in ${strange.folder} were not drawn of the run in ${folder}.`)
  const text = ranges.find(({ parts }) => parts.some(({ file }) => extname(file) === '.csv'))
  if (text) {
    throw new DataError(
      `The parts in ${text.folder} are .csv, whose columns have no types: draw them with --format parquet or npy to join them.`,
    )
  }
  expectWhole(ranges)
  const { extra } = run
  const { encoding, columns, rowShape } = extra
  const n = ranges.reduce((sum, range) => sum + range.n, 0)
  const facts = { ...ranges[0].facts, n, first: ranges[0].first }
  const width = encoding ? openEncoding(encoding).width : rowShape.reduce((product, d) => product * d, 1)
  const blockRows = options.partRows ?? usualPartRows(width)
  async function write<B>(pieces: () => AsyncIterable<B>, cutting: Cutting<B>, open: OpenWriter<B>): Promise<void> {
    const from = (skip: number): AsyncIterable<B> => recut(pieces(), blockRows, cutting, skip)
    const how = { kind: 'file', format, facts, resume: options.resume ?? false } as const
    await writeGrowing(output, { n, blockRows, from }, open, how)
  }
  if (encoding) {
    const open = tableFormats[format as keyof typeof tableFormats]
    await write(() => tablesOf(ranges, encoding), cutTables, open)
  } else {
    await write(() => numbersOf(ranges, extra), cutNumbers, numberFormats(columns)[format])
  }
  if (options.json) printJson({ n, first: facts.first, output })
  else print(`${n} samples, from number ${facts.first} on, of ${ranges.length} folders: ${output}`)
}
