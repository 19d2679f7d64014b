/** What --cond, --class and --guidance say of the rows that a command carries. */

import { stat } from 'node:fs/promises'
import { extname } from 'node:path'
import { cutNumbers, cutTables, numberRows, recut } from '../data/blocks.js'
import { readCsvBlocks } from '../data/csv.js'
import { readTable } from '../data/index.js'
import { openNpyRows } from '../data/npy.js'
import { asExactAs } from '../data/precision.js'
import type { NumberBlock } from '../data/row-formats.js'
import { asKnown, type Encoding } from '../data/tables/encoding.js'
import { isParquet, type ReadTableOptions, readMixedTable, readParquetTables } from '../data/tables/read.js'
import { openTextBlocks } from '../data/tables/read-text-blocks.js'
import { joinTables, type Table } from '../data/tables/table.js'
import { checkTold } from '../data/tables/told.js'
import type { Tensor } from '../data/tensor.js'
import { nameOf, STANDARD_INPUT } from '../data/text-file.js'
import { DataError, list, show } from '../errors.js'
import type { CarryOptions } from '../run/local-flow.js'
import type { Run } from '../run/run.js'
import { note } from './terminal.js'

export interface ConditionCommandOptions {
  /** a file of condition columns, a row for each row or one for all */
  cond?: string
  class?: number
  guidance?: number[]
}

type Told = Pick<CarryOptions, 'cond' | 'class' | 'guidance'>

/** What a command says of all rows. */
const ofAll = ({ class: label, guidance }: ConditionCommandOptions): Omit<Told, 'cond'> => ({
  class: label,
  guidance: guidance?.length === 1 ? guidance[0] : guidance,
})

/** The options of a call. Columns of a file are taken by their names where it has a header and the run knows them. */
export async function conditionsOf(run: Run, options: ConditionCommandOptions): Promise<Told> {
  const { cond } = options
  if (cond === undefined) return ofAll(options)
  const { condition } = run.extra
  const told =
    condition?.kind === 'table' ? readTold(cond, run, condition.encoding) : readConditions(cond, namesIn(run))
  return { ...ofAll(options), cond: await told }
}

/** Columns of a table that a model is told, of a file that may have others. */
async function readTold(path: string, run: Run, encoding: Encoding): Promise<Table> {
  const pieces: Table[] = []
  for await (const piece of (await openTold(path, run, encoding)).pieces()) pieces.push(piece)
  return joinTables(pieces)
}

/** The same piece by piece: all have the levels of the model. */
async function openTold(
  path: string,
  run: Run,
  encoding: Encoding,
): Promise<{ rows: number; pieces: () => AsyncIterable<Table> }> {
  const known = Object.fromEntries(encoding.columns.map((column) => [column.name, asKnown(column)]))
  const { data } = run.manifest.config.raw as { data?: ReadTableOptions }
  const { header, decimal, missing } = data ?? {}
  const behind = (at: number): string => (at === 0 ? nameOf(path) : `${nameOf(path)}, of the rows behind ${at}`)
  async function* checked(tables: AsyncIterable<Table>): AsyncGenerator<Table> {
    let at = 0
    for await (const table of tables) {
      yield checkTold(encoding, table, behind(at))
      at += table.rows
    }
  }
  if (path === STANDARD_INPUT) {
    const { table } = await readMixedTable(path, { header: true, decimal, missing, known })
    const own = checkTold(encoding, table, nameOf(path))
    async function* once(): AsyncGenerator<Table> {
      yield own
    }
    return { rows: own.rows, pieces: once }
  }
  if (isParquet(path)) {
    for await (const { of } of readParquetTables(path, known)) {
      return { rows: of, pieces: () => checked(readParquetTables(path, known)) }
    }
    throw new DataError(`${path} has no rows.`)
  }
  const { rows, blocks } = await openTextBlocks(path, { header, decimal, missing, known }, (table, at) =>
    checkTold(encoding, table, behind(at)),
  )
  return { rows, pieces: () => checked(blocks()) }
}

const namesIn = ({ extra: { condition } }: Run): readonly string[] | null =>
  condition?.kind === 'columns' ? condition.names : null

/** Where the columns that a model is told stand in a file. */
const byName =
  (path: string, names: readonly string[]) =>
  (header: readonly string[] | null, width: number): number[] => {
    if (!header) return Array.from({ length: width }, (_, i) => i)
    const missing = names.filter((name) => !header.includes(name))
    if (missing.length > 0) {
      throw new DataError(
        `${nameOf(path)} does not have the columns that the model is told: ${list(missing.map(show))}.`,
        `${nameOf(path)} does not have the columns that the model is told.`,
      )
    }
    return names.map((name) => header.indexOf(name))
  }

async function readConditions(path: string, names: readonly string[] | null): Promise<Tensor> {
  const { tensor, remarks } = await readTable(path, names && byName(path, names))
  remarks.forEach(note)
  return tensor
}

/** What rows that come in blocks are told. */
export interface RowConditions {
  /** of all of them */
  readonly all: Told
  /** the file that says what each is told; null: there is none */
  readonly file: string | null
  /** of each row behind `skip`, in blocks of `rows`; null: nothing of its own */
  readonly blocks: ((rows: number, skip: number) => AsyncIterable<Tensor | Table>) | null
}

/**
 * What n rows to score are told: what the command says of all, and what a file says of each, block by block. Each row's condition is as
 * exact as the model's training makes it, whatever stands beside it.
 *
 * @param beside the rows' own file, which may hold the condition's columns, where --cond is left out
 * @throws DataError for a file of neither n rows nor one
 */
export async function conditionsToScore(
  run: Run,
  options: ConditionCommandOptions,
  beside: string,
  n: number,
): Promise<RowConditions> {
  const { condition } = run.extra
  const names = namesIn(run)
  const isFile = await stat(beside).then(
    (found) => found.isFile(),
    () => false,
  )
  const file = options.cond ?? ((names || condition?.kind === 'table') && isFile ? beside : null)
  const all = ofAll(options)
  if (file === null) return { all, file, blocks: null }
  if (condition?.kind === 'table') {
    const { rows, pieces } = await openTold(file, run, condition.encoding)
    if (rows === 1) for await (const cond of pieces()) return { all: { ...all, cond }, file, blocks: null }
    if (rows !== n) throw otherNumber(file, rows, n)
    return { all, file, blocks: (size, skip) => recut(pieces(), size, cutTables, skip) }
  }
  // what it is told nothing of says so itself
  if (condition?.kind !== 'columns')
    return { all: { ...all, cond: await readConditions(file, null) }, file, blocks: null }
  const { rows, pieces } = await openConditions(file, names)
  async function* exact(): AsyncGenerator<NumberBlock> {
    for await (const piece of pieces()) {
      yield asExactAs((condition as { scaler: { mean: number[]; std: number[] } }).scaler, piece)
    }
  }
  if (rows === 1) {
    for await (const cond of exact()) return { all: { ...all, cond: cond as Tensor }, file, blocks: null }
  }
  if (rows !== n) throw otherNumber(file, rows, n)
  return { all, file, blocks: (size, skip) => recut(exact(), size, cutNumbers, skip) as AsyncIterable<Tensor> }
}

const otherNumber = (file: string, rows: number, n: number): DataError =>
  new DataError(
    `${nameOf(file)} has ${rows} rows of conditions, but there are ${n} rows to score: give one for each, or one for all.`,
  )

/** The rows of a file of conditions, in pieces; those whose columns have no names, and standard input, come at once. */
async function openConditions(
  path: string,
  names: readonly string[] | null,
): Promise<{ rows: number; pieces: () => AsyncIterable<Tensor> }> {
  const kind = path === STANDARD_INPUT ? '' : extname(path).toLowerCase()
  if (kind === '.npy') {
    const array = await openNpyRows(path)
    if (array.inOrder && array.shape.length === 2) {
      return { rows: array.shape[0], pieces: () => array.blocks(1 << 16) as AsyncIterable<Tensor> }
    }
  } else if (kind === '.parquet' && names) {
    return conditionsOfGroups(path, names)
  } else if (names && path !== STANDARD_INPUT) {
    const columns = byName(path, names)
    let rows = 0
    const reading = readCsvBlocks(path, columns)
    for (;;) {
      const { done, value } = await reading.next()
      if (done) {
        value.remarks.forEach(note)
        break
      }
      rows += value.shape[0]
    }
    return { rows, pieces: () => readCsvBlocks(path, columns) }
  }
  const tensor = await readConditions(path, names)
  async function* pieces(): AsyncGenerator<Tensor> {
    yield tensor
  }
  return { rows: tensor.shape[0], pieces }
}

/** The condition's columns of a Parquet file. */
async function conditionsOfGroups(
  path: string,
  names: readonly string[],
): Promise<{ rows: number; pieces: () => AsyncIterable<Tensor> }> {
  for await (const { of: rows, columns } of readParquetTables(path, {})) {
    const all = columns.map(({ name }) => name)
    byName(path, names)(all, all.length)
    const said = Object.fromEntries(
      all.filter((name) => !names.includes(name)).map((name) => [name, 'ignore' as const]),
    )
    async function* pieces(): AsyncGenerator<Tensor> {
      for await (const { rows, columns } of readParquetTables(path, said)) {
        const picked = names.map((name) => columns.find((column) => column.name === name)!)
        yield numberRows(path, { rows, columns: picked }, new Float64Array(rows * names.length)) as Tensor
      }
    }
    return { rows, pieces }
  }
  throw new DataError(`${path} has no rows.`)
}
