/** What a conditional model is told of the rows of a data set: its classes, or some columns beside the rows. */

import type { ResolvedOptions } from '../config/index.js'
import type { LoadedData } from '../data/source.js'
import { takeTableRows } from '../data/tables/table.js'
import { ConfigError, DataError, InvalidArgumentError } from '../errors.js'
import { objectives } from '../learn/objectives.js'
import {
  type Condition,
  type ConditionOptions,
  classesCondition,
  columnsCondition,
  conditionRows,
  conditionWidth,
} from '../model/condition.js'
import type { NamedRecipe } from '../recipes/recipe.js'
import { recipes } from '../recipes/registry.js'

/** The conditions of a training set. */
export interface Conditioned {
  readonly condition: Condition
  /** what the data say of the training rows, in its own units */
  readonly given: ArrayBufferView
  /** [n, C] of the training rows, as a network takes them */
  readonly train: Float32Array
  /** [n, C] of the validation rows; null where there are none */
  readonly validation: Float32Array | null
}

type Part = 'train' | 'validation' | 'test'

/** What data say of the rows of a part; undefined: nothing. */
function told({ labels, condition }: LoadedData, part: Part, byClass: boolean): ConditionOptions | undefined {
  const given = byClass ? labels?.[part] : condition?.[part]
  if (!given) return undefined
  return byClass ? { class: given as Uint16Array } : { cond: given as ConditionOptions['cond'] }
}

/**
 * The conditions that a model of these options is to learn of data; null: none.
 * @throws ConfigError where classes are asked for that the data do not have, and for what no conditional model can be learnt with
 */
export function conditionedData(data: LoadedData, options: ResolvedOptions): Conditioned | null {
  const { classes } = options.model
  const { conditionDropout: dropout } = options.train
  if (!classes && !data.condition) return null
  if (classes && data.condition) {
    throw new ConfigError(
      'model.classes is true, and the data have columns that the model is told: leave one of them out.',
    )
  }
  if (classes && !data.labels?.train) {
    throw new ConfigError(
      `model.classes is true, but the data (${data.description}) have no classes: pictures have them by data.labels, by folders, ` +
        'or in CIFAR-10; a program gives labels.',
    )
  }
  refuseRecipes(options)
  const condition = classes ? classesCondition(data.labels!.train!, dropout) : columnsOf(data.condition!, dropout)
  const rowsOf = (part: 'train' | 'validation'): Float32Array | null => {
    const rows = data[part]
    if (!rows) return null
    const given = told(data, part, classes)
    if (!given)
      throw new DataError(`The ${part} rows have no conditions, but the model is told those of its training rows.`)
    return conditionRows(condition, given, rows.shape[0])
  }
  const train = rowsOf('train')!
  return { condition, given: givenOf(data, classes, train), train, validation: rowsOf('validation') }
}

const columnsOf = (told: NonNullable<LoadedData['condition']>, dropout: number): Condition =>
  'encoding' in told
    ? { kind: 'table', encoding: told.encoding, dropout }
    : columnsCondition(told.train!, told.names, dropout)

/** What tells the training rows' conditions from others; of a table what a network takes of them. */
function givenOf({ labels, condition }: LoadedData, byClass: boolean, train: Float32Array): ArrayBufferView {
  if (byClass) return labels!.train!
  return 'encoding' in condition! ? train : condition!.train!.values
}

/** Whether a network is told at every layer. */
export const toldAtEvery = (model: ResolvedOptions['model']): boolean =>
  'conditionAt' in model && model.conditionAt === 'every'

/** Throws ConfigError for right ends that are made without regard to the condition of the left ones. */
function refuseRecipes({ flow: { recipe, coupling }, model, train: { objective } }: ResolvedOptions): void {
  if (objectives[objective].averages && toldAtEvery(model)) {
    throw new ConfigError(
      `train.objective: ${objective} takes a second time at the first layer, and differentiates there: model.conditionAt must be first.`,
    )
  }
  const { tells }: NamedRecipe = recipes[recipe]
  if (tells) {
    throw new ConfigError(
      `flow.recipe: ${recipe} tells its network which sub-flow it is, and nothing of the rows; a conditional model takes local or plain.`,
    )
  }
  if (coupling === 'dependent') return
  throw new ConfigError(
    `flow.coupling: ${coupling} pairs rows of one condition with those of another, which teaches a conditional model the wrong ` +
      'ends; it takes dependent.',
  )
}

/** What rows are told, as numbers beside them. */
export interface ToldNumbers {
  /** C */
  readonly width: number
  /** [n, C] of rows of a part, of which row each is as `Told` has it */
  of(part: Part, n: number, rowOf?: (i: number) => number): Float32Array
}

/** Null where a model of these options is told nothing of the data. */
export function toldNumbers(
  data: LoadedData,
  { model: { classes } }: Pick<ResolvedOptions, 'model'>,
): ToldNumbers | null {
  if (!classes && !data.condition) return null
  const condition = classes ? classesCondition(data.labels!.train!, 0) : columnsOf(data.condition!, 0)
  return {
    width: conditionWidth(condition),
    of: (part, n, rowOf) => conditionRows(condition, toldOf(condition, data, part)(n, rowOf), n)!,
  }
}

/** The conditions that n rows are of: of which row each is. Default: of the first rows, from the first again where there are fewer */
export type Told = (n: number, rowOf?: (i: number) => number) => ConditionOptions

/**
 * What a model is told of rows of a part; nothing where it is told nothing.
 * @throws InvalidArgumentError where the data do not say it
 */
export function toldOf(condition: Condition | null, data: Pick<LoadedData, 'labels' | 'condition'>, part: Part): Told {
  if (!condition) return () => ({})
  if (condition.kind === 'classes') {
    const labels = data.labels?.[part]
    if (!labels) throw missing(part, 'classes')
    return (n, rowOf = (i) => i) => ({ class: Array.from({ length: n }, (_, i) => labels[rowOf(i) % labels.length]) })
  }
  const rows = data.condition?.[part]
  if (!rows) throw missing(part, 'condition columns (data.condition)')
  if ('columns' in rows) {
    const at = (n: number, rowOf: (i: number) => number): Uint32Array =>
      Uint32Array.from({ length: n }, (_, i) => rowOf(i) % rows.rows)
    return (n, rowOf = (i) => i) => ({ cond: takeTableRows(rows, at(n, rowOf)) })
  }
  const [many, C] = rows.shape
  return (n, rowOf = (i) => i) => {
    const at = (i: number): number => (rowOf(Math.floor(i / C)) % many) * C + (i % C)
    return { cond: { values: Float64Array.from({ length: n * C }, (_, i) => rows.values[at(i)]), shape: [n, C] } }
  }
}

const missing = (part: Part, what: string): InvalidArgumentError =>
  new InvalidArgumentError(`The model was trained with a condition, but the ${part} rows of the data have no ${what}.`)
