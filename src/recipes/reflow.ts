/**
 * Rectified flow (Liu, Gong and Liu 2023): plain flow matching first; then, once or more often, the noise that the model so far
 * turns into samples is stored beside them, and the flow is fitted anew to these pairs, whose paths hardly cross. The last
 * one is the model.
 */

import * as z from 'zod'
import { disposePool } from '../learn/pool.js'
import { flowMatching } from '../learn/tasks/flow-matching.js'
import { timeLaw, timeQuantiles } from '../learn/times.js'
import { Flow } from '../model/flow.js'
import { count } from '../schema/words.js'
import { anglesOf } from './angles.js'
import { subFlowFit } from './local-flow.js'
import type { NamedRecipe } from './recipe.js'
import { openPairs } from './teacher-states.js'

const section = z
  .strictObject({
    rounds: count('Fits on pairs, each of the model that the one before made (recipe: reflow).').default(1),
    pairs: count('Pairs that are made for a round. Left out: as many as there are training rows.').optional(),
    time: timeLaw('Distribution of the training times of these fits.').default('uniform'),
  })
  .prefault({})

export type ReflowSettings = z.output<typeof section>

export const reflow = {
  description: 'rectified flow: plain flow matching, then fits on pairs of noise and what the model makes of it',
  section,
  fitsAre: 'fits',
  fits: (_, { rounds }) => 1 + rounds,
  arrange: ({ steps, paths, times }) => ({ gammas: [null], steps, paths, times }),
  plan(settings) {
    const { paths, coupling, timesPerPair, sampling, steps, fit } = settings
    const { rounds, time } = settings.own
    const quantiles = timeQuantiles(time)
    const first = subFlowFit(settings, 0, {
      name: 'the first flow',
      kind: { gamma: null, path: paths[0], coupling },
    })
    const rest = Array.from({ length: rounds }, (_, i) => ({
      settings: { ...fit, name: `round ${i + 1} of reflow`, number: i + 2, steps: steps[i + 1] },
      task: flowMatching({ right: 'stored', path: paths[i + 1], timesPerPair, quantiles, sampling }),
      kind: null,
      note: 'on pairs',
    }))
    return { fits: [first, ...rest], stages: [rounds] }
  },
  madeRows: (n, { pairs }) => pairs ?? n,
  async nextPool({ device, network, settings, signal, onRows }, pool, finished) {
    const { pushSolver: solver, fit, paths } = settings
    const [angle] = anglesOf([{ gamma: null, path: paths[finished.length - 1] }])
    const stages = [{ ...finished[finished.length - 1], gamma: null, angle }]
    const carried = { sample: solver, evaluate: { ...solver, trace: 'exact' as const, probes: 1 }, seed: fit.seed }
    const rowShape = [network.dimension]
    const model = new Flow({ network, stages, rowShape, scaler: null, settings: carried }, device, async () => device)
    const n = settings.own.pairs ?? pool.rows
    const stream = finished.length // samples of a model have stream 0
    try {
      const pairs = await openPairs(device, model, { from: 0, to: 1, n, solver, seed: fit.seed, stream })
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
  },
} satisfies NamedRecipe<ReflowSettings>
