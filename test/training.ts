/** One sub-flow's settings for tests, fits of it, and whole chains, with checkpoints as callbacks. */

import type { Device } from '../src/device/device.js'
import type { SubFlowKind } from '../src/learn/closed-forms.js'
import { type FitHooks, type FitSettings, type FitState, fitNetwork, type TrainingState } from '../src/learn/fit.js'
import type { OptimizerSettings } from '../src/learn/optimizer.js'
import { type PoolBuffers, type PoolValues, plainReading } from '../src/learn/pool.js'
import type { Task } from '../src/learn/task.js'
import { type FlowMatching, flowMatching } from '../src/learn/tasks/flow-matching.js'
import type { Network } from '../src/networks/network.js'
import { localFlow } from '../src/recipes/local-flow.js'
import type { RecipeSettings, RecipeState } from '../src/recipes/recipe.js'
import { type RecipeHooks, runRecipe, type TrainedRecipe } from '../src/recipes/run-recipe.js'

export const optimizer: OptimizerSettings = {
  optimizer: 'adam',
  lr: 3e-3,
  betas: [0.9, 0.999],
  eps: 1e-8,
  weightDecay: 0,
  ema: 0,
  clip: 1,
  schedule: { kind: 'constant' },
  warmup: 0,
}

export interface SubFlow extends SubFlowKind, FitSettings, Omit<FlowMatching, 'right' | 'path'> {
  readonly scale: number
}

export const subFlow = (over: Partial<SubFlow> = {}): SubFlow => ({
  name: 'sub-flow 1',
  number: 1,
  gamma: 0.3,
  path: 'linear',
  coupling: 'dependent',
  steps: 8,
  batch: 40,
  timesPerPair: 1,
  quantiles: null,
  sampling: 'epochs',
  optimizer,
  seed: 5,
  scale: 1,
  ...over,
})

export const taskOf = ({ gamma, coupling, ...settings }: SubFlow): Task =>
  flowMatching({ ...settings, right: { gamma, coupling } })

/** A pool of floats as it is read by fits. */
export const poolOf = (left: PoolBuffers['left'], rows: number): PoolBuffers => ({ left, rows, reading: plainReading })

export interface TrainingHooks extends FitHooks {
  readonly onCheckpoint?: (state: TrainingState) => Promise<void>
}

/** Runs a fit to its end. */
export async function trainSubFlow(
  device: Device,
  network: Network,
  pool: PoolBuffers,
  start: TrainingState,
  settings: SubFlow,
  { onCheckpoint, ...hooks }: TrainingHooks,
): Promise<FitState> {
  const steps = fitNetwork(device, network, taskOf(settings), pool, start, settings.scale, settings, hooks)
  for (;;) {
    const step = await steps.next()
    if (step.done) return step.value
    await onCheckpoint?.(step.value.state)
  }
}

/** A chain in which every sub-flow has the same settings but for its step size, path and steps. */
export const chain = (
  gammas: readonly (number | null)[],
  { steps, paths = gammas.map(() => 'linear'), ...over }: Partial<RecipeSettings> & { steps: readonly number[] },
): RecipeSettings => {
  const { batch, seed } = subFlow()
  return {
    gammas,
    paths,
    coupling: 'dependent',
    quantiles: gammas.map(() => null),
    timesPerPair: 1,
    conditionDropout: 0,
    sampling: 'epochs',
    steps,
    objective: 'flow-matching',
    fit: { batch, seed, optimizer },
    warmStart: true,
    outputScale: false,
    mirror: 0,
    push: 'learned',
    pushSolver: { solver: 'rk4', steps: 3, rtol: 1e-5, atol: 1e-5 },
    assignment: { block: 256, every: 500 },
    own: undefined,
    checkpointEvery: 0,
    ...over,
  }
}

export interface ChainHooks extends RecipeHooks {
  readonly signal?: AbortSignal
  readonly onCheckpoint?: (state: RecipeState) => Promise<void>
}

/** Trains a Local Flow from `start` or from the data. */
export async function trainChain(
  device: Device,
  network: Network,
  data: PoolValues,
  settings: RecipeSettings,
  { signal, onCheckpoint, ...hooks }: ChainHooks = {},
  start: RecipeState | null = null,
  recipe = localFlow,
): Promise<TrainedRecipe> {
  const run = runRecipe(recipe, { device, network, data, settings, signal }, hooks, start)
  for (;;) {
    const step = await run.next()
    if (step.done) return step.value
    await onCheckpoint?.(step.value.state)
  }
}
