/**
 * Distillation (Xu et al. 2024, section on distillation): a trained model, the *teacher*, is cut into K pieces of its angle, and a
 * student learns each piece from the teacher's states at its two borders. A chain of N sub-flows and a single flow are cut alike.
 * Students are independent of each other; the teacher's states are made on the device while they train (teacher-states.ts).
 */

import { displacement } from '../learn/tasks/displacement.js'
import { flowMatching } from '../learn/tasks/flow-matching.js'
import { type DistillSettings, endOf, type Piece, piecesOf, widthOf } from './pieces.js'
import type { PlannedFit, Recipe, RecipeSettings } from './recipe.js'
import { streamStates } from './teacher-states.js'

function fitOf({ fit, steps, own }: RecipeSettings<DistillSettings>, piece: Piece, i: number): PlannedFit {
  const { kind, every, solver } = own
  const task =
    kind === 'pairs'
      ? displacement({ time: endOf(piece).time })
      : flowMatching({ right: 'stored', path: 'linear', timesPerPair: 1, quantiles: null, sampling: 'epochs' })
  return {
    settings: { ...fit, name: `student ${i + 1}`, number: i + 1, steps: steps[i] },
    task,
    kind: null,
    note: kind === 'pairs' ? 'a map' : 'on pairs',
    stream: {
      every,
      rows: every * fit.batch,
      open: (context) =>
        streamStates(context, piece, { rows: every * fit.batch, solver, seed: fit.seed, stream: i + 1 }),
    },
  }
}

export const distillation: Recipe<DistillSettings> = {
  plan(settings) {
    const fits = piecesOf(settings.own).map((piece, i) => fitOf(settings, piece, i))
    return { fits, stages: fits.map((_, i) => i) }
  },
  begin({ teacher, settings: { own } }, number) {
    const piece = piecesOf(own)[number - 1]
    const { parameters, outputScale } = teacher!.stages[endOf(piece).stage]
    return { parameters, outputScale: outputScale * widthOf(piece, own.chain) }
  },
  nextPool: async () => null,
}
