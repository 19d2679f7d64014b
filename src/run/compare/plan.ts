/**
 * The rows of a comparison: a method in a block under a seed, each a run in a folder of its own. A method whose network is the
 * same in both blocks has one run for them. Rows are in the order in which they are made: the first seed of everything first, and
 * teachers before their students, who have a row for each of their teacher's.
 */

import {
  type BlockName,
  type ComparedMethod,
  type ComparedMethods,
  type ResolvedConfig,
  resolveConfig,
  resolveMethod,
} from '../../config/index.js'
import type { Condition } from '../../model/condition.js'
import { type DistillRequest, studentOptions } from '../distilling.js'
import { fittedKeys, networksOf, parametersOf } from './widths.js'

export interface PlannedRow {
  /** its folder */
  readonly id: string
  readonly method: ComparedMethod
  /** whether it is the second of a method, under other seeds */
  readonly aa: boolean
  readonly blocks: readonly BlockName[]
  readonly seed: number
  readonly raw: Readonly<Record<string, unknown>>
  readonly config: ResolvedConfig
  /** the row whose model these are students of; left out: it is trained on the data */
  readonly teacher?: PlannedRow
}

export interface ComparisonPlan {
  readonly rows: readonly PlannedRow[]
  /** parameters that networks of a method have in all, at most, in the second block; null without it */
  readonly parameters: number | null
}

/** What a method is told of the rows; null: nothing. */
export type ConditionFor = (config: ResolvedConfig) => Condition | null

/** Throws ConfigError where a method's config is wrong, does not fit the rows, or cannot be made small enough. */
export function planComparison(
  { settings, methods }: ComparedMethods,
  rowShape: readonly number[],
  conditionFor: ConditionFor = () => null,
): ComparisonPlan {
  const [seed] = settings.seeds
  const trained = methods.filter(({ distill }) => !distill)
  const sizes = trained.map((method) => {
    const config = resolveMethod(method, seed)
    return networksOf(config) * parametersOf(config, rowShape, conditionFor(config))
  })
  const second = settings.blocks.includes('parameters')
  const parameters = second ? (settings.parameters ?? Math.min(...sizes)) : null
  const shrunk = methods.map((method): ComparedMethod => {
    if (parameters === null || method.distill) return method
    const config = resolveMethod(method, seed)
    const { model } = method.raw as { model?: object }
    return {
      ...method,
      raw: {
        ...method.raw,
        model: { ...model, ...fittedKeys(method.name, config, rowShape, parameters, conditionFor(config)) },
      },
    }
  })
  const rows = settings.seeds.flatMap((seed) => {
    const made: PlannedRow[] = []
    methods.forEach((method, i) => {
      made.push(
        ...(method.distill
          ? studentRows(method, made, conditionFor)
          : rowsOf(settings.blocks, method, shrunk[i], seed)),
      )
    })
    return made
  })
  const again = methods.find(({ name }) => name === settings.aa)
  if (again) rows.push(...otherSeeds(settings.seeds).map((seed) => aaRow(again, seed)))
  return { rows, parameters }
}

/** As many other seeds. */
const otherSeeds = (seeds: readonly number[]): number[] => seeds.map((_, i) => Math.max(...seeds) + 1 + i)

const aaRow = (method: ComparedMethod, seed: number): PlannedRow => ({
  ...rowOf(`${method.name}-aa`, method, ['width'], seed),
  aa: true,
})

function rowsOf(
  blocks: readonly BlockName[],
  method: ComparedMethod,
  small: ComparedMethod,
  seed: number,
): PlannedRow[] {
  const wide = rowOf(method.name, method, ['width'], seed)
  if (!blocks.includes('parameters')) return [wide]
  const fitted = rowOf(`${method.name}-fitted`, small, ['parameters'], seed)
  if (!blocks.includes('width')) return [fitted]
  const same = JSON.stringify(wide.config.model) === JSON.stringify(fitted.config.model)
  return same ? [{ ...wide, blocks }] : [wide, fitted]
}

const rowOf = (name: string, method: ComparedMethod, blocks: readonly BlockName[], seed: number): PlannedRow => ({
  id: `${name}-seed-${seed}`,
  method,
  aa: false,
  blocks,
  seed,
  raw: { ...method.raw, seed },
  config: resolveMethod(method, seed),
})

/** Students of each row of their teacher. @param made rows of the same seed */
function studentRows(method: ComparedMethod, made: readonly PlannedRow[], conditionFor: ConditionFor): PlannedRow[] {
  const { from, ...request } = method.distill!
  const teachers = made.filter((row) => row.method.name === from)
  return teachers.map((teacher) => {
    const train = method.raw.train as DistillRequest['train']
    const condition = conditionFor(teacher.config)
    const raw = studentOptions({ raw: teacher.raw, options: teacher.config, condition }, { ...request, train })
    const config = resolveConfig(raw, `${method.path}, ${method.name}`)
    const fitted = !teacher.blocks.includes('width') ? '-fitted' : ''
    const { blocks, seed } = teacher
    return { id: `${method.name}${fitted}-seed-${seed}`, method, aa: false, blocks, seed, raw, config, teacher }
  })
}

/** The row that is trained on the data, of which others are students. */
const rootOf = (row: PlannedRow): PlannedRow => (row.teacher ? rootOf(row.teacher) : row)

/** As many jobs as there can be: rows that are trained on the data. */
export const jobsOf = (rows: readonly PlannedRow[]): number => rows.filter(({ teacher }) => !teacher).length

/** The rows of job I of N, as `--job I/N` asks for them: every N-th that is trained on the data, with its students. */
export function rowsOfJob(rows: readonly PlannedRow[], [job, jobs]: readonly [number, number]): PlannedRow[] {
  const roots = rows.filter(({ teacher }) => !teacher)
  return rows.filter((row) => roots.indexOf(rootOf(row)) % jobs === job - 1)
}
