/** `lfm impute`: fills the holes of a table with values that a run draws given those that are there. */

import { asKnown } from '../data/tables/encoding.js'
import { type ReadTableOptions, readMixedTable } from '../data/tables/read.js'
import type { Table, TableColumn } from '../data/tables/table.js'
import { isCategory } from '../data/tables/table.js'
import { tableText } from '../data/tables/texts.js'
import { writeMixedTable } from '../data/tables/write.js'
import { nameOf } from '../data/text-file.js'
import { InvalidArgumentError } from '../errors.js'
import { openFlow, type RunDevice } from '../run/open-flow.js'
import { openRun, type Run } from '../run/run.js'
import { type SolverOptions, solverOf } from './device.js'
import { interruptSignal } from './interrupt.js'
import { checkOutput, STANDARD_OUTPUT, writeOut, writerFor } from './output.js'
import { note, print, printJson, rowsDisplay } from './terminal.js'

export interface ImputeCommandOptions extends RunDevice, SolverOptions {
  output: string
  draws: number
  seed?: number
  json?: boolean
}

type Write = (path: string, table: Table) => Promise<void>
const writers: Readonly<Record<string, Write>> = {
  '.csv': writeMixedTable,
  '.parquet': writeMixedTable,
  [STANDARD_OUTPUT]: (_, table) => writeOut(tableText(table)),
}

/** The name of the column that says which draw a row is of. */
const DRAW = 'draw'

/** The holed table, columns of the kinds that the run knows. */
async function readHoled(path: string, { manifest, extra, folder }: Run): Promise<Table> {
  const { encoding, condition } = extra
  if (!encoding) {
    throw new InvalidArgumentError(
      `The run in ${folder} was not trained on a table of mixed columns (data.kind: table).`,
    )
  }
  const { data } = manifest.config.raw as { data?: ReadTableOptions }
  const told = condition?.kind === 'table' ? condition.encoding.columns : []
  const known = Object.fromEntries([...encoding.columns, ...told].map((column) => [column.name, asKnown(column)]))
  const { header, decimal, missing } = data ?? {}
  return (await readMixedTable(path, { header, decimal, missing, known })).table
}

/** The tables of all draws one after another, behind a column that numbers them; one draw is as it is. */
function together(tables: readonly Table[]): Table {
  if (tables.length === 1) return tables[0]
  const [{ rows, columns }] = tables
  const all = rows * tables.length
  const draws: TableColumn = {
    name: DRAW,
    kind: 'integer',
    values: Float64Array.from({ length: all }, (_, i) => 1 + Math.floor(i / rows)),
  }
  const joined = columns.map((column, j): TableColumn => {
    const at = (i: number): TableColumn => tables[Math.floor(i / rows)].columns[j]
    return isCategory(column)
      ? { ...column, codes: Int32Array.from({ length: all }, (_, i) => (at(i) as typeof column).codes[i % rows]) }
      : { ...column, values: Float64Array.from({ length: all }, (_, i) => (at(i) as typeof column).values[i % rows]) }
  })
  return { rows: all, columns: [draws, ...joined] }
}

const holesOf = ({ columns }: Table): number =>
  columns.reduce((sum, column) => {
    const missing = isCategory(column) ? column.codes.filter((code) => code < 0) : column.values.filter(Number.isNaN)
    return sum + missing.length
  }, 0)

export async function impute(folder: string, path: string, options: ImputeCommandOptions): Promise<void> {
  const { output, draws, seed } = options
  checkOutput(output, options.json)
  const write = await writerFor(output, writers)
  const run = await openRun(folder)
  const table = await readHoled(path, run)
  if (draws > 1 && run.extra.encoding!.columns.some(({ name }) => name === DRAW)) {
    throw new InvalidArgumentError(
      `The table has a column "${DRAW}" of its own, in which several draws would be numbered; take --draws 1 with another --seed each.`,
    )
  }
  const { flow, device, close } = await openFlow(run, options)
  const { signal, release } = interruptSignal('Interrupted: nothing was written.')
  try {
    const progress = rowsDisplay('filling')
    const tables = await flow
      .impute(table, {
        ...solverOf(options),
        draws,
        name: nameOf(path),
        seed,
        signal,
        onProgress: (rows) => progress.show(rows, draws * table.rows),
      })
      .finally(progress.end)
    await write(output, together(tables))
    const holes = holesOf(table)
    const told = output === STANDARD_OUTPUT ? 'standard output' : output
    if (options.json) printJson({ rows: table.rows, holes, draws, output, device: device.kind })
    else {
      const say = output === STANDARD_OUTPUT ? note : print
      say(`${table.rows} rows, ${holes} holes filled${draws > 1 ? ` ${draws} times` : ''}: ${told}`)
    }
  } finally {
    release()
    await close()
  }
}
