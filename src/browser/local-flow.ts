/**
 * A trained Local Flow in a browser: what `LocalFlow` of the package is in Node, on the browser's GPU and without a disk. The
 * same shaders run and the same numbers are drawn, so that samples are those of Node up to the last digits of arithmetic.
 */

import { longestManifest, manifestName, parseManifest } from '../checkpoint/manifest.js'
import type { TrainOptions } from '../config/options.js'
import { type ResolvedOptions, resolveOptions } from '../config/resolve.js'
import type { RowKind } from '../data/kinds.js'
import { narrowed, scaleRemarks } from '../data/precision.js'
import { type RowsLike, rowsOf } from '../data/rows.js'
import { type Standardise, scalerOf } from '../data/scaler.js'
import type { Device } from '../device/device.js'
import { CheckpointError } from '../errors.js'
import { configName, expectWritten, type ReadFile } from '../export/folder.js'
import { decodeSafetensors } from '../files/safetensors.js'
import { Flow } from '../model/flow.js'
import type { TrainedNetwork } from '../recipes/recipe.js'
import type { Progress } from '../recipes/run-recipe.js'
import { exportedFlow } from '../run/exported-flow.js'
import { type FlowContents, flowModel } from '../run/flow-contents.js'
import { flowOf, type ReadTensors, runOf } from '../run/opened-run.js'
import { trainFlow } from '../run/training.js'
import { openDevice } from './device.js'
import { type ModelSource, nameOf, readerOf } from './files.js'

/** Settings of `LocalFlow.train`; everything but the rows may be left out. The device is the browser's, whatever `device` says. */
export interface TrainArguments extends TrainOptions {
  /** mirror pictures left to right at random. Default false */
  flips?: boolean
  /** names of the columns, or their number; a flat list of numbers needs it */
  columns?: readonly string[] | number
  /** learn each column with mean 0 and standard deviation 1 (true), or from −1 to 1 ('range'). Default: true for rows of columns, else false */
  standardise?: Standardise
  /** what a row is. Default: pictures where rows are [C, H, W] of one or three channels, else points */
  rowKind?: RowKind
  /** aborting rejects with signal.reason */
  signal?: AbortSignal
  /** called about four times a second while steps are taken, and for each block of rows that is pushed */
  onProgress?: (progress: Progress) => void
  /** told what a reader should know of data and device. Default: a line of the console */
  onWarning?: (sentence: string) => void
  /** the caller's, who disposes of it; default: one is opened, and is the flow's own */
  on?: Device
}

/**
 * A Local Flow in a browser: `LocalFlow.train` makes one from rows, `LocalFlow.load` reads one from an address or from files. It
 * holds memory of the GPU until `dispose`.
 */
export class LocalFlow extends Flow {
  /** the options with every default filled in */
  readonly options: ResolvedOptions
  /** the trained networks, from the data's side to the noise's */
  readonly subFlows: readonly TrainedNetwork[]
  /** what a row is */
  readonly rowKind: RowKind

  /** From what training or a folder gives; without a device, one is opened when it is first needed. */
  constructor(contents: FlowContents, device: Device | null = null) {
    const { options, rowKind, subFlows } = contents
    super(flowModel(contents), device, () => openDevice())
    this.options = options
    this.subFlows = subFlows
    this.rowKind = rowKind
  }

  /**
   * Trains a Local Flow (Xu, Cheng and Xie 2024) on rows of data, in this page.
   * @throws DeviceError without WebGPU, ConfigError for options, DataError for values that are not finite, TrainingError where
   *   the loss is not
   */
  static async train(given: RowsLike, { on, ...settings }: TrainArguments = {}): Promise<LocalFlow> {
    const { columns, standardise, flips, rowKind, signal, onProgress, onWarning, ...rest } = settings
    const names = typeof columns === 'number' ? null : (columns ?? null)
    const width = typeof columns === 'number' ? columns : columns?.length
    const x = narrowed(
      rowsOf('x', given, width === undefined ? null : [width], 'give columns, their number or their names'),
    )
    signal?.throwIfAborted()
    const options = resolveOptions(rest)
    const scaler = scalerOf(x, standardise, names)
    for (const remark of scaleRemarks(x, scaler !== null, names)) (onWarning ?? console.warn)(remark)
    const device = on ?? (await openDevice({ variants: options.device.variants, onWarning }))
    try {
      const { parts } = await trainFlow(device, x, scaler, options, rest, { flips, rowKind, signal, onProgress })
      signal?.throwIfAborted()
      const flow = new LocalFlow(parts, device)
      flow.ownsDevice = !on
      return flow
    } catch (error) {
      if (!on) await device.dispose()
      throw error
    }
  }

  /**
   * Loads a finished run, or a folder that was exported to pytorch or hf.
   * @param on the caller's device, who disposes of it; default: one is opened when it is first needed
   * @throws CheckpointError where there is no model, it is not finished, of a newer version, or a file is not what was written
   */
  static async load(source: ModelSource, { on }: { on?: Device } = {}): Promise<LocalFlow> {
    const [read, name] = [readerOf(source), nameOf(source)]
    const manifest = await read(manifestName, longestManifest)
    if (manifest === undefined) {
      if ((await read(configName, longestManifest)) !== undefined)
        return new LocalFlow(await exportedFlow(read, name), on)
      throw new CheckpointError(`${name} holds no model: there is neither ${manifestName} nor ${configName} in it.`)
    }
    if (!manifest)
      throw new CheckpointError(`${name} is damaged: its ${manifestName} has more than ${longestManifest} bytes.`)
    const run = runOf(parseManifest(new TextDecoder().decode(manifest), name, manifestName), name)
    return new LocalFlow(await flowOf(run, tensorsOf(run.manifest.files, read, name)), on)
  }
}

/** The safetensors files of a run, each held against its hash. */
const tensorsOf =
  (
    files: readonly { name: string; file: string; size: number; sha256: string }[],
    read: ReadFile,
    source: string,
  ): ReadTensors =>
  async (name) => {
    const entry = files.find((file) => file.name === name)
    const bytes = entry && (await read(entry.file, entry.size))
    if (bytes === undefined) throw new CheckpointError(`${source} has no file ${name}.`)
    await expectWritten(bytes, entry!, entry!.file)
    return decodeSafetensors(bytes!, entry!.file)
  }
