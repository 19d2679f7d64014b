/** `lfm columns`: what each column of a table of mixed columns is taken for, and how it will be encoded. Nothing is trained. */

import { dirname, extname, resolve } from 'node:path'
import { readConfig, resolveData } from '../config/index.js'
import type { ConfigOf } from '../data/source.js'
import { fitEncoding, openEncoding } from '../data/tables/encoding.js'
import { ofLargeParquet, readConfigured } from '../data/tables/load.js'
import { isParquet } from '../data/tables/read.js'
import { columnFacts, factsLines } from '../data/tables/report.js'
import { toldApart, toldTables } from '../data/tables/told.js'
import { nameOf } from '../data/text-file.js'
import { ConfigError } from '../errors.js'
import { note, print, printJson } from './terminal.js'

/** What is said of a file, or of the file that a config names, and where it is. */
async function configOf(path: string): Promise<{ file: string; data: ConfigOf<'table'> }> {
  const isConfig = ['.yaml', '.yml'].includes(extname(path).toLowerCase())
  const section = isConfig ? (await readConfig(path)).data : { kind: 'table', path }
  const data = resolveData({ data: section }, path)
  if (data.kind !== 'table') {
    throw new ConfigError(`${path} has data.kind: ${data.kind}; columns are told apart in those of the kind table.`)
  }
  return { file: isConfig ? resolve(dirname(path), data.path) : path, data }
}

/** Says it of a Parquet file that is larger than memory, of which rows are read that are drawn; false where it is none. */
async function saidOfLarge(path: string, file: string, data: ConfigOf<'table'>, json = false): Promise<boolean> {
  const found = isParquet(file) ? await ofLargeParquet(file, { ...data, validation: 0, test: 0 }, 0) : null
  if (!found?.table || !found.large) return false
  found.remarks?.forEach(note)
  const { columns: facts, encoding } = found.table
  const { rows, width } = found.large
  if (json) printJson({ rows, numbers: width, columns: facts })
  else {
    const shown = found.table.train.rows
    print(
      ...factsLines(facts),
      `${nameOf(path)}: ${rows} rows of ${encoding.columns.length} columns, learnt as ${width} numbers; shares and counts are of ${shown} rows.`,
    )
  }
  return true
}

export async function columns(path: string, { json }: { json?: boolean }): Promise<void> {
  const { file, data } = await configOf(path)
  if (await saidOfLarge(path, file, data, json)) return
  const { numbers, condition } = data
  const { table: whole, columns: known, remarks } = await readConfigured(file, data)
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
