/**
 * Gradient of self-attention (attention.ts; the terms are defined there) with respect to q, k and v. The probabilities
 * p_ij = exp(q_i·k_j/√d − L_i) are computed again from qkv and `log_sum_exp`; with D_i = Σ_c dy_ic y_ic and
 * ds_ij = p_ij (dy_i·v_j − D_i)/√d: dq_i = Σ_j ds_ij k_j, dk_j = Σ_i ds_ij q_i, dv_j = Σ_i p_ij dy_i (Dao et al. 2022).
 * Nothing with N² elements is stored. dqkv [B, H, W, 3·C] has the channels of qkv.
 */

import { type AttentionAttributes, checkAttention, partOf } from './attention.js'
import { expectShape, type Kernel, traffic } from './contract.js'

export const attentionBackward: Kernel<AttentionAttributes> = {
  kind: 'kernel',
  name: 'attention_backward',
  operands: {
    qkv: { access: 'read' }, // [B, H, W, 3·C]
    y: { access: 'read' }, // [B, H, W, C]
    log_sum_exp: { access: 'read' }, // [B, heads, H·W]
    dy: { access: 'read' }, // [B, H, W, C]
    dqkv: { access: 'write' }, // [B, H, W, 3·C]
  },
  check(shapes, a) {
    checkAttention('attention_backward', shapes, a)
    expectShape('attention_backward', 'dy', shapes.dy, shapes.y!)
    expectShape('attention_backward', 'dqkv', shapes.dqkv, shapes.qkv!)
  },
  // the products q kᵀ, dy vᵀ, ds k, dsᵀ q and pᵀ dy
  cost(shapes) {
    const [B, H, W, C] = shapes.y!
    return { flops: 10 * B * (H * W) ** 2 * C, bytes: traffic(shapes) }
  },
  reference(o, { heads }) {
    const [B, H, W, C] = o.y.shape
    const N = H * W
    const d = C / heads
    const at = partOf(o.qkv.shape, heads)
    const dqkv = new Float64Array(o.dqkv.data.length)
    for (let b = 0; b < B; b++) {
      for (let h = 0; h < heads; h++) {
        for (let i = 0; i < N; i++) {
          const out = (b * N + i) * C + h * d
          const q = at(b, i, h, 0)
          let D = 0
          for (let c = 0; c < d; c++) D += o.dy.data[out + c] * o.y.data[out + c]
          for (let j = 0; j < N; j++) {
            const k = at(b, j, h, 1)
            const v = at(b, j, h, 2)
            let score = 0
            let along = 0
            for (let c = 0; c < d; c++) {
              score += o.qkv.data[q + c] * o.qkv.data[k + c]
              along += o.dy.data[out + c] * o.qkv.data[v + c]
            }
            const p = Math.exp(score / Math.sqrt(d) - o.log_sum_exp.data[(b * heads + h) * N + i])
            const ds = (p * (along - D)) / Math.sqrt(d)
            for (let c = 0; c < d; c++) {
              dqkv[q + c] += ds * o.qkv.data[k + c]
              dqkv[k + c] += ds * o.qkv.data[q + c]
              dqkv[v + c] += p * o.dy.data[out + c]
            }
          }
        }
      }
    }
    o.dqkv.data.set(dqkv)
  },
}
