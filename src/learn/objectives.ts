/** What networks may learn from data, a row each. */

import type { SegmentTables } from '../kernels/segments.js'
import type { Task } from './task.js'
import { choices } from './tasks/choices.js'
import { type FlowMatching, flowMatching } from './tasks/flow-matching.js'
import { meanFlow } from './tasks/mean-flow.js'

interface ObjectiveKind {
  /** one line for people */
  readonly description: string
  /** whether it makes average velocities, whose networks take a second time: one stage from data to noise, and no flow */
  readonly averages: boolean
  /** whether its networks give the logits of choices, which rows of mixed columns have */
  readonly choices: boolean
  /** @param segments how the columns of a row lie together; null: they are numbers, or not known yet */
  task(settings: FlowMatching, segments: SegmentTables | null): Task
}

export const objectives = {
  'flow-matching': {
    description: 'the velocity of a flow',
    averages: false,
    choices: false,
    task: flowMatching,
  },
  variational: {
    description:
      'of tables of mixed columns: levels of a category by cross-entropy, from which its velocity follows, and the velocity of numbers (variational flow matching)',
    averages: false,
    choices: true,
    task: choices,
  },
  'mean-flow': {
    description:
      'average velocities between any two times (flow.recipe: plain), for samples of one evaluation or a few (ode.sample.evaluations), without likelihoods',
    averages: true,
    choices: false,
    task: meanFlow,
  },
} as const satisfies Record<string, ObjectiveKind>

export type Objective = keyof typeof objectives
export const objectiveNames = Object.keys(objectives) as [Objective, ...Objective[]]
