/** Training rows that are larger than memory: where they lie while a run goes on, and in windows of how many they are learnt from. */

import { tmpdir } from 'node:os'
import type { ResolvedOptions } from '../config/index.js'
import type { LargeRows } from '../data/large.js'
import type { LoadedData } from '../data/source.js'
import { holdsPixels, type Tensor } from '../data/tensor.js'
import type { Device } from '../device/device.js'
import { ConfigError } from '../errors.js'
import { RowFile } from '../files/row-file.js'
import { bytesText, mostPoolBytes } from '../learn/estimate.js'
import type { RowStore } from '../learn/pool.js'
import type { StoredData } from '../recipes/recipe.js'
import { poolRows } from './training.js'

/** Rows of a run that are learnt from window by window. */
export interface StoredRun {
  readonly stored: StoredData
  close(): Promise<void>
}

/** Throws ConfigError for what needs all training rows at once. */
export function expectSmall({ flow, device, model }: ResolvedOptions): void {
  const needs =
    flow.recipe !== 'local' && flow.recipe !== 'plain'
      ? `flow.recipe: ${flow.recipe}`
      : flow.coupling === 'optimal'
        ? 'flow.coupling: optimal'
        : (device.workers ?? 1) > 1
          ? 'device.workers'
          : model.classes
            ? 'model.classes'
            : null
  if (!needs) return
  throw new ConfigError(
    `${needs} needs all training rows in memory, and they take more than data.memory allows (half of the machine's where nothing ` +
      'is said). Give more data.memory, or fewer rows (data.train).',
  )
}

/** Rows of a window: as many as its memory holds, and the device binds. */
const windowFor = ({ rows, width, windowBytes }: LargeRows, { info }: Device): number =>
  Math.max(1, Math.min(rows, Math.floor(Math.min(windowBytes, mostPoolBytes(info)) / (4 * width))))

export interface StoringOptions {
  readonly options: ResolvedOptions
  /** where the file is; left out: the system's folder for what is temporary */
  readonly folder: string | undefined
  /** rows of a window that a run was begun with; null: it is chosen here */
  readonly window: number | null
  readonly device: Device
  readonly signal?: AbortSignal
  readonly onNote?: (sentence: string) => void
  /** rows that are written, of all */
  readonly onRows?: (rows: number, of: number) => void
}

/** Writes the training rows to a file. Throws DataError where there is no room for them. */
export async function storeTraining(
  large: LargeRows,
  { options, folder = tmpdir(), window: before, device, signal, onNote, onRows }: StoringOptions,
): Promise<StoredRun & { sha256: string }> {
  const { rows, width } = large
  const window = Math.min(rows, before ?? windowFor(large, device))
  const { train, flow } = options
  if (train.sampling === 'epochs' && train.batch / flow.timesPerPair > window) {
    throw new ConfigError(
      `train.batch asks for ${train.batch / flow.timesPerPair} pairs, but a window has ${window} rows of the ${rows}. Take ` +
        `train.batch ≤ ${window * flow.timesPerPair}, or more data.memory.`,
    )
  }
  onNote?.(
    `${rows} training rows of ${width} numbers are ${bytesText(4 * rows * width)}: they are learnt from out of a file in ${folder}, ` +
      (window < rows ? `in windows of ${window} rows.` : 'all at a time.'),
  )
  const file = await large.store(folder, { signal, onRows })
  const sha256 = await file.sha256(signal).catch(async (error) => {
    await file.close()
    throw error
  })
  return {
    stored: { rows: file, window, make: () => RowFile.create(folder, rows, width) },
    sha256,
    close: () => file.close(),
  }
}

/** Rows in memory, for a run that was begun where there was less of it. */
export function storedInMemory({ train, scaler }: Pick<LoadedData, 'train' | 'scaler'>, window: number): StoredRun {
  const { rows, width, values } = floatsOf(train, scaler)
  return {
    stored: {
      rows: memoryStore(values, rows, width),
      window: Math.min(window, rows),
      make: async () => memoryStore(new Float32Array(rows * width), rows, width),
    },
    close: async () => {},
  }
}

function floatsOf(train: Tensor, scaler: LoadedData['scaler']) {
  const values = poolRows(train, scaler)
  if (holdsPixels(train)) throw new RangeError('pixels are never learnt from in windows')
  return { values: values as Float32Array, rows: train.shape[0], width: values.length / train.shape[0] }
}

const memoryStore = (values: Float32Array, rows: number, width: number): RowStore => ({
  rows,
  read: async (first, count) => values.subarray(first * width, (first + count) * width),
  async write(first, some) {
    values.set(some, first * width)
  },
  close: async () => {},
})
