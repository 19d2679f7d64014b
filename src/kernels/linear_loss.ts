/**
 * The last layer of a velocity field with the flow-matching loss (Lipman et al. 2023; Xu et al. 2024):
 * v = scale·(x Wᵀ + bias + t·time_weight), row_loss[b] = Σ_d (v − target)² / (D·scale²), whose mean over the batch is the
 * loss, and delta = ∂loss/∂(v/scale) = 2 (v − target) / (B·D·scale). Dividing by scale² keeps a scaled network's loss of
 * order one (scale 1: the plain mean squared error). With `state`, delta is multiplied by its loss scale
 * (state.ts), so that what is stored in float16 does not fall below its smallest numbers; row_loss is not.
 */

import { expectShape, type Kernel, traffic } from './contract.js'
import { layerShapes, preActivation } from './linear.js'
import { lossScaleOf, STATE_LENGTH } from './state.js'

export interface LinearLossAttributes {
  readonly scale: number
}

export const linearLoss: Kernel<LinearLossAttributes> = {
  kind: 'kernel',
  name: 'linear_loss',
  operands: {
    x: { access: 'read', dtype: 'float' }, // [B, K]
    weight: { access: 'read', dtype: 'float' }, // [D, K]
    bias: { access: 'read' }, // [D]
    t: { access: 'read', optional: true },
    time_weight: { access: 'read', optional: true },
    target: { access: 'read' }, // [B, D]
    state: { access: 'read', dtype: 'u32', optional: true }, // [8]
    delta: { access: 'write', dtype: 'float' }, // [B, D]
    row_loss: { access: 'write' }, // [B]
  },
  check(shapes) {
    const { B, N } = layerShapes('linear_loss', shapes)
    expectShape('linear_loss', 'target', shapes.target, [B, N])
    expectShape('linear_loss', 'delta', shapes.delta, [B, N])
    expectShape('linear_loss', 'row_loss', shapes.row_loss, [B])
    if (shapes.state) expectShape('linear_loss', 'state', shapes.state, [STATE_LENGTH])
  },
  cost: (shapes) => ({ flops: 2 * shapes.x![0] * shapes.x![1] * shapes.delta![1], bytes: traffic(shapes) }),
  reference(o, a) {
    const [B, D] = o.delta.shape
    const lossScale = o.state ? lossScaleOf(o.state.data) : 1
    for (let b = 0; b < B; b++) {
      let sum = 0
      for (let d = 0; d < D; d++) {
        const residual = a.scale * preActivation(o, b, d) - o.target.data[b * D + d]
        o.delta.data[b * D + d] = (lossScale * 2 * residual) / (B * D * a.scale)
        sum += residual * residual
      }
      o.row_loss.data[b] = sum / (D * a.scale * a.scale)
    }
  },
}
