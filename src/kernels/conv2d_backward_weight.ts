/**
 * Gradients of a convolution's parameters (conv2d.ts): dweight[i, j, c, n] = Σ_{b, y, x} dy[b, y, x, n]·(the pixel of x
 * under tap i, j), dbias[n] = Σ_{b, y, x} dy, and where the convolution has a shift, dshift[b, shiftFirst + n] =
 * Σ_{y, x} dy. x [B, H, W, C], dy [B, H′, W′, N], dweight [kh, kw, C, N]. x and dy may be windows of channels, or nchw. The
 * sums run in an order that depends on the shapes only, never on the number of threads.
 *
 * `factors` f16: the factors of dweight are multiplied in float16 (convolution.ts), dy with the loss scale of `state`, where that is
 * given, and the sums divided by it, as in conv2d_backward_input.ts; dbias and dshift are sums of dy as it is.
 */

import { expectShape, extents, type Kernel, traffic } from './contract.js'
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
import { expectFirst, expectPictures, type Layout, pictureExtents, pictureIndex } from './pictures.js'

export interface Conv2dBackwardWeightAttributes extends ConvolutionGeometry, ConvolutionFactors {
  readonly xLayout: Layout
  readonly dyLayout: Layout
  readonly xFirst: number
  readonly dyFirst: number
  readonly shiftFirst: number
}

/** Those of a plain 3 × 3 convolution; spread them and override what differs. */
export const plainBackwardWeight: Conv2dBackwardWeightAttributes = {
  stride: 1,
  padding: 1,
  upsample: 1,
  factors: 'f32',
  xLayout: 'nhwc',
  dyLayout: 'nhwc',
  xFirst: 0,
  dyFirst: 0,
  shiftFirst: 0,
}

export const conv2dBackwardWeight: Kernel<Conv2dBackwardWeightAttributes> = {
  kind: 'kernel',
  name: 'conv2d_backward_weight',
  operands: {
    x: { access: 'read' }, // [B, H, W, S] or [B, C, H, W]
    dy: { access: 'read' }, // [B, H′, W′, S] or [B, N, H′, W′]
    state: { access: 'read', dtype: 'u32', optional: true }, // [8]
    dweight: { access: 'write' }, // [kh, kw, C, N]
    dbias: { access: 'write' }, // [N]
    dshift: { access: 'write', optional: true }, // [B, M]
  },
  check(shapes, a) {
    const { B, H, W } = pictureExtents('conv2d_backward_weight', 'x', shapes.x, a.xLayout)
    const { C, N, outH, outW } = convolutionExtents('conv2d_backward_weight', H, W, shapes.dweight, a, 'dweight')
    expectPictures('conv2d_backward_weight', 'x', shapes.x, [B, H, W, C], a.xFirst, a.xLayout)
    expectPictures('conv2d_backward_weight', 'dy', shapes.dy, [B, outH, outW, N], a.dyFirst, a.dyLayout)
    expectShape('conv2d_backward_weight', 'dbias', shapes.dbias, [N])
    const numbers = [C, N, a.xFirst, a.dyFirst, shapes.x?.[3], shapes.dy?.[3]]
    checkFactors('conv2d_backward_weight', a, [a.xLayout, a.dyLayout], numbers, shapes.state)
    if (shapes.dshift) {
      const [, M] = extents('conv2d_backward_weight', 'dshift', shapes.dshift, 2)
      expectShape('conv2d_backward_weight', 'dshift', shapes.dshift, [B, M])
      expectFirst('conv2d_backward_weight', 'dshift', a.shiftFirst, N, M)
    }
  },
  cost(shapes, a) {
    const { B, H, W } = pictureExtents('conv2d_backward_weight', 'x', shapes.x, a.xLayout)
    const extents = convolutionExtents('conv2d_backward_weight', H, W, shapes.dweight, a, 'dweight')
    return { flops: convolutionFlops(B, extents), bytes: traffic(shapes) }
  },
  reference(o, a) {
    const { B, H, W } = pictureExtents('conv2d_backward_weight', 'x', o.x.shape, a.xLayout)
    const extents = convolutionExtents('conv2d_backward_weight', H, W, o.dweight.shape, a, 'dweight')
    const { kw, C, N, outH, outW } = extents
    const at = pictureIndex(o.x, a.xFirst, a.xLayout)
    const from = pictureIndex(o.dy, a.dyFirst, a.dyLayout)
    const factor = factorOf(a)
    const lossScale = factorScale(o.state)
    const dweight = new Float64Array(o.dweight.data.length)
    const dbias = new Float64Array(N)
    for (let b = 0; b < B; b++) {
      eachTap(H, W, extents, a, (y, x, i, j, inY, inX) => {
        for (let c = 0; c < C; c++) {
          const input = factor(o.x.data[at(b, inY, inX, c)])
          const taps = ((i * kw + j) * C + c) * N
          for (let n = 0; n < N; n++) dweight[taps + n] += input * factor(lossScale * o.dy.data[from(b, y, x, n)])
        }
      })
      for (let n = 0; n < N; n++) {
        let sum = 0
        for (let y = 0; y < outH; y++) {
          for (let x = 0; x < outW; x++) sum += o.dy.data[from(b, y, x, n)]
        }
        dbias[n] += sum
        if (o.dshift) o.dshift.data[b * o.dshift.shape[1] + a.shiftFirst + n] = sum
      }
    }
    o.dweight.data.set(dweight.map((sum) => sum / lossScale))
    o.dbias.data.set(dbias)
  },
}
