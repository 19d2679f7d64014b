/**
 * One session of training on an open device: from rows, or from a checkpoint, to the trained networks; into a run folder where
 * there is one, with checkpoints, losses, pictures and a report. `lfm train`, `run` and `LocalFlow.train` are faces of it
 * (train-run.ts).
 */

import type { RunManifest } from '../checkpoint/index.js'
import type { ResolvedOptions } from '../config/index.js'
import { type LoadedData, trainingRows } from '../data/source.js'
import { type Device, mergeVariants, type VariantsByDevice } from '../device/device.js'
import type { TrainingEstimate } from '../learn/estimate.js'
import { Flow } from '../model/flow.js'
import { describeModel } from '../networks/registry.js'
import { describeSolver, WITHOUT_SOLVER } from '../ode/solver.js'
import type { RecipeState, StoredData } from '../recipes/recipe.js'
import type { Progress, TrainedRecipe } from '../recipes/run-recipe.js'
import { fittedNetwork, recipeOf, recipeSettings } from '../recipes/settings.js'
import { drawBesideTeacher } from './beside-teacher.js'
import { type Conditioned, toldOf } from './conditioning.js'
import { type FlowContents, flowModel } from './flow-contents.js'
import { LossLog, ValidationLog } from './recording.js'
import {
  drawPictures,
  finalLosses,
  type LossHistory,
  leastLosses,
  type ReportFacts,
  removeReport,
  type ValidationHistory,
  validationLosses,
  writeLosses,
  writeReport,
  writeValidation,
} from './report.js'
import {
  addTimings,
  noTimings,
  packageVersion,
  progressOf,
  type RunIdentity,
  type RunState,
  RunWriter,
  type Timings,
} from './run.js'
import { openTeam } from './team/open.js'
import { distillFlow, type TrainFlowHooks, trainFlow } from './training.js'
import type { Checkpoint, ValidationLoss } from './training-calls.js'
import { TrainingEvents } from './training-events.js'

/** What a session is told while it goes on. */
export interface SessionHooks {
  readonly signal?: AbortSignal
  readonly onProgress?: (progress: Progress) => void
  /** what training takes, once the device is known to have it */
  readonly onEstimate?: (estimate: TrainingEstimate) => void
  /** a checkpoint has been reached, and written where there is a folder; training waits */
  readonly onCheckpoint?: (checkpoint: Checkpoint) => unknown
  /** a validation loss has been measured */
  readonly onValidation?: (validation: ValidationLoss) => void
  /** the last step was taken; pictures and the report come next, where there is a folder */
  readonly onTrained?: () => void
  /** rows carried for the pictures, of how many */
  readonly onDrawing?: (rows: number, of: number) => void
}

/** Where a session writes, and what its report says of it. */
export interface SessionFolder {
  readonly path: string
  /** a run that the folder holds is replaced by the first checkpoint */
  readonly force: boolean
  readonly title: string
  /** commands, or a program's calls, that make the run again */
  readonly reproduce: readonly string[]
  /** the config, as text */
  readonly config: string
  /** why no pictures can be drawn; null where they can */
  readonly undrawn: string | null
}

/** The run that students learn from. */
export interface SessionTeacher {
  readonly folder: string
  readonly contents: FlowContents
  /** conditions that it is told, [M, C] as its networks take them; null: none */
  readonly told: Float32Array | null
}

/** What a session has made. */
export interface SessionResult {
  readonly contents: FlowContents
  readonly trained: TrainedRecipe
  readonly losses: LossHistory
  readonly validation: ValidationHistory
  /** of all sessions of the run */
  readonly timings: Timings
  /** path of the report; null without a folder */
  readonly report: string | null
}

export class Session {
  private readonly log: LossLog
  private readonly validation: ValidationLog
  private readonly before: Timings
  private readonly options: ResolvedOptions
  private writer: RunWriter | null = null
  /** the last checkpoint that this session wrote */
  saved: RunManifest | null = null

  constructor(
    private readonly device: Device,
    private readonly data: LoadedData,
    /** null: the model is learnt from the data */
    private readonly teacher: SessionTeacher | null,
    /** conditions of the rows; null: none */
    private readonly conditioned: Conditioned | null,
    /** training rows that are larger than memory; null: the data have all of them */
    private readonly stored: StoredData | null,
    private readonly identity: RunIdentity,
    private readonly folder: SessionFolder | null,
    /** the checkpoint that is gone on from */
    private readonly resumed: RunManifest | null,
    private readonly start: RunState | null,
    private readonly hooks: SessionHooks,
    /** a folder for TensorBoard's events; null: none */
    private readonly tensorboard: string | null,
  ) {
    this.options = identity.options
    const { steps } = this.options.train
    this.log = new LossLog(steps, start?.losses)
    this.validation = new ValidationLog(steps.length, start?.validation)
    this.before = start?.timings ?? noTimings
  }

  async run(): Promise<SessionResult> {
    const { options, data, device, start, hooks, folder } = this
    const { fits } = recipeOf(options).plan(recipeSettings(options))
    const events = this.tensorboard ? new TrainingEvents(this.tensorboard, fits, options.train.logEvery) : null
    let latest: RecipeState | null = null
    let timings = this.before
    const { raw } = this.identity
    const training: TrainFlowHooks = {
      signal: hooks.signal,
      flips: data.flips,
      rowKind: data.rowKind,
      onEstimate: hooks.onEstimate,
      start: start?.chain ?? null,
      onProgress: hooks.onProgress,
      validation: data.validation,
      conditioned: this.conditioned,
      stored: this.stored,
      onLosses: (subFlow, first, losses) => {
        this.log.add(subFlow, first, losses)
        events?.losses(subFlow, first, losses)
      },
      onValidation: (subFlow, measured) => {
        this.validation.add(subFlow, measured.step, measured.loss)
        events?.validation(subFlow, measured.step, measured.loss)
        hooks.onValidation?.({ subFlow, ...measured })
      },
      onCheckpoint: async (state, spent) => {
        latest = state
        timings = addTimings(this.before, spent)
        if (folder) {
          const variants = this.variants(spent)
          const validation = this.validation.until(state)
          await this.write(folder, { chain: state, losses: this.log.until(state), validation, timings, variants })
        }
        await hooks.onCheckpoint?.({ out: folder?.path ?? null, ...progressOf(state, options.train) })
      },
    }
    const { parts, trained } = this.teacher
      ? await distillFlow(device, this.teacher.contents, options, raw, { ...training, told: this.teacher.told })
      : await this.trainTogether(raw, { ...training, encoding: this.identity.encoding })
    hooks.onTrained?.()
    const description = `${data.description}, ${trainingRows(data)} rows`
    const { encoding } = this.identity
    const contents = { ...parts, encoding, facts: { columns: data.columns, data: description, metrics: [] } }
    timings = addTimings(this.before, trained)
    const state: RecipeState = latest ?? start!.chain
    const losses = this.log.until(state)
    const validation = this.validation.until(state)
    if (!folder) return { contents, trained, losses, validation, timings, report: null }
    const evaluation = latest ? undefined : start?.evaluation
    const facts = await this.report(folder, contents, trained, timings, { losses, validation })
    const variants = this.variants(trained)
    await this.write(folder, { chain: state, losses, validation, timings, variants, report: facts, evaluation })
    return { contents, trained, losses, validation, timings, report: await writeReport(folder.path, facts) }
  }

  /** Trains on data, with the other processes that the options ask for. */
  private async trainTogether(raw: object, hooks: TrainFlowHooks): ReturnType<typeof trainFlow> {
    const { options, data, device, conditioned } = this
    const { workers = 1 } = options.device
    if (workers === 1) return trainFlow(device, data.train, data.scaler, options, raw, hooks)
    const training = {
      x: data.train,
      scaler: data.scaler,
      options,
      raw,
      flips: data.flips,
      rowKind: data.rowKind,
      start: hooks.start ?? null,
      validation: data.validation,
      conditioned,
      encoding: hooks.encoding ?? null,
      remembered: this.resumed?.variants,
    }
    const { team, close } = await openTeam(workers, training, device)
    try {
      return await trainFlow(device, data.train, data.scaler, options, raw, { ...hooks, team })
    } finally {
      await close()
    }
  }

  /** Writes a checkpoint and the losses up to it. The first one of a new run takes the place of a run that is replaced. */
  private async write({ path, force }: SessionFolder, state: RunState): Promise<void> {
    const first = this.writer === null && this.resumed === null
    const network = fittedNetwork(this.options, this.data.train.shape.slice(1), this.identity.condition)
    this.writer ??= new RunWriter(path, this.identity, network, this.resumed, force)
    this.saved = await this.writer.write(state)
    if (first) await removeReport(path)
    await writeLosses(path, state.losses, this.options.train.logEvery)
    await writeValidation(path, state.validation)
  }

  /** Those of earlier sessions, where this one did not force others, and its own. */
  private variants(spent: Pick<TrainedRecipe, 'variants'>): VariantsByDevice {
    const forced = this.options.device.variants
    const { kind } = this.device
    const stored = this.start?.variants ?? {}
    const before = Object.entries(stored[kind] ?? {}).filter(([name]) => forced[name] === undefined)
    return { ...stored, [kind]: mergeVariants(Object.fromEntries(before), spent.variants) }
  }

  /** Samples of the teacher beside those of its students; null without one. */
  private async besideTeacher({ path }: SessionFolder, flow: Flow): Promise<ReportFacts['teacher']> {
    const { teacher, device, data, options, hooks } = this
    if (!teacher || !options.distill) return null
    const model = new Flow(flowModel(teacher.contents), device, async () => device)
    try {
      const { rowKind } = teacher.contents
      const shown = await drawBesideTeacher(path, flow, model, data.train, {
        rowKind,
        told: toldOf(flow.condition, data, 'train'),
        guidance: options.distill.guidance,
        signal: hooks.signal,
      })
      return { folder: teacher.folder, kind: options.distill.kind, ...shown }
    } finally {
      await model.dispose()
    }
  }

  private async report(
    folder: SessionFolder,
    contents: FlowContents,
    chain: TrainedRecipe,
    timings: Timings,
    { losses, validation }: Pick<SessionResult, 'losses' | 'validation'>,
  ): Promise<ReportFacts> {
    const { options, data, device, identity, hooks } = this
    const { fits, told } = recipeOf(options).plan(recipeSettings(options))
    const scales = chain.networks.map(({ outputScale }) => outputScale)
    const least = leastLosses(fits, scales, principalVariances(data))
    const shown = {
      draw: folder.undrawn === null,
      rowKind: data.rowKind,
      columns: data.columns,
      told: toldOf(contents.condition ?? null, data, 'train'),
      signal: hooks.signal,
      onProgress: hooks.onDrawing,
    }
    const flow = new Flow(flowModel(contents), device, async () => device)
    const drawn = await drawPictures(folder.path, flow, fits, data.train, losses, validation, least, shown)
    const beside = shown.draw ? await this.besideTeacher(folder, flow) : null
    await flow.dispose()
    const { evaluations } = drawn
    const final = finalLosses(losses)
    const validated = validationLosses(validation, options.train.patience > 0)
    const { info } = device
    const rows = (part: { shape: readonly number[] } | null): number => part?.shape[0] ?? 0
    const remarks = [...data.remarks, ...(identity.changes ?? [])]
    if (this.resumed) remarks.push('The run was interrupted and resumed.')
    if (chain.skipped > 0) remarks.push(`${chain.skipped} steps with a gradient that was not finite were skipped.`)
    if (info.type === 'software') remarks.push('The WebGPU adapter is a software one.')
    if (folder.undrawn) remarks.push(`There are no pictures: ${folder.undrawn}`)
    // parameters of a run that was done before are those that were evaluated
    const kept = chain.stepsTaken === 0 ? this.start?.report : undefined
    return {
      title: folder.title,
      date: new Date().toISOString(),
      runFolder: folder.path,
      device: { kind: info.kind, adapter: info.name, cpuTarget: info.cpuTarget },
      data: {
        description: data.description,
        dimensions: flow.field.dimension,
        pictures: contents.rowKind === 'pictures',
        ...(data.table && { mixed: true }),
        train: trainingRows(data),
        validation: rows(data.validation),
        test: rows(data.test),
      },
      model: describeModel(options.model),
      subFlows: fits.map(({ settings, kind, note }, i) => ({
        gamma: kind?.gamma ?? null,
        note,
        interpolant: options.distill
          ? flow.isFlow
            ? 'linear'
            : '–'
          : told
            ? [...new Set(options.flow.interpolant)].join(', ')
            : options.flow.interpolant[i],
        steps: losses[i].length || settings.steps,
        parameters: fittedNetwork(options, contents.rowShape, contents.condition).parameterCount,
        finalLoss: final[i],
        excessLoss: least[i] === null || final[i] === null ? null : final[i] - least[i],
        validationLoss: validated[i],
      })),
      batch: options.train.batch,
      seed: options.seed,
      trainSeconds: timings.seconds,
      pushSeconds: timings.pushSeconds,
      stepMs: stepMs(chain, timings),
      sampling: {
        solver: flow.isFlow ? describeSolver(options.ode.sample) : WITHOUT_SOLVER,
        nfe: evaluations.mean,
        nfeMax: evaluations.max === evaluations.mean ? null : evaluations.max,
        n: drawn.n,
      },
      columns: drawn.columns,
      teacher: beside,
      evaluation: kept?.evaluation ?? null,
      quality: kept?.quality ?? null,
      curve: kept?.curve ?? null,
      table: kept?.table ?? null,
      remarks,
      config: folder.config,
      versions: { 'local-flow-matching': packageVersion, 'Node.js': process.version },
      reproduce: [...folder.reproduce],
    }
  }
}

/** Milliseconds of a training step, of this session where it took any. */
export const stepMs = (chain: TrainedRecipe, timings: Timings): number => {
  const { seconds, stepsTaken } = chain.stepsTaken > 0 ? chain : timings
  return stepsTaken > 0 ? (1000 * seconds) / stepsTaken : 0
}

/** Variances along the principal axes where the data are known to be Gaussian and unscaled; else null. */
function principalVariances(data: LoadedData): number[] | null {
  return data.scaler === null ? (data.density?.principalVariances?.() ?? null) : null
}
