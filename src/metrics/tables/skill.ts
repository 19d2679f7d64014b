/**
 * Train on synthetic, test on real: a learner that never saw a real row predicts one column of real rows from the others, beside
 * the same learner taught with real rows (SDMetrics' efficacy; Esteban, Hyland and Rätsch 2017).
 */

import {
  type CategoryColumn,
  isCategory,
  type NumberColumn,
  type Table,
  type TableColumn,
  takeTableRows,
} from '../../data/tables/table.js'
import { InvalidArgumentError, list, show } from '../../errors.js'
import { turn } from '../rows.js'
import { alignTables, isMissing } from './align.js'
import { type Learner, type LearnerName, learners } from './learners.js'
import { accuracy, determination, macroF1 } from './scores.js'

/** How right a learner is on held-out rows. */
export interface Skill {
  /** of a category: the share told right */
  accuracy?: number
  /** of a category: the mean of the classes' F1 */
  f1?: number
  /** of a number: R², 1 − the share of the variance that is left */
  r2?: number
}

/** Classes of a target, each of which costs a learner of its own. */
const MOST_CLASSES = 50

/**
 * How well a column of held-out rows is predicted after learning from other rows: taught with synthetic rows, beside taught with
 * real ones, it is the figure of train on synthetic, test on real. Categories of more than two levels are told by a learner for each
 * level against the rest. Rows whose target is missing are left out.
 *
 * @param taught rows that are learnt from, real or synthetic
 * @param heldOut real rows that are predicted
 * @param target name of the column
 * @param learner logistic (of a number: linear) regression, or gradient boosting; default 'boosting'
 * @throws InvalidArgumentError for a target that is no column, or the only one; for one of more than 50 classes; where no row has
 *   it; for tables of other columns. DataError for infinite numbers
 */
export async function predictiveSkill(
  taught: Table,
  heldOut: Table,
  { target, learner = 'boosting' }: { target: string; learner?: LearnerName },
): Promise<Skill> {
  const tables = alignTables({ 'held-out': heldOut, taught })
  const { columns } = tables['held-out']
  const index = columns.findIndex(({ name }) => name === target)
  if (index < 0 || columns.length < 2) {
    const names = list(columns.map(({ name }) => show(name)))
    throw new InvalidArgumentError(`target must be one of two columns or more (${names}), but is ${show(target)}.`)
  }
  const [tested, learnt] = (['held-out', 'taught'] as const).map((name) => {
    const table = tables[name]
    const rows = Array.from({ length: table.rows }, (_, i) => i).filter((row) => !isMissing(table.columns[index], row))
    if (rows.length > 0) return takeTableRows(table, rows).columns
    throw new InvalidArgumentError(
      `No row of the ${name} table has a value in ${show(target)}, which is to be predicted.`,
    )
  })
  const skill = isCategory(columns[index]) ? classification : regression
  return skill(learners[learner], learnt, tested, index)
}

const without = (columns: readonly TableColumn[], index: number): TableColumn[] => columns.filter((_, j) => j !== index)

async function regression(
  learner: Learner,
  taught: readonly TableColumn[],
  tested: readonly TableColumn[],
  index: number,
): Promise<Skill> {
  await turn()
  const predictor = learner.fit(without(taught, index), (taught[index] as NumberColumn).values, 'squared')
  return { r2: determination(predictor.predict(without(tested, index)), (tested[index] as NumberColumn).values) }
}

async function classification(
  learner: Learner,
  taught: readonly TableColumn[],
  tested: readonly TableColumn[],
  index: number,
): Promise<Skill> {
  const { codes, name } = taught[index] as CategoryColumn
  const truth = (tested[index] as CategoryColumn).codes
  const classes = [...new Set(codes)].sort((a, b) => a - b)
  if (classes.length > MOST_CLASSES) {
    throw new InvalidArgumentError(
      `A target must have at most ${MOST_CLASSES} levels, but ${show(name)} has ${classes.length}.`,
    )
  }
  const features = [without(taught, index), without(tested, index)]
  // of two classes one learner tells both
  const asked = classes.length === 2 ? classes.slice(1) : classes
  const best = new Float64Array(truth.length).fill(classes.length === 2 ? 0.5 : -1)
  const predicted = new Int32Array(truth.length).fill(classes[0])
  for (const own of asked) {
    await turn()
    const target = Float64Array.from(codes, (code) => (code === own ? 1 : 0))
    const chance = learner.fit(features[0], target, 'logistic').predict(features[1])
    chance.forEach((p, i) => {
      if (p <= best[i]) return
      best[i] = p
      predicted[i] = own
    })
  }
  return { accuracy: accuracy(predicted, truth), f1: macroF1(predicted, truth) }
}
