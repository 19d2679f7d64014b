/** What a learner minimises, and what it gives. */

import type { TableColumn } from '../../data/tables/table.js'

/** log(1 + e^{∓score}) of the classes 1 and 0, or half the squared error. */
export type Loss = 'logistic' | 'squared'

/** What was learnt. */
export interface Predictor {
  /** of rows with the columns that were learnt from: probabilities of class 1, or numbers */
  predict(columns: readonly TableColumn[]): Float64Array
}
