/** From `data.kind: table` to parts: the table is read, encoded by what its training rows are like, and split. */

import { resolve } from 'node:path'
import type { ConfigOf, LoadedTable, Source } from '../source.js'
import { type PartRows, partRows } from '../split.js'
import { takeRows } from '../tensor.js'
import { fitEncoding, type NumberEncoding, openEncoding } from './encoding.js'
import type { KnownColumn } from './kinds.js'
import { type ReadTable, readMixedTable } from './read.js'
import { columnFacts } from './report.js'
import { type Table, takeTableRows } from './table.js'

/** A table as the data set that a flow learns. */
export function encodedTable(
  table: Table,
  rows: PartRows,
  known: readonly KnownColumn[],
  { numbers, seed }: { numbers: NumberEncoding; seed: number },
): Pick<Source, 'train' | 'validation' | 'test' | 'columns'> & { table: LoadedTable; width: number } {
  const encoding = fitEncoding(table, rows.train, { numbers })
  const { width, names, encode } = openEncoding(encoding)
  const all = { values: encode(table, seed), shape: [table.rows, width] }
  const part = <T>(of: (numbers: Uint32Array) => T, numbers: Uint32Array): T | null =>
    numbers.length > 0 ? of(numbers) : null
  const tensor = (numbers: Uint32Array) => takeRows(all, numbers, 0, numbers.length)
  const own = (numbers: Uint32Array) => takeTableRows(table, numbers)
  return {
    train: tensor(rows.train),
    validation: part(tensor, rows.validation),
    test: part(tensor, rows.test),
    columns: names,
    table: {
      encoding,
      train: own(rows.train),
      validation: part(own, rows.validation),
      test: part(own, rows.test),
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

export async function loadMixedTable(config: ConfigOf<'table'>, seed: number, baseDir: string): Promise<Source> {
  const { table, columns: known, remarks } = await readConfigured(resolve(baseDir, config.path), config)
  const rows = partRows(table.rows, config, { seed, shuffle: config.shuffle })
  const { width, ...parts } = encodedTable(table, rows, known, { numbers: config.numbers, seed })
  return {
    ...parts,
    density: null,
    description: `${config.path}, ${table.rows} rows of ${table.columns.length} columns, learnt as ${width} numbers`,
    remarks: [...remarks],
  }
}
