/**
 * The last layer of a velocity field with the flow-matching loss (Lipman et al. 2023; Xu et al. 2024):
 * v = scale·(x Wᵀ + bias + t·time_weight), row_loss[b] = Σ_d (v − target)² / (D·scale²), whose mean over the batch is the
 * loss, and delta = ∂loss/∂(v/scale) = 2 (v − target) / (B·D·scale). Dividing by scale² keeps a scaled network's loss of
 * order one (scale 1: the plain mean squared error).
 */

import { expectShape, type Kernel, traffic } from './contract.js'
import { layerShapes, preActivation } from './linear.js'

export interface LinearLossAttributes {
  readonly scale: number
}

export const linearLoss: Kernel<LinearLossAttributes> = {
  kind: 'kernel',
  name: 'linear_loss',
  operands: {
    x: { access: 'read' }, // [B, K]
    weight: { access: 'read' }, // [D, K]
    bias: { access: 'read' }, // [D]
    t: { access: 'read', optional: true },
    time_weight: { access: 'read', optional: true },
    target: { access: 'read' }, // [B, D]
    delta: { access: 'write' }, // [B, D]
    row_loss: { access: 'write' }, // [B]
  },
  check(shapes) {
    const { B, N } = layerShapes('linear_loss', shapes)
    expectShape('linear_loss', 'target', shapes.target, [B, N])
    expectShape('linear_loss', 'delta', shapes.delta, [B, N])
    expectShape('linear_loss', 'row_loss', shapes.row_loss, [B])
  },
  cost: (shapes) => ({ flops: 2 * shapes.x![0] * shapes.x![1] * shapes.delta![1], bytes: traffic(shapes) }),
  reference(o, a) {
    const [B, D] = o.delta.shape
    for (let b = 0; b < B; b++) {
      let sum = 0
      for (let d = 0; d < D; d++) {
        const residual = a.scale * preActivation(o, b, d) - o.target.data[b * D + d]
        o.delta.data[b * D + d] = (2 * residual) / (B * D * a.scale)
        sum += residual * residual
      }
      o.row_loss.data[b] = sum / (D * a.scale * a.scale)
    }
  },
}
