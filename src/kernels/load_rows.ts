/**
 * Rows of the pool as the network takes them: floats as they are, pixels scaled to [−1, 1] (src/kernels/pool.ts). Row b is
 * row first + b of the whole pool; with `mirror`, whether it is mirrored depends on the seed, the stream and that index
 * alone. The push reads its first pool through this kernel: each picture is pushed once, in one of its two orientations.
 */

import { expectShape, extents, type Kernel, traffic } from './contract.js'
import { type DrawAttributes, draw } from './draws.js'
import { checkMirror, expectPool, type PoolAttributes, poolValue } from './pool.js'

export const loadRows: Kernel<DrawAttributes & PoolAttributes> = {
  kind: 'kernel',
  name: 'load_rows',
  operands: {
    pool: { access: 'read', dtype: 'either' }, // [B, D], or [B, ⌈D/4⌉] of pixels: rows first … first + B − 1
    first: { access: 'read', dtype: 'u32' }, // [1]
    y: { access: 'write' }, // [B, D]
  },
  check(shapes, a) {
    const [B, D] = extents('load_rows', 'y', shapes.y, 2)
    expectPool('load_rows', shapes.pool, [B, D], a)
    expectShape('load_rows', 'first', shapes.first, [1])
    checkMirror('load_rows', D, a)
  },
  cost: (shapes, a) => ({
    flops: a.values === 'pixels' ? 2 * shapes.y![0] * shapes.y![1] : 0,
    bytes: traffic(shapes),
  }),
  reference(o, a) {
    const [B, D] = o.y.shape
    for (let b = 0; b < B; b++) {
      // block 1: draw_batch has block 0
      const mirrored = a.mirror > 0 && (draw(a, 'mirror', o.first.data[0] + b, 0, 1)[0] & 1) === 1
      for (let d = 0; d < D; d++) o.y.data[b * D + d] = poolValue(o.pool, b, d, mirrored, a)
    }
  },
}
