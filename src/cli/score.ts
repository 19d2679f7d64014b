/** `lfm score`: the log-likelihood of each row of a file under a run. */

import { extname } from 'node:path'
import type { BlockFormat } from '../data/block-formats.js'
import { numberFormats } from '../data/row-formats.js'
import { DataError } from '../errors.js'
import { writeFileAtomic } from '../files/atomic.js'
import { cannotWrite, isOfSystem } from '../files/reasons.js'
import { bitsPerDimension } from '../metrics/bits.js'
import type { CarryOptions, LocalFlow } from '../run/local-flow.js'
import { openFlow, type RunDevice } from '../run/open-flow.js'
import { openRun } from '../run/run.js'
import { type ConditionCommandOptions, conditionsOf } from './conditions.js'
import { type SolverOptions, solverOf } from './device.js'
import { interruptSignal } from './interrupt.js'
import { checkOutput, STANDARD_OUTPUT, writeOut, writerFor } from './output.js'
import { rowsToScore, type ScoreRows } from './score-rows.js'
import { note, print, printJson, rowsDisplay } from './terminal.js'

export interface ScoreCommandOptions extends RunDevice, SolverOptions, ConditionCommandOptions {
  output?: string
  /** rows of a block */
  partRows?: number
  json?: boolean
}

/** The scores of rows that come in blocks, each as it is known. */
async function* scoresOf(
  flow: LocalFlow,
  { n, blocks }: ScoreRows,
  options: CarryOptions,
  summary: Summary,
): AsyncGenerator<Float32Array> {
  let first = 0
  for await (const rows of blocks()) {
    const { onProgress } = options
    const scores = await flow.logProb(rows, { ...options, first, onProgress: (done) => onProgress?.(first + done) })
    const { mean, max } = flow.evaluations!
    for (const score of scores) summary.logProb += score
    summary.evaluations += mean * scores.length
    summary.nfeMax = Math.max(summary.nfeMax, max)
    first += scores.length
    yield scores
  }
  if (first !== n) throw new DataError(`The rows have changed while they were scored: ${first} of ${n} were there.`)
}

/** Sums over all rows, and the most. */
interface Summary {
  logProb: number
  evaluations: number
  nfeMax: number
}

/** Scores as a file that is written while they come. */
async function* fileOf(
  scores: AsyncIterable<Float32Array>,
  n: number,
  format: BlockFormat,
): AsyncGenerator<Uint8Array | string> {
  const writer = numberFormats(['log_prob'])[format](n, null)
  let first = true
  for await (const values of scores) {
    yield* writer.block({ values, shape: [values.length] }, first)
    first = false
  }
  yield* writer.end()
}

/** Writes scores where they are wanted; null: nowhere. */
async function write(
  output: string | undefined,
  scores: AsyncIterable<Float32Array>,
  n: number,
  format: BlockFormat | null,
): Promise<void> {
  if (output === undefined || format === null) {
    for await (const _ of scores);
  } else if (output === STANDARD_OUTPUT) {
    await writeOut(fileOf(scores, n, format) as AsyncIterable<string>)
  } else {
    await writeFileAtomic(output, fileOf(scores, n, format)).catch((error) => {
      throw isOfSystem(error) ? cannotWrite(output, error) : error
    })
  }
}

const targets = { '.csv': 'csv', '.npy': 'npy', '.parquet': 'parquet', [STANDARD_OUTPUT]: 'csv' } as const

export async function score(folder: string, dataPath: string, options: ScoreCommandOptions): Promise<void> {
  checkOutput(options.output, options.json)
  const { output } = options
  const format = output === undefined ? null : await writerFor<BlockFormat>(output, targets)
  const run = await openRun(folder)
  // conditions of rows are read at once, and so are the rows then
  const rows = await rowsToScore(dataPath, run, run.extra.condition ? null : options.partRows)
  const beside = extname(dataPath).toLowerCase() === '.parquet' ? undefined : dataPath
  const conditions = await conditionsOf(run, options, beside)
  const { flow, close } = await openFlow(run, options)
  const { signal, release } = interruptSignal('Interrupted: nothing was written.')
  try {
    const { n, pixels } = rows
    const progress = rowsDisplay('scoring')
    const summary: Summary = { logProb: 0, evaluations: 0, nfeMax: 0 }
    const onProgress = (done: number): void => progress.show(done, n)
    const scores = scoresOf(flow, rows, { ...solverOf(options), ...conditions, signal, onProgress }, summary)
    await write(output, scores, n, format).finally(progress.end)
    const { nfeMax } = summary
    const [logProb, nfe] = [summary.logProb / n, summary.evaluations / n]
    const bitsPerDim = flow.rowKind === 'pictures' ? bitsPerDimension(-logProb, flow.field.dimension, pixels) : null
    if (options.json) {
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
