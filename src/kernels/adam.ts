/**
 * One step of Adam (Kingma and Ba 2015) or AdamW (Loshchilov and Hutter 2019) on all parameters, with clipping by the
 * global norm and an exponential moving average of the parameters. Row k = state.step − 1 of the table holds what
 * changes from step to step: learning rate, 1/(1 − β₁ᵏ⁺¹), 1/(1 − β₂ᵏ⁺¹), decay of the average; the host computes it once in
 * float64. The gradient's norm is √Σ partials (gradient_norm). A norm that is not finite skips the step and is counted;
 * ten in a row halt the state. Once it is halted, nothing changes.
 */

import { expectBoth, expectShape, extents, type Kernel, traffic } from './contract.js'
import { normBlocks } from './gradient_norm.js'
import { HALTED_GRADIENT, SKIPS_BEFORE_HALT, STATE_LENGTH, stateWords } from './state.js'

/** What Adam is told when it is compiled; what changes from step to step is in its table. */
export interface AdamAttributes {
  /** decay of the first moment */
  readonly beta1: number
  /** decay of the second moment */
  readonly beta2: number
  /** added to the root of the second moment */
  readonly epsilon: number
  /** Adam adds weightDecay·p to the gradient; AdamW (decoupled) takes rate·weightDecay·p from the parameter. */
  readonly weightDecay: number
  /** AdamW */
  readonly decoupled: boolean
  /** largest global norm; 0: no clipping */
  readonly clip: number
}

/** Columns of the step table. */
export const stepTable = { rate: 0, correction1: 1, correction2: 2, averageDecay: 3, columns: 4 } as const

export const adam: Kernel<AdamAttributes> = {
  kind: 'kernel',
  name: 'adam',
  operands: {
    parameters: { access: 'readwrite' }, // [P]
    gradient: { access: 'read' }, // [P]
    m: { access: 'readwrite' }, // [P]
    v: { access: 'readwrite' }, // [P]
    average: { access: 'readwrite', optional: true }, // [P]
    partials: { access: 'read' }, // [G]
    table: { access: 'read' }, // [S, 4]
    state: { access: 'readwrite', dtype: 'u32' }, // [8]
  },
  check(shapes) {
    const [P] = extents('adam', 'parameters', shapes.parameters, 1)
    for (const name of ['gradient', 'm', 'v']) expectShape('adam', name, shapes[name], [P])
    if (shapes.average) expectShape('adam', 'average', shapes.average, [P])
    expectShape('adam', 'partials', shapes.partials, [normBlocks(P)])
    expectShape('adam', 'table', shapes.table, [shapes.table?.[0] ?? 1, stepTable.columns])
    expectShape('adam', 'state', shapes.state, [STATE_LENGTH])
    expectBoth('adam', 'm', 'v', shapes)
  },
  cost: (shapes) => ({
    flops: 12 * shapes.parameters![0],
    // parameters and moments are read and written
    bytes:
      traffic({ ...shapes, table: [4] }) +
      traffic({ p: shapes.parameters, m: shapes.m, v: shapes.v, e: shapes.average }),
  }),
  reference(o, a) {
    const state = o.state.data
    if (state[stateWords.halted] !== 0) return
    let squares = 0
    for (const partial of o.partials.data) squares += partial
    if (!Number.isFinite(squares)) {
      state[stateWords.skipped] += 1
      state[stateWords.skippedInARow] += 1
      if (state[stateWords.skippedInARow] >= SKIPS_BEFORE_HALT) state[stateWords.halted] = HALTED_GRADIENT
      return
    }
    state[stateWords.skippedInARow] = 0
    const norm = Math.sqrt(squares)
    const clipping = a.clip > 0 && norm > a.clip ? a.clip / norm : 1
    const row = (state[stateWords.step] - 1) * stepTable.columns
    const rate = o.table.data[row + stepTable.rate]
    const correction1 = o.table.data[row + stepTable.correction1]
    const correction2 = o.table.data[row + stepTable.correction2]
    const averageDecay = o.table.data[row + stepTable.averageDecay]
    for (let i = 0; i < o.parameters.data.length; i++) {
      const p = o.parameters.data[i]
      const g = clipping * o.gradient.data[i] + (a.decoupled ? 0 : a.weightDecay * p)
      const m = a.beta1 * o.m.data[i] + (1 - a.beta1) * g
      const v = a.beta2 * o.v.data[i] + (1 - a.beta2) * g * g
      const shrunk = a.decoupled ? p - rate * a.weightDecay * p : p
      const next = shrunk - (rate * m * correction1) / (Math.sqrt(v * correction2) + a.epsilon)
      o.m.data[i] = m
      o.v.data[i] = v
      o.parameters.data[i] = next
      if (o.average) o.average.data[i] = averageDecay * o.average.data[i] + (1 - averageDecay) * next
    }
  },
}
