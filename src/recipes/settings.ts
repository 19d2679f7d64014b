/** Everything that recipes know of a config, from the resolved options. */

import type { Sampling } from '../kernels/draw_batch.js'
import type { SegmentTables } from '../kernels/segments.js'
import type { Coupling } from '../learn/couplings.js'
import type { FitSettings } from '../learn/fit.js'
import { type Objective, objectives } from '../learn/objectives.js'
import type { OptimizerSettings } from '../learn/optimizer.js'
import type { PathName } from '../learn/paths/registry.js'
import { type TimeLaw, timeQuantiles } from '../learn/times.js'
import { type Condition, conditionWidth } from '../model/condition.js'
import type { Stage } from '../model/flow.js'
import type { Network } from '../networks/network.js'
import { type Model, networkFor } from '../networks/registry.js'
import type { SolverSettings } from '../ode/solver.js'
import { anglesOf } from './angles.js'
import { distillation } from './distillation.js'
import type { PairSettings } from './optimal-pairs.js'
import { type DistillKind, type DistillSettings, distillKinds, jumpOf, piecesOf, teacherChain } from './pieces.js'
import type { ChainPart, NamedRecipe, Push, Recipe, RecipeSettings } from './recipe.js'
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
    readonly part?: ChainPart
    readonly assignment: PairSettings
  }
  readonly train: OptimizerSettings &
    Pick<FitSettings, 'batch' | 'precision' | 'recompute' | 'microBatches' | 'parts'> & {
      readonly steps: readonly number[]
      readonly objective: Objective
      readonly sampling: Sampling
      readonly checkpointEvery: number
      readonly conditionDropout: number
      readonly masks: boolean
      readonly validateEvery: number
      readonly patience: number
    }
  readonly ode: { readonly push: SolverSettings }
  readonly distill?: Omit<DistillSettings, 'chain'> & {
    readonly teacher?: { readonly kind: DistillKind; readonly into: number }
  }
  readonly seed: number
}

export const recipeOf = ({ flow, distill }: Pick<RecipeOptions, 'flow' | 'distill'>): Recipe =>
  (distill ? distillation : recipes[flow.recipe]) as Recipe

/** The stages of the model that is trained on data, on its angle. */
const trainedChain = ({ gammas, interpolant }: RecipeOptions['flow']) => {
  // of a recipe's fits the last are the model
  const paths = interpolant.slice(-gammas.length)
  return anglesOf(gammas.map((gamma, i) => ({ gamma, path: paths[i] })))
}

/** The distillation of a student's config; undefined: the model is trained on data. */
function distillSettings({ flow, distill }: Pick<RecipeOptions, 'flow' | 'distill'>): DistillSettings | undefined {
  if (!distill) return undefined
  const { teacher, ...settings } = distill
  return { ...settings, chain: teacherChain(trainedChain(flow), teacher) }
}

/** The model's stages from the data's side to the noise's, without what is learnt. */
export function stagesOf(
  options: Pick<RecipeOptions, 'flow' | 'distill' | 'train'>,
): Omit<Stage, 'parameters' | 'outputScale'>[] {
  const students = distillSettings(options)
  if (students) {
    return piecesOf(students).map((piece) => ({ gamma: null, angle: null, jump: jumpOf(students.kind, piece) }))
  }
  const { flow, train } = options
  const averages = objectives[train.objective].averages && ({ jump: { kind: 'average' } } as const)
  return trainedChain(flow).map((angle, i) => ({ gamma: flow.gammas[i], angle, ...averages }))
}

/** The section of a recipe's own; undefined where it has none. */
export const ownSection = (flow: OwnSections & { readonly recipe: RecipeName }): unknown =>
  (flow as Partial<Record<RecipeName, unknown>>)[flow.recipe]

/** Whether the model's networks give logits of choices. */
export const learnsChoices = ({ distill, train }: Pick<RecipeOptions, 'distill' | 'train'>): boolean =>
  !distill && objectives[train.objective].choices

/**
 * @param mirror width of pictures that are mirrored at random while the pool is the data; 0: none
 * @param segments how the columns of a row lie together, where that is known
 */
export function recipeSettings(
  options: RecipeOptions,
  mirror = 0,
  segments: SegmentTables | null = null,
): RecipeSettings {
  const { flow, train, ode, seed } = options
  const { optimizer, lr, betas, eps, weightDecay, ema, clip, schedule, warmup } = train
  const { batch, precision, recompute, microBatches, parts } = train
  return {
    gammas: flow.gammas,
    paths: flow.interpolant,
    coupling: flow.coupling,
    quantiles: flow.time.map(timeQuantiles),
    timesPerPair: flow.timesPerPair,
    conditionDropout: train.conditionDropout,
    masks: train.masks,
    sampling: train.sampling,
    steps: train.steps,
    objective: train.objective,
    segments,
    fit: {
      batch,
      optimizer: { optimizer, lr, betas, eps, weightDecay, ema, clip, schedule, warmup },
      precision,
      seed,
      recompute,
      microBatches,
      parts,
    },
    warmStart: flow.warmStart,
    outputScale: flow.outputScale,
    mirror,
    push: flow.push,
    part: flow.part,
    assignment: flow.assignment,
    pushSolver: ode.push,
    own: distillSettings(options) ?? ownSection(flow),
    checkpointEvery: train.checkpointEvery,
    validation: { every: train.validateEvery, patience: train.patience },
  }
}

/**
 * The network of the model's stages, for rows […dims]: average velocities and students of some kinds take a second time.
 * @param condition what the model is told of its rows; null or left out: nothing
 */
export const modelNetwork = (
  { model, distill, train }: { readonly model: Model } & Pick<RecipeOptions, 'distill' | 'train'>,
  rowShape: readonly number[],
  condition: Condition | null = null,
): Network => {
  const secondTime = distill ? distillKinds[distill.kind].secondTime : objectives[train.objective].averages
  // masks of a row's numbers
  const masks = !distill && train.masks ? rowShape.reduce((product, extent) => product * extent, 1) : 0
  return networkFor(model, rowShape, { secondTime, condition: masks + conditionWidth(condition) })
}

/** The network that is fitted: the model's, unless one network is told which of the stages it is. */
export function fittedNetwork(
  options: { readonly model: Model } & Pick<RecipeOptions, 'flow' | 'distill' | 'train'>,
  rowShape: readonly number[],
  condition: Condition | null = null,
): Network {
  const { flow, distill, model } = options
  const { tells }: NamedRecipe = recipes[flow.recipe]
  if (distill || !tells) return modelNetwork(options, rowShape, condition)
  return networkFor(model, rowShape, { condition: tells(flow.gammas) })
}

/** Jumps of a sample through an average velocity where a call says nothing. */
export const usualJumps = ({
  distill,
  ode,
}: Pick<RecipeOptions, 'distill'> & { readonly ode: { readonly sample: SolverSettings } }): number =>
  distill?.into ?? ode.sample.evaluations ?? 1
