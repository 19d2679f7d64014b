/**
 * The flow-matching loss of a velocity v in memory (linear_loss.ts computes it in a product's epilogue):
 * row_loss[firstRow + b] = Σ_d (v − target)²/(D·scale²), delta = ∂loss/∂(v/scale) = 2 (v − target)/(R·D·scale), with v, target
 * and delta [B, D] and row_loss [R]. The loss is the mean of row_loss over the R rows of the batch, of which these are B
 * from `firstRow` on (a micro-batch, or all of it).
 */

import { expectShape, extents, type Kernel, traffic } from './contract.js'
import { expectFirst } from './pictures.js'

export interface FlowLossAttributes {
  /** the field's output scale, which v contains */
  readonly scale: number
  readonly firstRow: number
}

export const flowLoss: Kernel<FlowLossAttributes> = {
  kind: 'kernel',
  name: 'flow_loss',
  operands: {
    v: { access: 'read' }, // [B, D]
    target: { access: 'read' }, // [B, D]
    delta: { access: 'write' }, // [B, D]
    row_loss: { access: 'write' }, // [R]
  },
  check(shapes, a) {
    const [B, D] = extents('flow_loss', 'v', shapes.v, 2)
    expectShape('flow_loss', 'target', shapes.target, [B, D])
    expectShape('flow_loss', 'delta', shapes.delta, [B, D])
    const [R] = extents('flow_loss', 'row_loss', shapes.row_loss, 1)
    expectFirst('flow_loss', 'row_loss', a.firstRow, B, R)
  },
  cost: (shapes) => ({ flops: 5 * shapes.v![0] * shapes.v![1], bytes: traffic(shapes) }),
  reference(o, a) {
    const [B, D] = o.v.shape
    const [R] = o.row_loss.shape
    for (let b = 0; b < B; b++) {
      let sum = 0
      for (let d = 0; d < D; d++) {
        const residual = o.v.data[b * D + d] - o.target.data[b * D + d]
        o.delta.data[b * D + d] = (2 * residual) / (R * D * a.scale)
        sum += residual * residual
      }
      o.row_loss.data[a.firstRow + b] = sum / (D * a.scale * a.scale)
    }
  },
}
