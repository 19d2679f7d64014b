/**
 * Gradient of average_pool (average_pool.ts): dx[b, y, x, c] = factor·dy[b, ⌊y/2⌋, ⌊x/2⌋, c] + add[b, y, x, c],
 * dy [B, H/2, W/2, C], dx and add [B, H, W, C]. `add` is the gradient of x from another path. dy and add may be windows
 * of channels.
 */

import { InvalidArgumentError } from '../errors.js'
import { extents, type Kernel, size, traffic } from './contract.js'
import { expectPictures, pictureIndex } from './pictures.js'

export interface AveragePoolBackwardAttributes {
  readonly dyFirst: number
  readonly addFirst: number
  readonly factor: number
}

export const averagePoolBackward: Kernel<AveragePoolBackwardAttributes> = {
  kind: 'kernel',
  name: 'average_pool_backward',
  operands: {
    dy: { access: 'read' }, // [B, H/2, W/2, S]
    add: { access: 'read', optional: true }, // [B, H, W, S]
    dx: { access: 'write' }, // [B, H, W, C]
  },
  check(shapes, a) {
    const [B, H, W, C] = extents('average_pool_backward', 'dx', shapes.dx, 4)
    if (H % 2 !== 0 || W % 2 !== 0) {
      throw new InvalidArgumentError(`average_pool_backward: H and W must be even, but are ${H} and ${W}.`)
    }
    expectPictures('average_pool_backward', 'dy', shapes.dy, [B, H / 2, W / 2, C], a.dyFirst)
    if (shapes.add) expectPictures('average_pool_backward', 'add', shapes.add, [B, H, W, C], a.addFirst)
    if (!Number.isFinite(a.factor)) {
      throw new InvalidArgumentError(`average_pool_backward: factor must be a finite number, but is ${a.factor}.`)
    }
  },
  cost: (shapes) => ({ flops: size(shapes.dx!) * (shapes.add ? 2 : 1), bytes: traffic(shapes) }),
  reference(o, a) {
    const [B, H, W, C] = o.dx.shape
    const from = pictureIndex(o.dy, a.dyFirst)
    const addAt = o.add && pictureIndex(o.add, a.addFirst)
    for (let b = 0; b < B; b++) {
      for (let y = 0; y < H; y++) {
        for (let x = 0; x < W; x++) {
          for (let c = 0; c < C; c++) {
            const added = addAt ? o.add.data[addAt(b, y, x, c)] : 0
            o.dx.data[((b * H + y) * W + x) * C + c] = a.factor * o.dy.data[from(b, y >> 1, x >> 1, c)] + added
          }
        }
      }
    }
  },
}
