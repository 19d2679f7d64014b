/**
 * The rows that `lfm score` takes from a file, in blocks: memory holds one of them, and each row has the score that it has in any
 * other. What has to be seen as a whole comes as one block.
 */

import { stat } from 'node:fs/promises'
import { extname } from 'node:path'
import { cutNumbers, cutTables, numberRows, recut } from '../data/blocks.js'
import { readCsvBlocks, selectColumns } from '../data/csv.js'
import { readImageFolder } from '../data/image-folder.js'
import { readTable } from '../data/index.js'
import { type NpyRows, openNpyRows } from '../data/npy.js'
import { asExactAs } from '../data/precision.js'
import type { NumberBlock } from '../data/row-formats.js'
import { asKnown, type Encoding, openEncoding } from '../data/tables/encoding.js'
import { type ReadTableOptions, readMixedTable, readParquetTables } from '../data/tables/read.js'
import { openTextBlocks } from '../data/tables/read-text-blocks.js'
import type { NumberColumn, Table } from '../data/tables/table.js'
import { holdsPixels, type Tensor } from '../data/tensor.js'
import { nameOf, STANDARD_INPUT } from '../data/text-file.js'
import { DataError, list, show } from '../errors.js'
import { dequantise } from '../metrics/bits.js'
import { learnsChoices } from '../recipes/settings.js'
import { type Run, rowKindOf } from '../run/run.js'
import { usualPartRows } from './sample-formats.js'
import { note } from './terminal.js'

/** Rows to score. */
export interface ScoreRows {
  readonly n: number
  /** whether they were bytes of pictures, and have noise within their cells now */
  readonly pixels: boolean
  /** rows of a block, but for the last */
  readonly blockRows: number
  /** what tells them from other rows: a file is itself what does; null: they came from nowhere that could be read again */
  readonly values: Tensor | null
  /** The blocks behind `skip` rows. */
  blocks(skip: number): AsyncIterable<Tensor>
}

/** Rows that are there at once. */
const whole = (tensor: Tensor, seed: number, blockRows?: number): ScoreRows => {
  const pixels = holdsPixels(tensor)
  const given = pixels ? dequantise(tensor, seed) : tensor
  async function* pieces(): AsyncGenerator<NumberBlock> {
    yield given as NumberBlock
  }
  const [n, ...dims] = tensor.shape
  const rows = blockRows ?? usualPartRows(dims.reduce((product, d) => product * d, 1))
  return { n, pixels, blockRows: rows, values: tensor, blocks: (skip) => recut(pieces(), rows, cutNumbers, skip) }
}

/**
 * Reads what is to be scored: a folder of pictures, an array, a Parquet file, or a table of text as `data.kind: csv` would read it,
 * whatever its name; `-` is a table on standard input. Columns that have names are taken by these, in any order and beside others.
 *
 * @param blockRows rows of a block; left out: as many as suit the model
 * @throws DataError for files that hold no such rows; for a table of text, whichever row that is in
 */
export async function rowsToScore(path: string, run: Run, blockRows?: number): Promise<ScoreRows> {
  const { encoding, columns, rowShape } = run.extra
  const kind = path === STANDARD_INPUT ? '' : extname(path).toLowerCase()
  const pictures = rowKindOf(run) === 'pictures'
  const { seed } = run.options
  if (encoding) {
    if (kind === '.parquet') return encodedGroups(path, run, encoding, blockRows)
    if (path !== STANDARD_INPUT) return encodedText(path, run, encoding, blockRows)
    return whole(await readEncoded(path, run, encoding), seed, blockRows)
  }
  if (!pictures && rowShape.length === 1) {
    if (kind === '.parquet') return numbersOfGroups(path, run, blockRows)
    if (kind === '.npy') {
      const array = await openNpyRows(path)
      if (array.inOrder && array.shape.slice(1).join() === rowShape.join()) return numbersOfArray(array, run, blockRows)
    } else if (path !== STANDARD_INPUT && columns) return numbersOfText(path, run, blockRows)
  }
  return whole(await readRows(path, run), seed, blockRows)
}

const known = (encoding: Encoding) =>
  Object.fromEntries(encoding.columns.map((column) => [column.name, asKnown(column)]))

/** Names of the columns that a model is told, which are none of its own. */
function toldNames({ extra: { condition } }: Run): readonly string[] {
  if (condition?.kind === 'table') return condition.encoding.columns.map(({ name }) => name)
  return condition?.kind === 'columns' ? (condition.names ?? []) : []
}

/** A folder of pictures, an array, or a table of numbers as text, at once. */
async function readRows(path: string, run: Run): Promise<Tensor> {
  const { columns, rowShape } = run.extra
  const isFolder = await stat(path).then(
    (found) => found.isDirectory(),
    () => false,
  )
  if (isFolder && rowKindOf(run) === 'pictures') {
    const [C, H, W] = rowShape
    const { tensor, remarks = [] } = await readImageFolder(path, {
      channels: C === 1 ? 'grey' : 'rgb',
      size: H === W ? H : undefined,
    })
    remarks.forEach(note)
    return tensor
  }
  const { data } = run.manifest.config.raw as { data?: { header?: boolean } }
  const { tensor, ...rest } = await readTable(path, columns && byName(path, run), { header: data?.header })
  tell(path, run, rest)
  expectShape(path, run, tensor.shape.slice(1))
  return tensor
}

const byName =
  (path: string, run: Run) =>
  (header: readonly string[] | null, width: number): number[] =>
    modelColumns(path, run, header, width)

/** Says how a file was read. */
function tell(
  path: string,
  { extra }: Run,
  { headed, remarks }: { headed?: boolean; remarks: readonly string[] },
): void {
  if (extra.columns && headed === false) {
    note(`${nameOf(path)} has no header: its columns are taken as the model's, in their order.`)
  }
  remarks.forEach(note)
}

/** Throws DataError where rows are of another shape than the model's. */
function expectShape(path: string, { folder, extra: { columns, rowShape } }: Run, shape: readonly number[]): void {
  if (shape.join() === rowShape.join()) return
  const names = columns ? ` (${list(columns)})` : ''
  throw new DataError(
    `${nameOf(path)} has rows of shape [${shape.join(', ')}], but the model in ${folder} was trained on rows of ` +
      `[${rowShape.join(', ')}]${names}.`,
  )
}

/** The rows of a table of mixed columns as its model's numbers: columns by name, each of the kind that the model knows. */
async function readEncoded(path: string, run: Run, encoding: Encoding): Promise<Tensor> {
  const { data } = run.manifest.config.raw as { data?: ReadTableOptions }
  const { table } = await readMixedTable(path, {
    header: data?.header,
    decimal: data?.decimal,
    missing: data?.missing,
    known: known(encoding),
  })
  const { conform, encode, width } = openEncoding(encoding)
  tellOfTable(namesOf(table), encoding, run)
  const own = conform(table, nameOf(path))
  return { values: encode(own, run.options.seed), shape: [own.rows, width] }
}

/** Where the columns of a model stand in a file: by name where there is a header, else by place. */
function modelColumns(path: string, run: Run, header: readonly string[] | null, width: number): number[] {
  const columns = run.extra.columns!
  if (!header) return Array.from({ length: width }, (_, i) => i)
  const missing = columns.filter((name) => !header.includes(name))
  const told = toldNames(run)
  const others = header.filter((name) => !columns.includes(name) && !told.includes(name))
  if (missing.length > 0) {
    const beside = others.length > 0 ? `; it has ${list(others.map(show))}` : ''
    const absent = `${nameOf(path)} does not have the model's ${missing.length === 1 ? 'column' : 'columns'}`
    throw new DataError(
      `${absent} ${list(missing.map(show))}${beside}. Columns are taken by name where there is a header: rename them, or ` +
        'leave out the header to take all in their order.',
      `${absent}.`,
    )
  }
  const picked = selectColumns(nameOf(path), width, header, columns)
  if (others.length > 0) note(`Columns that the model does not have are left out: ${list(others.map(show))}.`)
  return picked
}

const namesOf = ({ columns }: Table): string[] => columns.map(({ name }) => name)

/** What scores of tables are, and of which columns. @param names of the table's columns */
function tellOfTable(names: readonly string[], encoding: Encoding, run: Run): void {
  const { options } = run
  const told = toldNames(run)
  const others = names.filter((name) => !Object.hasOwn(known(encoding), name) && !told.includes(name))
  if (others.length > 0) {
    note(`Columns that the model does not have are left out: ${list(others.map(show))}.`)
  }
  note(
    learnsChoices(options)
      ? 'The scores are variational bounds: at most the log of the chance of a row’s levels and of the density of its numbers as they are ' +
          'learnt, by their quantiles. They put rows in an order, and are no likelihoods of the table.'
      : 'The scores are log-densities of the rows as the model learns them, numbers by their quantiles and categories as columns ' +
          'of their own: they put rows in an order, and are no likelihoods of the table.',
  )
}

/** Blocks of a table of mixed columns, of which each piece is made the model's own before pieces are put together. */
function encodedRows(
  path: string,
  n: number,
  pieces: () => AsyncIterable<Table>,
  run: Run,
  encoding: Encoding,
  blockRows?: number,
): ScoreRows {
  const { conform, encode, width } = openEncoding(encoding)
  async function* conforming(): AsyncGenerator<Table> {
    let at = 0
    for await (const table of pieces()) {
      yield conform(table, behind(path, at))
      at += table.rows
    }
  }
  const rows = blockRows ?? usualPartRows(width)
  async function* blocks(skip: number): AsyncGenerator<Tensor> {
    let at = skip
    for await (const table of recut(conforming(), rows, cutTables, skip)) {
      yield { values: encode(table, run.options.seed, at), shape: [table.rows, width] }
      at += table.rows
    }
  }
  return { n, pixels: false, blockRows: rows, values: null, blocks }
}

/** What a file is called where rows are counted from one on. */
const behind = (path: string, at: number): string =>
  at === 0 ? nameOf(path) : `${nameOf(path)}, of the rows behind ${at}`

/** The row groups of a table of mixed columns. */
async function encodedGroups(path: string, run: Run, encoding: Encoding, blockRows?: number): Promise<ScoreRows> {
  const said = known(encoding)
  const { rows: n, first } = await firstGroup(path, said)
  tellOfTable(namesOf(first), encoding, run)
  return encodedRows(path, n, () => readParquetTables(path, said), run, encoding, blockRows)
}

/** A table of mixed columns as text, which is read twice: what is wrong in its last line is found before the first is scored. */
async function encodedText(path: string, run: Run, encoding: Encoding, blockRows?: number): Promise<ScoreRows> {
  const { data } = run.manifest.config.raw as { data?: ReadTableOptions }
  const { conform } = openEncoding(encoding)
  const { header, decimal, missing } = data ?? {}
  const options = { header, decimal, missing, known: known(encoding) }
  const { rows, names, blocks } = await openTextBlocks(path, options, (table, at) => conform(table, behind(path, at)))
  tellOfTable(names, encoding, run)
  return encodedRows(path, rows, blocks, run, encoding, blockRows)
}

/** How many rows a Parquet file has, and some of them. */
async function firstGroup(
  path: string,
  said: Parameters<typeof readParquetTables>[1],
): Promise<{ rows: number; first: Table }> {
  for await (const table of readParquetTables(path, said)) return { rows: table.of, first: table }
  throw new DataError(`${path} has no rows.`)
}

/** Blocks of n rows for a model of numbers. */
const inBlocks = (n: number, pieces: () => AsyncIterable<NumberBlock>, run: Run, blockRows?: number): ScoreRows => {
  const rows = blockRows ?? usualPartRows(run.extra.rowShape.reduce((product, d) => product * d, 1))
  return { n, pixels: false, blockRows: rows, values: null, blocks: (skip) => recut(pieces(), rows, cutNumbers, skip) }
}

/** The columns of numbers of a Parquet file, by name where the model's have names. */
async function numbersOfGroups(path: string, run: Run, blockRows?: number): Promise<ScoreRows> {
  const { columns, scaler } = run.extra
  const { rows: n, first } = await firstGroup(path, {})
  const names = first.columns.map(({ name }) => name)
  const picked = columns ? modelColumns(path, run, names, names.length) : names.map((_, i) => i)
  expectShape(path, run, [picked.length])
  const wanted = picked.map((i) => names[i])
  const unread = names.filter((name) => !wanted.includes(name))
  const said = Object.fromEntries(unread.map((name) => [name, 'ignore' as const]))
  async function* pieces(): AsyncGenerator<NumberBlock> {
    let at = 0
    for await (const table of readParquetTables(path, said)) {
      yield asExactAs(scaler, numbersOf(path, table, wanted, at))
      at += table.rows
    }
  }
  return inBlocks(n, pieces, run, blockRows)
}

/** Columns of a table as rows. @param at rows of the file before them */
function numbersOf(path: string, { rows, columns }: Table, names: readonly string[], at: number): NumberBlock {
  const picked = names.map((name) => columns.find((one) => one.name === name)!)
  const block = numberRows(path, { rows, columns: picked }, new Float64Array(rows * names.length))
  for (const { name, values } of picked as NumberColumn[]) {
    const i = values.findIndex((value) => !Number.isFinite(Math.fround(value)))
    if (i < 0) continue
    throw new DataError(
      `${path}: column ${show(name)} has ${Number.isNaN(values[i]) ? 'a missing value' : values[i]} in row ${at + i + 1}; every ` +
        'value must be a finite float32 number.',
      `${path}: a column has a value that is no finite float32 number.`,
    )
  }
  return block
}

/** The rows of an array. */
function numbersOfArray(array: NpyRows, run: Run, blockRows?: number): ScoreRows {
  async function* pieces(): AsyncGenerator<NumberBlock> {
    for await (const block of array.blocks(1 << 16)) yield asExactAs(run.extra.scaler, block)
  }
  return inBlocks(array.shape[0], pieces, run, blockRows)
}

/** The rows of a table of numbers as text, which is read twice: what is wrong in its last line is found before the first is scored. */
async function numbersOfText(path: string, run: Run, blockRows?: number): Promise<ScoreRows> {
  const { data } = run.manifest.config.raw as { data?: { header?: boolean } }
  const columns = byName(path, run)
  const header = data?.header
  const reading = readCsvBlocks(path, columns, { header })
  let n = 0
  for (;;) {
    const { done, value } = await reading.next()
    if (done) {
      tell(path, run, value)
      break
    }
    if (n === 0) expectShape(path, run, value.shape.slice(1))
    n += value.shape[0]
  }
  // what is to be said of its columns was said
  const again = (names: readonly string[] | null, width: number): number[] =>
    names ? selectColumns(nameOf(path), width, names, run.extra.columns) : Array.from({ length: width }, (_, i) => i)
  async function* pieces(): AsyncGenerator<NumberBlock> {
    for await (const block of readCsvBlocks(path, again, { header })) yield asExactAs(run.extra.scaler, block)
  }
  return inBlocks(n, pieces, run, blockRows)
}
