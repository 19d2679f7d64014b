/**
 * Tables whose columns are larger than memory: read twice, one group of rows after another. The first time the rows of the parts that stay in
 * memory are kept, of the training part so many as there is room for, which are a random part of it where rows are shuffled. What the
 * encoding is fitted on is these; of all other rows it has the levels, and of each column the rows with the least and the greatest number
 * and one in which it is missing, so that ranges and holes are those of the whole table. The second time all training rows are encoded
 * into a file.
 */

import { DataError, show } from '../../errors.js'
import { NOWHERE, placeRows, placesOf } from '../large.js'
import { checkUnseen, headRows, windowBytes } from '../memory.js'
import type { LoadedTable, Source } from '../source.js'
import type { PartRows } from '../split.js'
import type { Tensor } from '../tensor.js'
import { fitEncoding, type NumberEncoding, openEncoding } from './encoding.js'
import type { KnownColumn } from './kinds.js'
import type { KnownGroup, TableGroups } from './read.js'
import { columnFacts } from './report.js'
import { isCategory, type NumberFormat, type Table, type TableColumn, tableRows } from './table.js'

/** Numbers that are encoded at a time. */
const BLOCK = 1 << 22

/** A column while its row groups go by. */
interface Gathered {
  readonly name: string
  kind: TableColumn['kind']
  format: NumberFormat | undefined
  /** numbers of its levels, in the order in which they come */
  readonly levels: Map<string, number>
  /** of the rows that are kept */
  readonly values: Float64Array
  least: Snapshot | null
  most: Snapshot | null
  missing: Snapshot | null
}

/** A row that is kept for one of its values. */
interface Snapshot {
  readonly row: number
  readonly value: number
  readonly values: readonly number[]
}

/** What is kept of a table. */
export interface Sampled {
  readonly known: readonly KnownColumn[]
  /** the rows of `numbers` */
  readonly table: Table
  /** numbers of the rows in the file */
  readonly numbers: Uint32Array
  /** rows of `table` that are of the training part */
  readonly training: Uint32Array
}

const isNumeric = (kind: TableColumn['kind']): boolean => kind !== 'category' && kind !== 'boolean'

/** How all groups are written: by the one with the most digits. */
function together(kind: TableColumn['kind'], one: NumberFormat | undefined, other: NumberFormat | undefined) {
  if (kind === 'date') return (other?.date?.length ?? 0) > (one?.date?.length ?? 0) ? other : one
  if (one?.decimals === undefined || other?.decimals === undefined) return undefined
  return other.decimals > one.decimals ? other : one
}

/** A column's value in each row as one number: its own, or the number of its level; NaN where it is missing. */
function numbersOf(column: TableColumn, levels: Map<string, number>): (row: number) => number {
  if (!isCategory(column)) return (row) => column.values[row]
  const to = column.levels.map((level) => {
    const known = levels.get(level)
    if (known !== undefined) return known
    levels.set(level, levels.size)
    return levels.size - 1
  })
  return (row) => (column.codes[row] < 0 ? Number.NaN : to[column.codes[row]])
}

/**
 * Reads a table once.
 *
 * @param kept numbers of the rows to keep
 * @param training of all rows that are learnt from
 */
export async function sampleGroups(
  path: string,
  file: TableGroups,
  kept: Uint32Array,
  training: Uint32Array,
): Promise<Sampled> {
  const [places, learnt] = [placesOf(kept), placesOf(training)]
  let gathered: (Gathered | null)[] = []
  let known: readonly KnownColumn[] = []
  let first = 0
  for await (const group of file.read()) {
    if (first === 0) {
      known = group.columns
      gathered = known.map(({ name, column }) => column && begun(name, column, kept.length))
    }
    const columns = matched(path, group, gathered)
    const own = gathered.flatMap((column) => column ?? [])
    const read = columns.map((column, j) => numbersOf(column, own[j].levels))
    for (let row = 0; row < group.rows; row++) {
      const number = first + row
      if (number < places.length && places[number] !== NOWHERE) {
        for (let j = 0; j < own.length; j++) own[j].values[places[number]] = read[j](row)
      }
      const isLearnt = number < learnt.length && learnt[number] !== NOWHERE
      for (let j = 0; j < own.length; j++) {
        const value = read[j](row)
        const column = own[j]
        const snapshot = (): Snapshot => ({ row: number, value, values: read.map((of) => of(row)) })
        if (Number.isNaN(value)) column.missing ??= snapshot()
        else if (isLearnt && isNumeric(column.kind)) {
          if (!column.least || value < column.least.value) column.least = snapshot()
          if (!column.most || value > column.most.value) column.most = snapshot()
        }
      }
    }
    first += group.rows
  }
  return sampled(gathered, known, kept, (row) => row < learnt.length && learnt[row] !== NOWHERE)
}

const begun = (name: string, column: TableColumn, rows: number): Gathered => ({
  name,
  kind: column.kind,
  format: isCategory(column) ? undefined : column.format,
  levels: new Map(),
  values: new Float64Array(rows),
  least: null,
  most: null,
  missing: null,
})

/** The columns of a group that are learnt. Throws DataError where one is of another kind than in the groups before. */
function matched(path: string, { columns }: KnownGroup, gathered: readonly (Gathered | null)[]): TableColumn[] {
  return gathered.flatMap((before, j) => {
    if (!before) return []
    const { column } = columns[j]
    const isNumber = column && !isCategory(column)
    if (!column || (column.kind !== before.kind && !(isNumber && isNumeric(before.kind)))) {
      throw new DataError(
        `${path}: column ${show(before.name)} is a ${before.kind} in its first row group and ${column ? `a ${column.kind}` : 'nothing'} in ` +
          'a later one. Say what it is by data.columns.',
        `${path}: a column is of several kinds.`,
      )
    }
    if (isNumber) {
      before.format = together(before.kind, before.format, column.format)
      if (column.kind === 'number') before.kind = 'number'
    }
    return [column]
  })
}

/** The rows that are kept as a table, and behind them those with values that the others do not have. */
function sampled(
  gathered: readonly (Gathered | null)[],
  known: readonly KnownColumn[],
  kept: Uint32Array,
  isLearnt: (row: number) => boolean,
): Sampled {
  const own = gathered.flatMap((column) => column ?? [])
  const there = new Set(kept)
  const more = new Map<number, Snapshot>()
  for (const snapshot of own.flatMap(({ least, most, missing }) => [least, most, missing])) {
    if (snapshot && !there.has(snapshot.row)) more.set(snapshot.row, snapshot)
  }
  const numbers = new Uint32Array(kept.length + more.size)
  numbers.set(kept)
  numbers.set([...more.keys()], kept.length)
  const columns = own.map(({ name, kind, format, levels, values }, j): TableColumn => {
    const all = new Float64Array(numbers.length)
    all.set(values)
    all.set(
      [...more.values()].map((snapshot) => snapshot.values[j]),
      kept.length,
    )
    if (kind === 'category' || kind === 'boolean') {
      const sorted = [...levels.keys()].sort((a, b) => (a < b ? -1 : a > b ? 1 : 0))
      const to = new Int32Array(levels.size)
      sorted.forEach((level, i) => {
        to[levels.get(level)!] = i
      })
      return { name, kind, codes: Int32Array.from(all, (code) => (Number.isNaN(code) ? -1 : to[code])), levels: sorted }
    }
    return { name, kind, values: all, ...(format && { format }) }
  })
  const table = { rows: numbers.length, columns }
  const byName = new Map(columns.map((column) => [column.name, column]))
  return {
    known: known.map((one) => {
      const column = byName.get(one.name)
      if (!column) return one
      // what the first row group has is less than all
      const counted = isCategory(column) && /^(\d+ texts|one text)$/.test(one.why)
      return { ...one, column, ...(counted && { why: `${column.levels.length} texts` }) }
    }),
    table,
    numbers,
    training: Uint32Array.from(numbers.keys()).filter((i) => isLearnt(numbers[i])),
  }
}

/** A row group with the columns and the levels of the whole table. */
function asWhole(path: string, group: KnownGroup, whole: Table): Table {
  const columns = whole.columns.map((column): TableColumn => {
    const given = group.columns.find(({ name }) => name === column.name)?.column
    if (!given || isCategory(given) !== isCategory(column)) {
      throw new DataError(`${path}: column ${show(column.name)} has changed while it was read.`)
    }
    if (!isCategory(column) || !isCategory(given)) return given
    const places = new Map(column.levels.map((level, i) => [level, i]))
    const to = given.levels.map((level) => places.get(level) ?? -1)
    return { ...column, codes: given.codes.map((code) => (code < 0 ? -1 : to[code])) }
  })
  return { rows: group.rows, columns }
}

/**
 * The data set of a table whose columns are not to be in memory.
 *
 * @param rows of the parts
 * @param head training rows that are kept, the first of them
 */
export async function largeTable(
  path: string,
  file: TableGroups,
  rows: PartRows,
  { head, numbers, seed, memory }: { head: number; numbers: NumberEncoding; seed: number; memory: number },
): Promise<
  Pick<Source, 'train' | 'validation' | 'test' | 'columns' | 'large'> & { table: LoadedTable; width: number }
> {
  const heads = rows.train.subarray(0, head)
  const parts = [heads, rows.validation, rows.test]
  const kept = new Uint32Array(parts.reduce((sum, { length }) => sum + length, 0))
  parts.reduce((at, part) => {
    kept.set(part, at)
    return at + part.length
  }, 0)
  const { known, table, numbers: own, training } = await sampleGroups(path, file, kept, rows.train)
  const encoding = fitEncoding(table, training, { numbers })
  const { width, names, encode } = openEncoding(encoding)
  const part = (first: number, count: number): [Tensor, Table] | [null, null] => {
    if (count === 0) return [null, null]
    const some = tableRows(table, first, first + count)
    return [{ values: encode(some, seed, own.subarray(first, first + count)), shape: [count, width] }, some]
  }
  checkUnseen(rows.validation.length + rows.test.length, width, memory)
  const [train, trainTable] = part(0, headRows(heads.length, width, memory))
  const [validation, validationTable] = part(heads.length, rows.validation.length)
  const [test, testTable] = part(heads.length + rows.validation.length, rows.test.length)
  async function* blocks(): AsyncGenerator<Float32Array> {
    const count = Math.max(1, Math.floor(BLOCK / width))
    let first = 0
    for await (const group of file.read()) {
      const whole = asWhole(path, group, table)
      for (let at = 0; at < group.rows; at += count) {
        yield encode(tableRows(whole, at, Math.min(group.rows, at + count)), seed, first + at)
      }
      first += group.rows
    }
  }
  return {
    ...{ train: train!, validation, test },
    columns: names,
    large: {
      rows: rows.train.length,
      width,
      windowBytes: windowBytes(memory),
      store: (folder, options) => placeRows(folder, rows.train, width, blocks(), windowBytes(memory), options),
    },
    table: {
      encoding,
      train: trainTable!,
      validation: validationTable,
      test: testTable,
      columns: columnFacts(known, encoding),
    },
    width,
  }
}
