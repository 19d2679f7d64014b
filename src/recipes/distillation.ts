/**
 * Distillation (Xu et al. 2024, section on distillation): a trained model, the *teacher*, is cut into K pieces of its angle, and a
 * student learns each piece from the teacher's states at its two borders. A chain of N sub-flows and a single flow are cut alike.
 * Students are independent of each other; the teacher's states are made on the device while they train (teacher-states.ts).
 */

import type { Task } from '../learn/task.js'
import { averageVelocity, displacement } from '../learn/tasks/displacement.js'
import { flowMatching } from '../learn/tasks/flow-matching.js'
import { lastRate, terminalVelocity } from '../learn/tasks/terminal.js'
import { inherited } from '../networks/registry.js'
import { evenBorders } from '../ode/borders.js'
import { type DistillSettings, endOf, PATH_STATES, type Piece, partsOf, piecesOf, widthOf } from './pieces.js'
import type { PlannedFit, PlannedStream, Recipe, RecipeSettings } from './recipe.js'
import { END_DRAWS, streamEnds, streamPaths, streamStates, streamTeacher } from './teacher-states.js'

const notes = { pairs: 'a map', terminal: 'a map', 'any-step': 'an average velocity', reflow: 'on pairs' } as const

/** Whether a piece begins at the noise itself. */
const fromNoise = ({ to }: Piece, chain: DistillSettings['chain']): boolean => to === chain.length

function taskOf({ kind, chain, guidance }: DistillSettings, piece: Piece): Task {
  switch (kind) {
    case 'pairs':
      return displacement({ time: endOf(piece).time })
    case 'terminal':
      return terminalVelocity({
        parts: partsOf(piece, chain),
        time: endOf(piece).time,
        fromNoise: fromNoise(piece, chain),
        guidance,
      })
    case 'any-step':
      return averageVelocity
    case 'reflow':
      return flowMatching({ right: 'stored', path: 'linear', timesPerPair: 1, quantiles: null, sampling: 'epochs' })
  }
}

/** What a student's rows are made from, and how often. */
function streamOf({ fit, steps, own }: RecipeSettings<DistillSettings>, piece: Piece, i: number): PlannedStream {
  const { kind, every, solver, guidance, chain } = own
  const noise = { rows: every * fit.batch, solver, guidance, seed: fit.seed, stream: i + 1 }
  switch (kind) {
    case 'any-step':
      return { every, rows: noise.rows, open: (on) => streamPaths(on, evenBorders(chain, PATH_STATES), noise) }
    case 'terminal':
      // the teacher is all that a piece from the noise itself is learnt from
      return fromNoise(piece, chain)
        ? { every: steps[i], rows: 1, open: (on) => streamTeacher(on) }
        : { every: every * END_DRAWS, rows: noise.rows, open: (on) => streamEnds(on, piece.to, noise) }
    default:
      return { every, rows: noise.rows, open: (on) => streamStates(on, piece, noise) }
  }
}

function fitOf(settings: RecipeSettings<DistillSettings>, piece: Piece, i: number): PlannedFit {
  const { fit, steps, own } = settings
  return {
    settings: { ...fit, name: `student ${i + 1}`, number: i + 1, steps: steps[i] },
    task: taskOf(own, piece),
    kind: null,
    note: notes[own.kind],
    stream: streamOf(settings, piece, i),
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
    const width = own.kind === 'terminal' ? lastRate(partsOf(piece, own.chain)) : widthOf(piece, own.chain)
    return { parameters: inherited(teacher!.field, parameters, network), outputScale: outputScale * width }
  },
  nextPool: async () => null,
}
