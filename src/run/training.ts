/** Training on an open device: from rows and options to a flow, whatever the recipe. */

import type { ResolvedOptions } from '../config/index.js'
import { kindOfShape, type RowKind } from '../data/kinds.js'
import { applyScaler, type Scaler } from '../data/scaler.js'
import type { Encoding } from '../data/tables/encoding.js'
import { holdsPixels, type Tensor } from '../data/tensor.js'
import type { Device } from '../device/device.js'
import { ConfigError, InvalidArgumentError, invalid } from '../errors.js'
import { machineBytes } from '../files/machine.js'
import { checkMemory, type EstimatedRows, estimateTraining, type TrainingEstimate } from '../learn/estimate.js'
import type { PoolConditions, PoolValues } from '../learn/pool.js'
import { expectMixed } from '../learn/precision.js'
import { Flow } from '../model/flow.js'
import { modelValues } from '../model/values.js'
import type { Network } from '../networks/network.js'
import { checkTraining } from '../networks/registry.js'
import { type RecipeContext, type RecipeState, type StoredData, stageNetworks } from '../recipes/recipe.js'
import { type RecipeHooks, type RecipeSpent, runRecipe, type TrainedRecipe } from '../recipes/run-recipe.js'
import { fittedNetwork, learnsChoices, recipeOf, recipeSettings } from '../recipes/settings.js'
import type { Conditioned } from './conditioning.js'
import { refuseDistillation, studentCondition } from './distilling.js'
import { type FlowContents, flowModel, segmentsOf } from './flow-contents.js'

/** Throws InvalidArgumentError where a batch needs more rows than the n there are. */
export function checkBatch({ train, flow }: ResolvedOptions, n: number): void {
  const pairs = train.batch / flow.timesPerPair
  if (train.sampling === 'epochs' && pairs > n) {
    throw new InvalidArgumentError(
      `train.batch asks for ${pairs} pairs, but there are only ${n} training rows. Take train.batch ≤ ` +
        `${n * flow.timesPerPair}, or train.sampling: replacement.`,
    )
  }
}

/**
 * What the longest fit of a recipe takes; device null: on any GPU.
 * @param rows of the data; null where the fits make theirs
 * @param unseen validation rows
 */
export function estimateRun(
  network: Network,
  options: ResolvedOptions,
  rows: Omit<EstimatedRows, 'validation'> | null,
  device: Pick<Device, 'memoryFor'> | null,
  unseen = 0,
): TrainingEstimate {
  const { fits } = recipeOf(options).plan(recipeSettings(options))
  const [longest] = [...fits].sort((a, b) => b.settings.steps - a.settings.steps)
  const made = { count: longest.stream?.rows ?? null, pixels: false }
  const { flow, train } = options
  const validated = rows && unseen > 0 && train.validateEvery > 0
  const validation = validated ? { rows: unseen, timesPerPair: flow.timesPerPair } : undefined
  return estimateTraining(network, longest.task, longest.settings, { ...(rows ?? made), validation }, device)
}

export interface TrainFlowHooks extends RecipeHooks {
  readonly signal?: AbortSignal
  readonly onCheckpoint?: (state: RecipeState, spent: RecipeSpent) => Promise<void>
  /** called with what training will take, once the device is known to have it */
  readonly onEstimate?: (estimate: TrainingEstimate) => void
  /** the state of training, from a checkpoint */
  readonly start?: RecipeState | null
  /** what a row is; default: by its shape */
  readonly rowKind?: RowKind
  /** of a table of mixed columns, how its rows are numbers; null or left out: rows are what they are */
  readonly encoding?: Encoding | null
  /** mirror pictures at random while the pool is the data */
  readonly flips?: boolean
  /** rows that are not learnt from, in the units of the data; null or left out: none */
  readonly validation?: Tensor | null
  /** conditions [M, C] that a student's teacher is told, as its networks take them; null or left out: none */
  readonly told?: PoolConditions | null
  /** conditions of the rows; null or left out: none */
  readonly conditioned?: Conditioned | null
  /** rows that are larger than memory, of which those given are the first; null or left out: there are no others */
  readonly stored?: StoredData | null
}

/** Rows of data as a fit takes them: pixels stay bytes, anything else is float32, standardised as the model's data are. */
export function poolRows(x: Tensor, scaler: Scaler | null): PoolValues {
  if (scaler) return applyScaler(scaler, x).values
  return holdsPixels(x) ? (x.values as Uint8Array) : modelValues(x)
}

/**
 * Trains on a device that stays the caller's.
 * @param x [n, …dims] in the units of the data
 */
export async function trainFlow(
  device: Device,
  x: Tensor,
  scaler: Scaler | null,
  options: ResolvedOptions,
  raw: object,
  hooks: TrainFlowHooks = {},
): Promise<{ parts: FlowContents; trained: TrainedRecipe }> {
  const { stored = null } = hooks
  const [given, ...rowShape] = x.shape
  const n = stored?.rows.rows ?? given
  refuseDistillation(options)
  checkBatch(options, n)
  checkTraining(options.model, options.train, rowShape)
  if (hooks.flips && rowShape.length < 2) {
    throw invalid(
      'flips',
      'false, or the data pictures, [n, …, height, width]',
      `true, with data [${x.shape.join(', ')}]`,
    )
  }
  if (options.train.patience > 0 && !hooks.validation) {
    throw new ConfigError(
      `train.patience is ${options.train.patience}, but there are no validation rows to be patient about: give data.validation a ` +
        'number of rows (a program: validation), or leave train.patience out.',
    )
  }
  const data = poolRows(x, scaler)
  const rows = { count: stored?.window ?? n, pixels: data instanceof Uint8Array }
  const mirror = hooks.flips ? rowShape.at(-1) : 0
  const { conditioned = null } = hooks
  const conditions = conditioned && { data: conditioned.train, validation: conditioned.validation }
  const condition = conditioned?.condition ?? null
  return fitModel(
    device,
    { data, stored, rows, mirror, validation: hooks.validation && poolRows(hooks.validation, scaler), conditions },
    {
      options,
      raw,
      rowShape,
      rowKind: hooks.rowKind ?? kindOfShape(rowShape),
      scaler,
      encoding: hooks.encoding,
      condition,
    },
    hooks,
  )
}

/**
 * Distils a teacher; needs no data.
 * @throws InvalidArgumentError for options that are none of a student
 */
export async function distillFlow(
  device: Device,
  contents: FlowContents,
  options: ResolvedOptions,
  raw: object,
  hooks: TrainFlowHooks = {},
): Promise<{ parts: FlowContents; trained: TrainedRecipe }> {
  const { rowShape, rowKind, scaler, encoding, facts } = contents
  const condition = studentCondition(contents.condition ?? null, options)
  checkTraining(options.model, options.train, rowShape)
  const teacher = new Flow(flowModel(contents), device, async () => device)
  try {
    const about = { options, raw, rowShape, rowKind, scaler, encoding, condition, facts }
    return await fitModel(device, { data: null, rows: null, teacher }, about, hooks)
  } finally {
    await teacher.dispose()
  }
}

/** What a model is learnt from: rows, or a teacher. */
interface Source {
  readonly data: PoolValues | null
  readonly stored?: StoredData | null
  readonly rows: EstimatedRows | null
  readonly mirror?: number
  readonly validation?: PoolValues | null
  readonly conditions?: RecipeContext['conditions']
  readonly teacher?: Flow
}

async function fitModel(
  device: Device,
  { data, stored, rows, mirror, validation, conditions, teacher }: Source,
  about: Omit<FlowContents, 'subFlows'>,
  hooks: TrainFlowHooks,
): Promise<{ parts: FlowContents; trained: TrainedRecipe }> {
  const { options, rowShape, encoding, condition } = about
  const segments = learnsChoices(options) ? segmentsOf(encoding) : null
  const network = fittedNetwork(options, rowShape, condition)
  if (options.train.precision === 'mixed') expectMixed(device, network)
  const unseen = validation ? validation.length / network.dimension : 0
  const estimate = estimateRun(network, options, rows, device, unseen)
  checkMemory(estimate, options, device.info, machineBytes())
  hooks.onEstimate?.(estimate)
  const recipe = recipeOf(options)
  const settings = recipeSettings(options, mirror, segments)
  const context = {
    device,
    network,
    data,
    stored,
    validation,
    conditions,
    teacher,
    told: hooks.told,
    settings,
    signal: hooks.signal,
  }
  const run = runRecipe(recipe, context, hooks, hooks.start ?? null)
  let step = await run.next()
  while (!step.done) {
    await hooks.onCheckpoint?.(step.value.state, step.value.spent)
    step = await run.next()
  }
  const trained = step.value
  const plan = recipe.plan(settings)
  const subFlows = stageNetworks(plan, network, trained.networks)
  return { parts: { ...about, subFlows, ...(plan.told && { fitted: trained.networks }) }, trained }
}
