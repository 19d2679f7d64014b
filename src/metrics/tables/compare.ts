/**
 * Every figure of a synthetic table in one list, each beside the same figure of real rows, of the training rows drawn again, of
 * independent columns and of a Gaussian copula: what can be reached, what knowing them by heart has, what is had for nothing, and what
 * the usual model of tables has.
 */

import { isCategory, type Table, takeTableRows } from '../../data/tables/table.js'
import { InvalidArgumentError, invalid, oneLine } from '../../errors.js'
import { alignTables, thin } from './align.js'
import { gaussianCopula, independentColumns, redrawnRows } from './baselines.js'
import { closestRecords } from './closest.js'
import { type ColumnFigure, categoryCoverage, columnShapes, missingValues, rangeCoverage } from './columns.js'
import { detection } from './detection.js'
import { learnerNames, learners } from './learners.js'
import { missingTrends, type PairFigure, pairTrends } from './pairs.js'
import { predictiveSkill, type Skill } from './skill.js'

/** What is measured, and on how many rows. */
export interface TableComparisonOptions {
  /** names of columns that are predicted after learning from each table; default none */
  targets?: readonly string[]
  /**
   * names of columns that the synthetic rows were made given, and have of real ones: shapes, missing values, coverages and closest
   * records are of the others, trends of pairs with one of the others, and all else of whole rows; default none
   */
  told?: readonly string[]
  /**
   * which real rows shapes, trends, missing values, coverages and detection are against; default 'heldOut', by which a model gains
   * nothing from giving back its training rows. SDMetrics' reports are against 'training'
   */
  against?: 'heldOut' | 'training'
  /** rows of each table, at most: a larger one is thinned; default 10 000 */
  mostRows?: number
  /** of the thinning, the folds and the baselines; default 0 */
  seed?: number
}

/** One figure: of the synthetic rows, and of what stands beside them. NaN where a table has no such column. */
export interface TableFigure {
  /** such as 'pair trends' */
  name: string
  /** what it would be of perfect rows, null where that depends on the data (then it is `real`) */
  ideal: number | null
  /** of the rows that are compared */
  synthetic: number
  /**
   * real rows in the synthetic rows' place: training rows, or held-out ones where the figure is against training rows; of the
   * closest records one half of the held-out rows, beside the other
   */
  real: number
  /** as many of the training rows as there are synthetic ones, drawn with replacement: a model that knows them by heart */
  redrawn: number
  /** the training rows with each column shuffled by itself */
  independent: number
  /** rows of a Gaussian copula of the training rows */
  copula: number
}

/** All figures of a synthetic table. */
export interface TableComparison {
  /** one a line, in the order of `comparisonTable` */
  figures: TableFigure[]
  /** shapes of each column, of the synthetic rows against the real ones */
  shapes: ColumnFigure
  /** trends of each pair */
  trends: PairFigure
  /** and of what is missing, with other columns */
  missing: PairFigure
  /** rows that were compared */
  rows: {
    /** real ones that were learnt from */
    training: number
    /** real ones that were not */
    heldOut: number
    /** of the model */
    synthetic: number
  }
}

interface Parts {
  training: Table
  heldOut: Table
  /** what synthetic rows should be like */
  reference: Table
  synthetic: Table
}

interface Measure {
  name: string
  ideal: number | null
  of(parts: Parts): number | Promise<number>
  /** the parts with real rows in the synthetic rows' place */
  real(parts: Parts): Parts
}

/**
 * The figures of a synthetic table: shapes, trends, missing values, coverages and detection against real rows; for each target what is predicted on held-out rows; the share of rows nearer to training rows than to held-out
 * ones. With 5000 rows of 14 columns it takes some seconds for each target and the rest.
 *
 * @param tables real rows that a model was trained on, real rows that it did not see, and rows that it made
 * @throws InvalidArgumentError for tables of other columns, a target that is no column, or fewer than 8 rows of real data on a side
 */
export async function compareTables(
  tables: { training: Table; heldOut: Table; synthetic: Table },
  options: TableComparisonOptions = {},
): Promise<TableComparison> {
  const { targets = [], told = [], against = 'heldOut', mostRows = 10_000, seed = 0 } = options
  if (!Number.isInteger(mostRows) || mostRows < FEWEST) {
    throw invalid('mostRows', `a whole number, at least ${FEWEST}`, mostRows)
  }
  const aligned = alignTables({ training: tables.training, 'held-out': tables.heldOut, synthetic: tables.synthetic })
  for (const [name, table] of Object.entries(aligned)) {
    if (table.rows >= FEWEST) continue
    throw new InvalidArgumentError(`The ${name} table has ${table.rows} rows; a comparison needs at least ${FEWEST}.`)
  }
  const training = thin(aligned.training, mostRows, seed)
  const heldOut = thin(aligned['held-out'], mostRows, seed + 1)
  const synthetic = thin(aligned.synthetic, mostRows, seed + 2)
  const reference = against === 'training' ? training : heldOut
  const of = (made: Table): Parts => ({ training, heldOut, reference, synthetic: made })
  const parts = of(synthetic)
  const redrawn = of(redrawnRows(training, { rows: synthetic.rows, seed }))
  const independent = of(independentColumns(training, { seed }))
  const copula = of(gaussianCopula(training, { rows: synthetic.rows, seed }))
  const figures: TableFigure[] = []
  for (const { name, ideal, of: measure, real } of measures(training, { targets, told, against }, seed)) {
    figures.push({
      name,
      ideal,
      synthetic: await measure(parts),
      real: await measure(real(parts)),
      redrawn: await measure(redrawn),
      independent: await measure(independent),
      copula: await measure(copula),
    })
  }
  return {
    figures,
    shapes: columnShapes(without(told, reference), without(told, synthetic)),
    trends: pairTrends(reference, synthetic, told),
    missing: missingTrends(reference, synthetic, told),
    rows: { training: training.rows, heldOut: heldOut.rows, synthetic: synthetic.rows },
  }
}

const FEWEST = 8

/** A table without the columns that its rows were made given. */
const without = (told: readonly string[], { rows, columns }: Table): Table => ({
  rows,
  columns: columns.filter(({ name }) => !told.includes(name)),
})

function measures(
  table: Table,
  { targets, told, against }: { targets: readonly string[]; told: readonly string[]; against: 'heldOut' | 'training' },
  seed: number,
): Measure[] {
  const other = (parts: Parts): Parts => ({
    ...parts,
    synthetic: parts.reference === parts.training ? parts.heldOut : parts.training,
  })
  const scored = (name: string, figure: (real: Table, synthetic: Table) => { score: number }): Measure => ({
    name,
    ideal: 1,
    of: ({ reference, synthetic }) => figure(reference, synthetic).score,
    real: other,
  })
  type Figure = (real: Table, synthetic: Table) => { score: number }
  // as SDMetrics' reports have them
  const toTraining = (name: string, figure: Figure): Measure => ({
    name: `${name}, to the training rows`,
    ideal: 1,
    of: ({ training, synthetic }) => figure(training, synthetic).score,
    real: (parts) => ({ ...parts, synthetic: parts.heldOut }),
  })
  /** of the columns that are made */
  const shapes: Figure = (real, synthetic) => columnShapes(without(told, real), without(told, synthetic))
  const trends: Figure = (real, synthetic) => pairTrends(real, synthetic, told)
  const made = (name: string, figure: Figure): Measure =>
    scored(name, (real, synthetic) => figure(without(told, real), without(told, synthetic)))
  return [
    scored('column shapes', shapes),
    scored('pair trends', trends),
    ...(against === 'training' ? [] : [toTraining('column shapes', shapes), toTraining('pair trends', trends)]),
    made('missing values', missingValues),
    scored('missing trends', (real, synthetic) => missingTrends(real, synthetic, told)),
    made('range coverage', rangeCoverage),
    made('category coverage', categoryCoverage),
    ...learnerNames.map(
      (learner): Measure => ({
        name: `two-sample test, ${learners[learner].title.logistic}`,
        ideal: 1,
        of: async ({ reference, synthetic }) => (await detection(reference, synthetic, { learner, seed })).score,
        real: other,
      }),
    ),
    ...targets.flatMap((target) => skills(table, target)),
    {
      name: 'nearer to training rows',
      ideal: 0.5,
      // what rows were made given is that of real ones, of one side alone
      of: async ({ training, heldOut, synthetic }) => {
        const [own, learnt, other] = [synthetic, training, heldOut].map((table) => without(told, table))
        return (await closestRecords(own, learnt, other, { seed })).nearerToTraining
      },
      // neither those that were learnt from nor those that they are beside
      real: (parts) => {
        const [synthetic, heldOut] = halves(parts.heldOut)
        return { ...parts, synthetic, heldOut }
      },
    },
  ]
}

function halves(table: Table): [Table, Table] {
  const half = table.rows >> 1
  const rows = Array.from({ length: table.rows }, (_, i) => i)
  return [takeTableRows(table, rows.slice(0, half)), takeTableRows(table, rows.slice(half))]
}

/** What a target is scored by, with each learner. */
function skills(table: Table, target: string): Measure[] {
  const column = table.columns.find(({ name }) => name === target)
  const scores: (keyof Skill)[] = column && !isCategory(column) ? ['r2'] : ['accuracy', 'f1']
  return learnerNames.flatMap((learner) => {
    // one learner gives all scores of a table
    const known = new Map<Table, Promise<Skill>>()
    const skillOf = ({ heldOut, synthetic }: Parts): Promise<Skill> => {
      const found = known.get(synthetic) ?? predictiveSkill(synthetic, heldOut, { target, learner })
      known.set(synthetic, found)
      return found
    }
    return scores.map(
      (score): Measure => ({
        name: `${oneLine(target)}: ${skillTitles[score]}, ${learners[learner].title[score === 'r2' ? 'squared' : 'logistic']}`,
        ideal: null,
        of: async (parts) => (await skillOf(parts))[score] ?? NaN,
        real: (parts) => ({ ...parts, synthetic: parts.training }),
      }),
    )
  })
}

const skillTitles = { accuracy: 'accuracy', f1: 'F1', r2: 'R²' } as const satisfies Record<keyof Skill, string>

const columns = [
  ['synthetic', 'synthetic'],
  ['real', 'real rows'],
  ['redrawn', 'training rows redrawn'],
  ['copula', 'Gaussian copula'],
  ['independent', 'independent columns'],
  ['ideal', 'ideal'],
] as const

/** The figures as a table of Markdown whose columns line up, for a terminal or a page; – where there is no figure. */
export function comparisonTable({ figures }: TableComparison): string {
  const shown = (value: number | null): string =>
    value === null ? 'real rows' : Number.isNaN(value) ? '–' : value.toFixed(3)
  const rows = [
    ['', ...columns.map(([, title]) => title)],
    ...figures.map((figure) => [figure.name.replaceAll('|', '\\|'), ...columns.map(([key]) => shown(figure[key]))]),
  ]
  const widths = rows[0].map((_, j) => Math.max(...rows.map((row) => row[j].length)))
  const line = (cells: string[]): string =>
    `| ${cells.map((cell, j) => (j === 0 ? cell.padEnd(widths[j]) : cell.padStart(widths[j]))).join(' | ')} |`
  const rule = `| ${widths.map((width, j) => (j === 0 ? '-'.repeat(width) : `${'-'.repeat(width - 1)}:`)).join(' | ')} |`
  return `${[line(rows[0]), rule, ...rows.slice(1).map(line)].join('\n')}\n`
}
