/**
 * Probes of ±1 with equal chances for Hutchinson's estimator: y [T·B, D], row τ·B + b is probe τ of row first + b of an
 * endless matrix, and depends on the seed, the stream, that row and τ alone. Bit d mod 32 of word ⌊d/32⌋ mod 4 decides.
 */

import { InvalidArgumentError } from '../errors.js'
import { expectShape, extents, type Kernel, traffic } from './contract.js'
import { type DrawAttributes, draw } from './draws.js'

export interface RademacherAttributes extends DrawAttributes {
  /** T */
  readonly probes: number
}

export const rademacher: Kernel<RademacherAttributes> = {
  kind: 'kernel',
  name: 'rademacher',
  operands: {
    first: { access: 'read', dtype: 'u32' }, // [1]
    y: { access: 'write' },
  },
  check(shapes, a) {
    const [R] = extents('rademacher', 'y', shapes.y, 2)
    expectShape('rademacher', 'first', shapes.first, [1])
    if (!Number.isInteger(a.probes) || a.probes < 1 || R % a.probes !== 0) {
      throw new InvalidArgumentError(`rademacher: ${R} rows are no multiple of ${a.probes} probes.`)
    }
  },
  cost: (shapes) => ({ flops: 0, bytes: traffic(shapes) }),
  reference(o, a) {
    const [R, D] = o.y.shape
    const B = R / a.probes
    for (let r = 0; r < R; r++) {
      for (let d = 0; d < D; d++) {
        const words = draw(a, 'probe', o.first.data[0] + (r % B), Math.floor(r / B), d >> 7)
        o.y.data[r * D + d] = (words[(d >> 5) & 3] >>> (d & 31)) & 1 ? 1 : -1
      }
    }
  },
}
