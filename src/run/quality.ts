/**
 * How far samples are from the rows of a part, by a distance of metrics/registry.ts: of points in the data's unit or, where
 * columns are standardised, in standard deviations; of pictures between their features. Beside it the sampling floor: what as
 * many training rows have.
 */

import { applyScaler } from '../data/scaler.js'
import type { LoadedData } from '../data/source.js'
import { rowLength, type Tensor, takeRows } from '../data/tensor.js'
import { DataError, invalid } from '../errors.js'
import { openFeatures } from '../metrics/feature-extractors.js'
import { quantise } from '../metrics/features.js'
import { type Distance, type DistanceName, distanceNames, distances, usualDistance } from '../metrics/registry.js'
import type { Rows } from '../metrics/rows.js'
import type { Samples } from '../model/call-options.js'
import { permutation } from '../random/stream.js'
import type { ToldNumbers } from './conditioning.js'

export type QualityPart = 'validation' | 'test'

export interface QualityFloor {
  readonly mean: number
  /** over partings of the training rows; 0 for one */
  readonly std: number
}

export interface Quality {
  /** title of the distance */
  readonly name: string
  /** samples that are drawn for it */
  readonly samples: number
  /** rows of the parts */
  readonly rows: Readonly<Partial<Record<QualityPart, number>>>
  /**
   * from each part; null where a sample is not finite
   * @param part the only one: of rows that are told something, sample i is of what row i of this part is told, in turn
   */
  distances(samples: Samples, part?: QualityPart): Promise<Readonly<Partial<Record<QualityPart, number | null>>>>
  /** of as many training rows, from the last of the parts that were asked for */
  floor(): Promise<QualityFloor>
  dispose(): Promise<void>
}

export interface QualityOptions {
  /** samples that are asked for: no more are drawn than there are training rows */
  readonly samples: number
  readonly parts: readonly QualityPart[]
  /** default: sliced W2 of points, FID of pictures */
  readonly distance?: DistanceName
  /** of pictures: 'digits', or an ONNX file. Default: what suits the pictures */
  readonly features?: string
  /** of points: what rows are told, beside which they are compared, so that samples have to fit it; null or left out: nothing */
  readonly told?: ToldNumbers | null
}

const partOf = (data: LoadedData, part: QualityPart): Tensor => {
  const rows = data[part]
  if (rows) return rows
  throw new DataError(
    `There is no ${part} part (data.${part} is 0), from which the samples' distance is taken. Give data.${part} a number of rows.`,
  )
}

/** Throws DataError where a part is not there, InvalidArgumentError for features that there are not, or a distance of other rows. */
export async function openQuality(data: LoadedData, options: QualityOptions): Promise<Quality> {
  const parts = options.parts.map((part) => ({ part, rows: partOf(data, part) }))
  const { title, measure } = distanceFor(data, options.distance)
  const samples = Math.min(options.samples, data.train.shape[0])
  const told = data.rowKind === 'pictures' ? null : (options.told ?? null)
  const space = data.rowKind === 'pictures' ? await featuresOf(data, options.features) : valuesOf(data)
  const beside = (x: Embedded, part: QualityPart | 'train', rowOf?: (i: number) => number): Embedded =>
    told ? joined(x, told.of(part, x.values.length / x.dimension, rowOf), told.width) : x
  const known: { readonly part: QualityPart; readonly rows: Rows }[] = []
  try {
    for (const { part, rows } of parts) known.push({ part, rows: beside(await space.embed(rows), part).values })
  } catch (error) {
    await space.dispose()
    throw error
  }
  let floor: Promise<QualityFloor> | null = null
  const measureFloor = async (): Promise<QualityFloor> => {
    const found: number[] = []
    for (let i = 0; i < space.floors; i++) {
      const order = permutation(data.train.shape[0], i)
      const some = takeRows(data.train, order, 0, samples)
      const { values, dimension } = beside(await space.embed(some), 'train', (row) => order[row])
      found.push(await measure(values, known[known.length - 1].rows, dimension))
    }
    return spreadOf(found)
  }
  return {
    name: told ? `${title} beside what is told` : title,
    samples,
    rows: Object.fromEntries(parts.map(({ part, rows }) => [part, rows.shape[0]])),
    async distances(drawn, only) {
      const parts = known.filter(({ part }) => only === undefined || part === only)
      if (!drawn.values.every(Number.isFinite)) return Object.fromEntries(parts.map(({ part }) => [part, null]))
      const embedded = await space.embed(drawn)
      const found: Partial<Record<QualityPart, number>> = {}
      for (const { part, rows } of parts) {
        const { values, dimension } = beside(embedded, part)
        found[part] = await measure(values, rows, dimension)
      }
      return found
    },
    floor() {
      floor ??= measureFloor()
      return floor
    },
    dispose: () => space.dispose(),
  }
}

function distanceFor({ rowKind }: LoadedData, name: DistanceName = usualDistance[rowKind]): Distance {
  const distance: Distance = distances[name]
  if (distance.of.includes(rowKind)) return distance
  const others = distanceNames.filter((other) => (distances[other] as Distance).of.includes(rowKind))
  throw invalid('distance', `one for ${rowKind} (${others.join(', ')})`, name)
}

/** Rows of `width` numbers behind others. */
function joined({ values, dimension }: Embedded, told: Float32Array, width: number): Embedded {
  const n = values.length / dimension
  const D = dimension + width
  const rows = new Float32Array(n * D)
  for (let i = 0; i < n; i++) {
    rows.set(values.subarray(i * dimension, (i + 1) * dimension), i * D)
    rows.set(told.subarray(i * width, (i + 1) * width), i * D + dimension)
  }
  return { values: rows, dimension: D }
}

interface Embedded {
  readonly values: Rows
  readonly dimension: number
}

/** Where distances are taken: rows of any number of values become vectors of one width. */
interface Space {
  embed(x: Tensor): Promise<Embedded>
  /** partings of the training rows that a floor is the mean of */
  readonly floors: number
  dispose(): Promise<void>
}

function valuesOf({ scaler }: LoadedData): Space {
  return {
    async embed({ values, shape }) {
      const rows = scaler ? applyScaler(scaler, { values, shape }).values : Float32Array.from(values)
      return { values: rows, dimension: rowLength(shape) }
    },
    floors: 5,
    dispose: async () => {},
  }
}

async function featuresOf({ train }: LoadedData, name: string | undefined): Promise<Space> {
  const features = await openFeatures(train.shape.slice(1), { features: name })
  return {
    embed: (x) => features.extract(quantise(x)),
    // features take longer than all else
    floors: 1,
    dispose: () => features.dispose(),
  }
}

/** Mean, and standard deviation (divided by n − 1; 0 for one). */
export function spreadOf(values: readonly number[]): { mean: number; std: number } {
  const mean = values.reduce((sum, value) => sum + value, 0) / values.length
  const squares = values.reduce((sum, value) => sum + (value - mean) ** 2, 0)
  return { mean, std: values.length > 1 ? Math.sqrt(squares / (values.length - 1)) : 0 }
}
