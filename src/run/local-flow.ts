/**
 * A trained Local Flow: the public interface of the method. Training returns one, a run folder holds one; sampling, scoring
 * and the like are the model's (src/model/flow.ts).
 */

import { type ResolvedOptions, resolveOptions, type TrainOptions } from '../config/index.js'
import type { RowKind } from '../data/kinds.js'
import { narrowed, scaleRemarks } from '../data/precision.js'
import { type RowsLike, rowsOf } from '../data/rows.js'
import { type Scaler, scalerOf } from '../data/scaler.js'
import type { Tensor } from '../data/tensor.js'
import type { Device, DeviceKind } from '../device/device.js'
import { openDevice, warnOnStderr } from '../device/node/select.js'
import { InvalidArgumentError, show } from '../errors.js'
import type { ExportOptions, ModelFacts } from '../export/exporter.js'
import type { ExportForm } from '../export/registry.js'
import { type WrittenExport, writeExport } from '../export/write.js'
import { Flow, refuseCondition } from '../model/flow.js'
import { networkFor } from '../networks/registry.js'
import type { TrainedNetwork } from '../recipes/recipe.js'
import type { Progress } from '../recipes/run-recipe.js'
import { stagesOf } from '../recipes/settings.js'
import { type DistillRequest, studentOptions } from './distilling.js'
import { exportedModel, factsOf, isExported, readExported } from './exporting.js'
import type { FlowContents } from './flow-contents.js'
import { openRun, readFlow, saveFlow } from './run.js'
import { distillFlow, trainFlow } from './training.js'

export type { WrittenExport } from '../export/write.js'
export type {
  CarryOptions,
  LogProbOptions,
  SampleOptions,
  Samples,
  TrajectoryOptions,
} from '../model/flow.js'
export type { Progress } from '../recipes/run-recipe.js'

/** Settings of `LocalFlow.train`; everything but the data may be left out (see docs/configuration.md). */
export interface TrainArguments extends TrainOptions {
  /** { values, shape: [n, C] }; refused until a model uses it */
  cond?: Tensor
  /** mirror pictures left to right at random in the first sub-flow; what is pushed keeps one orientation. Default false */
  flips?: boolean
  /** names of the columns, or their number; a flat list of numbers needs it */
  columns?: readonly string[] | number
  /**
   * Learn each column with mean 0 and standard deviation 1 of the rows (true), by a scaler of the caller's, or as it is
   * (false). Samples, likelihoods and what is scored are in the units of the data either way. Default: true for rows of columns
   * [n, d]; false for pictures and other rows of more than one dimension
   */
  standardise?: boolean | Scaler
  /** what a row is. Default: pictures where rows are [C, H, W] of one or three channels, else points */
  rowKind?: RowKind
  /** aborting rejects with signal.reason */
  signal?: AbortSignal
  /** called about four times a second while steps are taken, and for each block of rows that is pushed */
  onProgress?: (progress: Progress) => void
  /** told what a reader should know of data and device, a sentence each. Default: a line on stderr */
  onWarning?: (sentence: string) => void
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
  /** aborting rejects with signal.reason */
  signal?: AbortSignal
  onProgress?: (progress: Progress) => void
}

const openDeviceOf = ({ device: { kind, variants, fast } }: ResolvedOptions): Promise<Device> =>
  openDevice(kind, { variants, fast })

async function readRun(folder: string): Promise<FlowContents> {
  const run = await openRun(folder)
  return { ...(await readFlow(run)), facts: factsOf(run.extra) }
}

/** Throws InvalidArgumentError where names are not one for each column, or two are the same. */
function checkColumns(names: readonly string[] | null, { shape }: Tensor): void {
  if (!names) return
  if (shape.length !== 2 || names.length !== shape[1]) {
    throw new InvalidArgumentError(
      `columns has ${names.length} names, but the rows are [${shape.slice(1).join(', ')}].`,
    )
  }
  const twice = names.find((name, i) => names.indexOf(name) !== i)
  if (twice !== undefined) throw new InvalidArgumentError(`columns has the name ${show(twice)} twice.`)
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
  /** what a row is */
  readonly rowKind: RowKind
  /** what is known of it beside the model, for who exports it */
  readonly facts: ModelFacts | undefined

  /** From parts, on a device of the caller's; without one, a device is opened when it is first needed. */
  constructor(
    { options, raw, rowShape, rowKind, scaler, subFlows, facts }: FlowContents,
    device: Device | null = null,
  ) {
    const { ode, seed, model, distill } = options
    const stages = stagesOf(options).map((stage, i) => ({ ...subFlows[i], ...stage }))
    const settings = { sample: ode.sample, evaluate: ode.evaluate, seed }
    super(
      { network: networkFor(model, rowShape), stages, rowShape, scaler, settings, jumps: distill?.into },
      device,
      () => openDeviceOf(options),
    )
    this.options = options
    this.raw = raw
    this.subFlows = subFlows
    this.rowKind = rowKind
    this.facts = facts
  }

  /**
   * Trains a Local Flow (Xu, Cheng and Xie 2024) on rows of data.
   *
   * @param given rows in any unit (see standardise): { values, shape: [n, …dims] }, a list of rows, or a flat list with
   *   `columns`. Bytes in rows of more than one dimension are pixels b, learnt as (b − 127.5)/127.5; samples of them lie in
   *   [−1, 1] too. Float64 rows are standardised before they are rounded to float32. Copied when this is called, as arrays are
   *   everywhere in this class: the caller may change them afterwards
   * @throws ConfigError for options, DataError for values that are not finite and for constant columns, TrainingError where
   *   the loss is not finite
   */
  static async train(
    given: RowsLike,
    { cond, columns, standardise, flips, rowKind, signal, onProgress, onWarning, ...rest }: TrainArguments = {},
  ): Promise<LocalFlow> {
    const names = typeof columns === 'number' ? null : (columns ?? null)
    const width = typeof columns === 'number' ? columns : columns?.length
    const x = narrowed(
      rowsOf('x', given, width === undefined ? null : [width], 'give columns, their number or their names'),
    )
    checkColumns(names, x)
    refuseCondition(cond)
    signal?.throwIfAborted()
    const options = resolveOptions(rest)
    const raw = structuredClone(rest)
    const scaler = scalerOf(x, standardise, names)
    const warn = onWarning ?? warnOnStderr
    for (const remark of scaleRemarks(x, scaler !== null, names)) warn(remark)
    const device = await openDeviceOf(options)
    try {
      const { parts } = await trainFlow(device, x, scaler, options, raw, { flips, rowKind, signal, onProgress })
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
   * Distils this model into students of one evaluation each (docs/distillation.md), on a device of their own; no data are needed.
   * @throws InvalidArgumentError and ConfigError for what cannot be distilled, TrainingError where the loss is not finite
   */
  async distill({ signal, onProgress, ...request }: DistillArguments): Promise<LocalFlow> {
    signal?.throwIfAborted()
    const raw = studentOptions(this, structuredClone(request))
    const options = resolveOptions(raw)
    const device = await openDeviceOf(options)
    const teacher = new LocalFlow(this, device)
    try {
      const { parts } = await distillFlow(device, teacher, options, raw, { signal, onProgress })
      signal?.throwIfAborted()
      await teacher.dispose()
      const flow = new LocalFlow(parts, device)
      flow.ownsDevice = true
      return flow
    } catch (error) {
      await teacher.dispose()
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
