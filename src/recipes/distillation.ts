/**
 * Distillation (Xu et al. 2024, section on distillation): a trained model, the *teacher*, is cut into K pieces of its angle, and a
 * student learns each piece from the teacher's states at its two borders. A chain of N sub-flows and a single flow are cut alike.
 * Students are independent of each other; the teacher's states are made on the device while they train (teacher-states.ts).
 */

import type { Task } from '../learn/task.js'
import { averageVelocity, displacement } from '../learn/tasks/displacement.js'
import { flowMatching } from '../learn/tasks/flow-matching.js'
import { inherited } from '../networks/registry.js'
import { evenBorders } from '../ode/borders.js'
import { type DistillKind, type DistillSettings, endOf, PATH_STATES, type Piece, piecesOf, widthOf } from './pieces.js'
import type { PlannedFit, Recipe, RecipeSettings } from './recipe.js'
import { streamPaths, streamStates } from './teacher-states.js'

const notes = { pairs: 'a map', 'any-step': 'an average velocity', reflow: 'on pairs' } as const

function taskOf(kind: DistillKind, piece: Piece): Task {
  switch (kind) {
    case 'pairs':
      return displacement({ time: endOf(piece).time })
    case 'any-step':
      return averageVelocity
    case 'reflow':
      return flowMatching({ right: 'stored', path: 'linear', timesPerPair: 1, quantiles: null, sampling: 'epochs' })
  }
}

function fitOf({ fit, steps, own }: RecipeSettings<DistillSettings>, piece: Piece, i: number): PlannedFit {
  const { kind, every, solver } = own
  const noise = { rows: every * fit.batch, solver, seed: fit.seed, stream: i + 1 }
  return {
    settings: { ...fit, name: `student ${i + 1}`, number: i + 1, steps: steps[i] },
    task: taskOf(kind, piece),
    kind: null,
    note: notes[kind],
    stream: {
      every,
      rows: every * fit.batch,
      open: (context) =>
        kind === 'any-step'
          ? streamPaths(context, evenBorders(own.chain, PATH_STATES), noise)
          : streamStates(context, piece, noise),
    },
  }
}

export const distillation: Recipe<DistillSettings> = {
  plan(settings) {
    const fits = piecesOf(settings.own).map((piece, i) => fitOf(settings, piece, i))
    return { fits, stages: fits.map((_, i) => i) }
  },
  begin({ network, teacher, settings: { own } }, number) {
    const piece = piecesOf(own)[number - 1]
    const { parameters, outputScale } = teacher!.stages[endOf(piece).stage]
    return {
      parameters: inherited(teacher!.field, parameters, network),
      outputScale: outputScale * widthOf(piece, own.chain),
    }
  },
  nextPool: async () => null,
}
