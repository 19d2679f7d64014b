/**
 * Divergence of a velocity field from its tangents: with unit tangents (probes left out, T = D) the exact trace
 * Σ_d dv[d·B + b, d]; with probes Hutchinson's estimate (1/T) Σ_τ ⟨probes[τ·B + b], dv[τ·B + b]⟩
 * (Hutchinson 1989; Grathwohl et al. 2019). dv and probes [T·B, D], divergence [B].
 */

import { InvalidArgumentError } from '../errors.js'
import { expectShape, extents, type Kernel, traffic } from './contract.js'

export const divergence: Kernel = {
  kind: 'kernel',
  name: 'divergence',
  operands: {
    dv: { access: 'read' },
    probes: { access: 'read', optional: true },
    divergence: { access: 'write' },
  },
  check(shapes) {
    const [R, D] = extents('divergence', 'dv', shapes.dv, 2)
    const [B] = extents('divergence', 'divergence', shapes.divergence, 1)
    if (shapes.probes) expectShape('divergence', 'probes', shapes.probes, [R, D])
    if (R % B !== 0 || (!shapes.probes && R !== D * B)) {
      throw new InvalidArgumentError(
        `divergence: dv must have T·${B} rows${shapes.probes ? '' : ` with T = ${D} (unit vectors)`}, but has ${R}.`,
      )
    }
  },
  cost: (shapes) => ({ flops: 2 * shapes.dv![0] * shapes.dv![1], bytes: traffic(shapes) }),
  reference(o) {
    const [R, D] = o.dv.shape
    const B = o.divergence.shape[0]
    const T = R / B
    for (let b = 0; b < B; b++) {
      let sum = 0
      for (let tau = 0; tau < T; tau++) {
        const row = (tau * B + b) * D
        if (!o.probes) sum += o.dv.data[row + tau]
        else for (let d = 0; d < D; d++) sum += (o.probes.data[row + d] * o.dv.data[row + d]) / T
      }
      o.divergence.data[b] = sum
    }
  },
}
