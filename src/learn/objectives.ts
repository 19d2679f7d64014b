/** What networks may learn from data, a row each. */

import type { Task } from './task.js'
import { type FlowMatching, flowMatching } from './tasks/flow-matching.js'
import { meanFlow } from './tasks/mean-flow.js'

interface ObjectiveKind {
  /** one line for people */
  readonly description: string
  /** whether it makes average velocities, whose networks take a second time: one stage from data to noise, and no flow */
  readonly averages: boolean
  task(settings: FlowMatching): Task
}

export const objectives = {
  'flow-matching': {
    description: 'the velocity of a flow',
    averages: false,
    task: flowMatching,
  },
  'mean-flow': {
    description:
      'average velocities between any two times (flow.recipe: plain), for samples of one evaluation or a few (ode.sample.evaluations), without likelihoods',
    averages: true,
    task: meanFlow,
  },
} as const satisfies Record<string, ObjectiveKind>

export type Objective = keyof typeof objectives
export const objectiveNames = Object.keys(objectives) as [Objective, ...Objective[]]
