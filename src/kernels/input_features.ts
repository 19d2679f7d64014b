/**
 * The first layer's input: x, then the condition, then sin(f·x) and cos(f·x) for each frequency f (Tancik et al. 2020,
 * Fourier features): y[b] = [x (D), condition (C), sin f₀x (D), cos f₀x (D), sin f₁x (D), …], [B, D + C + 2·F·D].
 */

import { expectShape, extents, type Kernel, traffic } from './contract.js'

export const inputFeatures: Kernel = {
  kind: 'kernel',
  name: 'input_features',
  operands: {
    x: { access: 'read' }, // [B, D]
    condition: { access: 'read', optional: true }, // [B, C]
    frequencies: { access: 'read', optional: true }, // [F], radians for one unit of x
    y: { access: 'write', dtype: 'float' },
  },
  check(shapes) {
    const [B, D] = extents('input_features', 'x', shapes.x, 2)
    const C = shapes.condition ? extents('input_features', 'condition', shapes.condition, 2)[1] : 0
    if (shapes.condition) expectShape('input_features', 'condition', shapes.condition, [B, C])
    const F = shapes.frequencies ? extents('input_features', 'frequencies', shapes.frequencies, 1)[0] : 0
    expectShape('input_features', 'y', shapes.y, [B, D + C + 2 * F * D])
  },
  cost: (shapes) => ({ flops: shapes.y![0] * shapes.y![1], bytes: traffic(shapes) }),
  reference(o) {
    const [B, D] = o.x.shape
    const C = o.condition ? o.condition.shape[1] : 0
    const F = o.frequencies ? o.frequencies.shape[0] : 0
    const K = o.y.shape[1]
    for (let b = 0; b < B; b++) {
      for (let d = 0; d < D; d++) {
        const x = o.x.data[b * D + d]
        o.y.data[b * K + d] = x
        for (let f = 0; f < F; f++) {
          o.y.data[b * K + D + C + 2 * f * D + d] = Math.sin(o.frequencies.data[f] * x)
          o.y.data[b * K + D + C + (2 * f + 1) * D + d] = Math.cos(o.frequencies.data[f] * x)
        }
      }
      for (let c = 0; c < C; c++) o.y.data[b * K + D + c] = o.condition.data[b * C + c]
    }
  },
}
