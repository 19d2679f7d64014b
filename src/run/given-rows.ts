/** Rows that a program gives to `LocalFlow.train`, as the data set that a config's section `data` would make of them. */

import { tmpdir } from 'node:os'
import { columnRemarks } from '../data/column-remarks.js'
import { kindOfShape, type RowKind } from '../data/kinds.js'
import { bytesOf, fieldsInMemory, memoryFor } from '../data/memory.js'
import { narrowed, scaleRemarks } from '../data/precision.js'
import { type RowsLike, rowsOf } from '../data/rows.js'
import { type Standardise, scalerOf } from '../data/scaler.js'
import type { LoadedData } from '../data/source.js'
import type { Parts } from '../data/split.js'
import { gatherRows, peeked, type RowsInTime, spooledRows } from '../data/spool.js'
import { fitEncoding, type OpenEncoding, openEncoding } from '../data/tables/encoding.js'
import {
  areMixedRows,
  gatherMixedRows,
  type MixedInTime,
  type MixedRow,
  type TableSpool,
} from '../data/tables/mixed-rows.js'
import { largeTable } from '../data/tables/parquet-large.js'
import { columnFacts } from '../data/tables/report.js'
import { checkTable, isTable, type Table } from '../data/tables/table.js'
import { type ToldTables, toldApart, toldTables } from '../data/tables/told.js'
import type { Tensor } from '../data/tensor.js'
import { InvalidArgumentError, invalid, show } from '../errors.js'
import { permutation } from '../random/stream.js'

/** What is said of the rows beside them. */
export interface GivenRows {
  columns?: readonly string[] | number
  standardise?: Standardise
  rowKind?: RowKind
  flips?: boolean
  validation?: RowsLike | Table
  test?: RowsLike | Table
  condition?: readonly string[]
  cond?: OfParts<RowsLike | Table>
  labels?: OfParts<ArrayLike<number>>
}

/** What is said of the training rows, or of the rows of each part. */
export type OfParts<T> =
  | T
  | {
      /** of the training rows */
      train: T
      /** of the validation rows */
      validation?: T
      /** of the test rows */
      test?: T
    }

const isLoaded = (given: RowsLike | Table | LoadedData): given is LoadedData =>
  typeof given === 'object' && given !== null && 'train' in given && 'scaler' in given

/**
 * The data set of these rows. Of data that were loaded, what is said beside them takes the place of what they say.
 *
 * @throws InvalidArgumentError and DataError as rowsOf does, for names that do not fit, and for parts of another shape
 */
export function givenData(given: RowsLike | Table | LoadedData, said: GivenRows, seed: number): LoadedData {
  if (isLoaded(given)) return amended(given, said)
  if (isTable(given)) return givenTable(given, said, seed)
  const { columns: about, standardise, rowKind, flips = false } = said
  expectTable(said)
  const columns = typeof about === 'object' ? [...about] : null
  const width = typeof about === 'number' ? about : about?.length
  const read = (name: string, rows: RowsLike, rowShape: readonly number[] | null): Tensor =>
    rowsOf(name, rows, rowShape, 'give columns, their number or their names')
  const train = narrowed(read('x', given, width === undefined ? null : [width]))
  checkColumns(columns, train)
  const parts = partsOf(said, train)
  const scaler = scalerOf(train, standardise, columns)
  const [n, ...rowShape] = train.shape
  return {
    train,
    ...parts,
    scaler,
    density: null,
    columns,
    ...saidOf({ train, ...parts }, said),
    rowKind: rowKind ?? kindOfShape(rowShape),
    flips,
    description: `${n} rows [${rowShape.join(', ')}] of a program`,
    remarks: [...columnRemarks(train, columns), ...scaleRemarks(train, scaler !== null, columns)],
  }
}

/** Throws InvalidArgumentError where columns of a table are to be told, and the rows are no table. */
function expectTable({ condition }: GivenRows): void {
  if (condition === undefined) return
  throw invalid(
    'condition',
    'left out: it names columns of a table of mixed columns; of rows of numbers give cond',
    condition,
  )
}

/** How rows that come in time are taken. */
export interface InTime {
  readonly seed: number
  /** bytes that a training may take; left out: half of the machine's */
  readonly memory?: string
  /** where rows go that are more; left out: the system's folder for what is temporary */
  readonly folder?: string
  readonly signal?: AbortSignal
}

/**
 * The data set of rows that come one after another: in memory to the bit that of the same rows in a list; else in a file, which `close`
 * removes.
 *
 * @throws as gatherRows, and InvalidArgumentError for what is said of single rows, which must be in memory
 */
export async function dataInTime(
  given: RowsInTime | MixedInTime,
  said: GivenRows,
  { seed, memory: asked, folder = tmpdir(), signal }: InTime,
): Promise<{ data: LoadedData; close(): Promise<void> }> {
  if (asked !== undefined && bytesOf(asked) === null) throw invalid('memory', 'a size, as 2 GB or 512 MiB', asked)
  const memory = memoryFor(asked)
  const { first, all } = await peeked<RowsLike | MixedRow | readonly MixedRow[]>(given)
  if (areMixedRows(first))
    return mixedInTime(await gatherMixedRows(all, { memory, folder, signal }), said, seed, memory)
  expectTable(said)
  const { columns: about, standardise = true, rowKind = 'points', flips, cond, labels } = said
  const columns = typeof about === 'object' ? [...about] : null
  const width = typeof about === 'number' ? about : about?.length
  const gathered = await gatherRows(all as RowsInTime, { width, memory, folder, signal })
  if ('values' in gathered) return { data: givenData(gathered, said, seed), close: async () => {} }
  try {
    const one = Object.entries({ cond, labels, flips: flips || undefined }).find(([, value]) => value !== undefined)
    if (one) {
      throw invalid(
        one[0],
        `left out: ${gathered.rows} rows are more than memory holds, and it is of rows in memory`,
        one[1],
      )
    }
    const like = { values: new Float32Array(0), shape: [gathered.rows, gathered.width] }
    checkColumns(columns, like)
    const parts = partsOf(said, like)
    const scaler = standardise === true ? gathered.moments.scaler(columns) : scalerOf(like, standardise)
    const { train, large } = await spooledRows(gathered, scaler, memory, seed)
    const data: LoadedData = {
      ...{ train, large, ...parts, scaler, columns, rowKind },
      density: null,
      labels: null,
      condition: null,
      flips: false,
      description: `${gathered.rows} rows [${gathered.width}] of a program`,
      remarks: [...columnRemarks(train, columns), ...scaleRemarks(train, scaler !== null, columns)],
    }
    return { data, close: () => gathered.close() }
  } catch (error) {
    await gathered.close()
    throw error
  }
}

/** Training rows that an encoding is fitted on, at least, where there are more than memory holds. */
const FEWEST_FITTED = 1000

/** The data set of rows of mixed columns that came in time. */
async function mixedInTime(
  gathered: Table | TableSpool,
  said: GivenRows,
  seed: number,
  memory: number,
): Promise<{ data: LoadedData; close(): Promise<void> }> {
  if (!('read' in gathered)) return { data: givenTable(gathered, said, seed), close: async () => {} }
  try {
    const { rows, width: columns } = gathered
    refuseOfTables(said)
    const { cond, labels, condition } = said
    const one = Object.entries({ cond, labels, condition }).find(([, value]) => value !== undefined)
    if (one) {
      throw invalid(one[0], `left out: ${rows} rows are more than memory holds, and it is of rows in memory`, one[1])
    }
    const order = permutation(rows, seed)
    const none = new Uint32Array(0)
    const head = Math.min(rows, Math.max(FEWEST_FITTED, Math.floor(fieldsInMemory(memory).kept / columns)))
    const {
      width,
      table,
      columns: names,
      ...own
    } = await largeTable(
      'rows',
      gathered,
      { train: order, validation: none, test: none },
      { head, numbers: 'quantile', seed, memory },
    )
    const open = openEncoding(table.encoding)
    const part = (name: string, of: RowsLike | Table | undefined): [Tensor, Table] | [null, null] =>
      of === undefined ? [null, null] : encodedPart(open, name, expectTables(name, of), seed)
    const [validation, validationTable] = part('validation', said.validation)
    const [test, testTable] = part('test', said.test)
    const data: LoadedData = {
      ...own,
      ...{ validation, test, columns: names },
      ...{ scaler: null, density: null, rowKind: 'points', labels: null, condition: null, flips: false },
      description: `${rows} rows of ${columns} columns of a program, learnt as ${width} numbers`,
      remarks: [],
      table: { ...table, validation: validationTable, test: testTable },
    }
    return { data, close: () => gathered.close() }
  } catch (error) {
    await gathered.close()
    throw error
  }
}

function refuseOfTables({ columns, standardise, rowKind, flips }: GivenRows): void {
  const said = Object.entries({ columns, standardise, rowKind, flips }).find(([, value]) => value !== undefined)
  if (said) throw invalid(said[0], 'left out: a table says itself what its columns are', said[1])
}

/** Rows of a table beside those that are learnt, and what they are as numbers. */
function encodedPart(
  { width, encode, conform }: OpenEncoding,
  name: string,
  table: Table,
  seed: number,
): [Tensor, Table] {
  const own = conform(table, name)
  return [{ values: encode(own, seed), shape: [own.rows, width] }, own]
}

/** Throws InvalidArgumentError for what is no table. */
function expectTables(name: string, given: RowsLike | Table): Table {
  if (!isTable(given)) throw invalid(name, 'a table, as x is', given)
  checkTable(name, given)
  return given
}

/** A table of mixed columns that a program has: every row is learnt from. */
function givenTable(whole: Table, said: GivenRows, seed: number): LoadedData {
  refuseOfTables(said)
  const { condition: names, ...parts } = said
  checkTable('x', whole)
  if (names && (parts.cond ?? parts.labels)) {
    throw invalid('condition', 'left out where cond or labels say what the model is told', names)
  }
  const apart = (table: Table, name: string): { made: Table; told: Table | null } =>
    names ? toldApart(table, names, namesOf(table), name) : { made: table, told: null }
  const { made: table, told } = apart(whole, 'x')
  const rows = Uint32Array.from({ length: table.rows }, (_, i) => i)
  const encoding = fitEncoding(table, rows)
  const open = openEncoding(encoding)
  const { names: numbers, width, encode } = open
  const part = (
    name: string,
    given: RowsLike | Table | undefined,
  ): [Tensor, Table, Table | null] | [null, null, null] => {
    if (given === undefined) return [null, null, null]
    const { made, told } = apart(expectTables(name, given), name)
    return [...encodedPart(open, name, made, seed), told]
  }
  const [validation, validationTable, validationTold] = part('validation', parts.validation)
  const [test, testTable, testTold] = part('test', parts.test)
  const given = saidOf({ train: { shape: [table.rows] }, validation, test }, parts)
  const condition = told ? toldTables({ train: told, validation: validationTold, test: testTold }) : given.condition
  const known = whole.columns.map((column) => ({ name: column.name, column, why: 'as the program says' }))
  const train = { values: encode(table, seed), shape: [table.rows, width] }
  return {
    ...{ train, validation, test },
    ...given,
    condition,
    scaler: null,
    density: null,
    columns: numbers,
    rowKind: 'points',
    flips: false,
    description: `${table.rows} rows of ${table.columns.length} columns of a program, learnt as ${width} numbers`,
    remarks: [],
    table: {
      encoding,
      train: table,
      validation: validationTable,
      test: testTable,
      columns: columnFacts(known, encoding, told && (condition as ToldTables).encoding),
    },
  }
}

const namesOf = ({ columns }: Table): string[] => columns.map(({ name }) => name)

/** Validation and test rows, of the shape of the training rows. */
function partsOf({ validation, test }: GivenRows, { shape }: Tensor): Pick<LoadedData, 'validation' | 'test'> {
  const rowShape = shape.slice(1)
  const part = (name: string, rows: RowsLike | Table | undefined): Tensor | null => {
    if (rows === undefined) return null
    if (isTable(rows)) throw invalid(name, 'rows as x has them', 'a table')
    const x = rowsOf(name, rows, rowShape)
    if (x.shape.slice(1).join() === rowShape.join()) return x
    throw new InvalidArgumentError(
      `${name} must have rows [${rowShape.join(', ')}] as x has, but has [${x.shape.slice(1).join(', ')}].`,
    )
  }
  return { validation: part('validation', validation), test: part('test', test) }
}

/** Largest class: they are held as 16-bit numbers. */
const LAST_CLASS = 2 ** 16 - 1

/** Conditions and classes of the rows of each part. */
function saidOf(
  rows: { readonly [part in keyof Parts]: Pick<Tensor, 'shape'> | null },
  { cond, labels }: GivenRows,
): Pick<LoadedData, 'condition' | 'labels'> {
  const given = parted('cond', cond, rows, (name, given, n) => {
    if (isTable(given)) {
      checkTable(name, given)
      if (given.rows === n) return given
      throw new InvalidArgumentError(`${name} has ${given.rows} rows, but there are ${n} rows to be told of.`)
    }
    const x = rowsOf(name, given, null, 'give { values, shape: [n, C] }, or a list of rows')
    if (x.shape.length !== 2) throw invalid(`shape of ${name}`, 'that of rows of columns, [n, C]', x.shape)
    if (x.shape[0] === n) return x
    throw new InvalidArgumentError(`${name} has ${x.shape[0]} rows, but there are ${n} rows to be told of.`)
  })
  const classes = parted('labels', labels, rows, (name, given, n) => {
    const all = Array.from(given)
    if (all.length !== n) throw new InvalidArgumentError(`${name} has ${all.length} classes, but there are ${n} rows.`)
    const bad = all.findIndex((label) => !Number.isInteger(label) || label < 0 || label > LAST_CLASS)
    if (bad >= 0) throw invalid(`${name}[${bad}]`, `a class, a whole number from 0 to ${LAST_CLASS}`, all[bad])
    return Uint16Array.from(all)
  })
  return { condition: given && conditionOf(given), labels: classes }
}

/** What is told of each part: rows of numbers in all, or tables in all. */
function conditionOf({
  train,
  validation,
  test,
}: {
  train: Tensor | Table
  validation: Tensor | Table | null
  test: Tensor | Table | null
}): LoadedData['condition'] {
  const parts = [train, validation, test].filter((part) => part !== null)
  if (parts.every(isTable)) {
    return toldTables({ train, validation, test } as Parameters<typeof toldTables>[0])
  }
  if (parts.some(isTable)) throw new InvalidArgumentError('cond is a table in some parts and rows in others.')
  const widths = (parts as Tensor[]).map(({ shape }) => shape[1])
  if (widths.some((width) => width !== widths[0])) {
    throw new InvalidArgumentError(`cond has ${widths.join(', ')} columns in its parts; all must have as many.`)
  }
  return { train: train as Tensor, validation: validation as Tensor | null, test: test as Tensor | null, names: null }
}

/** What is said of each part there is; null where nothing is said. */
function parted<T extends object, V>(
  name: string,
  said: OfParts<T> | undefined,
  rows: { readonly [part in keyof Parts]: Pick<Tensor, 'shape'> | null },
  read: (name: string, given: T, n: number) => V,
): { train: V; validation: V | null; test: V | null } | null {
  if (said === undefined) return null
  const given = 'train' in said ? said : { train: said }
  const part = (of: 'train' | 'validation' | 'test'): V | null => {
    const [x, own] = [rows[of], given[of]]
    const called = given === said ? `${name}.${of}` : name
    if (x && own !== undefined) return read(called, own, x.shape[0])
    if (own !== undefined) throw new InvalidArgumentError(`${called} was given, but there are no ${of} rows.`)
    return null
  }
  return { train: part('train')!, validation: part('validation'), test: part('test') }
}

function amended(data: LoadedData, said: GivenRows): LoadedData {
  const { columns, standardise, rowKind, flips, cond, labels, condition: told, ...parts } = said
  if (told) throw invalid('condition', 'left out: loaded data say by data.condition what the model is told', told)
  const names = typeof columns === 'object' ? [...columns] : data.columns
  checkColumns(names, data.train)
  const given = partsOf(parts, data.train)
  const all = { train: data.train, validation: given.validation ?? data.validation, test: given.test ?? data.test }
  const { condition, labels: classes } = saidOf(all, { cond, labels })
  return {
    ...data,
    ...all,
    condition: condition ?? data.condition,
    labels: classes ?? data.labels,
    columns: names,
    scaler: standardise === undefined ? data.scaler : scalerOf(data.train, standardise, names),
    rowKind: rowKind ?? data.rowKind,
    flips: flips ?? data.flips,
  }
}

/** Throws InvalidArgumentError where names are not one for each column, or two are the same. */
function checkColumns(names: readonly string[] | null, { shape }: Tensor): void {
  if (!names) return
  if (shape.length !== 2 || names.length !== shape[1]) {
    throw new InvalidArgumentError(
      `columns has ${names.length} names, but the rows are [${shape.slice(1).join(', ')}].`,
    )
  }
  const twice = names.find((name, i) => names.indexOf(name) !== i)
  if (twice !== undefined) throw new InvalidArgumentError(`columns has the name ${show(twice)} twice.`)
}
