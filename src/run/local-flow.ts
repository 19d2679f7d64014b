/**
 * A trained Local Flow: the public interface of the method. Training returns one, a run folder holds one; sampling, scoring
 * and the like are the model's (src/model/flow.ts).
 */

import { existsSync } from 'node:fs'
import { dirname, resolve } from 'node:path'
import { type ResolvedOptions, resolveOptions, type TrainOptions } from '../config/index.js'
import type { RowKind } from '../data/kinds.js'
import { type RowsLike, rowsOf } from '../data/rows.js'
import type { Standardise } from '../data/scaler.js'
import type { LoadedData } from '../data/source.js'
import { comeInTime, type RowsInTime } from '../data/spool.js'
import { type Encoding, openEncoding } from '../data/tables/encoding.js'
import { holedTable } from '../data/tables/holes.js'
import { isListOfMixedRows, type MixedInTime } from '../data/tables/mixed-rows.js'
import { checkTable, type Table } from '../data/tables/table.js'
import { beside, checkTold } from '../data/tables/told.js'
import type { Device, DeviceKind } from '../device/device.js'
import { openDevice } from '../device/node/select.js'
import { InvalidArgumentError, invalid } from '../errors.js'
import type { ExportOptions, ModelFacts } from '../export/exporter.js'
import type { ExportForm } from '../export/registry.js'
import { type WrittenExport, writeExport } from '../export/write.js'
import type { LogProbOptions, SampleOptions } from '../model/call-options.js'
import type { ConditionOptions } from '../model/condition.js'
import { Flow } from '../model/flow.js'
import { overridden } from '../ode/solver.js'
import type { TrainedNetwork } from '../recipes/recipe.js'
import type { Progress } from '../recipes/run-recipe.js'
import { trainAsCalled } from './calls.js'
import { type DistillRequest, studentOptions, toldStudents } from './distilling.js'
import { exportedModel, factsOf, isExported, readExported } from './exporting.js'
import { type FlowContents, flowModel } from './flow-contents.js'
import { dataInTime, givenData, type OfParts } from './given-rows.js'
import { type Likelihood, likelihoodOf } from './likelihood.js'
import { openRun, readFlow, saveFlow } from './run.js'
import { distillFlow } from './training.js'
import type { TrainingCalls, TrainingRecord } from './training-calls.js'

export type { WrittenExport } from '../export/write.js'
export type {
  CarryOptions,
  Latents,
  LogProbOptions,
  SampleBlocksOptions,
  SampleOptions,
  Samples,
  TrajectoryOptions,
} from '../model/call-options.js'
export type { Condition, ConditionOptions } from '../model/condition.js'
export type { BoundOptions } from '../model/row-bounds.js'
export type { Progress } from '../recipes/run-recipe.js'
export type { Likelihood } from './likelihood.js'
export type {
  Checkpoint,
  TrainingCalls,
  TrainingRecord,
  ValidationCurve,
  ValidationLoss,
} from './training-calls.js'

/** Settings of `LocalFlow.train`; everything but the data may be left out (see docs/configuration.md). */
export interface TrainArguments extends TrainOptions, TrainingCalls {
  /**
   * Columns that the model is told of each row, [n, C], in any unit, or a table of mixed columns of as many rows; of validation and test rows too, where these are given:
   * { train, validation, test }. Samples are then of given conditions (docs/conditional.md)
   */
  cond?: OfParts<RowsLike | Table>
  /**
   * of a table: names of the columns that the model is told and does not make; validation and test tables have them too. Samples
   * are then of given ones: `flow.sampleTable(100, { cond: { colour: 'red' } })`
   */
  condition?: readonly string[]
  /** class of each row, a whole number from 0, in place of cond; of the parts as cond */
  labels?: OfParts<ArrayLike<number>>
  /** mirror pictures left to right at random in the first sub-flow; what is pushed keeps one orientation. Default false */
  flips?: boolean
  /** names of the columns, or their number; a flat list of numbers needs it */
  columns?: readonly string[] | number
  /**
   * Learn each column with mean 0 and standard deviation 1 of the rows (true), so that it goes from −1 to 1 ('range'), by a scaler
   * of the caller's, or as it is (false); of sequences [n, steps, channels] each channel. Samples, likelihoods and what is scored are in the units of the data either way. Default: true for rows of columns
   * [n, d]; false for pictures and other rows of more than one dimension; of loaded data, what they say
   */
  standardise?: Standardise
  /** what a row is. Default: pictures where rows are [C, H, W] of one or three channels, else points */
  rowKind?: RowKind
  /** rows that are not learnt from: their loss is measured along the training. Default: none, or those of the loaded data */
  validation?: RowsLike | Table
  /** rows that nothing is chosen by, for the report. Default: none, or those of the loaded data */
  test?: RowsLike | Table
  /**
   * What a training on rows from an iterable may take of the machine's memory, as '2 GB' or '512 MiB'; rows that need more are learnt
   * from window by window, out of a file beside `out` (without it in the system's folder for what is temporary). Default: half of it
   */
  memory?: string
}

/**
 * Actions, and what was seen before each of them: what a policy learns from (docs/policies.md). Settings may stand beside them, or be
 * given as those of other rows.
 */
export interface Demonstrations extends TrainArguments {
  /**
   * chunks of actions, [n, D] or [n, steps, channels], in any unit: each column, or each channel, is learnt from −1 to 1 (`standardise:
   * 'range'`) where nothing else is said
   */
  actions: RowsLike
  /** what was seen before each chunk, [n, C] in any unit, or a table of mixed columns of n rows; of the parts as `validation` and `test` are */
  cond: NonNullable<TrainArguments['cond']>
}

const areDemonstrations = (given: object): given is Demonstrations => 'actions' in given

/** The rows of demonstrations, and all that is said of them. */
function policyRows(given: Demonstrations, beside: TrainArguments): { rows: RowsLike; settings: TrainArguments } {
  const { actions, ...own } = given
  const twice = Object.keys(own).find((key) => Object.hasOwn(beside, key))
  if (twice) throw invalid(twice, 'said once, beside actions or in the settings', 'said in both')
  const settings: TrainArguments = { standardise: 'range', ...own, ...beside }
  if (settings.cond === undefined) {
    throw invalid('cond', 'what was seen before each chunk of actions, a row each', settings.cond)
  }
  return { rows: actions, settings }
}

/** How holes are filled. */
export interface ImputeOptions extends Omit<SampleOptions, 'first' | 'guidance'> {
  /** how many times all holes are filled, each time with other draws; default 1 */
  draws?: number
  /** what messages call the table; default 'given' */
  name?: string
}

/** How a flow is written for use elsewhere. */
export interface ExportArguments extends ExportOptions {
  /** the form: 'onnx', 'pytorch' or 'hf' */
  to: ExportForm
  /** a folder that is not there yet */
  out: string
}

/** Settings of `flow.distill`. */
export interface DistillArguments extends DistillRequest {
  /**
   * of a conditional model: columns that it is told while students learn, a row each, as often as they shall come; those of the training
   * rows, say
   */
  cond?: RowsLike
  /** the same of classes; default: each as often as any other */
  labels?: ArrayLike<number>
  /** aborting rejects with signal.reason */
  signal?: AbortSignal
  /** called about four times a second while steps are taken */
  onProgress?: (progress: Progress) => void
}

/** Where rows go that are more than memory holds: on the disk that a run folder is, or will be on. */
function folderFor(out: string): string | undefined {
  const beside = dirname(resolve(out))
  return existsSync(beside) ? beside : undefined
}

const openDeviceOf = ({ device: { kind, variants, fast } }: ResolvedOptions): Promise<Device> =>
  openDevice(kind, { variants, fast })

async function readRun(folder: string): Promise<FlowContents> {
  const run = await openRun(folder)
  return { ...(await readFlow(run)), facts: factsOf(run.extra) }
}

/**
 * A trained Local Flow. `LocalFlow.train` makes one from rows, `LocalFlow.load` reads one from a run folder; `sample`,
 * `logProb`, `encode`, `decode` and `trajectory` carry rows between data and noise; `save` writes a run folder. It holds a
 * device's memory until `dispose`, or the end of an `await using`.
 */
export class LocalFlow extends Flow {
  /** the options with every default filled in */
  readonly options: ResolvedOptions
  /** the options as they were written */
  readonly raw: object
  /** the trained networks, from the data's side to the noise's */
  readonly subFlows: readonly TrainedNetwork[]
  /** the one network of all sub-flows (`flow.recipe: shared`), of which those above are made; null where each has its own */
  readonly fitted: readonly TrainedNetwork[] | null
  /** what a row is */
  readonly rowKind: RowKind
  /** of a table of mixed columns, how its rows are numbers; null where rows are what they are */
  readonly encoding: Encoding | null
  /** what is known of it beside the model, for who exports it */
  readonly facts: ModelFacts | undefined

  /** what its training left behind; null for a flow that was read from a folder */
  readonly training: TrainingRecord | null

  /**
   * From parts, on a device of the caller's; without one, a device is opened when it is first needed.
   * @param training of a flow that was trained just now: the device is the flow's
   */
  constructor(contents: FlowContents, device: Device | null = null, training: TrainingRecord | null = null) {
    const { options, raw, rowKind, encoding, subFlows, fitted = null, facts } = contents
    super(flowModel(contents), device, () => openDeviceOf(options))
    this.options = options
    this.raw = raw
    this.subFlows = subFlows
    this.fitted = fitted
    this.rowKind = rowKind
    this.encoding = encoding ?? null
    this.facts = facts
    this.training = training
    if (training) this.ownsDevice = true
  }

  /** names of the columns; null where there are none */
  get columns(): readonly string[] | null {
    return this.facts?.columns ?? null
  }

  /**
   * Trains a Local Flow (Xu, Cheng and Xie 2024) on rows of data.
   *
   * @param given rows in any unit (see standardise): { values, shape: [n, …dims] }, a list of rows, a flat list with `columns`, a
   *   table of mixed columns (`data.readMixedTable`), or what `data.loadData` gave. Bytes in rows of more than one dimension are pixels b, learnt as (b − 127.5)/127.5; samples
   *   of them lie in [−1, 1] too. Columns for which float32 is too coarse are standardised before they are rounded to it. Rows
   *   are copied when this is called, as arrays are everywhere in this class: the caller may change them afterwards. Rows of columns
   *   may come in time, from an (async) iterable of rows or of blocks of rows, and so may those of a table, as objects of numbers, texts,
   *   booleans, dates and null; where they take more than `memory` they are learnt from out of a file (docs/scale.md). Of a policy
   *   `{ actions, cond }`, with settings beside these or as `settings`
   * @throws ConfigError for options, DataError for values that are not finite and for constant columns, CheckpointError for
   *   the folder, TrainingError where the loss is not finite
   */
  static async train(
    given: RowsLike | RowsInTime | MixedInTime | Table | LoadedData | Demonstrations,
    settings: TrainArguments = {},
  ): Promise<LocalFlow> {
    if (typeof given === 'object' && given !== null && areDemonstrations(given)) {
      const policy = policyRows(given, settings)
      return LocalFlow.train(policy.rows, policy.settings)
    }
    const { cond, condition, labels, columns, standardise, flips, rowKind, validation, test, memory, ...others } =
      settings
    const { out, tensorboard, resume, force, signal, onProgress, onValidation, onCheckpoint, onWarning, ...said } =
      others
    const rest = labels === undefined ? said : { ...said, model: { ...said.model, classes: true } }
    const options = resolveOptions(rest)
    const about = { columns, standardise, flips, rowKind, validation, test, cond, condition, labels }
    const comes = comeInTime(given) || isListOfMixedRows(given)
    if (memory !== undefined && !comes) {
      throw invalid(
        'memory',
        'left out: it is for rows that come from an iterable; these are in memory already',
        memory,
      )
    }
    const inTime = comes
      ? await dataInTime(given, about, { seed: options.seed, memory, folder: out && folderFor(out), signal })
      : null
    try {
      const data =
        inTime?.data ?? givenData(given as Exclude<typeof given, RowsInTime | MixedInTime>, about, options.seed)
      const { contents, device, training } = await trainAsCalled(
        {
          raw: structuredClone(rest),
          options,
          load: async () => data,
          data: null,
          configPath: null,
        },
        { out, tensorboard, resume, force, signal, onProgress, onValidation, onCheckpoint, onWarning },
      )
      return new LocalFlow(contents, device, training)
    } finally {
      await inTime?.close()
    }
  }

  /**
   * Negative log-likelihood of rows, and how well the solver computes it.
   *
   * @param x as in `logProb`; pixels are dequantised by the flow's seed
   */
  async evaluate(x: RowsLike, options: LogProbOptions = {}): Promise<Likelihood> {
    const { solver, steps, evaluations, clock, ...others } = options
    const { signal, trace, probes, cond, class: label, guidance } = others
    const configured = this.options.ode.evaluate
    const settings = { ...configured, ...overridden(configured, { solver, steps, evaluations, clock }) }
    return likelihoodOf(this, settings, rowsOf('x', x, this.rowShape), null, {
      ...{ signal, trace, probes, cond, guidance },
      class: label,
    })
  }

  /**
   * n rows of the table of mixed columns that the model was trained on: the same columns, kinds and formats (docs/tables.md).
   *
   * @throws InvalidArgumentError of a model of other rows
   */
  async sampleTable(n: number, options: SampleOptions = {}): Promise<Table> {
    if (!this.encoding) {
      throw new InvalidArgumentError(
        'The model was not trained on a table of mixed columns; flow.sample draws its rows.',
      )
    }
    const { values } = await this.sample(n, options)
    return openEncoding(this.encoding).decode(values, options.seed ?? this.settings.seed, options.first)
  }

  /**
   * Fills the holes of a table (NaN, or -1 in a column of levels) with values that are drawn given those that are there. For a model
   * that was trained on a table with `train: { objective: 'variational', masks: true }` (docs/tables.md).
   *
   * @param given the model's columns in any order; those that it lacks are holes in every row. Of a model that is told columns of the
   *   table, these too, without holes that training did not have, unless `cond` says them
   * @param options `draws`: how many times all holes are filled, each time anew, for intervals; default 1
   * @returns a table for each draw, of all of the model's columns, and behind them those that it is told
   * @throws InvalidArgumentError of a model that has not learnt it, DataError for columns that the model does not make, levels that it
   *   has not seen, and where nothing is missing
   */
  async impute(given: Table, { draws = 1, name = 'given', ...options }: ImputeOptions = {}): Promise<Table[]> {
    if (!this.encoding) {
      throw new InvalidArgumentError(
        'The model was not trained on a table of mixed columns, whose holes it could fill.',
      )
    }
    if (!Number.isSafeInteger(draws) || draws < 1) throw invalid('draws', 'a whole number from 1 on', draws)
    checkTable(name, given)
    const seed = options.seed ?? this.settings.seed
    const { made, told, cond } = this.toldIn(given, name, options)
    const { rows, filled } = holedTable(this.encoding, made, name, seed)
    const tables: Table[] = []
    for (let draw = 0; draw < draws; draw++) {
      const first = draw * given.rows
      const { values } = await this.fill(rows, {
        ...options,
        cond,
        first,
        onProgress: (done) => options.onProgress?.(first + done),
      })
      const whole = filled(values as Float32Array, seed, first)
      tables.push(told ? beside(whole, told) : whole)
    }
    return tables
  }

  /** A table's columns that the model makes, and what it is told of the rows: by the call, or else by columns of the table. */
  private toldIn(
    given: Table,
    name: string,
    { cond }: ConditionOptions,
  ): { made: Table; told: Table | null; cond: ConditionOptions['cond'] } {
    const { condition } = this
    if (condition?.kind !== 'table') return { made: given, told: null, cond }
    const names = new Set(condition.encoding.columns.map((column) => column.name))
    const made = { rows: given.rows, columns: given.columns.filter((column) => !names.has(column.name)) }
    if (cond !== undefined) return { made, told: null, cond }
    const told = checkTold(condition.encoding, given, name)
    return { made, told, cond: told }
  }

  /**
   * Distils this model into students of one evaluation each (docs/distillation.md), on a device of their own; no data are needed.
   * @throws InvalidArgumentError and ConfigError for what cannot be distilled, TrainingError where the loss is not finite
   */
  async distill({ signal, onProgress, cond, labels, ...request }: DistillArguments): Promise<LocalFlow> {
    signal?.throwIfAborted()
    const raw = studentOptions(this, structuredClone(request))
    const options = resolveOptions(raw)
    const told = toldStudents(this.condition, { cond, class: labels })
    const device = await openDeviceOf(options)
    try {
      const { parts } = await distillFlow(device, this, options, raw, { told, signal, onProgress })
      signal?.throwIfAborted()
      const flow = new LocalFlow(parts, device)
      flow.ownsDevice = true
      return flow
    } catch (error) {
      await device.dispose()
      throw error
    }
  }

  /**
   * Writes the flow as a run folder that `LocalFlow.load` and the command line read.
   * @throws CheckpointError where the folder already holds a run (replace it by force: true) or cannot be written
   */
  async save(folder: string, { force = false }: { force?: boolean } = {}): Promise<void> {
    await saveFlow(this, this.deviceInfo, folder, force)
  }

  /**
   * Writes the flow as a folder for use elsewhere; see docs/export.md.
   * @throws InvalidArgumentError for a form that is not there, or a solver that the form cannot hold
   * @throws DataError where the folder is there already, or cannot be written
   * @throws LocalFlowError for a layer that the form has no counterpart of (named), and for a file that would be too large
   */
  async export({ to, out, ...options }: ExportArguments): Promise<WrittenExport> {
    return writeExport(exportedModel(this, this), to, out, options)
  }

  /**
   * Reads a finished run, or a model that was exported to pytorch or hf; its device is opened when it is first needed.
   * @param device default: the one in the run's config
   * @throws CheckpointError where there is no run, it is not finished, damaged, or of a newer version
   */
  static async load(folder: string, { device }: { device?: DeviceKind | 'auto' } = {}): Promise<LocalFlow> {
    const parts = (await isExported(folder)) ? await readExported(folder) : await readRun(folder)
    const { options } = parts
    const kind = device ?? options.device.kind
    return new LocalFlow({ ...parts, options: { ...options, device: { ...options.device, kind } } })
  }
}
