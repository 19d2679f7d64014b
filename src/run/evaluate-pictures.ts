/**
 * The evaluation of a run on pictures: draws samples, and compares them with pictures of a part by FID, precision and recall in
 * the space of some features; beside it the FID of as many training pictures, which is what a perfect model would reach. The
 * likelihood of pictures costs far more than samples: it is computed for as many as are asked for.
 */

import { evenly } from '../data/pictures.js'
import type { LoadedData } from '../data/source.js'
import { type Tensor, takeRows } from '../data/tensor.js'
import type { Device } from '../device/device.js'
import { DataError } from '../errors.js'
import { openFeatures } from '../metrics/feature-extractors.js'
import { quantise } from '../metrics/features.js'
import { fid, fidCaution } from '../metrics/frechet.js'
import { precisionRecall } from '../metrics/neighbours.js'
import type { ResizeName } from '../metrics/resize.js'
import { describeSolver, overridden, type SolverOverrides, WITHOUT_SOLVER } from '../ode/solver.js'
import type { ReportQuality } from '../plot/report.js'
import { toldOf } from './conditioning.js'
import type { LocalFlow } from './local-flow.js'

/** The solver's options override the config's for samples. */
export interface PictureOptions extends SolverOverrides {
  /** samples that are drawn; 0: none, and no FID. Default 5000 */
  samples?: number
  /** 'digits', or an ONNX file. Default: digits for grey squares of at least 16×16 */
  features?: string
  /** weight of classifier-free guidance of conditional samples, or one for each sub-flow. Default 1, none */
  guidance?: number | readonly number[]
  /** how pictures are made as large as the file of features asks for; default clean */
  resize?: ResizeName
}

/** Neighbour to which the balls of precision and recall reach: the paper's. */
const NEIGHBOURS = 3
const DEFAULT_SAMPLES = 5000

/** Measures the samples of a flow; null where none are asked for. */
export async function pictureQuality(
  flow: LocalFlow,
  device: Device,
  data: LoadedData,
  part: 'train' | 'validation' | 'test',
  options: PictureOptions & { readonly signal?: AbortSignal; readonly onNote?: (sentence: string) => void },
): Promise<ReportQuality | null> {
  const { samples: n = DEFAULT_SAMPLES, guidance, signal, onNote } = options
  if (n === 0) return null
  const real = data[part] && quantise(data[part])
  if (!real)
    throw new DataError(`The config has no ${part} part (data.${part} is 0); there is nothing to compare with.`)
  const features = await openFeatures(flow.rowShape, options)
  try {
    const began = performance.now()
    const told = toldOf(flow.condition, data, part)(n)
    const { solver: named, evaluations, steps, clock } = options
    // students take none of the config's settings, and refuse what they cannot take of the call's
    const solver = flow.isFlow ? overridden(flow.options.ode.sample, options) : null
    const ways = solver ? { solver } : { solver: named, evaluations, steps, clock }
    onNote?.(`Drawing ${n} samples.`)
    const samples = quantise(
      await flow.sample(n, { ...told, ...(guidance !== undefined && { guidance }), ...ways, signal }),
    )
    const { mean: nfe, max: nfeMax } = flow.evaluations!
    onNote?.('Comparing them.')
    const found = await features.extract(samples)
    const truth = await features.extract(real)
    const d = found.dimension
    // precision and recall depend on how many there are: as many of each
    const few = Math.min(n, real.shape[0])
    const some = someRows({ values: truth.values, shape: [real.shape[0], d] }, few).values as Float32Array
    const other = part === 'train' ? data.test : data.train
    const floor = other && (await features.extract(quantise(someRows(other, n))))
    signal?.throwIfAborted()
    return {
      fid: fid(found.values, truth.values, d),
      floor: floor && fid(floor.values, truth.values, d),
      ...(await precisionRecall(some, found.values.subarray(0, few * d), d, NEIGHBOURS)),
      ...(told.class !== undefined &&
        features.classify && { accuracy: share(told.class, await features.classify(samples)) }),
      ...(guidance !== undefined && { guidance: weights(guidance) }),
      neighbours: NEIGHBOURS,
      features: features.name,
      caution: fidCaution(n, d),
      samples: n,
      against: { part, n: real.shape[0] },
      nfe,
      nfeMax: nfeMax === nfe ? null : nfeMax,
      solver: solver ? describeSolver(solver) : WITHOUT_SOLVER,
      device: device.info.name,
      seconds: (performance.now() - began) / 1000,
    }
  } finally {
    await features.dispose()
  }
}

/** How many of the labels are those that were asked for, of 1. */
function share(asked: number | ArrayLike<number>, labels: Uint8Array): number {
  const right = labels.reduce(
    (sum, label, i) => sum + (label === (typeof asked === 'number' ? asked : asked[i]) ? 1 : 0),
    0,
  )
  return right / labels.length
}

const weights = (guidance: number | readonly number[]): number[] => [guidance].flat()

/** n rows, or all where there are no more, evenly spaced in their order. */
function someRows(x: Tensor, n: number): Tensor {
  const order = evenly(x.shape[0], n)
  return takeRows(x, order, 0, order.length)
}
