/**
 * Ends a step of mixed precision: keeps the loss scale in the training state (Micikevicius et al. 2018). Where the gradient's
 * sum of squares Σ partials (gradient_norm) is not finite, the scale halves, down to 1; after `growth` steps in a row whose sum was
 * finite it doubles, up to 2²⁴. The step itself is skipped and counted by adam, and nothing changes where the state is
 * halted.
 */

import { expectShape, extents, type Kernel, traffic } from './contract.js'
import { LARGEST_LOSS_EXPONENT, STATE_LENGTH, stateWords } from './state.js'

export interface LossScaleAttributes {
  /** steps with a finite gradient after which the scale doubles */
  readonly growth: number
}

export const lossScale: Kernel<LossScaleAttributes> = {
  kind: 'kernel',
  name: 'loss_scale',
  operands: {
    partials: { access: 'read' }, // [G]
    state: { access: 'readwrite', dtype: 'u32' }, // [8]
  },
  check(shapes) {
    extents('loss_scale', 'partials', shapes.partials, 1)
    expectShape('loss_scale', 'state', shapes.state, [STATE_LENGTH])
  },
  cost: (shapes) => ({ flops: shapes.partials![0], bytes: traffic(shapes) }),
  reference(o, { growth }) {
    const state = o.state.data
    if (state[stateWords.halted] !== 0) return
    let squares = 0
    for (const partial of o.partials.data) squares += partial
    const { lossExponent, goodSteps } = stateWords
    if (!Number.isFinite(squares)) {
      state[lossExponent] = Math.max(0, state[lossExponent] - 1)
      state[goodSteps] = 0
    } else if (state[goodSteps] + 1 >= growth) {
      state[lossExponent] = Math.min(LARGEST_LOSS_EXPONENT, state[lossExponent] + 1)
      state[goodSteps] = 0
    } else state[goodSteps] += 1
  },
}
