/**
 * A stage's input in an adaptive Runge–Kutta step, where every row has its own time and step:
 * out[b] = y[b] + h[b]·Σ_s coefficients[s]·stages[s, b], stage_time[b] = t[b] + node·h[b].
 */

import { InvalidArgumentError } from '../errors.js'
import { expectShape, extents, type Kernel, traffic } from './contract.js'
import { MAX_STAGES } from './stage_combine.js'

export interface AdaptiveStageAttributes {
  /** row of the tableau, without the step size; at most 8 */
  readonly coefficients: readonly number[]
  /** the stage's place in the step, 0 … 1 */
  readonly node: number
}

export const adaptiveStage: Kernel<AdaptiveStageAttributes> = {
  kind: 'kernel',
  name: 'adaptive_stage',
  operands: {
    y: { access: 'read' }, // [B, D]
    stages: { access: 'read' }, // [S, stride], stride ≥ B·D
    t: { access: 'read' }, // [B]
    h: { access: 'read' }, // [B]
    out: { access: 'write' }, // [B, D]
    stage_time: { access: 'write' }, // [B]
  },
  check(shapes, a) {
    const [B, D] = extents('adaptive_stage', 'y', shapes.y, 2)
    const [S, stride] = extents('adaptive_stage', 'stages', shapes.stages, 2)
    for (const name of ['t', 'h', 'stage_time']) expectShape('adaptive_stage', name, shapes[name], [B])
    expectShape('adaptive_stage', 'out', shapes.out, [B, D])
    if (stride < B * D || a.coefficients.length > Math.min(S, MAX_STAGES)) {
      throw new InvalidArgumentError(
        `adaptive_stage: stages [${S}, ${stride}] do not hold ${a.coefficients.length} stages of ${B * D}.`,
      )
    }
  },
  cost: (shapes, a) => ({ flops: 2 * a.coefficients.length * shapes.y![0] * shapes.y![1], bytes: traffic(shapes) }),
  reference(o, a) {
    const [B, D] = o.y.shape
    const stride = o.stages.shape[1]
    for (let b = 0; b < B; b++) {
      o.stage_time.data[b] = o.t.data[b] + a.node * o.h.data[b]
      for (let d = 0; d < D; d++) {
        let sum = 0
        for (let s = 0; s < a.coefficients.length; s++) sum += a.coefficients[s] * o.stages.data[s * stride + b * D + d]
        o.out.data[b * D + d] = o.y.data[b * D + d] + o.h.data[b] * sum
      }
    }
  },
}
