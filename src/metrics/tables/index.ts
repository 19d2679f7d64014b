/** How alike two tables of mixed columns are, and whether one gives back the rows of the other: `metrics.tables`. */

export type {
  CategoryColumn,
  NumberColumn,
  NumberFormat,
  Table,
  TableColumn,
} from '../../data/tables/table.js'
export { gaussianCopula, independentColumns, redrawnRows } from './baselines.js'
export { type BoostingOptions, fitBoosting } from './boosting.js'
export { type ClosestRecords, closestRecords } from './closest.js'
export {
  type ColumnFigure,
  type ColumnScore,
  categoryCoverage,
  columnShapes,
  missingValues,
  rangeCoverage,
} from './columns.js'
export {
  compareTables,
  comparisonTable,
  type TableComparison,
  type TableComparisonOptions,
  type TableFigure,
} from './compare.js'
export { type Detection, type DetectionOptions, detection } from './detection.js'
export type { LearnerName } from './learners.js'
export { fitLinear } from './linear.js'
export { missingTrends, type PairFigure, type PairScore, pairTrends } from './pairs.js'
export type { Loss, Predictor } from './predictor.js'
export { predictiveSkill, type Skill } from './skill.js'
