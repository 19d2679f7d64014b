/** Everything that recipes know of a config, from the resolved options. */

import type { Sampling } from '../kernels/draw_batch.js'
import type { Coupling } from '../learn/couplings.js'
import type { FitSettings } from '../learn/fit.js'
import type { OptimizerSettings } from '../learn/optimizer.js'
import type { PathName } from '../learn/paths/registry.js'
import { type TimeLaw, timeQuantiles } from '../learn/times.js'
import type { SolverSettings } from '../ode/solver.js'
import type { PairSettings } from './optimal-pairs.js'
import type { Push, Recipe, RecipeSettings } from './recipe.js'
import { type OwnSections, type RecipeName, recipes } from './registry.js'

/** The sections of a config that recipes take. */
export interface RecipeOptions {
  readonly flow: OwnSections & {
    readonly recipe: RecipeName
    readonly gammas: readonly (number | null)[]
    readonly interpolant: readonly PathName[]
    readonly coupling: Coupling
    readonly time: readonly TimeLaw[]
    readonly timesPerPair: number
    readonly warmStart: boolean
    readonly outputScale: boolean
    readonly push: Push
    readonly assignment: PairSettings
  }
  readonly train: OptimizerSettings &
    Pick<FitSettings, 'batch' | 'precision' | 'recompute' | 'microBatches'> & {
      readonly steps: readonly number[]
      readonly sampling: Sampling
      readonly checkpointEvery: number
    }
  readonly ode: { readonly push: SolverSettings }
  readonly seed: number
}

export const recipeOf = ({ flow }: Pick<RecipeOptions, 'flow'>): Recipe => recipes[flow.recipe]

/** The section of a recipe's own; undefined where it has none. */
export const ownSection = (flow: OwnSections & { readonly recipe: RecipeName }): unknown =>
  (flow as Partial<Record<RecipeName, unknown>>)[flow.recipe]

/** @param mirror width of pictures that are mirrored at random while the pool is the data; 0: none */
export function recipeSettings({ flow, train, ode, seed }: RecipeOptions, mirror = 0): RecipeSettings {
  const { optimizer, lr, betas, eps, weightDecay, ema, clip, schedule, warmup } = train
  const { batch, precision, recompute, microBatches } = train
  return {
    gammas: flow.gammas,
    paths: flow.interpolant,
    coupling: flow.coupling,
    quantiles: flow.time.map(timeQuantiles),
    timesPerPair: flow.timesPerPair,
    sampling: train.sampling,
    steps: train.steps,
    fit: {
      batch,
      optimizer: { optimizer, lr, betas, eps, weightDecay, ema, clip, schedule, warmup },
      precision,
      seed,
      recompute,
      microBatches,
    },
    warmStart: flow.warmStart,
    outputScale: flow.outputScale,
    mirror,
    push: flow.push,
    assignment: flow.assignment,
    pushSolver: ode.push,
    own: ownSection(flow),
    checkpointEvery: train.checkpointEvery,
  }
}
