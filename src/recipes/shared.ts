/**
 * One network for all sub-flows of a chain, told which of them it is: a place for each in its condition. Every batch has rows of
 * all sub-flows, whose left ends are drawn from the process itself (a simulated push). What it is told is a bias of the first
 * layer, so that each sub-flow of the model is a network like any other.
 */

import { targetSpread } from '../learn/closed-forms.js'
import { toldParts } from '../learn/tasks/told-parts.js'
import { localFlow } from './local-flow.js'
import type { NamedRecipe } from './recipe.js'

/** √N at sub-flow n's place: as classes are told, so that a batch has ones in the mean square. */
const placeOf = (n: number, N: number): Float32Array =>
  Float32Array.from({ length: N }, (_, i) => (i === n ? Math.sqrt(N) : 0))

export const shared: NamedRecipe = {
  description:
    'one network for all sub-flows of a chain, told which of them it is, with the steps of all of them (MLPs)',
  fitsAre: 'sub-flows',
  fits: (gammas) => gammas.length,
  arrange: ({ steps, ...chain }) => ({ ...chain, steps: [steps.reduce((sum, n) => sum + n, 0)] }),
  tells: (gammas) => gammas.length,
  plan(settings) {
    const { gammas, steps, fit, timesPerPair } = settings
    const N = gammas.length
    const each = gammas.map(() => steps[0])
    const { fits } = localFlow.plan({ ...settings, steps: each, push: 'simulated' })
    // of rows of variance one, which the process keeps: without it the free sub-flow, whose velocities are largest, has the loss
    const scales = fits.map(({ kind }) => targetSpread(kind!, 1))
    const last = scales[N - 1]
    const told = scales.map((scale, n) => ({ condition: placeOf(n, N), outputScale: scale / last }))
    const parts = fits.map(({ task }, n) => ({ task, condition: told[n].condition, scale: scales[n] / last }))
    return {
      fits: [
        {
          settings: { ...fit, name: 'the shared network', number: 1, steps: steps[0] },
          task: toldParts(parts, timesPerPair),
          kind: null,
          note: `all ${N} by one network`,
        },
      ],
      stages: gammas.map(() => 0),
      told,
    }
  },
  nextPool: async () => null,
}
