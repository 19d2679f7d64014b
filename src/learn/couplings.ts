/** How right ends are paired with left ones, a row each. All have the same marginals (docs/method.md). */

import type { Pairing } from '../kernels/draw_batch.js'

interface CouplingRow {
  readonly description: string
  /** which row the right end is made from, as the kernel draw_batch calls it */
  readonly pairing: Pairing
}

export const couplings = {
  dependent: { description: 'its own image', pairing: 'own' },
  shuffled: { description: 'that of another row of the batch', pairing: 'shuffled' },
  independent: { description: 'that of a fresh row', pairing: 'independent' },
  optimal: {
    description:
      'or, in the free sub-flow alone, the noise that minibatch optimal transport gives it (flow.assignment)',
    pairing: 'stored',
  },
} as const satisfies Record<string, CouplingRow>

export type Coupling = keyof typeof couplings
/** Couplings whose right ends are drawn with the batch; the others are stored beside the pool. */
export type DrawnCoupling = Exclude<Coupling, 'optimal'>
export const couplingNames = Object.keys(couplings) as [Coupling, ...Coupling[]]
