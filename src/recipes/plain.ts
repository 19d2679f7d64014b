/** Plain flow matching (Lipman et al. 2023): one free sub-flow, straight from the data to noise, with all the steps. */

import { subFlowFit } from './local-flow.js'
import type { Arrangement, NamedRecipe } from './recipe.js'

/** One free fit in place of a chain: with all its steps, on the path and with the times of its last sub-flow. */
export const oneFree = ({ steps, paths, times }: Arrangement): Arrangement => ({
  gammas: [null],
  steps: [steps.reduce((sum, n) => sum + n, 0)],
  paths: paths.slice(-1),
  times: times.slice(-1),
})

export const plain: NamedRecipe = {
  description: 'plain flow matching: one free sub-flow, with all the training steps of a chain where one is configured',
  fitsAre: 'sub-flows',
  fits: (gammas) => gammas.length,
  arrange: oneFree,
  plan(settings) {
    const kind = { gamma: null, path: settings.paths[0], coupling: settings.coupling }
    return { fits: [subFlowFit(settings, 0, { name: 'the flow', kind })], stages: [0] }
  },
  nextPool: async () => null,
}
