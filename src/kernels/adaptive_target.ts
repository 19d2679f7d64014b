/**
 * The target that gives a squared error an adaptive weight (Geng et al. 2025, MeanFlow; the power ¾): with ℓ_b = Σ_d
 * (v − target)²/D of row b and w_b = (ℓ_b + offset)^−¾, out = v − w_b·(v − target), row_loss[b] = ℓ_b. The gradient of
 * ½‖v − out‖² at v is w_b·(v − target): that of the weighted error, its weight held fixed. v, target and out [B, D], row_loss [B].
 */

import { InvalidArgumentError } from '../errors.js'
import { expectShape, extents, type Kernel, traffic } from './contract.js'

export interface AdaptiveTargetAttributes {
  /** above 0: the weight of a row without an error is offset^−¾ */
  readonly offset: number
}

export const adaptiveTarget: Kernel<AdaptiveTargetAttributes> = {
  kind: 'kernel',
  name: 'adaptive_target',
  operands: {
    v: { access: 'read' },
    target: { access: 'read' },
    out: { access: 'write' },
    row_loss: { access: 'write' },
  },
  check(shapes, { offset }) {
    const [B, D] = extents('adaptive_target', 'v', shapes.v, 2)
    expectShape('adaptive_target', 'target', shapes.target, [B, D])
    expectShape('adaptive_target', 'out', shapes.out, [B, D])
    expectShape('adaptive_target', 'row_loss', shapes.row_loss, [B])
    if (!(offset > 0)) throw new InvalidArgumentError(`adaptive_target: offset must be above 0, but is ${offset}.`)
  },
  cost: (shapes) => ({ flops: 6 * shapes.v![0] * shapes.v![1], bytes: traffic(shapes) }),
  reference(o, { offset }) {
    const [B, D] = o.v.shape
    for (let b = 0; b < B; b++) {
      let sum = 0
      for (let i = b * D; i < (b + 1) * D; i++) sum += (o.v.data[i] - o.target.data[i]) ** 2
      const loss = sum / D
      const weight = (loss + offset) ** -0.75
      for (let i = b * D; i < (b + 1) * D; i++) o.out.data[i] = o.v.data[i] - weight * (o.v.data[i] - o.target.data[i])
      o.row_loss.data[b] = loss
    }
  },
}
