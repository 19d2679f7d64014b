/**
 * Ends a step of mixed precision (Micikevicius et al. 2018): `adam`, the float16 copy of the parameters that the next
 * step's products read, and the loss scale. Where the gradient's sum of squares Σ partials (gradient_norm) is not finite,
 * adam skips the step and counts it, and the scale halves, down to 1; after `growth` steps in a row whose sum was finite it
 * doubles, up to 2²⁴. A skipped step leaves the copy as it is, and nothing changes where the state is halted.
 */

import { type AdamAttributes, adam } from './adam.js'
import { expectShape, type Kernel, traffic } from './contract.js'
import { toHalf } from './convert.js'
import { LARGEST_LOSS_EXPONENT, stateWords } from './state.js'

export interface AdamMixedAttributes extends AdamAttributes {
  /** steps with a finite gradient after which the scale doubles */
  readonly growth: number
}

export const adamMixed: Kernel<AdamMixedAttributes> = {
  kind: 'kernel',
  name: 'adam_mixed',
  operands: {
    ...adam.operands,
    half: { access: 'readwrite', dtype: 'f16' }, // [P]
  },
  check({ half, ...shapes }, attributes) {
    adam.check(shapes, attributes)
    expectShape('adam_mixed', 'half', half, shapes.parameters!)
  },
  cost({ half, ...shapes }, attributes) {
    const { flops, bytes } = adam.cost(shapes, attributes)
    return { flops, bytes: bytes + traffic({ half }) }
  },
  reference({ half, ...o }, { growth, ...attributes }) {
    const state = o.state.data
    if (state[stateWords.halted] !== 0) return
    adam.reference(o, attributes)
    if (state[stateWords.halted] !== 0) return
    const { lossExponent, goodSteps, skippedInARow } = stateWords
    if (state[skippedInARow] > 0) {
      state[lossExponent] = Math.max(0, state[lossExponent] - 1)
      state[goodSteps] = 0
      return
    }
    o.parameters.data.forEach((value, i) => {
      half.data[i] = toHalf(value)
    })
    const grows = state[goodSteps] + 1 >= growth
    if (grows) state[lossExponent] = Math.min(LARGEST_LOSS_EXPONENT, state[lossExponent] + 1)
    state[goodSteps] = grows ? 0 : state[goodSteps] + 1
  },
}
