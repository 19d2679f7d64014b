/**
 * The end point of a path that a network predicts for a row of mixed columns (segments.ts), x [B, D] its output: numbers
 * as they are, and scale·(softmax(x) − centre) in each category, which is the expectation of its encoded level. y [B, D].
 *
 * With `state` [B, D], the rows x_t on their paths, their times t, [B] or one for all, and `path_table` [K, 4], it is the velocity,
 * times `factor`. On a path x_t = A(t)·end + B(t)·noise that of a predicted end is α·x_t + β·end with α = B′/B and β = A′ − A·B′/B
 * (variational flow matching; Eijkelboom et al. 2024), which both grow without bound where B → 0: B is taken for at least
 * `LEAST_NOISE`. Of numbers the network gives the velocity itself, which is as it is. The table has the rows A, B, A′, B′ at evenly
 * spaced times on [0, 1], as draw_batch's, linear between them.
 */

import { InvalidArgumentError } from '../errors.js'
import { expectBoth, expectShape, extents, type Kernel, type ReferenceTensor, traffic } from './contract.js'
import { PATH_COLUMNS } from './draw_batch.js'
import { expectSegments, logSumExp, segmentOperands, segmentsOf } from './segments.js'

/** Noise of a state, at least, where a velocity is made of it: nearer to the data than any usual step begins. */
export const LEAST_NOISE = 2 ** -10

export interface SoftmaxSegmentsAttributes {
  /** of velocities; an end point is as it is */
  readonly factor: number
}

export const softmaxSegments: Kernel<SoftmaxSegmentsAttributes> = {
  kind: 'kernel',
  name: 'softmax_segments',
  operands: {
    x: { access: 'read' }, // [B, D]
    ...segmentOperands,
    state: { access: 'read', optional: true }, // [B, D]
    t: { access: 'read', optional: true }, // [B] or [1]
    path_table: { access: 'read', optional: true }, // [K, 4]
    y: { access: 'write' }, // [B, D]
  },
  check(shapes, { factor }) {
    const [B, D] = extents('softmax_segments', 'x', shapes.x, 2)
    expectSegments('softmax_segments', shapes, D)
    expectBoth('softmax_segments', 'state', 't', shapes)
    expectBoth('softmax_segments', 'state', 'path_table', shapes)
    if (shapes.state && shapes.path_table) {
      expectShape('softmax_segments', 'state', shapes.state, [B, D])
      expectShape('softmax_segments', 't', shapes.t, [shapes.t?.[0] === 1 ? 1 : B])
      const [K] = extents('softmax_segments', 'path_table', shapes.path_table, 2)
      expectShape('softmax_segments', 'path_table', shapes.path_table, [Math.max(2, K), PATH_COLUMNS])
    } else if (factor !== 1) {
      throw new InvalidArgumentError(`softmax_segments: factor must be 1 of an end point, but is ${factor}.`)
    }
    expectShape('softmax_segments', 'y', shapes.y, [B, D])
  },
  cost: (shapes) => ({ flops: (shapes.state ? 8 : 5) * shapes.x![0] * shapes.x![1], bytes: traffic(shapes) }),
  reference(o, { factor }) {
    const [B, D] = o.x.shape
    const segments = segmentsOf(o.starts, D)
    for (let b = 0; b < B; b++) {
      const velocity = o.state && velocityAt(o.t.data[o.t.shape[0] === 1 ? 0 : b], o.path_table)
      for (const { first, end } of segments) {
        const category = end - first > 1
        const whole = category ? logSumExp(o.x.data, b * D + first, b * D + end) : 0
        for (let d = first; d < end; d++) {
          const x = o.x.data[b * D + d]
          const own = category ? o.encoding.data[d] * (Math.exp(x - whole) - o.encoding.data[D + d]) : x
          const along = velocity && category ? velocity.state * o.state.data[b * D + d] + velocity.end * own : own
          o.y.data[b * D + d] = velocity ? factor * along : own
        }
      }
    }
  },
}

/** α and β of the velocity at a time, of a path's table. */
export function velocityAt(
  t: number,
  { data, shape }: Pick<ReferenceTensor, 'shape'> & { readonly data: ArrayLike<number> },
): { state: number; end: number } {
  const last = shape[0] - 1
  const knot = Math.min(Math.floor(t * last), last - 1)
  const fraction = t * last - knot
  const [signal, noise, signalRate, noiseRate] = Array.from({ length: PATH_COLUMNS }, (_, j) => {
    const at = knot * PATH_COLUMNS + j
    return data[at] + fraction * (data[at + PATH_COLUMNS] - data[at])
  })
  const state = noiseRate / Math.max(noise, LEAST_NOISE)
  return { state, end: signalRate - signal * state }
}
