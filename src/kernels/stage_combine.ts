/**
 * A combination of Runge–Kutta stages with one step size for all rows: out = y + Σ_s coefficients[s]·stages[s], of any shape
 * with E elements; stages [S, stride] with stride ≥ E holds stage s from s·stride on.
 */

import { InvalidArgumentError } from '../errors.js'
import { expectShape, extents, type Kernel, size } from './contract.js'

export interface StageCombineAttributes {
  /** one for each stage, the step size included; at most 8 */
  readonly coefficients: readonly number[]
}

export const MAX_STAGES = 8

export const stageCombine: Kernel<StageCombineAttributes> = {
  kind: 'kernel',
  name: 'stage_combine',
  operands: {
    y: { access: 'read' },
    stages: { access: 'read' },
    out: { access: 'write' },
  },
  check(shapes, a) {
    const [S, stride] = extents('stage_combine', 'stages', shapes.stages, 2)
    expectShape('stage_combine', 'out', shapes.out, shapes.y ?? [])
    if (stride < size(shapes.y ?? []) || a.coefficients.length > Math.min(S, MAX_STAGES)) {
      throw new InvalidArgumentError(
        `stage_combine: stages [${S}, ${stride}] do not hold ${a.coefficients.length} stages of ${size(shapes.y ?? [])}.`,
      )
    }
  },
  cost: (shapes, a) => {
    const used = a.coefficients.filter((c) => c !== 0).length
    return { flops: 2 * used * size(shapes.y!), bytes: 4 * (used + 2) * size(shapes.y!) }
  },
  reference(o, a) {
    const stride = o.stages.shape[1]
    for (let i = 0; i < o.y.data.length; i++) {
      let sum = o.y.data[i]
      for (let s = 0; s < a.coefficients.length; s++) {
        if (a.coefficients[s] !== 0) sum += a.coefficients[s] * o.stages.data[s * stride + i]
      }
      o.out.data[i] = sum
    }
  },
}
