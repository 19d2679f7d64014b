/**
 * The classifier two-sample test of tables, as SDMetrics scores it (LogisticDetection): a learner is taught to tell synthetic rows from
 * real ones and tried on rows that it has not seen. 1 says that it cannot, 0 that every row gives itself away.
 */

import { isCategory, type Table, type TableColumn, takeTableRows } from '../../data/tables/table.js'
import { InvalidArgumentError, invalid } from '../../errors.js'
import { permutation } from '../../random/stream.js'
import { turn } from '../rows.js'
import { alignTables } from './align.js'
import { type LearnerName, learners } from './learners.js'
import { areaUnderCurve } from './scores.js'

/** Who tells, and how it is tried. */
export interface DetectionOptions {
  /** logistic regression on the columns, or gradient boosting; default 'boosting' */
  learner?: LearnerName
  /** parts of the rows, each tried by a learner that learnt from the others; default 3 */
  folds?: number
  /** of the parts; default 0 */
  seed?: number
}

/** How well two tables can be told apart. */
export interface Detection {
  /** 1 − the mean over folds of (2·max(AUC, ½) − 1) */
  score: number
  /** mean area under the curve over folds: ½ by chance, 1 where all is told right */
  auc: number
}

/**
 * Cross-validated detection of synthetic rows. Since an AUC below ½ counts as ½ in each fold, two tables of one distribution
 * score a little below 1, by about 0.8 standard errors of a fold's AUC.
 *
 * @throws InvalidArgumentError for tables of other columns or of fewer rows than folds, DataError for infinite numbers
 */
export async function detection(real: Table, synthetic: Table, options: DetectionOptions = {}): Promise<Detection> {
  const { learner = 'boosting', folds = 3, seed = 0 } = options
  if (!Number.isInteger(folds) || folds < 2) throw invalid('folds', 'a whole number, at least 2', folds)
  const tables = alignTables({ real, synthetic })
  const [n, m] = [real.rows, synthetic.rows]
  if (n < folds || m < folds) {
    throw new InvalidArgumentError(`${folds} folds need as many rows of each table, but there are ${n} and ${m}.`)
  }
  const all = concatenate(tables.real, tables.synthetic)
  const fold = new Uint32Array(n + m)
  permutation(n, seed).forEach((row, place) => {
    fold[row] = place % folds
  })
  permutation(m, seed + 1).forEach((row, place) => {
    fold[n + row] = place % folds
  })
  const rows = Uint32Array.from({ length: n + m }, (_, i) => i)
  const classOf = (row: number): number => (row < n ? 0 : 1)
  let [score, auc] = [0, 0]
  for (let k = 0; k < folds; k++) {
    await turn()
    const learnt = rows.filter((row) => fold[row] !== k)
    const tried = rows.filter((row) => fold[row] === k)
    const target = Float64Array.from(learnt, classOf)
    const predictor = learners[learner].fit(takeTableRows(all, learnt).columns, target, 'logistic')
    const own = areaUnderCurve(predictor.predict(takeTableRows(all, tried).columns), Float64Array.from(tried, classOf))
    auc += own / folds
    score += (1 - (2 * Math.max(0.5, own) - 1)) / folds
  }
  return { score, auc }
}

/** The rows of one table, then those of another with the same columns and levels. */
function concatenate(a: Table, b: Table): Table {
  const columns = a.columns.map((column, j): TableColumn => {
    const other = b.columns[j]
    if (isCategory(column)) {
      const codes = new Int32Array(a.rows + b.rows)
      codes.set(column.codes)
      if (isCategory(other)) codes.set(other.codes, a.rows)
      return { ...column, codes }
    }
    const values = new Float64Array(a.rows + b.rows)
    values.set(column.values)
    if (!isCategory(other)) values.set(other.values, a.rows)
    return { ...column, values }
  })
  return { rows: a.rows + b.rows, columns }
}
