/**
 * A run on disk: the state of training, as files that take effect at once (src/checkpoint/), and reading it back. Logical
 * files of a checkpoint: `subflow-{n}.safetensors`, the parameters of each finished sub-flow in PyTorch's layout;
 * `training.safetensors`, parameters, moments and average of the current sub-flow; `pool.safetensors`, the pushed data
 * X_{n−1} of that sub-flow; `losses.safetensors`, the loss of every step. Written files that have not changed are carried
 * over by name.
 */

import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import {
  type CheckpointContent,
  findRun,
  lockRun,
  makeRunFolder,
  programWords,
  type RunManifest,
  readCheckpointTensors,
  readManifest,
  writeCheckpoint,
} from '../checkpoint/index.js'
import { type ResolvedOptions, resolveOptions } from '../config/index.js'
import type { RowKind } from '../data/kinds.js'
import type { Scaler } from '../data/scaler.js'
import type { Encoding } from '../data/tables/encoding.js'
import type { DeviceInfo, VariantsByDevice } from '../device/device.js'
import { CheckpointError, LocalFlowError, TAKEN_FROM_ITS_FOLDER } from '../errors.js'
import { takeFloat32 } from '../files/safetensors.js'
import type { TrainingState } from '../learn/fit.js'
import type { PoolColumns } from '../learn/pool.js'
import { isExhausted, noValidation } from '../learn/validation.js'
import type { Condition } from '../model/condition.js'
import type { NamedTensor, Network } from '../networks/network.js'
import type { ReportCurve, ReportEvaluation, ReportQuality } from '../plot/report.js'
import type { ReportTable } from '../plot/report-table.js'
import type { RecipeState } from '../recipes/recipe.js'
import { fittedNetwork } from '../recipes/settings.js'
import type { FlowContents } from './flow-contents.js'
import {
  asNamed,
  expectRoom,
  flowOf,
  planOf,
  type ReadTensors,
  type Run,
  type RunExtra,
  readFinished,
  runOf,
  stageKindsOf,
  subFlowFile,
} from './opened-run.js'
import { type LossHistory, type ReportFacts, removeReport, type ValidationHistory } from './report.js'

export { type Run, type RunExtra, rowKindOf } from './opened-run.js'

/** Version of this package, as manifests and reports name it. */
export const packageVersion = ownVersion()

function ownVersion(): string {
  try {
    const { name, version } = JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8'))
    if (name === 'local-flow-matching') return version
  } catch {
    // there is none, or another's
  }
  throw new LocalFlowError(TAKEN_FROM_ITS_FOLDER)
}

/** Seconds and steps of all sessions of a run together. */
export interface Timings {
  seconds: number
  stepsTaken: number
  pushSeconds: number
  /** evaluations of single rows in pushes and pairs */
  pushRowEvaluations: number
}

export const noTimings: Timings = { seconds: 0, stepsTaken: 0, pushSeconds: 0, pushRowEvaluations: 0 }

/** What earlier sessions and this one have cost. */
export const addTimings = (before: Timings, now: Timings): Timings => ({
  seconds: before.seconds + now.seconds,
  stepsTaken: before.stepsTaken + now.stepsTaken,
  pushSeconds: before.pushSeconds + now.pushSeconds,
  pushRowEvaluations: before.pushRowEvaluations + now.pushRowEvaluations,
})

/** What stays the same from checkpoint to checkpoint. */
export interface RunIdentity {
  readonly created: string
  readonly raw: object
  readonly options: ResolvedOptions
  readonly rowShape: readonly number[]
  readonly rowKind: RowKind
  readonly scaler: Scaler | null
  readonly columns: string[] | null
  /** of a table of mixed columns; null or left out: rows are what they are */
  readonly encoding?: Encoding | null
  /** what the model is told of its rows; null or left out: nothing */
  readonly condition?: Condition | null
  readonly configPath: string | null
  readonly dataSha256: string | null
  /** rows of a window, where the training rows are more than memory holds; left out: all of them */
  readonly window?: number
  readonly teacherSha256?: string | null
  readonly device: DeviceInfo | null
  /** what sessions that resumed the run changed, a sentence each */
  readonly changes?: readonly string[]
}

export interface RunState {
  readonly chain: RecipeState
  readonly losses: LossHistory
  /** validation losses of each sub-flow; none where nothing was measured */
  readonly validation: ValidationHistory
  readonly timings: Timings
  /** chosen variants of kernels and composites, by the kind of device */
  readonly variants: VariantsByDevice
  readonly report?: ReportFacts
  /** result of an evaluation, where the parameters are still those that were evaluated */
  readonly evaluation?: object
}

const TRAINING = 'training.safetensors'
const POOL = 'pool.safetensors'
const LOSSES = 'losses.safetensors'

const asContent = (tensors: readonly NamedTensor[]): CheckpointContent => ({
  tensors: Object.fromEntries(tensors.map(({ name, shape, values }) => [name, { values, shape }])),
})

/** Writes checkpoints of one run; knows which files the folder already has. Whoever has one holds the folder's lock. */
export class RunWriter {
  private written: Set<string>
  private poolOf = 1
  /** the checkpoint that the next one follows; undefined: whatever is there is replaced */
  private last: RunManifest | null | undefined

  constructor(
    private readonly folder: string,
    private readonly identity: RunIdentity,
    private readonly field: Network,
    resumed: RunManifest | null,
    /** a run that the folder holds is replaced */
    force = false,
  ) {
    this.last = resumed ?? (force ? undefined : null)
    this.written = new Set(resumed?.files.map((file) => file.name))
    this.poolOf = resumed?.progress.subFlow ?? 1
  }

  async write({ chain, losses, validation, timings, variants, report, evaluation }: RunState): Promise<RunManifest> {
    const { field, identity } = this
    const { steps: stepsOf } = identity.options.train
    const F = stepsOf.length
    const done = chain.fit > F
    const files: Record<string, CheckpointContent> = {}
    const keep: string[] = []
    chain.finished.forEach(({ parameters }, i) => {
      const name = subFlowFile(i + 1)
      if (this.written.has(name)) keep.push(name)
      else files[name] = asContent(field.toTensors(parameters, `subflow.${i + 1}.`))
    })
    if (chain.training) files[TRAINING] = asContent(trainingTensors(field, chain.training, Math.min(chain.fit, F)))
    else if (done && this.written.has(TRAINING)) keep.push(TRAINING)
    // the data themselves are read again; a pool that was made is kept while its fit goes on
    if (chain.pool && !done) {
      if (this.written.has(POOL) && this.poolOf === chain.fit) keep.push(POOL)
      else files[POOL] = asContent(poolTensors(chain.pool, field.dimension))
    }
    files[LOSSES] = asContent([
      ...losses.map((values, i) => ({ name: `subflow.${i + 1}.loss`, shape: [values.length], values })),
      ...validation.flatMap(({ steps, losses: values }, i) => validationTensors(i + 1, steps, values)),
    ])
    const extra: RunExtra = {
      rowShape: [...identity.rowShape],
      rowKind: identity.rowKind,
      scaler: identity.scaler,
      columns: identity.columns,
      encoding: identity.encoding ?? undefined,
      condition: identity.condition ?? undefined,
      configPath: identity.configPath,
      dataSha256: identity.dataSha256,
      window: identity.window,
      stages: stageKindsOf(identity.options),
      teacherSha256: identity.teacherSha256 ?? null,
      scales: chain.finished.map(({ outputScale }) => outputScale),
      scale: chain.outputScale,
      skipped: chain.training?.skipped ?? 0,
      skippedInARow: chain.training?.skippedInARow ?? 0,
      lossExponent: chain.training?.lossExponent ?? 0,
      goodSteps: chain.training?.goodSteps ?? 0,
      changes: identity.changes?.length ? [...identity.changes] : undefined,
      report,
    }
    const manifest = await writeCheckpoint(this.folder, {
      files,
      keep,
      follows: this.last,
      manifest: {
        packageVersion,
        created: identity.created,
        config: { raw: identity.raw, resolved: identity.options },
        seed: identity.options.seed,
        device: identity.device ?? {},
        variants: { ...variants },
        progress: progressOf(chain, identity.options.train),
        timings: { ...timings },
        evaluation,
        extra,
      },
    })
    this.last = manifest
    this.written = new Set(manifest.files.map((file) => file.name))
    this.poolOf = chain.fit
    return manifest
  }
}

/** Where a training stands. */
export function progressOf({ fit, training }: RecipeState, { steps, patience }: ResolvedOptions['train']): Place {
  const F = steps.length
  if (fit > F) return { subFlow: F, step: steps[F - 1], phase: 'done' }
  const step = training?.step ?? 0
  const ended = step === steps[fit - 1] || isExhausted(training?.validation ?? noValidation, patience)
  return { subFlow: fit, step, phase: ended ? 'push' : 'train' }
}

type Place = RunManifest['progress']

function poolTensors({ left, right }: PoolColumns, D: number): NamedTensor[] {
  const shape = [left.length / D, D]
  return [
    { name: 'pool', shape, values: left as Float32Array },
    ...(right ? [{ name: 'right', shape, values: right }] : []),
  ]
}

/** Names of the current sub-flow: parameters as in a finished one, moments and average under prefixes of their own. */
function trainingTensors(field: Network, state: TrainingState, n: number): NamedTensor[] {
  const prefix = `subflow.${n}.`
  return [
    ...field.toTensors(state.parameters, prefix),
    ...field.toTensors(state.m, `optimizer.m.${prefix}`),
    ...field.toTensors(state.v, `optimizer.v.${prefix}`),
    ...(state.average ? field.toTensors(state.average, `ema.${prefix}`) : []),
    ...(state.validation?.best ? field.toTensors(state.validation.best, `best.${prefix}`) : []),
  ]
}

/** Steps are whole numbers below 2^24, or nearly whole: a float32 holds them as they are drawn. */
function validationTensors(n: number, steps: readonly number[], losses: readonly number[]): NamedTensor[] {
  if (steps.length === 0) return []
  const shape = [steps.length]
  return [
    { name: `subflow.${n}.validation.step`, shape, values: Float32Array.from(steps) },
    { name: `subflow.${n}.validation.loss`, shape, values: Float32Array.from(losses) },
  ]
}

const readerOf =
  ({ folder, manifest }: Pick<Run, 'folder' | 'manifest'>): ReadTensors =>
  (name) =>
    readCheckpointTensors(folder, manifest, name)

/** Opens a run folder: reads and checks its manifest. Throws CheckpointError. */
export async function openRun(folder: string, opened?: RunManifest): Promise<Run> {
  return runOf(opened ?? (await readManifest(folder)), folder)
}

/** The trained flow of a finished run. Throws CheckpointError where it is not finished, or damaged. */
export const readFlow = (run: Run): Promise<FlowContents> => flowOf(run, readerOf(run))

/** The options of networks that are one for each stage: a shared one that only its stages are left of is shared no more. */
function asFitted({ raw, options }: FlowContents): Pick<FlowContents, 'raw' | 'options'> {
  if (!planOf(options).told) return { raw, options }
  const { flow, train } = raw as { flow?: object; train?: object }
  const separate = {
    ...raw,
    flow: { ...flow, recipe: 'local', push: 'simulated' },
    train: { ...train, steps: { total: options.train.steps[0] } },
  }
  return { raw: separate, options: resolveOptions(separate) }
}

/** Writes a flow that a program trained as a finished run. */
export async function saveFlow(
  parts: FlowContents,
  device: DeviceInfo | null,
  folder: string,
  force: boolean,
): Promise<void> {
  const words = { ...programWords, resume: null }
  await findRun(folder, { force, words })
  await makeRunFolder(folder)
  const { rowShape, rowKind, scaler, encoding, subFlows, fitted, facts, condition = null } = parts
  const { raw, options } = fitted ? parts : asFitted(parts)
  const field = fittedNetwork(options, rowShape, condition)
  const created = new Date().toISOString()
  // fits that only led to the model were not kept
  const { fits, stages } = planOf(options)
  const finished = fits.map((_, fit) => fitted?.[fit] ?? subFlows[Math.max(0, stages.indexOf(fit))])
  const identity: RunIdentity = {
    created,
    raw,
    options,
    rowShape,
    rowKind,
    scaler,
    columns: facts?.columns ? [...facts.columns] : null,
    encoding,
    condition,
    configPath: null,
    dataSha256: null,
    device,
  }
  const lock = await lockRun(folder)
  try {
    // checked again now that nobody else writes there
    await findRun(folder, { force, words })
    await new RunWriter(folder, identity, field, null, force).write({
      chain: { finished, fit: fits.length + 1, outputScale: 1, training: null, pool: null },
      losses: [],
      validation: [],
      timings: noTimings,
      variants: {},
    })
    await removeReport(folder)
  } finally {
    await lock.release()
  }
}

/**
 * Puts results of an evaluation into a run's manifest: a likelihood, the quality of samples, or both. Returns the report's
 * facts with them; null where there are none.
 */
export async function addEvaluation(
  run: Run,
  results: { evaluation?: ReportEvaluation; quality?: ReportQuality; curve?: ReportCurve; table?: ReportTable },
): Promise<ReportFacts | null> {
  const { folder } = run
  const lock = await lockRun(folder)
  try {
    const now = await readManifest(folder)
    const names = ({ files }: RunManifest): string => files.map(({ file }) => file).join()
    if (names(now) !== names(run.manifest)) {
      throw new CheckpointError(
        `${folder} holds other parameters than those that were evaluated: it was trained anew meanwhile. Nothing was changed.`,
      )
    }
    const { extra } = await openRun(folder, now)
    const { files, formatVersion: _, updated: __, ...manifest } = now
    const report = extra.report && { ...extra.report, ...results, date: new Date().toISOString() }
    await writeCheckpoint(folder, {
      files: {},
      keep: files.map(({ name }) => name),
      follows: now,
      manifest: { ...manifest, evaluation: results.evaluation ?? manifest.evaluation, extra: { ...extra, report } },
    })
    return report ?? null
  } finally {
    await lock.release()
  }
}

/**
 * The state to go on from.
 * @param longer train the last sub-flow of a run that is done on
 */
export async function readState(run: Run, longer = false): Promise<RunState> {
  const { folder, manifest, options, extra, field } = run
  const { phase, subFlow: number } = manifest.progress
  const done = phase === 'done' && !longer
  const F = options.train.steps.length
  const finished = await readFinished(run, done ? F : number - 1, readerOf(run))
  const has = (name: string): boolean => manifest.files.some((file) => file.name === name)
  const stored = asNamed((await readCheckpointTensors(folder, manifest, LOSSES)).tensors)
  const validation = options.train.steps.map((_, i) => readValidation(stored, i + 1))
  let training: TrainingState | null = null
  if (longer && !has(TRAINING)) {
    throw new CheckpointError(
      `The run in ${folder} keeps no optimizer with which its last sub-flow could be trained on: it was saved by a program, or ` +
        'written by an earlier version. Begin a new run.',
    )
  }
  if (!done && has(TRAINING)) {
    const tensors = asNamed((await readCheckpointTensors(folder, manifest, TRAINING)).tensors)
    expectRoom(folder, field, tensors)
    const prefix = `subflow.${number}.`
    training = {
      // a sub-flow that stopped early has a loss for each step that it took
      step: phase === 'done' ? (stored.get(`subflow.${F}.loss`)?.values.length ?? 0) : manifest.progress.step,
      skipped: extra.skipped,
      skippedInARow: extra.skippedInARow,
      lossExponent: extra.lossExponent,
      goodSteps: extra.goodSteps,
      parameters: field.fromTensors(tensors, prefix),
      m: field.fromTensors(tensors, `optimizer.m.${prefix}`),
      v: field.fromTensors(tensors, `optimizer.v.${prefix}`),
      average: options.train.ema > 0 ? field.fromTensors(tensors, `ema.${prefix}`) : null,
      ...(validation[number - 1].steps.length > 0 && {
        validation: { ...validation[number - 1], best: readBest(field, tensors, prefix) },
      }),
    }
  }
  const pool = !done && has(POOL) ? await readPool(run) : null
  const losses = options.train.steps.map((steps, i) => {
    const values = stored.get(`subflow.${i + 1}.loss`)?.values ?? new Float32Array(0)
    if (values.length <= steps) return values
    throw new CheckpointError(`${folder} holds ${values.length} losses of the ${steps} steps of sub-flow ${i + 1}.`)
  })
  const timings = manifest.timings as Partial<Timings> | undefined
  return {
    chain: {
      finished,
      fit: done ? F + 1 : number,
      outputScale: phase === 'done' ? extra.scales[F - 1] : extra.scale,
      training,
      pool,
    },
    losses,
    validation,
    timings: { ...noTimings, ...timings },
    variants: manifest.variants,
    report: extra.report,
    evaluation: manifest.evaluation,
  }
}

/** Validation losses of a sub-flow, as they were measured. */
function readValidation(stored: ReadonlyMap<string, NamedTensor>, n: number): ValidationHistory[number] {
  const [steps, losses] = ['step', 'loss'].map((name) => stored.get(`subflow.${n}.validation.${name}`)?.values ?? [])
  if (steps.length !== losses.length) {
    throw new CheckpointError(`Sub-flow ${n} has ${losses.length} validation losses at ${steps.length} steps.`)
  }
  return { steps: [...steps], losses: [...losses] }
}

const readBest = (field: Network, tensors: ReadonlyMap<string, NamedTensor>, prefix: string): Float32Array | null =>
  [...tensors.keys()].some((name) => name.startsWith('best.')) ? field.fromTensors(tensors, `best.${prefix}`) : null

/** The pool of the current fit, if it was made between two fits. Throws CheckpointError where its columns do not fit. */
async function readPool({ folder, manifest, field: { dimension: D } }: Run): Promise<PoolColumns> {
  const file = await readCheckpointTensors(folder, manifest, POOL)
  const rows = file.tensors.get('pool')?.shape[0] ?? 0
  const left = takeFloat32(file, 'pool', [rows, D])
  return file.tensors.has('right') ? { left, right: takeFloat32(file, 'right', [rows, D]) } : { left }
}

/** What a teacher is: its parameters and its config. */
export function teacherSha256({ manifest }: Pick<Run, 'manifest'>): string {
  const hash = createHash('sha256')
  const parameters = manifest.files.filter(({ name }) => name.startsWith('subflow-'))
  for (const { name, sha256 } of parameters.sort((a, b) => a.name.localeCompare(b.name)))
    hash.update(`${name} ${sha256}`)
  return hash.digest('hex')
}
