/** The variational bound (bound.ts) of rows, block by block on a device. */

import type { Device } from '../device/device.js'
import { invalid } from '../errors.js'
import type { SegmentTables } from '../kernels/segments.js'
import type { Network } from '../networks/network.js'
import type { AngleRange } from '../ode/clock.js'
import { BoundSum, boundPoints } from './bound.js'
import type { ConditionOptions } from './condition.js'
import { NoisedRows } from './noised.js'
import { blockRows, type Link } from './transport.js'

/** How the bound of a model that predicts levels is computed. */
export interface BoundOptions extends ConditionOptions {
  /** evaluations of the network for each row, at least 8: points of the bound's integral. Default 64 */
  evaluations?: number
  /** seed of the noise; default: the config's */
  seed?: number
  /** number of the first row, by which noise is drawn: so that rows can be scored in blocks; default 0 */
  first?: number
  /** aborting stops between evaluations of a block, and rejects with signal.reason */
  signal?: AbortSignal
  /** rows done so far */
  onProgress?: (rows: number) => void
}

/** Evaluations of a row's bound by default, and at least. */
const [BOUND_EVALUATIONS, FEWEST_EVALUATIONS] = [64, 8]
/** Numbers of noise between two evaluations of a row. */
const NOISE_APART = 2 ** 26

/** Evaluations of each row that a call asks for. */
export function evaluationsOfBound({ evaluations = BOUND_EVALUATIONS }: BoundOptions): number {
  if (Number.isSafeInteger(evaluations) && evaluations >= FEWEST_EVALUATIONS) return evaluations
  throw invalid('evaluations', `a whole number, at least ${FEWEST_EVALUATIONS}`, evaluations)
}

/** A model that predicts levels, on its device. */
export interface BoundedModel {
  readonly field: Network
  readonly segments: SegmentTables
  /** of its stages, in the order of the links */
  readonly angles: readonly AngleRange[]
  readonly links: readonly Link[]
  readonly device: Device
}

/**
 * Bounds of log p, nats for each row.
 * @param rows [n, D] as the model takes them
 * @param told what it is told of them, [n, C] as a network takes it; null: nothing
 */
export async function boundOfRows(
  { field, segments, angles, links, device }: BoundedModel,
  rows: Float32Array,
  told: Float32Array | null,
  {
    evaluations,
    first,
    seed,
    signal,
    onProgress,
  }: BoundOptions & { readonly evaluations: number; readonly first: number; readonly seed: number },
): Promise<Float32Array> {
  const D = field.dimension
  const n = rows.length / D
  const points = boundPoints(angles, evaluations)
  const onDevice = links.map(({ parameters, offset = 0 }) => ({ parameters, offset }))
  const block = blockRows(n, field, null, device.info, 1)
  const noised = await NoisedRows.open(device, field, onDevice, { rows: block, seed })
  const bounds = new Float32Array(n)
  try {
    for (let done = 0; done < n; done += block) {
      const own = rows.subarray(done * D, Math.min(n, done + block) * D)
      if (told) noised.tell(behindMasks(told, n, field.condition, done, own.length / D))
      const sum = new BoundSum(segments, own, angles[angles.length - 1].to)
      for (const [k, point] of points.entries()) {
        signal?.throwIfAborted()
        const start = own.map((value) => point.signal * value)
        const { x, out } = await noised.at(point.stage, point, start, first + done + k * NOISE_APART, signal)
        sum.add(point, x, out)
      }
      bounds.set(sum.bounds, done)
      onProgress?.(Math.min(n, done + block))
    }
  } finally {
    noised.dispose()
  }
  return bounds
}

/** What a network of `width` numbers is told of rows [first, first + count) of n; where it takes masks before them, none is given. */
function behindMasks(told: Float32Array, n: number, width: number, first: number, count: number): Float32Array {
  const C = told.length / n
  const rows = new Float32Array(count * width)
  for (let i = 0; i < count; i++) rows.set(told.subarray((first + i) * C, (first + i + 1) * C), (i + 1) * width - C)
  return rows
}
