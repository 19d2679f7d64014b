/** From `data.kind: table` to parts: the table is read, encoded by what its training rows are like, and split. */

import { resolve } from 'node:path'
import { DataError } from '../../errors.js'
import { storeRows } from '../large.js'
import { checkUnseen, fieldsInMemory, headRows, isLarge, memoryFor, needsAll, windowBytes } from '../memory.js'
import type { ConfigOf, LoadedTable, Source } from '../source.js'
import { type PartRows, partRows, shuffledRows } from '../split.js'
import type { Tensor } from '../tensor.js'
import { fitEncoding, type NumberEncoding, openEncoding } from './encoding.js'
import type { KnownColumn } from './kinds.js'
import { largeTable } from './parquet-large.js'
import { isParquet, openParquetGroups, type ReadTable, readMixedTable } from './read.js'
import { columnFacts } from './report.js'
import { type Table, takeTableRows } from './table.js'
import { splitTold, toldApart } from './told.js'

/** Training rows that an encoding is fitted on, at least, where there are more. */
const FEWEST_FITTED = 500
/** Numbers that are encoded at a time. */
const BLOCK_NUMBERS = 1 << 22

/** How a table becomes rows. */
export interface TableEncoding {
  readonly numbers: NumberEncoding
  readonly seed: number
  /** bytes that the rows may take in memory; left out: whatever they take */
  readonly memory?: number
  /** whether the rows of the parts are in an order of the seed's; windows of them must be. Default true */
  readonly shuffle?: boolean
  /** columns that the model is told and does not make, by name or number; left out: none */
  readonly condition?: readonly (string | number)[]
  /** what messages call the table. Default 'the table' */
  readonly name?: string
}

/** A table as the data set that a flow learns. Where its rows take more memory than they may, `train` holds the first of them. */
export function encodedTable(
  whole: Table,
  rows: PartRows,
  known: readonly KnownColumn[],
  { numbers, seed, memory = Infinity, shuffle = true, condition, name = 'the table' }: TableEncoding,
): Pick<Source, 'train' | 'validation' | 'test' | 'columns' | 'large' | 'condition'> & {
  table: LoadedTable
  width: number
} {
  const all = known.map((column) => column.name)
  const { made: table, told } = condition ? toldApart(whole, condition, all, name) : { made: whole, told: null }
  const encoding = fitEncoding(table, rows.train, { numbers })
  const { width, names, encode } = openEncoding(encoding)
  const isStored = isLarge(table.rows, width, memory)
  if (isStored && told) throw toldInMemory(name)
  if (isStored) checkUnseen(rows.validation.length + rows.test.length, width, memory)
  const order = isStored && !shuffle ? shuffledRows(rows.train, seed) : rows.train
  const head = isStored ? order.subarray(0, headRows(order.length, width, memory)) : order
  const encoded = (of: Table, numbers: Uint32Array): Tensor => ({
    values: encode(of, seed, numbers),
    shape: [numbers.length, width],
  })
  const part = (numbers: Uint32Array): [Tensor, Table] | [null, null] => {
    if (numbers.length === 0) return [null, null]
    const own = takeTableRows(table, numbers)
    return [encoded(own, numbers), own]
  }
  const [train, trainTable] = part(head)
  const [validation, validationTable] = part(rows.validation)
  const [test, testTable] = part(rows.test)
  function* blocks(): Generator<Float32Array> {
    const count = Math.max(1, Math.floor(BLOCK_NUMBERS / width))
    for (let first = 0; first < order.length; first += count) {
      const some = order.subarray(first, first + count)
      yield encode(takeTableRows(table, some), seed, some)
    }
  }
  const conditions = told && splitTold(told, rows, numbers)
  return {
    ...{ train: train!, validation, test },
    ...(conditions && { condition: conditions }),
    columns: names,
    ...(isStored && {
      large: {
        rows: rows.train.length,
        width,
        windowBytes: windowBytes(memory),
        store: (folder, options) => storeRows(folder, rows.train.length, width, blocks(), options),
      },
    }),
    table: {
      encoding,
      train: trainTable!,
      validation: validationTable,
      test: testTable,
      columns: columnFacts(known, encoding, conditions?.encoding),
    },
    width,
  }
}

const toldInMemory = (path: string): DataError =>
  new DataError(
    `data.condition needs the rows of ${path} in memory, and they take more than data.memory (half of the machine's where nothing is said).`,
  )

/** Reads a table as a config says. */
export const readConfigured = (
  path: string,
  { columns, header, decimal, missing }: Pick<ConfigOf<'table'>, 'columns' | 'header' | 'decimal' | 'missing'>,
): Promise<ReadTable> => readMixedTable(path, { columns, header, decimal, missing })

export async function loadMixedTable(
  config: ConfigOf<'table'>,
  seed: number,
  baseDir: string,
  large: boolean,
): Promise<Source> {
  const path = resolve(baseDir, config.path)
  if (large && isParquet(path)) {
    const found = await ofLargeParquet(path, config, seed)
    if (found) return found
  }
  const { table, columns: known, remarks } = await readConfigured(path, config)
  const rows = partRows(table.rows, config, { seed, shuffle: config.shuffle })
  const memory = large || config.memory !== undefined ? memoryFor(config.memory) : undefined
  const { width, ...parts } = encodedTable(table, rows, known, {
    numbers: config.numbers,
    seed,
    memory,
    shuffle: config.shuffle,
    condition: config.condition,
    name: config.path,
  })
  if (parts.large && !large) throw needsAll(config.path)
  return {
    ...parts,
    density: null,
    description: `${config.path}, ${table.rows} rows of ${parts.table.encoding.columns.length} columns, learnt as ${width} numbers${toldText(config)}`,
    remarks: [...remarks],
  }
}

const toldText = ({ condition }: Pick<ConfigOf<'table'>, 'condition'>): string =>
  condition ? `, given ${condition.length} that are told` : ''

/**
 * The data set of a Parquet file whose columns are larger than memory; null where they are not.
 * @param path the file's own
 */
export async function ofLargeParquet(path: string, config: ConfigOf<'table'>, seed: number): Promise<Source | null> {
  const memory = memoryFor(config.memory)
  const file = await openParquetGroups(path, config)
  const { all, kept } = fieldsInMemory(memory)
  if (file.rows * file.width <= all) return null
  if (config.condition) throw toldInMemory(config.path)
  const split = partRows(file.rows, config, { seed, shuffle: config.shuffle })
  const rows = config.shuffle ? split : { ...split, train: shuffledRows(split.train, seed) }
  const head = Math.min(rows.train.length, Math.floor(kept / file.width) - rows.validation.length - rows.test.length)
  if (head < FEWEST_FITTED) {
    throw new DataError(
      `Validation and test rows stay in memory, and data.memory has room for ${Math.floor(kept / file.width)} rows of ${config.path} ` +
        `together with those that the encoding is fitted on. Give data.validation and data.test fewer rows than ${rows.validation.length + rows.test.length}, or more data.memory.`,
    )
  }
  const { width, ...parts } = await largeTable(path, file, rows, { head, numbers: config.numbers, seed, memory })
  return {
    ...parts,
    density: null,
    description: `${config.path}, ${file.rows} rows of ${parts.table.encoding.columns.length} columns, learnt as ${width} numbers`,
    remarks: [
      `The columns of ${config.path} take more than data.memory leaves them: how they are learnt is told from ${head} of the ` +
        `${rows.train.length} training rows, and from the ranges and levels of all.`,
    ],
  }
}
