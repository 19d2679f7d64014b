/**
 * Runs a recipe: its fits one after another, and the pools between them. The data set is uploaded once and stays on the
 * device. It yields the recipe's state, for the caller to write as a checkpoint; going on from any of these states is
 * bit-identical to not having stopped.
 */

import { type DeviceBuffer, mergeVariants } from '../device/device.js'
import { targetSpread } from '../learn/closed-forms.js'
import {
  type FitState,
  fitNetwork,
  freshState,
  type Measured,
  modelOf,
  type StepsSpent,
  type TrainingState,
} from '../learn/fit.js'
import {
  disposePool,
  type Pool,
  type PoolColumns,
  type PoolConditions,
  type PoolValues,
  replacePool,
  toldInTurn,
  uploadPool,
} from '../learn/pool.js'
import type { Team } from '../learn/team.js'
import { Windows } from '../learn/windows.js'
import type { Evaluations } from '../ode/solver.js'
import { optimalPairs, PairRenewal, type PairSettings } from './optimal-pairs.js'
import type { MadePool, Recipe, RecipeContext, RecipeState, RowStream, TrainedNetwork } from './recipe.js'

/** What the steps and pools of this call have cost so far; those before `start` are not in it. */
export interface RecipeSpent extends StepsSpent {
  /** wall time of pools made between fits */
  readonly pushSeconds: number
  /** evaluations of single rows in these pools: rows × evaluations a row */
  readonly pushRowEvaluations: number
}

export interface RecipeStanding {
  readonly state: RecipeState
  readonly spent: RecipeSpent
}

export interface TrainedRecipe extends RecipeSpent {
  readonly networks: readonly TrainedNetwork[]
  readonly pushEvaluations: readonly Evaluations[]
  /** steps skipped because their gradient was not finite */
  readonly skipped: number
}

/** How far a training is: steps of a sub-flow, or rows that are carried through it to be the next one's data. */
export type Progress =
  | {
      /** steps are taken */
      readonly phase: 'train'
      /** which sub-flow, from 1 */
      readonly subFlow: number
      /** how many there are */
      readonly subFlows: number
      /** steps of it that are done */
      readonly step: number
      /** steps that it takes */
      readonly steps: number
      /** mean loss of the steps since the last report */
      readonly loss: number
      /** the last one of this sub-flow; null before any */
      readonly validationLoss?: number | null
      /** since the last report */
      readonly stepsPerSecond: number
      /** steps of this sub-flow that were left out, their gradient not being finite */
      readonly skipped: number
    }
  | {
      /** rows are carried through a sub-flow that is trained */
      readonly phase: 'push'
      /** which sub-flow, from 1 */
      readonly subFlow: number
      /** how many there are */
      readonly subFlows: number
      /** rows that are done */
      readonly rows: number
      /** all rows */
      readonly of: number
    }

export interface RecipeHooks {
  readonly onProgress?: (progress: Progress) => void
  /** losses of the steps after `first` of a fit */
  readonly onLosses?: (fit: number, first: number, losses: Float32Array) => void
  /** a validation loss of a fit */
  readonly onValidation?: (fit: number, measured: Measured) => void
  /** who shares the work of each step; null or left out: nobody */
  readonly team?: Team | null
}

/** Mean variance of the columns, as the model sees them. */
function meanVariance(values: PoolValues, D: number): number {
  const n = values.length / D
  let total = 0
  for (let d = 0; d < D; d++) {
    let sum = 0
    let squares = 0
    for (let i = d; i < values.length; i += D) {
      sum += values[i]
      squares += values[i] * values[i]
    }
    total += squares / n - (sum / n) ** 2
  }
  // pixels stand for (b − 127.5)/127.5
  return total / D / (values instanceof Uint8Array ? 127.5 ** 2 : 1)
}

const free = { gamma: null, path: 'linear', coupling: 'dependent' } as const

/** Runs from `start` (a checkpoint) or from the data; yields checkpoints, returns what was trained. */
export async function* runRecipe(
  recipe: Recipe,
  context: RecipeContext,
  hooks: RecipeHooks = {},
  start: RecipeState | null = null,
): AsyncGenerator<RecipeStanding, TrainedRecipe> {
  const { device, network, data, settings, signal } = context
  const { every, patience } = settings.validation ?? { every: 0, patience: 0 }
  const { fits } = recipe.plan(settings)
  const F = fits.length
  const D = network.dimension
  const finished = [...(start?.finished ?? [])]
  // the host's copy, for checkpoints; null while the pool is the data
  let columns: PoolColumns | null = start?.pool ?? null
  const held = columns ?? (data && { left: data })
  const { conditions, stored = null } = context
  const pairsInStep = settings.fit.batch / settings.timesPerPair
  const windows = stored && new Windows(device, network, stored.rows, stored.window, pairsInStep, () => stored.make())
  let pool: Pool | null =
    windows?.pool ?? (held && uploadPool(device, held, D, columns ? 0 : settings.mirror, conditionsOf(held, context)))
  let unseen: Pool | null =
    context.validation && every > 0
      ? uploadPool(device, { left: context.validation }, D, 0, conditions?.validation)
      : null
  const totals = { seconds: 0, stepsTaken: 0, pushSeconds: 0, pushRowEvaluations: 0, skipped: 0 }
  const pushEvaluations: Evaluations[] = []
  let variants: Readonly<Record<string, string>> = {}
  const sum = (now?: StepsSpent): RecipeSpent => ({
    seconds: totals.seconds + (now?.seconds ?? 0),
    stepsTaken: totals.stepsTaken + (now?.stepsTaken ?? 0),
    pushSeconds: totals.pushSeconds,
    pushRowEvaluations: totals.pushRowEvaluations,
    variants: mergeVariants(variants, now?.variants ?? {}),
  })
  /** Makes the pool of the fit after the last finished one; null where it stays as it is. */
  const advance = async (
    finished: readonly TrainedNetwork[],
    onRows?: (rows: number, of: number) => void,
  ): Promise<(Omit<MadePool, 'pool'> & { rows: number }) | null> => {
    if (windows && stored) {
      const { rows: n } = stored.rows
      const made = await windows.advance(
        (done) =>
          recipe.nextPool(
            { ...context, onRows: (rows) => onRows?.(Math.min(n, done + rows), n) },
            windows.pool,
            finished,
          ),
        signal,
      )
      return made && { ...together(made), rows: n }
    }
    const made = await recipe.nextPool({ ...context, onRows }, pool!, finished)
    if (!made) return null
    pool = replacePool(pool!, made.pool)
    columns = await columnsOf(made.pool)
    return { ...made, rows: made.pool.rows }
  }
  try {
    if (windows?.whole) await windows.fill(0, signal)
    // what checkpoints do not hold: the pool of a run that had ended, rows in a file, and validation rows
    for (let number = 1; start && start.fit <= F && number < start.fit; number++) {
      const before = finished.slice(0, number)
      if (pool && !start.pool) await advance(before)
      if (unseen) unseen = await pushed(recipe, context, unseen, before)
    }
    for (let number = start?.fit ?? 1; number <= F; number++) {
      const { settings: fitted, task, kind, pairs, stream } = fits[number - 1]
      // of rows that are stored as many as `data` has
      const beginningOf = windows && data && settings.outputScale ? await windows.read(0, data.length / D) : null
      const left = beginningOf ?? columns?.left ?? data
      const resumed = start?.fit === number ? start : null
      const begun = (): TrainedNetwork => {
        const given = recipe.begin?.(context, number)
        if (given) return { ...given, parameters: given.parameters.slice() }
        const previous = finished[number - 2]
        return {
          parameters:
            previous && settings.warmStart
              ? previous.parameters.slice()
              : network.initialise(fitted.seed, fitted.number),
          outputScale: settings.outputScale && left ? targetSpread(kind ?? free, meanVariance(left, D)) : 1,
        }
      }
      const beginning = resumed?.training ? null : begun()
      const outputScale = beginning?.outputScale ?? resumed!.outputScale
      const training = resumed?.training ?? freshState(beginning!.parameters, fitted.optimizer, fitted.precision)
      const standing = (state: TrainingState, spent?: StepsSpent): RecipeStanding => ({
        state: { finished: [...finished], fit: number, outputScale, training: state, pool: columns },
        spent: sum(spent),
      })
      if (pairs && pool) pool = { ...pool, right: device.createBuffer(pool.rows * D) }
      const { seed, steps: taken } = fitted
      const assigned = pairs && left && new PairRenewal(left, D, pool!.right!, { ...pairs, seed, steps: taken })
      const rows = (await stream?.open(context)) ?? null
      const validated = unseen && (pairs || unseen.right || !task.readsRight) ? unseen : null
      const ends = pairs && validated ? await validationEnds(context, validated, pairs, fitted.seed) : null
      let validationLoss = resumed?.training?.validation?.losses.at(-1) ?? null
      let step: IteratorResult<FitState, FitState>
      try {
        const renewal = rows
          ? filling(rows, stream!.every, totals)
          : windows && !windows.whole
            ? { every: windows.every, renew: (stretch: number) => windows.renew(stretch, signal) }
            : (assigned ?? undefined)
        const steps = fitNetwork(device, network, task, rows?.pool ?? pool!, training, outputScale, fitted, {
          renewal,
          signal,
          team: hooks.team,
          checkpointEvery: settings.checkpointEvery,
          onLosses: reporter(hooks, number, F, fitted.steps, () => validationLoss),
          validation: validated && {
            pool: ends ? { ...validated, right: ends } : validated,
            timesPerPair: settings.timesPerPair,
            every,
            patience,
          },
          onValidation: (measured) => {
            validationLoss = measured.loss
            hooks.onValidation?.(number, measured)
          },
        })
        step = await steps.next()
        while (!step.done) {
          yield standing(step.value.state, step.value)
          step = await steps.next()
        }
        variants = mergeVariants(variants, rows?.variants ?? {})
      } finally {
        if (assigned) assigned.close()
        rows?.dispose()
        ends?.dispose()
      }
      const trained = step.value
      totals.seconds += trained.seconds
      totals.stepsTaken += trained.stepsTaken
      totals.skipped += trained.state.skipped
      variants = mergeVariants(variants, trained.variants)
      if (number < F) yield standing(trained.state)
      finished.push({ parameters: modelOf(trained.state), outputScale })
      if (number < F && pool) {
        const began = performance.now()
        const onRows = (rows: number, of: number): void =>
          hooks.onProgress?.({ phase: 'push', subFlow: number, subFlows: F, rows, of })
        const made = await advance(finished, onRows)
        if (made) {
          pushEvaluations.push(made.evaluations)
          totals.pushRowEvaluations += made.evaluations.mean * made.rows
          variants = mergeVariants(variants, made.variants)
        }
        if (unseen) unseen = await pushed(recipe, context, unseen, finished)
        totals.pushSeconds += (performance.now() - began) / 1000
      }
      // the last fit's optimizer stays, for who trains on
      const last = number === F ? trained.state : null
      yield {
        state: { finished: [...finished], fit: number + 1, outputScale: 1, training: last, pool: columns },
        spent: sum(),
      }
    }
    return { networks: finished, ...totals, pushEvaluations, variants }
  } finally {
    if (windows) await windows.close()
    else if (pool) disposePool(pool)
    if (unseen) disposePool(unseen)
  }
}

/** Conditions of a pool's rows: of rows that were made, as many as they are, in turn. */
function conditionsOf({ left }: PoolColumns, { network, data, conditions }: RecipeContext): PoolConditions | null {
  if (!conditions || !data) return null
  const D = network.dimension
  const C = conditions.data.length / (data.length / D)
  return toldInTurn(conditions.data, C, 0, left.length / D)
}

/** The host's copy of a pool that was made. */
const columnsOf = async ({ left, right }: Pool): Promise<PoolColumns> => ({
  left: (await left.read()) as Float32Array,
  ...(right && { right: (await right.read()) as Float32Array }),
})

/** What the pushes of several windows took together. */
function together(made: readonly MadePool[]): Omit<MadePool, 'pool'> {
  const mean = made.reduce((sum, { evaluations }) => sum + evaluations.mean / made.length, 0)
  const max = Math.max(...made.map(({ evaluations }) => evaluations.max))
  return {
    evaluations: { mean, max },
    variants: made.reduce((all, one) => mergeVariants(all, one.variants), {}),
  }
}

/** Validation rows for the fit after the finished ones, in place of those that are given. */
async function pushed(
  recipe: Recipe,
  context: RecipeContext,
  rows: Pool,
  finished: readonly TrainedNetwork[],
): Promise<Pool> {
  const next = recipe.nextValidation ?? recipe.nextPool
  const made = await next({ ...context, onRows: undefined }, rows, finished)
  return made ? replacePool(rows, made.pool) : rows
}

/** Right ends of validation rows, where those of training are assigned: the same all along a fit. */
async function validationEnds(
  { device, network, validation, signal }: RecipeContext,
  { left, rows, reading }: Pool,
  { block }: PairSettings,
  seed: number,
): Promise<DeviceBuffer> {
  const D = network.dimension
  // pixels lie packed on the device
  const values = reading.values === 'pixels' ? validation! : ((await left.read()) as Float32Array)
  const ends = device.createBuffer(rows * D)
  ends.write(await optimalPairs(values, D, { block, seed: seed + 1, stretch: 0, signal }))
  return ends
}

/** Fills a stream's pool for each stretch of steps; counts what that evaluates. */
const filling = (rows: RowStream, every: number, totals: { pushRowEvaluations: number }) => ({
  every,
  async renew(stretch: number): Promise<void> {
    const { mean } = await rows.fill(stretch)
    totals.pushRowEvaluations += mean * rows.pool.rows
  },
})

/** Turns the losses of some steps into a progress report. */
function reporter(
  hooks: RecipeHooks,
  subFlow: number,
  subFlows: number,
  steps: number,
  validationLoss: () => number | null,
) {
  let last = performance.now()
  return (first: number, losses: Float32Array, skipped: number): void => {
    hooks.onLosses?.(subFlow, first, losses)
    const now = performance.now()
    hooks.onProgress?.({
      phase: 'train',
      subFlow,
      subFlows,
      step: first + losses.length,
      steps,
      loss: losses.reduce((sum, loss) => sum + loss, 0) / losses.length,
      validationLoss: validationLoss(),
      stepsPerSecond: losses.length / Math.max((now - last) / 1000, 1e-9),
      skipped,
    })
    last = now
  }
}
