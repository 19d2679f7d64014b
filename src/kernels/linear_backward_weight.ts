/**
 * Gradients of a linear layer's parameters: dweight = dyᵀ x, dbias = Σ_b dy, dtime_weight = Σ_b t·dy, with x [B, K],
 * dy [B, N]. The sum over the batch runs in an order that depends on the shapes only, never on the number of threads.
 * With `state`, dy carries its loss scale (state.ts), and the results are divided by it.
 */

import { expectBoth, expectShape, extents, type Kernel, traffic } from './contract.js'
import { lossScaleOf, STATE_LENGTH } from './state.js'

export const linearBackwardWeight: Kernel = {
  kind: 'kernel',
  name: 'linear_backward_weight',
  operands: {
    x: { access: 'read', dtype: 'float' },
    dy: { access: 'read', dtype: 'float' },
    t: { access: 'read', optional: true }, // [B]
    state: { access: 'read', dtype: 'u32', optional: true }, // [8]
    dweight: { access: 'write' }, // [N, K]
    dbias: { access: 'write' }, // [N]
    dtime_weight: { access: 'write', optional: true }, // [N]
  },
  check(shapes) {
    const [B, K] = extents('linear_backward_weight', 'x', shapes.x, 2)
    const [, N] = extents('linear_backward_weight', 'dy', shapes.dy, 2)
    expectShape('linear_backward_weight', 'dy', shapes.dy, [B, N])
    expectShape('linear_backward_weight', 'dweight', shapes.dweight, [N, K])
    expectShape('linear_backward_weight', 'dbias', shapes.dbias, [N])
    expectBoth('linear_backward_weight', 't', 'dtime_weight', shapes)
    if (shapes.t) {
      expectShape('linear_backward_weight', 't', shapes.t, [B])
      expectShape('linear_backward_weight', 'dtime_weight', shapes.dtime_weight, [N])
    }
    if (shapes.state) expectShape('linear_backward_weight', 'state', shapes.state, [STATE_LENGTH])
  },
  cost: (shapes) => ({ flops: 2 * shapes.x![0] * shapes.x![1] * shapes.dy![1], bytes: traffic(shapes) }),
  reference(o) {
    const [B, K] = o.x.shape
    const N = o.dy.shape[1]
    const lossScale = o.state ? lossScaleOf(o.state.data) : 1
    for (let n = 0; n < N; n++) {
      let bias = 0
      let time = 0
      for (let b = 0; b < B; b++) {
        bias += o.dy.data[b * N + n]
        if (o.t) time += o.t.data[b] * o.dy.data[b * N + n]
      }
      o.dbias.data[n] = bias / lossScale
      if (o.t) o.dtime_weight.data[n] = time / lossScale
      for (let k = 0; k < K; k++) {
        let sum = 0
        for (let b = 0; b < B; b++) sum += o.dy.data[b * N + n] * o.x.data[b * K + k]
        o.dweight.data[n * K + k] = sum / lossScale
      }
    }
  },
}
