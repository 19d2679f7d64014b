/** From `data.kind: table` to parts: the table is read, encoded by what its training rows are like, and split. */

import { resolve } from 'node:path'
import { storeRows } from '../large.js'
import { checkUnseen, headRows, isLarge, memoryFor, needsAll, windowBytes } from '../memory.js'
import type { ConfigOf, LoadedTable, Source } from '../source.js'
import { type PartRows, partRows } from '../split.js'
import type { Tensor } from '../tensor.js'
import { fitEncoding, type NumberEncoding, openEncoding } from './encoding.js'
import type { KnownColumn } from './kinds.js'
import { type ReadTable, readMixedTable } from './read.js'
import { columnFacts } from './report.js'
import { type Table, takeTableRows } from './table.js'

/** Rows that are encoded at a time. */
const BLOCK_NUMBERS = 1 << 22

/** How a table becomes rows. */
export interface TableEncoding {
  readonly numbers: NumberEncoding
  readonly seed: number
  /** bytes that the rows may take in memory; left out: whatever they take */
  readonly memory?: number
}

/** A table as the data set that a flow learns. Where its rows take more memory than they may, `train` holds the first of them. */
export function encodedTable(
  table: Table,
  rows: PartRows,
  known: readonly KnownColumn[],
  { numbers, seed, memory = Infinity }: TableEncoding,
): Pick<Source, 'train' | 'validation' | 'test' | 'columns' | 'large'> & { table: LoadedTable; width: number } {
  const encoding = fitEncoding(table, rows.train, { numbers })
  const { width, names, encode } = openEncoding(encoding)
  const isStored = isLarge(table.rows, width, memory)
  if (isStored) checkUnseen(rows.validation.length + rows.test.length, width, memory)
  const head = isStored ? rows.train.subarray(0, headRows(rows.train.length, width, memory)) : rows.train
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
    for (let first = 0; first < rows.train.length; first += count) {
      const some = rows.train.subarray(first, first + count)
      yield encode(takeTableRows(table, some), seed, some)
    }
  }
  return {
    ...{ train: train!, validation, test },
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
      columns: columnFacts(known, encoding),
    },
    width,
  }
}

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
  const { table, columns: known, remarks } = await readConfigured(resolve(baseDir, config.path), config)
  const rows = partRows(table.rows, config, { seed, shuffle: config.shuffle })
  const memory = large || config.memory !== undefined ? memoryFor(config.memory) : undefined
  const { width, ...parts } = encodedTable(table, rows, known, { numbers: config.numbers, seed, memory })
  if (parts.large && !large) throw needsAll(config.path)
  return {
    ...parts,
    density: null,
    description: `${config.path}, ${table.rows} rows of ${table.columns.length} columns, learnt as ${width} numbers`,
    remarks: [...remarks],
  }
}
