/**
 * Multi-head self-attention over the N = H·W positions of a picture (Vaswani et al. 2017):
 * y_i = Σ_j p_ij v_j, p_ij = exp(q_i·k_j/√d − L_i), L_i = log Σ_j exp(q_i·k_j/√d), in each of `heads` heads of d channels.
 *
 * qkv [B, H, W, 3·C] has the channels of guided-diffusion: head after head, and within a head q, k and v of d = C/heads
 * channels each. y [B, H, W, C] has the heads one after the other; `log_sum_exp` [B, heads, N] takes L, which the backward
 * pass needs. A device goes over the keys once with a running maximum and sum (online softmax: Milakov and Gimelshein 2018,
 * Dao et al. 2022), so that nothing with N² elements is stored.
 */

import { InvalidArgumentError } from '../errors.js'
import { expectShape, type Kernel, type Shape, type Shapes, traffic } from './contract.js'
import { pictureExtents } from './pictures.js'

export interface AttentionAttributes {
  readonly heads: number
}

/** Checks qkv and y (or tensors of their shapes) and the heads; returns [B, N, C]. */
export function checkAttention(
  kernel: string,
  shapes: Shapes,
  { heads }: AttentionAttributes,
): [number, number, number] {
  const { B, H, W, S } = pictureExtents(kernel, 'qkv', shapes.qkv)
  if (!Number.isInteger(heads) || heads < 1 || S % (3 * heads) !== 0) {
    throw new InvalidArgumentError(
      `${kernel}: the channels of qkv must be three times those of the heads, but ${S} is no multiple of 3 × ${heads}.`,
    )
  }
  const C = S / 3
  expectShape(kernel, 'y', shapes.y, [B, H, W, C])
  expectShape(kernel, 'log_sum_exp', shapes.log_sum_exp, [B, heads, H * W])
  return [B, H * W, C]
}

/** Where q (part 0), k (1) or v (2) of position i in head h begins. */
export const partOf = (shape: Shape, heads: number): ((b: number, i: number, h: number, part: number) => number) => {
  const [, H, W, S] = shape
  const d = S / 3 / heads
  return (b, i, h, part) => (b * H * W + i) * S + (3 * h + part) * d
}

export const attention: Kernel<AttentionAttributes> = {
  kind: 'kernel',
  name: 'attention',
  operands: {
    qkv: { access: 'read' }, // [B, H, W, 3·C]
    y: { access: 'write' }, // [B, H, W, C]
    log_sum_exp: { access: 'write' }, // [B, heads, H·W]
  },
  check(shapes, a) {
    checkAttention('attention', shapes, a)
  },
  // the products q kᵀ and p v
  cost(shapes) {
    const [B, H, W, C] = shapes.y!
    return { flops: 4 * B * (H * W) ** 2 * C, bytes: traffic(shapes) }
  },
  reference(o, { heads }) {
    const [B, H, W, C] = o.y.shape
    const N = H * W
    const d = C / heads
    const at = partOf(o.qkv.shape, heads)
    const scores = new Float64Array(N)
    for (let b = 0; b < B; b++) {
      for (let h = 0; h < heads; h++) {
        for (let i = 0; i < N; i++) {
          let most = Number.NEGATIVE_INFINITY
          for (let j = 0; j < N; j++) {
            let dot = 0
            for (let c = 0; c < d; c++) dot += o.qkv.data[at(b, i, h, 0) + c] * o.qkv.data[at(b, j, h, 1) + c]
            scores[j] = dot / Math.sqrt(d)
            most = Math.max(most, scores[j])
          }
          let sum = 0
          for (let j = 0; j < N; j++) sum += Math.exp(scores[j] - most)
          o.log_sum_exp.data[(b * heads + h) * N + i] = most + Math.log(sum)
          for (let c = 0; c < d; c++) {
            let y = 0
            for (let j = 0; j < N; j++) y += (Math.exp(scores[j] - most) / sum) * o.qkv.data[at(b, j, h, 2) + c]
            o.y.data[(b * N + i) * C + h * d + c] = y
          }
        }
      }
    }
  },
}
