/** `lfm score`: the log-likelihood of each row of a file under a run. */

import { stat } from 'node:fs/promises'
import { selectColumns } from '../data/csv.js'
import { readImageFolder } from '../data/image-folder.js'
import { csvText, readTable, writeCsv, writeNpy } from '../data/index.js'
import { asKnown, type Encoding, openEncoding } from '../data/tables/encoding.js'
import { type ReadTableOptions, readMixedTable } from '../data/tables/read.js'
import { holdsPixels, type Tensor } from '../data/tensor.js'
import { nameOf } from '../data/text-file.js'
import { DataError, list, show } from '../errors.js'
import { bitsPerDimension, dequantise } from '../metrics/bits.js'
import { openFlow, type RunDevice } from '../run/open-flow.js'
import { openRun, type Run, rowKindOf } from '../run/run.js'
import { type ConditionCommandOptions, conditionsOf } from './conditions.js'
import { type SolverOptions, solverOf } from './device.js'
import { interruptSignal } from './interrupt.js'
import { checkOutput, STANDARD_OUTPUT, writeOut, writerFor } from './output.js'
import { note, print, printJson, rowsDisplay } from './terminal.js'

export interface ScoreCommandOptions extends RunDevice, SolverOptions, ConditionCommandOptions {
  output?: string
  json?: boolean
}

const writers: Readonly<Record<string, (path: string, scores: Float32Array) => Promise<void>>> = {
  '.csv': (path, values) => writeCsv(path, { values, shape: [values.length, 1] }, ['log_prob']),
  '.npy': (path, values) => writeNpy(path, { values, shape: [values.length] }),
  [STANDARD_OUTPUT]: (_, values) => writeOut(csvText({ values, shape: [values.length, 1] }, ['log_prob'])),
}

/**
 * The rows to score: a folder of pictures, an array, or a table of text as `data.kind: csv` would read it, whatever its name;
 * `-` is a table on standard input. Columns that have names are taken by these, in any order and beside others.
 */
async function readRows(path: string, run: Run): Promise<Tensor> {
  const {
    folder,
    extra: { columns, rowShape },
  } = run
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
  if (run.extra.encoding) return readEncoded(path, run, run.extra.encoding)
  const byName = (header: readonly string[] | null, width: number): number[] => modelColumns(path, run, header, width)
  const { tensor, remarks, headed } = await readTable(path, columns && byName, { header: data?.header })
  if (columns && headed === false) {
    note(`${nameOf(path)} has no header: its columns are taken as the model's, in their order.`)
  }
  remarks.forEach(note)
  const shape = tensor.shape.slice(1)
  if (shape.join() !== rowShape.join()) {
    const names = columns ? ` (${list(columns)})` : ''
    throw new DataError(
      `${nameOf(path)} has rows of shape [${shape.join(', ')}], but the model in ${folder} was trained on rows of ` +
        `[${rowShape.join(', ')}]${names}.`,
    )
  }
  return tensor
}

/** The rows of a table of mixed columns as its model's numbers: columns by name, each of the kind that the model knows. */
async function readEncoded(path: string, run: Run, encoding: Encoding): Promise<Tensor> {
  const { data } = run.manifest.config.raw as { data?: ReadTableOptions }
  const columns = Object.fromEntries(encoding.columns.map((column) => [column.name, asKnown(column)]))
  const { table } = await readMixedTable(path, {
    header: data?.header,
    decimal: data?.decimal,
    missing: data?.missing,
    known: columns,
  })
  const { conform, encode, width } = openEncoding(encoding)
  const others = table.columns.filter(({ name }) => !Object.hasOwn(columns, name))
  if (others.length > 0) {
    note(`Columns that the model does not have are left out: ${list(others.map(({ name }) => show(name)))}.`)
  }
  note(
    'The scores are log-densities of the rows as the model learns them, numbers by their quantiles and categories as columns ' +
      'of their own: they put rows in an order, and are no likelihoods of the table.',
  )
  const own = conform(table, nameOf(path))
  return { values: encode(own, run.options.seed), shape: [own.rows, width] }
}

/** Where the columns of a model stand in a file: by name where there is a header, else by place. */
function modelColumns(path: string, run: Run, header: readonly string[] | null, width: number): number[] {
  const columns = run.extra.columns!
  if (!header) return Array.from({ length: width }, (_, i) => i)
  const missing = columns.filter((name) => !header.includes(name))
  const { condition } = run.extra
  const told = condition?.kind === 'columns' ? (condition.names ?? []) : []
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

export async function score(folder: string, dataPath: string, options: ScoreCommandOptions): Promise<void> {
  checkOutput(options.output, options.json)
  const write = options.output === undefined ? null : await writerFor(options.output, writers)
  const run = await openRun(folder)
  const tensor = await readRows(dataPath, run)
  const conditions = await conditionsOf(run, options, dataPath)
  const { flow, close } = await openFlow(run, options)
  const { signal, release } = interruptSignal('Interrupted: nothing was written.')
  try {
    const pixels = holdsPixels(tensor)
    const progress = rowsDisplay('scoring')
    const scores = await flow
      .logProb(pixels ? dequantise(tensor, flow.options.seed) : tensor, {
        ...solverOf(options),
        ...conditions,
        signal,
        onProgress: (rows) => progress.show(rows, tensor.shape[0]),
      })
      .finally(progress.end)
    if (write) await write(options.output!, scores)
    const n = scores.length
    const logProb = scores.reduce((sum, value) => sum + value, 0) / n
    const bitsPerDim = flow.rowKind === 'pictures' ? bitsPerDimension(-logProb, flow.field.dimension, pixels) : null
    if (options.json) {
      const { mean: nfe, max: nfeMax } = flow.evaluations!
      printJson({ n, logProb, nll: -logProb, bitsPerDim, nfe, nfeMax, output: options.output ?? null })
    } else {
      const say = options.output === STANDARD_OUTPUT ? note : print
      say(
        `${n} rows: mean log-likelihood ${logProb.toFixed(4)} nats` +
          `${bitsPerDim === null ? '' : `, ${bitsPerDim.toFixed(4)} bits per dimension`}` +
          `${options.output && options.output !== STANDARD_OUTPUT ? `; each row's in ${options.output}` : ''}`,
      )
    }
  } finally {
    release()
    await close()
  }
}
