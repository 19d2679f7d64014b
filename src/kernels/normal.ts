/**
 * Standard normals for rows first … first + B − 1 of an endless matrix: y[b, d] depends on the seed, the stream, the
 * row first + b and d alone, so that a sample does not depend on how many are drawn with it. `first` is a tensor, so
 * that one program serves all blocks of rows.
 */

import { expectShape, extents, type Kernel, traffic } from './contract.js'
import { type DrawAttributes, draw, normals } from './draws.js'

export const normal: Kernel<DrawAttributes> = {
  kind: 'kernel',
  name: 'normal',
  operands: {
    first: { access: 'read', dtype: 'u32' }, // [1]
    y: { access: 'write' }, // [B, D]
  },
  check(shapes) {
    extents('normal', 'y', shapes.y, 2)
    expectShape('normal', 'first', shapes.first, [1])
  },
  cost: (shapes) => ({ flops: 8 * shapes.y![0] * shapes.y![1], bytes: traffic(shapes) }),
  reference(o, a) {
    const [B, D] = o.y.shape
    for (let b = 0; b < B; b++) {
      for (let d = 0; d < D; d++) {
        o.y.data[b * D + d] = normals(draw(a, 'latent', o.first.data[0] + b, 0, d >> 2))[d & 3]
      }
    }
  },
}
