/**
 * A run on disk: the state of training, as files that take effect at once (src/checkpoint/), and reading it back. Logical
 * files of a checkpoint: `subflow-{n}.safetensors`, the parameters of each finished sub-flow in PyTorch's layout;
 * `training.safetensors`, parameters, moments and average of the current sub-flow; `pool.safetensors`, the pushed data
 * X_{n−1} of that sub-flow; `losses.safetensors`, the loss of every step. Written files that have not changed are carried
 * over by name.
 */

import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { z } from 'zod'
import {
  type CheckpointContent,
  findRun,
  lockRun,
  makeRunFolder,
  manifestName,
  type RunManifest,
  readCheckpointTensors,
  readManifest,
  writeCheckpoint,
} from '../checkpoint/index.js'
import { type ResolvedOptions, resolveOptions } from '../config/index.js'
import { kindOfShape, type RowKind, rowKindNames } from '../data/kinds.js'
import type { Scaler } from '../data/scaler.js'
import type { DeviceInfo, VariantsByDevice } from '../device/device.js'
import { CheckpointError, LocalFlowError, TAKEN_FROM_ITS_FOLDER } from '../errors.js'
import { type Safetensors, takeFloat32 } from '../files/safetensors.js'
import type { TrainingState } from '../learn/fit.js'
import type { PoolColumns } from '../learn/pool.js'
import type { NamedTensor, Network } from '../networks/network.js'
import { networkFor } from '../networks/registry.js'
import type { ReportCurve, ReportEvaluation, ReportQuality } from '../plot/index.js'
import type { RecipePlan, RecipeState, TrainedNetwork } from '../recipes/recipe.js'
import { recipeOf, recipeSettings, stagesOf } from '../recipes/settings.js'
import type { FlowContents } from './flow-contents.js'
import { type LossHistory, type ReportFacts, removeReport } from './report.js'
import { reportFacts } from './report-facts.js'

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

/** What carries rows through a stage: a flow that is integrated, or a jump (model/transport.ts). */
const stageKinds = ['flow', 'map', 'average'] as const
type StageKind = (typeof stageKinds)[number]

const wholeNumber = z.int().min(0)
const aboveZero = z.number().positive()
const extraSchema = z.object({
  /** […dims] of one row */
  rowShape: z.array(z.int().min(1)).min(1),
  /** what a row is; runs of format 1 do not say it */
  rowKind: z.enum(rowKindNames).optional(),
  scaler: z.object({ mean: z.array(z.number()), std: z.array(aboveZero) }).nullable(),
  /** names of the columns, where there are any */
  columns: z.array(z.string()).nullable(),
  /** where the config was read, for the files it names; null for a run saved by a program */
  configPath: z.string().nullable(),
  /** SHA-256 of the training rows; null for a run saved by a program */
  dataSha256: z.string().nullable(),
  /** what the model's stages are, from the data's side; left out: flows, as in runs before there were students */
  stages: z.array(z.enum(stageKinds)).optional(),
  /** SHA-256 of a student's teacher; null where it was trained on data, or saved by a program */
  teacherSha256: z.string().nullable().default(null),
  /** output scales of the finished sub-flows, and of the current one */
  scales: z.array(aboveZero),
  scale: aboveZero,
  /** steps of the current sub-flow that were skipped, in all and in a row */
  skipped: wholeNumber,
  skippedInARow: wholeNumber,
  /** loss scale of the current sub-flow: its binary logarithm, and the steps since it changed */
  lossExponent: wholeNumber.default(0),
  goodSteps: wholeNumber.default(0),
  report: reportFacts.optional(),
})

/** What a run's manifest holds besides the checkpoint's own fields. */
export type RunExtra = z.output<typeof extraSchema>

/** What stays the same from checkpoint to checkpoint. */
export interface RunIdentity {
  readonly created: string
  readonly raw: object
  readonly options: ResolvedOptions
  readonly rowShape: readonly number[]
  readonly rowKind: RowKind
  readonly scaler: Scaler | null
  readonly columns: string[] | null
  readonly configPath: string | null
  readonly dataSha256: string | null
  readonly teacherSha256?: string | null
  readonly device: DeviceInfo | null
}

export interface RunState {
  readonly chain: RecipeState
  readonly losses: LossHistory
  readonly timings: Timings
  /** chosen variants of kernels and composites, by the kind of device */
  readonly variants: VariantsByDevice
  readonly report?: ReportFacts
  /** result of an evaluation, where the parameters are still those that were evaluated */
  readonly evaluation?: object
}

const subFlowFile = (n: number): string => `subflow-${n}.safetensors`
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

  async write({ chain, losses, timings, variants, report, evaluation }: RunState): Promise<RunManifest> {
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
    if (chain.training) files[TRAINING] = asContent(trainingTensors(field, chain.training, chain.fit))
    // the data themselves are read again; a pool that was made is kept while its fit goes on
    if (chain.pool && !done) {
      if (this.written.has(POOL) && this.poolOf === chain.fit) keep.push(POOL)
      else files[POOL] = asContent(poolTensors(chain.pool, field.dimension))
    }
    files[LOSSES] = asContent(
      losses.map((values, i) => ({ name: `subflow.${i + 1}.loss`, shape: [values.length], values })),
    )
    const extra: RunExtra = {
      rowShape: [...identity.rowShape],
      rowKind: identity.rowKind,
      scaler: identity.scaler,
      columns: identity.columns,
      configPath: identity.configPath,
      dataSha256: identity.dataSha256,
      stages: stageKindsOf(identity.options),
      teacherSha256: identity.teacherSha256 ?? null,
      scales: chain.finished.map(({ outputScale }) => outputScale),
      scale: chain.outputScale,
      skipped: chain.training?.skipped ?? 0,
      skippedInARow: chain.training?.skippedInARow ?? 0,
      lossExponent: chain.training?.lossExponent ?? 0,
      goodSteps: chain.training?.goodSteps ?? 0,
      report,
    }
    const steps = chain.training?.step ?? 0
    const phase = done ? 'done' : steps === stepsOf[chain.fit - 1] ? 'push' : 'train'
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
        progress: {
          subFlow: Math.min(chain.fit, F),
          step: done ? stepsOf[F - 1] : steps,
          phase,
        },
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

/** What the stages of a config's model are. */
const stageKindsOf = (options: ResolvedOptions): StageKind[] =>
  stagesOf(options).map(({ jump }) => jump?.kind ?? 'flow')

/** The fits of a config, and which of them are the model. */
const planOf = (options: ResolvedOptions): RecipePlan => recipeOf(options).plan(recipeSettings(options))

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
  ]
}

/** An opened run folder. */
export interface Run {
  readonly folder: string
  readonly manifest: RunManifest
  readonly options: ResolvedOptions
  /** the options as they were written, without the data */
  readonly raw: object
  readonly extra: RunExtra
  readonly field: Network
}

/** What a row of a run is. */
export const rowKindOf = ({ extra }: Pick<Run, 'extra'>): RowKind => extra.rowKind ?? kindOfShape(extra.rowShape)

const isMapping = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value)

/** A config with the solver of samples that it had when it was resolved: defaults may have changed since. */
function withItsSampler(raw: Readonly<Record<string, unknown>>, { config }: RunManifest): object {
  const { ode } = config.resolved as Record<string, unknown>
  const had = isMapping(ode) && ode.sample
  const said = raw.ode ?? {}
  if (!isMapping(had) || !isMapping(said)) return raw
  const sample = said.sample ?? {}
  return isMapping(sample) ? { ...raw, ode: { ...said, sample: { ...had, ...sample } } } : raw
}

/** Opens a run folder: reads and checks its manifest. Throws CheckpointError. */
export async function openRun(folder: string, opened?: RunManifest): Promise<Run> {
  const manifest = opened ?? (await readManifest(folder))
  const damaged = (what: string): CheckpointError =>
    new CheckpointError(`${join(folder, manifestName)} is damaged: ${what}.`)
  const read = extraSchema.safeParse(manifest.extra)
  if (!read.success) {
    const [{ path, message }] = read.error.issues
    throw damaged(`${['extra', ...path].join('.')}: ${message}`)
  }
  const extra = read.data
  const { data: _, ...raw } = manifest.config.raw as Record<string, unknown>
  const options = resolveOptions(withItsSampler(raw, manifest), `the config in ${folder}`)
  const dimension = extra.rowShape.reduce((product, extent) => product * extent, 1)
  const { scaler, columns, scales } = extra
  if (scaler && (scaler.mean.length !== dimension || scaler.std.length !== dimension)) {
    throw damaged(`its scaler is not one of rows of ${dimension} values`)
  }
  if (columns && columns.length !== dimension) throw damaged(`it names ${columns.length} columns of ${dimension}`)
  const { steps } = options.train
  const { subFlow: fit, step, phase } = manifest.progress
  if (fit > steps.length || step > steps[fit - 1]) {
    throw damaged(`it stands at step ${step} of sub-flow ${fit}, which its config does not have`)
  }
  const finished = phase === 'done' ? steps.length : fit - 1
  if (extra.stages && extra.stages.join() !== stageKindsOf(options).join()) {
    throw damaged(`its stages are ${extra.stages.join(', ')}, but its config makes ${stageKindsOf(options).join(', ')}`)
  }
  if (scales.length !== finished) throw damaged(`it has ${scales.length} output scales of ${finished}`)
  return { folder, manifest, options, raw, extra, field: networkFor(options.model, extra.rowShape) }
}

/** Sub-flow n is in a file of its own. */
async function readFinished({ folder, manifest, field, extra }: Run, count: number): Promise<TrainedNetwork[]> {
  const finished: TrainedNetwork[] = []
  for (let n = 1; n <= count; n++) {
    const tensors = asNamed((await readCheckpointTensors(folder, manifest, subFlowFile(n))).tensors)
    expectRoom(folder, field, tensors)
    const parameters = field.fromTensors(tensors, `subflow.${n}.`)
    finished.push({ parameters, outputScale: extra.scales[n - 1] })
  }
  return finished
}

/** Numbers more than a file holds that a network may have before it is refused unread: 16 MiB, which anyone can spare. */
const SLACK = 2 ** 22

/** Throws CheckpointError before memory is taken for a network that a manifest only claims. */
export function expectRoom(
  folder: string,
  { parameterCount }: Network,
  tensors: ReadonlyMap<string, NamedTensor>,
): void {
  let there = 0
  for (const { values } of tensors.values()) there += values.length
  if (parameterCount <= there + SLACK) return
  throw new CheckpointError(
    `A file of ${folder} holds ${there} numbers, but a network of its config has ${parameterCount}: they are of two models.`,
  )
}

export function asNamed(tensors: Safetensors['tensors']): Map<string, NamedTensor> {
  const named = new Map<string, NamedTensor>()
  for (const [name, { values, shape }] of tensors) {
    if (!(values instanceof Float32Array)) throw new CheckpointError(`The tensor ${name} must be F32.`)
    named.set(name, { name, shape, values })
  }
  return named
}

/** The trained flow of a finished run. Throws CheckpointError where it is not finished, or damaged. */
export async function readFlow(run: Run): Promise<FlowContents> {
  const { manifest, options, raw, extra, folder } = run
  if (manifest.progress.phase !== 'done') {
    throw new CheckpointError(
      `The run in ${folder} is not finished: it stands at step ${manifest.progress.step} of sub-flow ` +
        `${manifest.progress.subFlow} of ${options.train.steps.length}. Go on with it by lfm train --resume.`,
    )
  }
  const { fits, stages } = planOf(options)
  const networks = await readFinished(run, fits.length)
  return {
    options,
    raw,
    rowShape: extra.rowShape,
    rowKind: rowKindOf(run),
    scaler: extra.scaler,
    subFlows: stages.map((fit) => networks[fit]),
  }
}

/** Writes a flow that a program trained as a finished run. */
export async function saveFlow(
  parts: FlowContents,
  device: DeviceInfo | null,
  folder: string,
  force: boolean,
): Promise<void> {
  await findRun(folder, { force })
  await makeRunFolder(folder)
  const { raw, options, rowShape, rowKind, scaler, subFlows, facts } = parts
  const field = networkFor(options.model, rowShape)
  const created = new Date().toISOString()
  // fits that only led to the model were not kept
  const { fits, stages } = planOf(options)
  const finished = fits.map((_, fit) => subFlows[Math.max(0, stages.indexOf(fit))])
  const identity: RunIdentity = {
    created,
    raw,
    options,
    rowShape,
    rowKind,
    scaler,
    columns: facts?.columns ? [...facts.columns] : null,
    configPath: null,
    dataSha256: null,
    device,
  }
  const lock = await lockRun(folder)
  try {
    // checked again now that nobody else writes there
    await findRun(folder, { force })
    await new RunWriter(folder, identity, field, null, force).write({
      chain: { finished, fit: fits.length + 1, outputScale: 1, training: null, pool: null },
      losses: [],
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
  results: { evaluation?: ReportEvaluation; quality?: ReportQuality; curve?: ReportCurve },
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

/** The state to go on from. */
export async function readState(run: Run): Promise<RunState> {
  const { folder, manifest, options, extra, field } = run
  const { phase, subFlow: number } = manifest.progress
  const done = phase === 'done'
  const F = options.train.steps.length
  const finished = await readFinished(run, done ? F : number - 1)
  const has = (name: string): boolean => manifest.files.some((file) => file.name === name)
  let training: TrainingState | null = null
  if (!done && has(TRAINING)) {
    const tensors = asNamed((await readCheckpointTensors(folder, manifest, TRAINING)).tensors)
    expectRoom(folder, field, tensors)
    const prefix = `subflow.${number}.`
    training = {
      step: manifest.progress.step,
      skipped: extra.skipped,
      skippedInARow: extra.skippedInARow,
      lossExponent: extra.lossExponent,
      goodSteps: extra.goodSteps,
      parameters: field.fromTensors(tensors, prefix),
      m: field.fromTensors(tensors, `optimizer.m.${prefix}`),
      v: field.fromTensors(tensors, `optimizer.v.${prefix}`),
      average: options.train.ema > 0 ? field.fromTensors(tensors, `ema.${prefix}`) : null,
    }
  }
  const pool = !done && has(POOL) ? await readPool(run) : null
  const stored = asNamed((await readCheckpointTensors(folder, manifest, LOSSES)).tensors)
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
      outputScale: extra.scale,
      training,
      pool,
    },
    losses,
    timings: { ...noTimings, ...timings },
    variants: manifest.variants,
    report: extra.report,
    evaluation: manifest.evaluation,
  }
}

/** The pool of the current fit, if it was made between two fits. Throws CheckpointError where its columns do not fit. */
async function readPool({ folder, manifest, field: { dimension: D } }: Run): Promise<PoolColumns> {
  const file = await readCheckpointTensors(folder, manifest, POOL)
  const rows = file.tensors.get('pool')?.shape[0] ?? 0
  const left = takeFloat32(file, 'pool', [rows, D])
  return file.tensors.has('right') ? { left, right: takeFloat32(file, 'right', [rows, D]) } : { left }
}
