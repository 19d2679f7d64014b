/** `lfm columns`: what each column of a table of mixed columns is taken for, and how it will be encoded. Nothing is trained. */

import { dirname, extname, resolve } from 'node:path'
import { readConfig, resolveData } from '../config/index.js'
import { fitEncoding, openEncoding } from '../data/tables/encoding.js'
import { readConfigured } from '../data/tables/load.js'
import { type ReadTable, readMixedTable } from '../data/tables/read.js'
import { columnFacts, factsLines } from '../data/tables/report.js'
import { toldApart, toldTables } from '../data/tables/told.js'
import { nameOf } from '../data/text-file.js'
import { ConfigError } from '../errors.js'
import { note, print, printJson } from './terminal.js'

/** The table of a file, or of the file that a config names, and how its numbers are learnt. */
async function readTableOf(
  path: string,
): Promise<ReadTable & { numbers?: 'quantile' | 'standardise'; condition?: readonly (string | number)[] }> {
  if (!['.yaml', '.yml'].includes(extname(path).toLowerCase())) return readMixedTable(path)
  const { data: section } = await readConfig(path)
  const data = resolveData({ data: section }, path)
  if (data.kind !== 'table') {
    throw new ConfigError(`${path} has data.kind: ${data.kind}; columns are told apart in those of the kind table.`)
  }
  return {
    ...(await readConfigured(resolve(dirname(path), data.path), data)),
    numbers: data.numbers,
    condition: data.condition,
  }
}

export async function columns(path: string, { json }: { json?: boolean }): Promise<void> {
  const { table: whole, columns: known, remarks, numbers, condition } = await readTableOf(path)
  remarks.forEach(note)
  const names = known.map(({ name }) => name)
  const { made: table, told } = condition
    ? toldApart(whole, condition, names, nameOf(path))
    : { made: whole, told: null }
  // of all rows; a training fits the encoding on its own part
  const encoding = fitEncoding(
    table,
    Uint32Array.from({ length: table.rows }, (_, i) => i),
    { numbers },
  )
  const given = told && toldTables({ train: told, validation: null, test: null }, numbers)
  const facts = columnFacts(known, encoding, given?.encoding)
  const { width } = openEncoding(encoding)
  if (json) {
    printJson({ rows: table.rows, numbers: width, columns: facts })
    return
  }
  print(
    ...factsLines(facts),
    `${nameOf(path)}: ${table.rows} rows of ${table.columns.length} columns, learnt as ${width} numbers${told ? `, given ${told.columns.length} that are told` : ''}.`,
  )
}
