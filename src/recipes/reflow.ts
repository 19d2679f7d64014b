/**
 * Rectified flow (Liu, Gong and Liu 2023): plain flow matching first; then, once or more often, the noise that the model so far
 * turns into samples is stored beside them, and the flow is fitted anew to these pairs, whose paths hardly cross. The last
 * one is the model.
 */

import * as z from 'zod'
import { disposePool, type PoolConditions, toldInTurn } from '../learn/pool.js'
import { flowMatching } from '../learn/tasks/flow-matching.js'
import { timeLaw, timeQuantiles } from '../learn/times.js'
import { Flow } from '../model/flow.js'
import { count } from '../schema/words.js'
import { anglesOf } from './angles.js'
import { subFlowFit } from './local-flow.js'
import type { MadePool, NamedRecipe, RecipeContext, TrainedNetwork } from './recipe.js'
import { openPairs } from './teacher-states.js'

const section = z
  .strictObject({
    rounds: count('Fits on pairs, each of the model that the one before made (recipe: reflow).').default(1),
    pairs: count('Pairs that are made for a round. Left out: as many as there are training rows.').optional(),
    time: timeLaw('Distribution of the training times of these fits.').default('uniform'),
  })
  .prefault({})

export type ReflowSettings = z.output<typeof section>

/** Streams of the noise of pairs to validate on: those to learn from have the numbers of fits. */
const UNSEEN = 2 ** 20
/** Pairs to validate on, at most: a measurement draws no more (validation.ts). */
const MOST_UNSEEN = 8192

/**
 * Noise and what the last of the finished flows makes of it, n pairs.
 * @param conditions of rows of data, which the pairs are told in turn; null: they are told nothing
 */
async function pairsOf(
  { device, network, settings, signal, onRows }: RecipeContext<ReflowSettings>,
  n: number,
  finished: readonly TrainedNetwork[],
  stream: number,
  conditions: PoolConditions | null,
): Promise<MadePool> {
  const { pushSolver: solver, fit, paths } = settings
  const last = finished[finished.length - 1]
  const [angle] = anglesOf([{ gamma: null, path: paths[finished.length - 1] }])
  const stages = [{ ...last, gamma: null, angle }]
  const carried = { sample: solver, evaluate: { ...solver, trace: 'exact' as const, probes: 1 }, seed: fit.seed }
  const rowShape = [network.dimension]
  const toldWidth = network.condition
  const model = new Flow(
    { network, stages, rowShape, scaler: null, settings: carried, toldWidth },
    device,
    async () => device,
  )
  const told = conditions && ((first: number, count: number) => toldInTurn(conditions, toldWidth, first, count))
  try {
    const pairs = await openPairs(device, model, { from: 0, to: 1, n, solver, seed: fit.seed, stream, told })
    try {
      const evaluations = await pairs.fill(0, signal, (rows) => onRows?.(rows, n))
      return { pool: pairs.pool, evaluations, variants: pairs.variants }
    } catch (error) {
      disposePool(pairs.pool)
      throw error
    } finally {
      pairs.close()
    }
  } finally {
    await model.dispose()
  }
}

export const reflow = {
  description: 'rectified flow: plain flow matching, then fits on pairs of noise and what the model makes of it',
  section,
  fitsAre: 'fits',
  fits: (_, { rounds }) => 1 + rounds,
  arrange: ({ steps, paths, times }) => ({ gammas: [null], steps, paths, times }),
  plan(settings) {
    const { paths, coupling, timesPerPair, sampling, steps, fit, conditionDropout: drop } = settings
    const { rounds, time } = settings.own
    const quantiles = timeQuantiles(time)
    const first = subFlowFit(settings, 0, {
      name: 'the first flow',
      kind: { gamma: null, path: paths[0], coupling },
    })
    const rest = Array.from({ length: rounds }, (_, i) => ({
      settings: { ...fit, name: `round ${i + 1} of reflow`, number: i + 2, steps: steps[i + 1] },
      task: flowMatching({ right: 'stored', path: paths[i + 1], timesPerPair, quantiles, sampling, drop }),
      kind: null,
      note: 'on pairs',
    }))
    return { fits: [first, ...rest], stages: [rounds] }
  },
  madeRows: (n, { pairs }) => pairs ?? n,
  // samples of a model have stream 0
  nextPool: (context, pool, finished) =>
    pairsOf(
      context,
      context.settings.own.pairs ?? pool.rows,
      finished,
      finished.length,
      context.conditions?.data ?? null,
    ),
  nextValidation: (context, pool, finished) =>
    pairsOf(
      context,
      Math.min(pool.rows, MOST_UNSEEN),
      finished,
      UNSEEN + finished.length,
      context.conditions?.validation ?? null,
    ),
} satisfies NamedRecipe<ReflowSettings>
