/**
 * 2-D convolution with everything that may be fused into it:
 * y = scale·act(conv(u) + bias + shift) + residual, u = x;
 * x [B, H, W, C], weight [kh, kw, C, N], y [B, H′, W′, N].
 *
 * - `upsample` 2 enlarges x by nearest neighbours before the convolution; H′ = ⌊(H·upsample + 2·padding − kh)/stride⌋ + 1.
 * - a weight [1, kw > 1, C, N] is one of sequences x [B, 1, W, C]: H′ = 1 (convolution.ts).
 * - `shift` is one value for each picture and channel out, such as the time embedding: N columns of [B, M] from
 *   `shiftFirst` on, or of [1, M] for all pictures.
 * - `residual` is added last. It has the extents of y, or half of them: then its pixels are repeated 2 × 2 (the skip of a
 *   residual block that enlarges).
 * - `stages` [S, stride] are tensors as large as x or y in memory, S of them, `stride` elements apart, for a Runge–Kutta
 *   method before or after a network. `combine: 'input'` convolves u = x + Σ_s c_s·stages_s; `combine: 'output'`
 *   adds Σ_s c_s·stages_s to y. A coefficient of zero means the stage is not read.
 * - x, y and residual may be windows of channels (`xFirst`, `yFirst`, `residualFirst`; pictures.ts). x may be in the
 *   layout nchw (the rows of data), and so may y, its residual with it; a combined one has no window.
 * - `factors` f16: u and the weight are multiplied in float16 (convolution.ts); nothing is combined then.
 */

import { InvalidArgumentError } from '../errors.js'
import { activations } from './activations.js'
import { expectShape, extents, type Kernel, size, traffic } from './contract.js'
import {
  type ConvolutionFactors,
  type ConvolutionGeometry,
  checkFactors,
  convolutionExtents,
  convolutionFlops,
  eachTap,
  factorOf,
} from './convolution.js'
import { type ActivationAttributes, checkActivation } from './linear.js'
import { expectFirst, expectPictures, type Layout, pictureExtents, pictureIndex } from './pictures.js'

export interface Conv2dAttributes extends ConvolutionGeometry, ConvolutionFactors, ActivationAttributes {
  readonly xLayout: Layout
  readonly yLayout: Layout
  readonly xFirst: number
  readonly yFirst: number
  readonly shiftFirst: number
  readonly residualFirst: number
  readonly scale: number
  readonly combine: 'none' | 'input' | 'output'
  /** one for each stage to combine; empty where combine is 'none' */
  readonly coefficients: readonly number[]
}

/** Attributes of a plain 3 × 3 convolution; spread them and override what differs. */
export const plainConvolution: Conv2dAttributes = {
  stride: 1,
  padding: 1,
  upsample: 1,
  factors: 'f32',
  activation: 'identity',
  beta: 1,
  xLayout: 'nhwc',
  yLayout: 'nhwc',
  xFirst: 0,
  yFirst: 0,
  shiftFirst: 0,
  residualFirst: 0,
  scale: 1,
  combine: 'none',
  coefficients: [],
}

export const conv2d: Kernel<Conv2dAttributes> = {
  kind: 'kernel',
  name: 'conv2d',
  operands: {
    x: { access: 'read' }, // [B, H, W, S] or [B, C, H, W]
    weight: { access: 'read', dtype: 'either' }, // [kh, kw, C, N], in the format of `factors`
    bias: { access: 'read' }, // [N]
    shift: { access: 'read', optional: true }, // [B, M] or [1, M]
    residual: { access: 'read', optional: true }, // [B, H′, W′, S] or [B, H′/2, W′/2, S] or [B, N, H′, W′]
    stages: { access: 'read', optional: true }, // [S, stride]
    y: { access: 'write' }, // [B, H′, W′, S] or [B, N, H′, W′]
  },
  check(shapes, a) {
    const { B, H, W } = pictureExtents('conv2d', 'x', shapes.x, a.xLayout)
    const { C, N, outH, outW } = convolutionExtents('conv2d', H, W, shapes.weight, a)
    expectPictures('conv2d', 'x', shapes.x, [B, H, W, C], a.xFirst, a.xLayout)
    expectPictures('conv2d', 'y', shapes.y, [B, outH, outW, N], a.yFirst, a.yLayout)
    expectShape('conv2d', 'bias', shapes.bias, [N])
    if (shapes.shift) {
      const [rows, M] = extents('conv2d', 'shift', shapes.shift, 2)
      expectShape('conv2d', 'shift', shapes.shift, [rows === 1 ? 1 : B, M])
      expectFirst('conv2d', 'shift', a.shiftFirst, N, M)
    }
    if (shapes.residual) {
      const halved = a.yLayout === 'nhwc' && 2 * shapes.residual[1] === outH
      const [residualH, residualW] = halved ? [outH / 2, outW / 2] : [outH, outW]
      expectPictures('conv2d', 'residual', shapes.residual, [B, residualH, residualW, N], a.residualFirst, a.yLayout)
    }
    checkActivation('conv2d', a)
    const windows = [a.xFirst, a.yFirst, a.residualFirst, a.shiftFirst, shapes.shift?.[1]]
    const tensors = [shapes.x, shapes.y, shapes.residual].map((shape) => shape?.[3])
    checkFactors('conv2d', a, [a.xLayout, a.yLayout], [C, N, ...windows, ...tensors])
    if (a.factors === 'f16' && a.combine !== 'none') {
      throw new InvalidArgumentError(`conv2d: with factors in float16, combine must be none, but is ${a.combine}.`)
    }
    if ((a.combine === 'none') !== (shapes.stages === undefined)) {
      throw new InvalidArgumentError(`conv2d: stages are given where combine is 'input' or 'output', and only there.`)
    }
    if (shapes.stages) {
      const [S, stride] = extents('conv2d', 'stages', shapes.stages, 2)
      const length = a.combine === 'input' ? size([B, H, W, C]) : size([B, outH, outW, N])
      const whole = size((a.combine === 'input' ? shapes.x : shapes.y)!) === length
      if (a.coefficients.length < 1 || a.coefficients.length > Math.min(S, 8) || stride < length || !whole) {
        throw new InvalidArgumentError(
          `conv2d: stages must be 1 to 8 tensors of at least ${length} elements, one for each coefficient, beside a ` +
            `tensor that is no window, but stages are [${S}, ${stride}] for ${a.coefficients.length} coefficients.`,
        )
      }
    }
  },
  cost(shapes, a) {
    const { B, H, W } = pictureExtents('conv2d', 'x', shapes.x, a.xLayout)
    const flops = convolutionFlops(B, convolutionExtents('conv2d', H, W, shapes.weight, a))
    return { flops, bytes: traffic(shapes) }
  },
  reference(o, a) {
    const { B, H, W } = pictureExtents('conv2d', 'x', o.x.shape, a.xLayout)
    const extents = convolutionExtents('conv2d', H, W, o.weight.shape, a)
    const { kw, C, N, outH, outW } = extents
    const at = pictureIndex(o.x, a.xFirst, a.xLayout)
    const to = pictureIndex(o.y, a.yFirst, a.yLayout)
    const { value } = activations[a.activation]
    const factor = factorOf(a)
    const weight = Array.from(o.weight.data, factor)
    const combined = (when: 'input' | 'output', base: number, index: number): number =>
      a.combine !== when
        ? base
        : a.coefficients.reduce(
            (sum, c, s) => (c === 0 ? sum : sum + c * o.stages.data[s * o.stages.shape[1] + index]),
            base,
          )
    const sums = new Float64Array(outH * outW * N)
    for (let b = 0; b < B; b++) {
      sums.fill(0)
      eachTap(H, W, extents, a, (y, x, i, j, inY, inX) => {
        for (let c = 0; c < C; c++) {
          const index = at(b, inY, inX, c)
          const input = factor(combined('input', o.x.data[index], index))
          const taps = ((i * kw + j) * C + c) * N
          const out = (y * outW + x) * N
          for (let n = 0; n < N; n++) sums[out + n] += input * weight[taps + n]
        }
      })
      const half = o.residual && a.yLayout === 'nhwc' && 2 * o.residual.shape[1] === outH ? 2 : 1
      const from = o.residual && pictureIndex(o.residual, a.residualFirst, a.yLayout)
      for (let y = 0; y < outH; y++) {
        for (let x = 0; x < outW; x++) {
          for (let n = 0; n < N; n++) {
            let sum = sums[(y * outW + x) * N + n] + o.bias.data[n]
            if (o.shift) {
              const [rows, M] = o.shift.shape
              sum += o.shift.data[(rows === 1 ? 0 : b) * M + a.shiftFirst + n]
            }
            sum = a.scale * value(sum, a.beta)
            if (from) sum += o.residual.data[from(b, Math.floor(y / half), Math.floor(x / half), n)]
            const index = to(b, y, x, n)
            o.y.data[index] = combined('output', sum, index)
          }
        }
      }
    }
  },
}
