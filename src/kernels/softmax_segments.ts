/**
 * The end point of a path that a network predicts for a row of mixed columns (segments.ts), x [B, D] its output: numbers
 * μ = x, and scale·(softmax(x) − centre) in each category, which is the expectation of its encoded level. y [B, D].
 *
 * With `state` [B, D], the rows x_t on their paths, and `coefficients` [B, 2] or, the same for all rows, [1, 2]:
 * y = α·state + β·end. On a path x_t = A(t)·end + B(t)·noise the velocity of the expected end point has α = B′/B and
 * β = A′ − A·B′/B (variational flow matching; Eijkelboom et al. 2024), which grow without bound where B → 0; a step from t to s
 * that keeps the predicted end point and noise has α = B(s)/B(t) and β = A(s) − A(t)·B(s)/B(t), which are bounded, and arrives at
 * the end point itself where B(s) = 0.
 */

import { InvalidArgumentError } from '../errors.js'
import { expectBoth, expectShape, extents, type Kernel, traffic } from './contract.js'
import { expectSegments, logSumExp, segmentOperands, segmentsOf } from './segments.js'

export const softmaxSegments: Kernel = {
  kind: 'kernel',
  name: 'softmax_segments',
  operands: {
    x: { access: 'read' }, // [B, D]
    ...segmentOperands,
    state: { access: 'read', optional: true }, // [B, D]
    coefficients: { access: 'read', optional: true }, // [B, 2] or [1, 2]
    y: { access: 'write' }, // [B, D]
  },
  check(shapes) {
    const [B, D] = extents('softmax_segments', 'x', shapes.x, 2)
    expectSegments('softmax_segments', shapes, D)
    expectBoth('softmax_segments', 'state', 'coefficients', shapes)
    if (shapes.state && shapes.coefficients) {
      expectShape('softmax_segments', 'state', shapes.state, [B, D])
      const [rows] = extents('softmax_segments', 'coefficients', shapes.coefficients, 2)
      if (rows !== 1 && rows !== B) {
        throw new InvalidArgumentError(
          `softmax_segments: operand coefficients must have one row or ${B}, but has ${rows}.`,
        )
      }
      expectShape('softmax_segments', 'coefficients', shapes.coefficients, [rows, 2])
    }
    expectShape('softmax_segments', 'y', shapes.y, [B, D])
  },
  cost: (shapes) => ({ flops: (shapes.state ? 8 : 5) * shapes.x![0] * shapes.x![1], bytes: traffic(shapes) }),
  reference(o) {
    const [B, D] = o.x.shape
    const segments = segmentsOf(o.starts, D)
    for (let b = 0; b < B; b++) {
      for (const { first, end } of segments) {
        const whole = end - first > 1 ? logSumExp(o.x.data, b * D + first, b * D + end) : 0
        for (let d = first; d < end; d++) {
          const x = o.x.data[b * D + d]
          const own = end - first > 1 ? o.encoding.data[d] * (Math.exp(x - whole) - o.encoding.data[D + d]) : x
          const at = o.coefficients?.shape[0] === 1 ? 0 : 2 * b
          o.y.data[b * D + d] = o.coefficients
            ? o.coefficients.data[at] * o.state.data[b * D + d] + o.coefficients.data[at + 1] * own
            : own
        }
      }
    }
  },
}
