/**
 * Gradient of a convolution's input (conv2d.ts):
 * dx = scale·(convᵀ dy) ⊙ act′(saved) + add, dy [B, H′, W′, N], weight [kh, kw, C, N], dx [B, H, W, C].
 *
 * Where the convolution enlarged its input (`upsample` 2), the gradients of the 2 × 2 pixels that one pixel became are
 * added up. `saved` is the output or pre-activation of the layer that made x, whichever its activation's derivative is a
 * function of; left out: no activation. `add` is the gradient of x from another path. dy, dx, saved and add may be
 * windows of channels; dy and dx may be nchw (then the others are nhwc or not there).
 *
 * `factors` f16: dy and the weight are multiplied in float16 (convolution.ts). With `state`, which goes with it, dy is multiplied by
 * its loss scale (state.ts) before it is rounded, so that it does not fall below float16's smallest numbers, and the sums
 * are divided by it.
 */

import { activations } from './activations.js'
import { type Kernel, traffic } from './contract.js'
import {
  type ConvolutionFactors,
  type ConvolutionGeometry,
  checkFactors,
  convolutionExtents,
  convolutionFlops,
  eachTap,
  factorOf,
  factorScale,
} from './convolution.js'
import { type ActivationAttributes, checkActivation } from './linear.js'
import { expectPictures, type Layout, pictureExtents, pictureIndex } from './pictures.js'

export interface Conv2dBackwardInputAttributes extends ConvolutionGeometry, ConvolutionFactors, ActivationAttributes {
  readonly dyLayout: Layout
  readonly dxLayout: Layout
  readonly dyFirst: number
  readonly dxFirst: number
  readonly savedFirst: number
  readonly addFirst: number
  readonly scale: number
}

/** Those of a plain 3 × 3 convolution; spread them and override what differs. */
export const plainBackwardInput: Conv2dBackwardInputAttributes = {
  stride: 1,
  padding: 1,
  upsample: 1,
  factors: 'f32',
  activation: 'identity',
  beta: 1,
  dyLayout: 'nhwc',
  dxLayout: 'nhwc',
  dyFirst: 0,
  dxFirst: 0,
  savedFirst: 0,
  addFirst: 0,
  scale: 1,
}

export const conv2dBackwardInput: Kernel<Conv2dBackwardInputAttributes> = {
  kind: 'kernel',
  name: 'conv2d_backward_input',
  operands: {
    dy: { access: 'read' }, // [B, H′, W′, S] or [B, N, H′, W′]
    weight: { access: 'read', dtype: 'either' }, // [kh, kw, C, N], in the format of `factors`
    saved: { access: 'read', optional: true }, // [B, H, W, S]
    add: { access: 'read', optional: true }, // [B, H, W, S]
    state: { access: 'read', dtype: 'u32', optional: true }, // [8]
    dx: { access: 'write' }, // [B, H, W, S] or [B, C, H, W]
  },
  check(shapes, a) {
    const { B, H, W } = pictureExtents('conv2d_backward_input', 'dx', shapes.dx, a.dxLayout)
    const { C, N, outH, outW } = convolutionExtents('conv2d_backward_input', H, W, shapes.weight, a)
    expectPictures('conv2d_backward_input', 'dx', shapes.dx, [B, H, W, C], a.dxFirst, a.dxLayout)
    expectPictures('conv2d_backward_input', 'dy', shapes.dy, [B, outH, outW, N], a.dyFirst, a.dyLayout)
    if (shapes.saved) expectPictures('conv2d_backward_input', 'saved', shapes.saved, [B, H, W, C], a.savedFirst)
    if (shapes.add) expectPictures('conv2d_backward_input', 'add', shapes.add, [B, H, W, C], a.addFirst)
    checkActivation('conv2d_backward_input', a)
    const windows = [a.dyFirst, a.dxFirst, a.savedFirst, a.addFirst]
    const tensors = [shapes.dy, shapes.dx, shapes.saved, shapes.add].map((shape) => shape?.[3])
    checkFactors('conv2d_backward_input', a, [a.dyLayout, a.dxLayout], [C, N, ...windows, ...tensors], shapes.state)
  },
  cost(shapes, a) {
    const { B, H, W } = pictureExtents('conv2d_backward_input', 'dx', shapes.dx, a.dxLayout)
    const flops = convolutionFlops(B, convolutionExtents('conv2d_backward_input', H, W, shapes.weight, a))
    return { flops, bytes: traffic(shapes) }
  },
  reference(o, a) {
    const { B, H, W } = pictureExtents('conv2d_backward_input', 'dx', o.dx.shape, a.dxLayout)
    const extents = convolutionExtents('conv2d_backward_input', H, W, o.weight.shape, a)
    const { kw, C, N } = extents
    const from = pictureIndex(o.dy, a.dyFirst, a.dyLayout)
    const to = pictureIndex(o.dx, a.dxFirst, a.dxLayout)
    const savedAt = o.saved && pictureIndex(o.saved, a.savedFirst)
    const addAt = o.add && pictureIndex(o.add, a.addFirst)
    const { derivative } = activations[a.activation]
    const factor = factorOf(a)
    const weight = Array.from(o.weight.data, factor)
    const lossScale = factorScale(o.state)
    const sums = new Float64Array(H * W * C)
    for (let b = 0; b < B; b++) {
      sums.fill(0)
      eachTap(H, W, extents, a, (y, x, i, j, inY, inX) => {
        for (let c = 0; c < C; c++) {
          const taps = ((i * kw + j) * C + c) * N
          let sum = 0
          for (let n = 0; n < N; n++) sum += factor(lossScale * o.dy.data[from(b, y, x, n)]) * weight[taps + n]
          sums[(inY * W + inX) * C + c] += sum
        }
      })
      for (let y = 0; y < H; y++) {
        for (let x = 0; x < W; x++) {
          for (let c = 0; c < C; c++) {
            let sum = (a.scale * sums[(y * W + x) * C + c]) / lossScale
            if (savedAt) sum *= derivative(o.saved.data[savedAt(b, y, x, c)], a.beta)
            if (addAt) sum += o.add.data[addAt(b, y, x, c)]
            o.dx.data[to(b, y, x, c)] = sum
          }
        }
      }
    }
  },
}
