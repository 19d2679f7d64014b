/** `lfm score`: the log-likelihood of each row of a file under a run, or of a model that predicts levels its variational bound. */

import { createHash } from 'node:crypto'
import type { BlockFormat } from '../data/block-formats.js'
import { bytesOf } from '../data/npy.js'
import { type NumberBlock, numberFormats, type OpenWriter } from '../data/row-formats.js'
import { DataError, InvalidArgumentError } from '../errors.js'
import type { Facts } from '../files/growing.js'
import { sha256Of } from '../files/hash.js'
import { bitsPerDimension } from '../metrics/bits.js'
import { learnsChoices } from '../recipes/settings.js'
import type { CarryOptions, LocalFlow } from '../run/local-flow.js'
import { openFlow, type RunDevice } from '../run/open-flow.js'
import { openRun, packageVersion, type Run, teacherSha256 } from '../run/run.js'
import { type ConditionCommandOptions, conditionsToScore, type RowConditions } from './conditions.js'
import { type SolverOptions, solverOf } from './device.js'
import { writeGrowing } from './grow.js'
import { interruptSignal } from './interrupt.js'
import { checkOutput, STANDARD_OUTPUT, writeOut, writerFor } from './output.js'
import { rowsToScore, type ScoreRows } from './score-rows.js'
import { note, print, printJson, rowsDisplay } from './terminal.js'
import { usage } from './usage.js'

export interface ScoreCommandOptions extends RunDevice, SolverOptions, ConditionCommandOptions {
  output?: string
  /** rows of a block */
  partRows?: number
  /** go on with what a call that was ended left of the output */
  resume?: boolean
  json?: boolean
}

/** Sums over all rows so far, and the most. */
interface Summary {
  logProb: number
  evaluations: number
  nfeMax: number
}

/** The scores of the rows behind `skip`, block by block, each as it is known. */
async function* scoresOf(
  flow: LocalFlow,
  { n, blockRows, blocks }: ScoreRows,
  { blocks: told }: RowConditions,
  options: CarryOptions,
  summary: Summary,
  skip: number,
): AsyncGenerator<NumberBlock> {
  const conditions = told?.(blockRows, skip)[Symbol.asyncIterator]()
  let first = skip
  for await (const rows of blocks(skip)) {
    const { onProgress } = options
    const cond = conditions ? (await conditions.next()).value : options.cond
    const own = { ...options, cond, first, onProgress: (done: number) => onProgress?.(first + done) }
    const values = await (flow.hasBound ? flow.logProbBound(rows, own) : flow.logProb(rows, own))
    const { mean, max } = flow.evaluations!
    for (const score of values) summary.logProb += score
    summary.evaluations += mean * values.length
    summary.nfeMax = Math.max(summary.nfeMax, max)
    first += values.length
    yield { values, shape: [values.length] }
  }
  if (first !== n) throw new DataError(`The rows have changed while they were scored: ${first} of ${n} were there.`)
}

const opened = (format: BlockFormat, { hasBound }: LocalFlow): OpenWriter<NumberBlock> =>
  numberFormats([hasBound ? 'log_prob_bound' : 'log_prob'])[format]

/** A writer that remembers, with where it stands, what the scores that are written come to. */
const withSummary =
  (open: OpenWriter<NumberBlock>, summary: Summary): OpenWriter<NumberBlock> =>
  (n, state) => {
    const { writer: before = null, summary: sums = {} } = (state ?? {}) as { writer?: unknown; summary?: object }
    Object.assign(summary, sums)
    const writer = open(n, before)
    return {
      block: (rows, first) => writer.block(rows, first),
      end: () => writer.end(),
      state: () => ({ writer: writer.state(), summary: { ...summary } }),
    }
  }

/** Scores as text, while they come. */
async function* textOf(scores: AsyncIterable<NumberBlock>, n: number, flow: LocalFlow): AsyncGenerator<string> {
  const writer = opened('csv', flow)(n, null)
  let first = true
  for await (const block of scores) {
    yield* writer.block(block, first) as Iterable<string>
    first = false
  }
}

const targets = { '.csv': 'csv', '.npy': 'npy', '.parquet': 'parquet', [STANDARD_OUTPUT]: 'csv' } as const

/** What scores are made from, so that a call that goes on with another's makes the same bytes. */
async function factsOf(
  run: Run,
  flow: LocalFlow,
  device: Awaited<ReturnType<typeof openFlow>>['device'],
  path: string,
  { n, values }: ScoreRows,
  conditions: RowConditions,
  options: ScoreCommandOptions,
): Promise<Facts> {
  const { guidance } = conditions.all
  const solver = { ...flow.settings.evaluate, ...JSON.parse(JSON.stringify(solverOf(options))) }
  return {
    'the run': teacherSha256(run),
    version: packageVersion,
    'the rows': values ? createHash('sha256').update(bytesOf(values.values)).digest('hex') : await sha256Of(path),
    n,
    'the solver': JSON.stringify(solver),
    'the condition': conditions.file ? await sha256Of(conditions.file) : (options.class ?? null),
    guidance: guidance === undefined ? null : JSON.stringify(guidance),
    device: `${device.kind}, ${device.info.cpuTarget ?? device.info.name}`,
  }
}

/** Throws InvalidArgumentError for options of an integration, which a bound is not. */
function refuseSolver(options: ScoreCommandOptions): void {
  if (options.guidance) {
    throw new InvalidArgumentError(
      '--guidance is of likelihoods, but this model predicts levels (train.objective: variational) and is scored by a variational bound, ' +
        'which is of its conditions alone.',
    )
  }
  for (const key of ['solver', 'steps', 'clock'] as const) {
    if (options[key] === undefined) continue
    throw new InvalidArgumentError(
      `--${key} is of likelihoods, but this model predicts levels (train.objective: variational) and is scored by a variational bound; ` +
        '--evaluations says how many points that takes.',
    )
  }
}

export async function score(folder: string, dataPath: string, options: ScoreCommandOptions): Promise<void> {
  checkOutput(options.output, options.json)
  const { output, resume = false } = options
  const grows = output !== undefined && output !== STANDARD_OUTPUT
  if (resume && !grows) throw usage('--resume', 'left out, or given with a file of scores (--output)', output)
  const format = output === undefined ? null : await writerFor<BlockFormat>(output, targets)
  const run = await openRun(folder)
  const rows = await rowsToScore(dataPath, run, options.partRows)
  const { n, pixels, blockRows } = rows
  const conditions = await conditionsToScore(run, options, dataPath, n)
  const bound = learnsChoices(run.options)
  if (bound) refuseSolver(options)
  const { flow, device, close } = await openFlow(run, options)
  const { signal, release } = interruptSignal('Interrupted: nothing was written.')
  try {
    const progress = rowsDisplay('scoring')
    const summary: Summary = { logProb: 0, evaluations: 0, nfeMax: 0 }
    const onProgress = (done: number): void => progress.show(done, n)
    const carry = { ...solverOf(options), ...conditions.all, signal, onProgress }
    const from = (skip: number): AsyncGenerator<NumberBlock> => scoresOf(flow, rows, conditions, carry, summary, skip)
    const write = async (): Promise<void> => {
      if (format === null) for await (const _ of from(0));
      else if (!grows) await writeOut(textOf(from(0), n, flow))
      else {
        const facts = await factsOf(run, flow, device, dataPath, rows, conditions, options)
        const how = { kind: 'file', format, facts, resume } as const
        await writeGrowing(output, { n, blockRows, from }, withSummary(opened(format, flow), summary), how)
      }
    }
    await write().finally(progress.end)
    const { nfeMax } = summary
    const [logProb, nfe] = [summary.logProb / n, summary.evaluations / n]
    const bitsPerDim = flow.rowKind === 'pictures' ? bitsPerDimension(-logProb, flow.field.dimension, pixels) : null
    if (options.json) {
      const scored = bound ? { logProbBound: logProb } : { logProb, nll: -logProb, bitsPerDim }
      printJson({ n, ...scored, nfe, nfeMax, output: options.output ?? null })
    } else {
      const say = options.output === STANDARD_OUTPUT ? note : print
      say(
        `${n} rows: mean ${bound ? 'variational bound on the log-likelihood' : 'log-likelihood'} ${logProb.toFixed(4)} nats` +
          `${bitsPerDim === null ? '' : `, ${bitsPerDim.toFixed(4)} bits per dimension`}` +
          `${options.output && options.output !== STANDARD_OUTPUT ? `; each row's in ${options.output}` : ''}`,
      )
    }
  } finally {
    release()
    await close()
  }
}
