/**
 * Local Flow Matching (Xu et al. 2024): for n = 1 … N a sub-flow is fitted between X_{n−1} and its Ornstein–Uhlenbeck image;
 * then the whole data set is pushed through it to make X_n. With a simulated push X_{n−1} is drawn anew for every batch from
 * the process itself, and the pool stays the data.
 */

import type { SubFlowKind } from '../learn/closed-forms.js'
import type { Coupling } from '../learn/couplings.js'
import type { FitSettings } from '../learn/fit.js'
import { type OuStep, ouStep } from '../learn/noise.js'
import { objectives } from '../learn/objectives.js'
import { anglesOf } from './angles.js'
import { pushForward } from './push-forward.js'
import type { NamedRecipe, PlannedFit, RecipeSettings } from './recipe.js'

export const noteOf = (gamma: number | null): string => (gamma === null ? 'free' : `γ = ${gamma}`)

interface ConfiguredKind extends Omit<SubFlowKind, 'coupling'> {
  readonly coupling: Coupling
}

interface PlannedSubFlow {
  /** the stream of its draws; default: its place among the fits, from 1 */
  readonly number?: number
  readonly name: string
  readonly kind: ConfiguredKind
  readonly left?: OuStep
}

/** The fit of a sub-flow. @param index of the settings that lists have for it, from 0 */
export function subFlowFit(
  settings: RecipeSettings,
  index: number,
  { number = index + 1, name, kind: { gamma, path, coupling }, left }: PlannedSubFlow,
): PlannedFit {
  const { timesPerPair, sampling, steps, fit, conditionDropout: drop, masks } = settings
  const { task, averages, choices: learnsLevels } = objectives[settings.objective]
  const common = {
    path,
    left,
    timesPerPair,
    quantiles: settings.quantiles[index],
    sampling,
    drop,
    masks: masks ? fit.seed : undefined,
  }
  const described = {
    settings: { ...fit, name, number, steps: steps[index] } satisfies FitSettings,
    note: noteOf(gamma),
  }
  if (coupling === 'optimal' && gamma === null) {
    return {
      ...described,
      task: task({ ...common, right: 'stored' }, settings.segments ?? null),
      kind: null,
      pairs: settings.assignment,
    }
  }
  const kind = { gamma, path, coupling: coupling === 'optimal' ? 'dependent' : coupling } as const
  // closed forms are those of velocities
  return {
    ...described,
    task: task({ ...common, right: { gamma, coupling: kind.coupling } }, settings.segments ?? null),
    kind: averages || learnsLevels ? null : kind,
  }
}

export const localFlow: NamedRecipe = {
  description: 'a chain of sub-flows between the data and their noisy images',
  fitsAre: 'sub-flows',
  fits: (gammas) => gammas.length,
  arrange: (configured) => configured,
  plan(settings) {
    const { gammas, paths, coupling, push, part } = settings
    let before = part?.before ?? 0
    const fits = gammas.map((gamma, i) => {
      const number = i + (part?.number ?? 1)
      // where the process stands after the steps before: the identity at the first
      const left = push === 'simulated' && number > 1 ? ouStep(before) : undefined
      before += gamma ?? 0
      return subFlowFit(settings, i, {
        number,
        name: `sub-flow ${number}`,
        kind: { gamma, path: paths[i], coupling },
        left,
      })
    })
    return { fits, stages: fits.map((_, i) => i) }
  },
  async nextPool({ device, network, settings, signal, onRows }, pool, finished) {
    if (settings.push === 'simulated') return null
    const { parameters, outputScale } = finished[finished.length - 1]
    const weights = device.createBuffer(parameters.length)
    try {
      weights.write(parameters)
      const { gammas, paths } = settings
      const chain = anglesOf(gammas.map((gamma, i) => ({ gamma, path: paths[i] })))
      const place = { number: finished.length - 1, chain }
      return await pushForward(device, { field: network, parameters: weights, outputScale, place }, pool, {
        solver: settings.pushSolver,
        seed: settings.fit.seed,
        stream: finished.length,
        signal,
        onProgress: (rows) => onRows?.(rows, pool.rows),
      })
    } finally {
      weights.dispose()
    }
  },
}
