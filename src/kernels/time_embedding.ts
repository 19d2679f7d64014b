/**
 * Sinusoidal embedding of a time (Vaswani et al. 2017, in guided-diffusion's order): with h = ⌊E/2⌋ and the frequencies
 * f_k = 10000^(−k/h), y[b] = [cos(f_0 t_b) … cos(f_{h−1} t_b), sin(f_0 t_b) … sin(f_{h−1} t_b)], and a zero at the end where
 * E is odd. t [B] is not scaled: Local Flow's t in [0, 1] goes in as it is. y [B, E].
 */

import { expectShape, extents, type Kernel, traffic } from './contract.js'

export const timeEmbedding: Kernel = {
  kind: 'kernel',
  name: 'time_embedding',
  operands: {
    t: { access: 'read' }, // [B]
    y: { access: 'write' }, // [B, E]
  },
  check(shapes) {
    const [B] = extents('time_embedding', 'y', shapes.y, 2)
    expectShape('time_embedding', 't', shapes.t, [B])
  },
  cost: (shapes) => ({ flops: shapes.y![0] * shapes.y![1], bytes: traffic(shapes) }),
  reference(o) {
    const [B, E] = o.y.shape
    const h = Math.floor(E / 2)
    for (let b = 0; b < B; b++) {
      for (let k = 0; k < h; k++) {
        const angle = o.t.data[b] * 10_000 ** (-k / h)
        o.y.data[b * E + k] = Math.cos(angle)
        o.y.data[b * E + h + k] = Math.sin(angle)
      }
      if (E % 2 === 1) o.y.data[b * E + E - 1] = 0
    }
  },
}
