/**
 * Sum of each 2 × 2 pixels, times a factor: y[b, i, j, c] = factor·Σ x[b, 2i + (0, 1), 2j + (0, 1), c], x [B, H, W, C] with
 * even H and W, y [B, H/2, W/2, C]. factor ¼ is average pooling; factor 1 is the gradient of nearest-neighbour enlargement.
 * x may be a window of channels.
 */

import { InvalidArgumentError } from '../errors.js'
import { extents, type Kernel, size, traffic } from './contract.js'
import { expectPictures, pictureIndex } from './pictures.js'

export interface AveragePoolAttributes {
  readonly xFirst: number
  readonly factor: number
}

export const averagePool: Kernel<AveragePoolAttributes> = {
  kind: 'kernel',
  name: 'average_pool',
  operands: {
    x: { access: 'read' }, // [B, H, W, S]
    y: { access: 'write' }, // [B, H/2, W/2, C]
  },
  check(shapes, a) {
    const [B, h, w, C] = extents('average_pool', 'y', shapes.y, 4)
    expectPictures('average_pool', 'x', shapes.x, [B, 2 * h, 2 * w, C], a.xFirst)
    if (!Number.isFinite(a.factor)) {
      throw new InvalidArgumentError(`average_pool: factor must be a finite number, but is ${a.factor}.`)
    }
  },
  cost: (shapes) => ({ flops: 4 * size(shapes.y!), bytes: traffic(shapes) }),
  reference(o, a) {
    const [B, h, w, C] = o.y.shape
    const at = pictureIndex(o.x, a.xFirst)
    for (let b = 0; b < B; b++) {
      for (let i = 0; i < h; i++) {
        for (let j = 0; j < w; j++) {
          for (let c = 0; c < C; c++) {
            let sum = 0
            for (const [y, x] of [
              [0, 0],
              [0, 1],
              [1, 0],
              [1, 1],
            ]) {
              sum += o.x.data[at(b, 2 * i + y, 2 * j + x, c)]
            }
            o.y.data[((b * h + i) * w + j) * C + c] = a.factor * sum
          }
        }
      }
    }
  },
}
