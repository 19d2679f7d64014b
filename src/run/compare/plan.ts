/**
 * The rows of a comparison: a method in a block under a seed, each a run in a folder of its own. A method whose network is the
 * same in both blocks has one run for them. Rows are in the order in which they are made: the first seed of everything first.
 */

import {
  type BlockName,
  type ComparedMethod,
  type ComparedMethods,
  type ResolvedConfig,
  resolveMethod,
} from '../../config/index.js'
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
}

export interface ComparisonPlan {
  readonly rows: readonly PlannedRow[]
  /** parameters that networks of a method have in all, at most, in the second block; null without it */
  readonly parameters: number | null
}

/** Throws ConfigError where a method's config is wrong, does not fit the rows, or cannot be made small enough. */
export function planComparison({ settings, methods }: ComparedMethods, rowShape: readonly number[]): ComparisonPlan {
  const [seed] = settings.seeds
  const sizes = methods.map((method) => {
    const config = resolveMethod(method, seed)
    return networksOf(config) * parametersOf(config.model, rowShape)
  })
  const second = settings.blocks.includes('parameters')
  const parameters = second ? (settings.parameters ?? Math.min(...sizes)) : null
  const shrunk = methods.map((method): ComparedMethod => {
    if (parameters === null) return method
    const config = resolveMethod(method, seed)
    const { model } = method.raw as { model?: object }
    return {
      ...method,
      raw: { ...method.raw, model: { ...model, ...fittedKeys(method.name, config, rowShape, parameters) } },
    }
  })
  const rows = settings.seeds.flatMap((seed) =>
    methods.flatMap((method, i) => rowsOf(settings.blocks, method, shrunk[i], seed)),
  )
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

/** The rows of job I of N, as `--job I/N` asks for them: every N-th. */
export const rowsOfJob = (rows: readonly PlannedRow[], [job, jobs]: readonly [number, number]): PlannedRow[] =>
  rows.filter((_, i) => i % jobs === job - 1)
