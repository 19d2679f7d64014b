/**
 * How far samples are from the rows of a part: sliced W2 of points, in the data's unit or, where columns are standardised, in
 * standard deviations; FID of pictures. Beside it the sampling floor: what as many training rows have.
 */

import { extname } from 'node:path'
import { applyScaler } from '../data/scaler.js'
import type { LoadedData } from '../data/source.js'
import { rowLength, type Tensor, takeRows } from '../data/tensor.js'
import { DataError, invalid } from '../errors.js'
import { openDigitFeatures } from '../metrics/digit-classifier.js'
import { type FeatureExtractor, quantise } from '../metrics/features.js'
import { fid } from '../metrics/frechet.js'
import { openOnnxFeatures } from '../metrics/onnx.js'
import { slicedWasserstein } from '../metrics/sliced.js'
import type { Samples } from '../model/flow.js'
import { permutation } from '../random/stream.js'

export type QualityPart = 'validation' | 'test'

export interface QualityFloor {
  readonly mean: number
  /** over partings of the training rows; 0 for one */
  readonly std: number
}

export interface Quality {
  /** 'sliced W2' or 'FID' */
  readonly name: string
  /** samples that are drawn for it */
  readonly samples: number
  /** rows of the parts */
  readonly rows: Readonly<Partial<Record<QualityPart, number>>>
  /** from each part; null where a sample is not finite */
  distances(samples: Samples): Promise<Readonly<Partial<Record<QualityPart, number | null>>>>
  /** of as many training rows, from the test part */
  floor(): Promise<QualityFloor>
  dispose(): Promise<void>
}

export interface QualityOptions {
  /** samples that are asked for: no more are drawn than there are training rows */
  readonly samples: number
  readonly parts: readonly QualityPart[]
  /** of pictures: 'digits', or an ONNX file. Default: digits */
  readonly features?: string
}

/** Partings of the training rows that a floor is the mean of. */
const FLOORS = 5

const partOf = (data: LoadedData, part: QualityPart): Tensor => {
  const rows = data[part]
  if (rows) return rows
  throw new DataError(
    `There is no ${part} part (data.${part} is 0), from which the samples' distance is taken. Give data.${part} a number of rows.`,
  )
}

/** Throws DataError where a part is not there, InvalidArgumentError for features that there are not. */
export async function openQuality(data: LoadedData, options: QualityOptions): Promise<Quality> {
  const parts = options.parts.map((part) => ({ part, rows: partOf(data, part) }))
  const samples = Math.min(options.samples, data.train.shape[0])
  const rows = Object.fromEntries(parts.map(({ part, rows }) => [part, rows.shape[0]]))
  const measures =
    data.rowKind === 'pictures'
      ? await pictures(data, parts, samples, options.features ?? 'digits')
      : points(data, parts, samples)
  let floor: Promise<QualityFloor> | null = null
  return {
    samples,
    rows,
    ...measures,
    floor() {
      floor ??= measures.floor()
      return floor
    },
  }
}

type NamedParts = readonly { part: QualityPart; rows: Tensor }[]
type Measures = Pick<Quality, 'name' | 'distances' | 'floor' | 'dispose'>

function points({ train, scaler }: LoadedData, parts: NamedParts, samples: number): Measures {
  const d = rowLength(train.shape)
  const valuesOf = (x: Tensor): Float32Array =>
    Float32Array.from(
      scaler ? applyScaler(scaler, { values: Float32Array.from(x.values), shape: x.shape }).values : x.values,
    )
  const known = parts.map(({ part, rows }) => ({ part, values: valuesOf(rows) }))
  return {
    name: 'sliced W2',
    async distances(drawn) {
      const values = valuesOf(drawn)
      const finite = values.every(Number.isFinite)
      return Object.fromEntries(
        known.map(({ part, values: rows }) => [part, finite ? slicedWasserstein(values, rows, d) : null]),
      )
    },
    async floor() {
      const { values: test } = known[known.length - 1]
      return spreadOf(
        Array.from({ length: FLOORS }, (_, i) => {
          const order = permutation(train.shape[0], i)
          return slicedWasserstein(valuesOf(takeRows(train, order, 0, samples)), test, d)
        }),
      )
    },
    async dispose() {},
  }
}

async function pictures({ train }: LoadedData, parts: NamedParts, samples: number, name: string): Promise<Measures> {
  const features = await featuresOf(name)
  const known = await Promise.all(
    parts.map(async ({ part, rows }) => ({ part, values: (await features.extract(quantise(rows))).values })),
  )
  return {
    name: 'FID',
    async distances(drawn) {
      if (!drawn.values.every(Number.isFinite)) return Object.fromEntries(known.map(({ part }) => [part, null]))
      const { values, dimension } = await features.extract(quantise(drawn))
      return Object.fromEntries(known.map(({ part, values: rows }) => [part, fid(values, rows, dimension)]))
    },
    async floor() {
      const some = takeRows(train, permutation(train.shape[0], 0), 0, samples)
      const { values, dimension } = await features.extract(quantise(some))
      return { mean: fid(values, known[known.length - 1].values, dimension), std: 0 }
    },
    dispose: async () => features.dispose(),
  }
}

async function featuresOf(name: string): Promise<FeatureExtractor> {
  if (name === 'digits') return openDigitFeatures()
  if (extname(name).toLowerCase() !== '.onnx') throw invalid('features', 'digits or an ONNX file', name)
  return openOnnxFeatures(name, {})
}

/** Mean, and standard deviation (divided by n − 1; 0 for one). */
export function spreadOf(values: readonly number[]): { mean: number; std: number } {
  const mean = values.reduce((sum, value) => sum + value, 0) / values.length
  const squares = values.reduce((sum, value) => sum + (value - mean) ** 2, 0)
  return { mean, std: values.length > 1 ? Math.sqrt(squares / (values.length - 1)) : 0 }
}
