/**
 * What is taught to tell tables apart and to predict a column: a linear model, and gradient boosting. A new learner is a file beside
 * this and a row here.
 */

import type { TableColumn } from '../../data/tables/table.js'
import { fitBoosting } from './boosting.js'
import { fitLinear } from './linear.js'
import type { Loss, Predictor } from './predictor.js'

export interface Learner {
  /** what tables call it, telling classes and predicting numbers */
  readonly title: Readonly<Record<Loss, string>>
  /** @param columns features of n rows @param target [n]: 0 or 1 for the logistic loss, any number for the squared one */
  fit(columns: readonly TableColumn[], target: Float64Array, loss: Loss): Predictor
}

/** 'linear': logistic or linear regression; 'boosting': gradient boosting of trees. */
export type LearnerName = 'linear' | 'boosting'

export const learners = {
  linear: { title: { logistic: 'logistic', squared: 'linear' }, fit: fitLinear },
  boosting: {
    title: { logistic: 'boosting', squared: 'boosting' },
    fit: (columns, target, loss) => fitBoosting(columns, target, loss),
  },
} as const satisfies Record<LearnerName, Learner>

export const learnerNames = Object.keys(learners) as LearnerName[]
