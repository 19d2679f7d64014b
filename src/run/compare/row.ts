/**
 * One row of a comparison, in a run folder of its own: it is trained, or goes on from its last checkpoint; then it is measured,
 * and what was found is written beside the run as row.json. A row that is there is not made again; one that was measured
 * otherwise than is asked for now is only measured again.
 */

import { createHash } from 'node:crypto'
import { access, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { findRun, lockRun, makeRunFolder, manifestName } from '../../checkpoint/index.js'
import type { ComparisonSettings, ResolvedConfig } from '../../config/index.js'
import type { LoadedData } from '../../data/source.js'
import { takeRows } from '../../data/tensor.js'
import { type Device, mergeVariants } from '../../device/device.js'
import { CheckpointError, TrainingError } from '../../errors.js'
import { writeFileAtomic } from '../../files/atomic.js'
import { reasonOf } from '../../files/reasons.js'
import type { Condition } from '../../model/condition.js'
import { harder } from '../../ode/solver.js'
import type { RecipeState } from '../../recipes/recipe.js'
import type { Progress } from '../../recipes/run-recipe.js'
import { fittedNetwork } from '../../recipes/settings.js'
import { conditionedData, toldOf } from '../conditioning.js'
import { studentCondition, toldByData } from '../distilling.js'
import type { FlowContents } from '../flow-contents.js'
import { LocalFlow, type SampleOptions } from '../local-flow.js'
import type { Quality } from '../quality.js'
import { LossLog, rowsSha256, ValidationLog } from '../recording.js'
import {
  addTimings,
  noTimings,
  openRun,
  type RunIdentity,
  RunWriter,
  readFlow,
  readState,
  type Timings,
  teacherSha256,
} from '../run.js'
import { distillFlow, estimateRun, type TrainFlowHooks, trainFlow } from '../training.js'
import type { PlannedRow } from './plan.js'
import { waysOf, waysThrough } from './ways.js'
import { networksOf } from './widths.js'

/** The likelihood of the test part, nats a row. */
export interface RowLikelihood {
  readonly rows: number
  /** null where it is not finite */
  readonly nll: number | null
  /** null where it is not, and where the density is not known */
  readonly kl: number | null
  readonly evaluations: number
  /** how much the NLL of the first rows changes when the solver works twice as hard */
  readonly solverChange: number
}

/** Samples drawn in one way. */
export interface RowSamples {
  readonly way: string
  /** evaluations that were allowed, and that were taken */
  readonly allowed: number
  readonly evaluations: number
  /** distances from the parts; null where a sample was not finite */
  readonly validation: number | null
  readonly test: number | null
}

export interface RowResult {
  /** digests of what it was trained with, of what was measured, and of its training rows */
  readonly trainedWith: string
  readonly measuredWith: string
  readonly dataSha256: string
  /** why it has no measurements; null where it has */
  readonly failed: string | null
  readonly parameters: { readonly each: number; readonly networks: number }
  readonly steps: number
  readonly batch: number
  /** floating-point operations by the contracts' count, 1e12 */
  readonly teraflop: { readonly training: number; readonly push: number }
  /** measuring: not of rows that were measured before it was taken */
  readonly seconds: { readonly training: number; readonly push: number; readonly measuring?: number }
  readonly quality: { readonly name: string; readonly samples: number; readonly rows: Quality['rows'] }
  readonly floor: { readonly mean: number; readonly std: number }
  readonly likelihood: RowLikelihood | null
  readonly samples: readonly RowSamples[]
  readonly machine: string
  readonly date: string
}

export interface RowContext {
  /** folder of all rows */
  readonly folder: string
  readonly device: Device
  readonly data: LoadedData
  readonly quality: Quality
  readonly settings: ComparisonSettings
  readonly signal?: AbortSignal
  readonly onProgress?: (progress: Progress) => void
  readonly onMeasure?: (what: string) => void
  readonly note: (message: string) => void
}

const FILE = 'row.json'
/** Rows over which the solver's own error is measured. */
const CHECKED_ROWS = 1000

const digest = (value: unknown): string => createHash('sha256').update(JSON.stringify(value)).digest('hex').slice(0, 16)

/** What a row's training depends on. */
export function trainedWith({ config, teacher }: PlannedRow): string {
  const { data, model, flow, train, ode, seed, distill } = config
  const { validateEvery, patience, objective, ...own } = train
  const stops = patience > 0 ? { validateEvery, patience } : {}
  return digest({
    data,
    model,
    flow,
    // left out where it is what it was before there were others
    train: { ...own, ...stops, checkpointEvery: 0, logEvery: 0, ...(objective !== 'flow-matching' && { objective }) },
    push: ode.push,
    seed,
    ...(teacher && { distill, teacher: trainedWith(teacher) }),
  })
}

/** What its measurements depend on beside that. */
export const measuredWith = ({ config, method }: PlannedRow, settings: ComparisonSettings): string =>
  digest({
    ode: config.ode,
    ways: waysOf(method.solvers).map(({ name }) => name),
    evaluations: settings.evaluations,
    samples: settings.samples,
    likelihood: settings.likelihood,
    ...(settings.distance && { distance: settings.distance }),
    features: settings.features,
  })

/** What is known of a row; null where it has not ended. Throws CheckpointError for a file that is none of ours. */
export async function readRow(folder: string, id: string): Promise<RowResult | null> {
  const path = join(folder, id, FILE)
  const text = await readFile(path, 'utf8').catch((error) => {
    if (['ENOENT', 'ENOTDIR'].includes((error as NodeJS.ErrnoException).code ?? '')) return null
    throw new CheckpointError(`${path} cannot be read: ${reasonOf(error)}.`)
  })
  if (text === null) return null
  try {
    const row = JSON.parse(text)
    if (typeof row?.trainedWith === 'string' && Array.isArray(row.samples)) return row
  } catch {
    // said below
  }
  throw new CheckpointError(`${path} is damaged: it is no result of a row. Remove it to have the row measured again.`)
}

/** Throws CheckpointError where the folder has this row with other settings. */
export function checkRow(row: PlannedRow, found: RowResult, folder: string): void {
  if (found.trainedWith === trainedWith(row)) return
  throw new CheckpointError(
    `${join(folder, row.id)} was made with other settings of ${row.method.name}. Compare into another folder, or remove it.`,
  )
}

function checkSameRows(folder: string, before: string | null, now: string): void {
  if (before === null || before === now) return
  throw new CheckpointError(
    `${folder} was trained on other rows than there are now: the data have changed, and methods are compared on the same. ` +
      'Remove it, or compare into another folder.',
  )
}

const isMeasured = (row: PlannedRow, found: RowResult, settings: ComparisonSettings): boolean =>
  found.failed !== null || found.measuredWith === measuredWith(row, settings)

/** Whether a row is there, measured as is asked for. Throws CheckpointError where the folder has it with other settings. */
export async function isMade(row: PlannedRow, settings: ComparisonSettings, folder: string): Promise<boolean> {
  const found = await readRow(folder, row.id)
  if (!found) return false
  checkRow(row, found, folder)
  return isMeasured(row, found, settings)
}

/** Makes a row where it is not there yet. A method that diverges has a row that says so. */
export async function makeRow(row: PlannedRow, context: RowContext): Promise<RowResult> {
  const folder = join(context.folder, row.id)
  await makeRunFolder(folder)
  const lock = await lockRun(folder, context.note)
  try {
    const found = await readRow(context.folder, row.id)
    if (found) {
      checkRow(row, found, context.folder)
      checkSameRows(folder, found.dataSha256, sha256Of(row, context))
    }
    if (found && isMeasured(row, found, context.settings)) {
      context.note(`${row.id} is there already.`)
      return found
    }
    const began = performance.now()
    const result = await trainAndMeasure(row, folder, context)
    await writeFileAtomic(join(folder, FILE), `${JSON.stringify(result, null, 2)}\n`).catch((error) => {
      throw new CheckpointError(`${join(folder, FILE)} cannot be written: ${reasonOf(error)}.`)
    })
    context.note(`${row.id} was made in ${((performance.now() - began) / 1000).toFixed(1)} s.`)
    return result
  } finally {
    await lock.release()
  }
}

/** Of the training rows, and of what they are told. */
const sha256Of = ({ config }: PlannedRow, { data }: RowContext): string =>
  rowsSha256(data.train, conditionedData(data, config)?.given ?? null)

/** What the model of a row is told; null: nothing. */
function conditionOf({ config, teacher }: PlannedRow, { data }: RowContext): Condition | null {
  const condition = conditionedData(data, teacher?.config ?? config)?.condition ?? null
  return teacher ? studentCondition(condition, config) : condition
}

async function trainAndMeasure(row: PlannedRow, folder: string, context: RowContext): Promise<RowResult> {
  const { config } = row
  const { device, data, quality, settings, signal } = context
  const network = fittedNetwork(config, data.train.shape.slice(1), conditionOf(row, context))
  const { stepFlops } = estimateRun(network, config, { count: data.train.shape[0], pixels: false }, null)
  const steps = config.train.steps.reduce((sum, count) => sum + count, 0)
  const { info } = device
  const known = {
    trainedWith: trainedWith(row),
    measuredWith: measuredWith(row, settings),
    dataSha256: sha256Of(row, context),
    parameters: { each: network.parameterCount, networks: networksOf(config) },
    steps,
    batch: config.train.batch,
    quality: { name: quality.name, samples: quality.samples, rows: quality.rows },
    machine: [info.name, info.cpuTarget, info.threads && `${info.threads} threads`].filter(Boolean).join(', '),
    date: new Date().toISOString(),
  }
  const costs = (timings: Timings) => ({
    teraflop: {
      training: (timings.stepsTaken * stepFlops) / 1e12,
      push: (timings.pushRowEvaluations * network.rowFlops) / 1e12,
    },
    seconds: { training: timings.seconds, push: timings.pushSeconds },
  })
  const session = new RowSession(row, folder, context)
  try {
    const flow = await session.trained(known.dataSha256)
    const began = performance.now()
    try {
      const floor = await quality.floor()
      const likelihood = await likelihoodOf(flow, config.ode.evaluate, context)
      const samples = await samplesOf(flow, row, context)
      const { teraflop, seconds } = costs(session.timings)
      const measuring = (performance.now() - began) / 1000
      return { ...known, teraflop, seconds: { ...seconds, measuring }, failed: null, floor, likelihood, samples }
    } finally {
      await flow.dispose()
    }
  } catch (error) {
    if (!(error instanceof TrainingError) || signal?.aborted) throw error
    const floor = await quality.floor()
    return { ...known, ...costs(session.timings), failed: error.message, floor, likelihood: null, samples: [] }
  }
}

/** The training of a row, from its last checkpoint where there is one. */
class RowSession {
  timings: Timings = noTimings

  constructor(
    private readonly row: PlannedRow,
    private readonly folder: string,
    private readonly context: RowContext,
  ) {}

  async trained(dataSha256: string): Promise<LocalFlow> {
    const { row, folder, context } = this
    const { config, raw, method } = row
    const { device, data, signal, onProgress } = context
    const begun = await access(join(folder, manifestName)).then(
      () => true,
      () => false,
    )
    const manifest = begun ? await findRun(folder, { resume: true }) : null
    const run = manifest && (await openRun(folder, manifest))
    if (run) checkSameRows(folder, run.extra.dataSha256, dataSha256)
    const start = run && (await readState(run))
    this.timings = start?.timings ?? noTimings
    if (run && manifest.progress.phase === 'done') return new LocalFlow(await readFlow(run), device)
    const teacher = row.teacher && (await this.teacherOf(row.teacher))
    if (run && teacher && run.extra.teacherSha256 !== teacher.sha256) {
      throw new CheckpointError(
        `${folder} was distilled from another model than there is now in ${join(context.folder, row.teacher!.id)}. Remove it, or ` +
          'compare into another folder.',
      )
    }
    const [, ...rowShape] = data.train.shape
    const condition = conditionOf(row, context)
    const identity: RunIdentity = {
      created: manifest?.created ?? new Date().toISOString(),
      raw,
      options: config,
      rowShape,
      rowKind: data.rowKind,
      scaler: data.scaler,
      columns: data.columns,
      encoding: data.table?.encoding ?? null,
      condition,
      configPath: method.path,
      dataSha256,
      teacherSha256: teacher?.sha256 ?? null,
      device: device.info,
    }
    const writer = new RunWriter(folder, identity, fittedNetwork(config, rowShape, condition), manifest)
    const log = new LossLog(config.train.steps, start?.losses)
    const validation = new ValidationLog(config.train.steps.length, start?.validation)
    const before = this.timings
    const variants = start?.variants ?? {}
    const hooks: TrainFlowHooks = {
      signal,
      flips: data.flips,
      rowKind: data.rowKind,
      start: start?.chain ?? null,
      onProgress,
      // methods are held against each other by samples; a loss along the training only stops it
      validation: config.train.patience > 0 ? data.validation : null,
      onLosses: (fit, first, losses) => log.add(fit, first, losses),
      onValidation: (fit, { step, loss }) => validation.add(fit, step, loss),
      onCheckpoint: async (chain: RecipeState, spent) => {
        this.timings = addTimings(before, spent)
        const chosen = { ...variants, [device.kind]: mergeVariants(variants[device.kind] ?? {}, spent.variants) }
        await writer.write({
          chain,
          losses: log.until(chain),
          validation: validation.until(chain),
          timings: this.timings,
          variants: chosen,
        })
      },
    }
    const { parts } = teacher
      ? await distillFlow(device, teacher.contents, config, raw, {
          ...hooks,
          told: toldByData(teacher.contents.condition ?? null, data),
        })
      : await trainFlow(device, data.train, data.scaler, config, raw, {
          ...hooks,
          encoding: data.table?.encoding,
          conditioned: conditionedData(data, config),
        })
    return new LocalFlow(parts, device)
  }

  /** Throws TrainingError where the teacher has not been trained to its end. */
  private async teacherOf({ id }: PlannedRow): Promise<{ contents: FlowContents; sha256: string }> {
    const path = join(this.context.folder, id)
    const run = await openRun(path)
    if (run.manifest.progress.phase !== 'done') {
      throw new TrainingError(`The teacher, ${id}, was not trained to its end, so there are no students of it.`)
    }
    return { contents: await readFlow(run), sha256: teacherSha256(run) }
  }
}

const mean = (values: ArrayLike<number>): number => {
  let sum = 0
  for (let i = 0; i < values.length; i++) sum += values[i]
  return sum / values.length
}

/** Of points; null of pictures, whose likelihood costs far more than all that is compared. */
async function likelihoodOf(
  flow: LocalFlow,
  // of the method as it is compared now: the run keeps what it was trained with
  { trace, probes, ...solver }: ResolvedConfig['ode']['evaluate'],
  { data, settings, signal, onMeasure }: RowContext,
): Promise<RowLikelihood | null> {
  if (data.rowKind === 'pictures' || settings.likelihood === 0 || !flow.isFlow) return null
  onMeasure?.('likelihood')
  const test = data.test!
  const n = Math.min(settings.likelihood, test.shape[0])
  const x = takeRows(
    test,
    Uint32Array.from({ length: n }, (_, i) => i),
    0,
    n,
  )
  const told = toldOf(flow.condition, data, 'test')
  const scores = await flow.logProb(x, { ...told(n), signal, solver, trace, probes })
  const evaluations = flow.evaluations!.mean
  const nll = -mean(scores)
  const finite = (value: number | null): number | null => (value !== null && Number.isFinite(value) ? value : null)
  const few = Math.min(CHECKED_ROWS, n)
  const D = x.values.length / n
  const finer = await flow.logProb(
    { values: x.values.subarray(0, few * D), shape: [few, ...x.shape.slice(1)] },
    { ...told(few), signal, solver: harder(solver), trace, probes },
  )
  return {
    rows: n,
    nll: finite(nll),
    kl: finite(data.density && nll + mean(data.density.logDensity(Float32Array.from(x.values)))),
    evaluations,
    solverChange: mean(scores.subarray(0, few)) - mean(finer),
  }
}

/** Samples in every way at every number of evaluations, all from the same noise. */
async function samplesOf(flow: LocalFlow, { method }: PlannedRow, context: RowContext): Promise<RowSamples[]> {
  const { settings, signal, onMeasure } = context
  const ways = waysOf(method.solvers)
  const found: RowSamples[] = []
  if (!flow.isFlow) return jumpsOf(flow, context)
  for (const allowed of settings.evaluations) {
    for (const way of waysThrough(flow, ways, allowed)) {
      signal?.throwIfAborted()
      onMeasure?.(`${allowed} evaluations, ${way.name}`)
      const solver = { ...way.settings, evaluations: allowed }
      const { validation = null, test = null } = await distancesOf(flow, { solver }, context)
      found.push({ way: way.name, allowed, evaluations: flow.evaluations!.mean, validation, test })
    }
  }
  return found
}

/** How far samples are from each part; of a conditional model those of what the part's rows are told. */
async function distancesOf(
  flow: LocalFlow,
  how: Pick<SampleOptions, 'solver' | 'evaluations'>,
  { data, quality, signal }: RowContext,
): Promise<Awaited<ReturnType<Quality['distances']>>> {
  const { samples: n } = quality
  if (!flow.condition) return quality.distances(await flow.sample(n, { ...how, signal }))
  const found: Awaited<ReturnType<Quality['distances']>>[] = []
  for (const part of ['validation', 'test'] as const) {
    const told = toldOf(flow.condition, data, part)(n)
    found.push(await quality.distances(await flow.sample(n, { ...how, ...told, signal }), part))
  }
  return Object.assign({}, ...found)
}

/** Samples of a model that is no flow: an average velocity takes all evaluations that are allowed, maps one each. */
async function jumpsOf(flow: LocalFlow, context: RowContext): Promise<RowSamples[]> {
  const { settings, signal, onMeasure } = context
  const any = flow.stages[0].jump!.kind === 'average'
  const found: RowSamples[] = []
  for (const allowed of settings.evaluations) {
    const evaluations = any ? allowed : flow.stages.length
    if (evaluations > allowed) continue
    const known = found.find((one) => one.evaluations === evaluations)
    if (known) {
      found.push({ ...known, allowed })
      continue
    }
    signal?.throwIfAborted()
    onMeasure?.(`${evaluations} evaluations`)
    const { validation = null, test = null } = await distancesOf(flow, { evaluations }, context)
    found.push({ way: any ? 'jumps' : 'maps', allowed, evaluations, validation, test })
  }
  return found
}
