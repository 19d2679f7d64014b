/**
 * Forward-mode derivative of a linear layer for T tangents of every row: dy = scale·(dx Wᵀ + dt·time_weight) ⊙ act'(saved),
 * dx [T·B, K], W [N, K], dy [T·B, N]; row τ·B + b belongs to tangent τ of row b. dt [T·B], or [1] for all rows, is the
 * tangents' part in time; it and the layer's time_weight [N] are left out where they have none. `saved` [B, N] is this layer's
 * output or pre-activation (what its activation's derivative is a function of); left out where the layer has no activation.
 */

import { InvalidArgumentError } from '../errors.js'
import { activations } from './activations.js'
import { expectBoth, expectShape, extents, type Kernel, traffic } from './contract.js'
import { checkActivation } from './linear.js'
import type { LinearForwardAttributes } from './linear_forward.js'

export const linearTangent: Kernel<LinearForwardAttributes> = {
  kind: 'kernel',
  name: 'linear_tangent',
  operands: {
    dx: { access: 'read' },
    weight: { access: 'read' },
    saved: { access: 'read', optional: true },
    dt: { access: 'read', optional: true },
    time_weight: { access: 'read', optional: true },
    dy: { access: 'write' },
  },
  check(shapes, a) {
    const [R, K] = extents('linear_tangent', 'dx', shapes.dx, 2)
    const [N] = extents('linear_tangent', 'weight', shapes.weight, 2)
    expectShape('linear_tangent', 'weight', shapes.weight, [N, K])
    expectShape('linear_tangent', 'dy', shapes.dy, [R, N])
    if (shapes.saved) {
      const [B] = extents('linear_tangent', 'saved', shapes.saved, 2)
      expectShape('linear_tangent', 'saved', shapes.saved, [B, N])
      if (R % B !== 0) {
        throw new InvalidArgumentError(`linear_tangent: ${R} tangent rows are no multiple of the ${B} rows of saved.`)
      }
    }
    expectBoth('linear_tangent', 'dt', 'time_weight', shapes)
    if (shapes.dt) {
      expectShape('linear_tangent', 'dt', shapes.dt, [shapes.dt[0] === 1 ? 1 : R])
      expectShape('linear_tangent', 'time_weight', shapes.time_weight, [N])
    }
    checkActivation('linear_tangent', a)
  },
  cost: (shapes) => ({ flops: 2 * shapes.dx![0] * shapes.dx![1] * shapes.dy![1], bytes: traffic(shapes) }),
  reference(o, a) {
    const [R, K] = o.dx.shape
    const N = o.weight.shape[0]
    const { derivative } = activations[a.activation]
    for (let r = 0; r < R; r++) {
      for (let n = 0; n < N; n++) {
        let sum = o.dt ? o.dt.data[o.dt.data.length === 1 ? 0 : r] * o.time_weight.data[n] : 0
        for (let k = 0; k < K; k++) sum += o.dx.data[r * K + k] * o.weight.data[n * K + k]
        const slope = o.saved ? derivative(o.saved.data[(r % o.saved.shape[0]) * N + n], a.beta) : 1
        o.dy.data[r * N + n] = a.scale * sum * slope
      }
    }
  },
}
