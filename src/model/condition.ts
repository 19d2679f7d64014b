/**
 * What a conditional model is told of each row: some columns of numbers, or a class. A network sees it as a row of numbers, which
 * its first layer (of a UNet the first layer of its time's embedding) takes beside its other inputs:
 *
 * - columns: (c − μ)/σ by mean and spread of the training rows, and where conditions were left out in training a 1 behind them;
 * - columns of a table of mixed columns: as they are encoded (src/data/tables/told.ts), and the same 1 behind them;
 * - a class: √K at its place among the K classes of the training rows, else 0. Its column of the layer's weight, times √K, is the
 *   class's learned embedding; with √K each place has the mean square 1, as standardised columns have.
 *
 * A condition that is left out is zeros in every place: the layer's bias is then the embedding of «none».
 */

import { type RowsLike, rowsOf } from '../data/rows.js'
import type { Scaler } from '../data/scaler.js'
import type { Encoding } from '../data/tables/encoding.js'
import { isTable, type Table, tableRows } from '../data/tables/table.js'
import { anyToldRow, type ToldRow, tableOfRows, toldRows, toldWidth } from '../data/tables/told.js'
import type { Tensor } from '../data/tensor.js'
import { InvalidArgumentError, invalid, list } from '../errors.js'

/** What a model was told of its training rows; plain data, stored with it as JSON. */
export type Condition =
  | {
      /** numbers */
      readonly kind: 'columns'
      /** names of the columns, where there are any */
      readonly names: readonly string[] | null
      /** μ and σ of each column of the training rows; σ is 1 where a column is constant */
      readonly scaler: Scaler
      /** probability that a training row's condition was left out; above 0 the model can be guided */
      readonly dropout: number
      /** of students: the guidance of the teacher's velocities that they have learnt, so that calls can give no other */
      readonly guidance?: number
    }
  | {
      /** columns of a table of mixed columns */
      readonly kind: 'table'
      /** how they are numbers, fitted on the training rows */
      readonly encoding: Encoding
      /** probability that a training row's condition was left out; above 0 the model can be guided */
      readonly dropout: number
      /** of students: the guidance of the teacher's velocities that they have learnt, so that calls can give no other */
      readonly guidance?: number
    }
  | {
      /** labels, one of several */
      readonly kind: 'classes'
      /** those of the training rows, ascending */
      readonly classes: readonly number[]
      /** probability that a training row's class was left out; above 0 the model can be guided */
      readonly dropout: number
      /** of students: the guidance of the teacher's velocities that they have learnt, so that calls can give no other */
      readonly guidance?: number
    }

/** What a call tells of its rows. */
export interface ConditionOptions {
  /**
   * columns of the condition, in the units of the training's: a row for each row, [n, C], or one for all, [1, C] or a list of C
   * numbers. For models that were trained with `cond`. Of models that are told columns of a table: a table that has them, in any
   * order, of as many rows or of one; or rows by name, `{ colour: 'red', size: 3 }`, one for all or a list of one for each
   */
  cond?: RowsLike | Table | ToldRow | readonly ToldRow[]
  /** one class for all rows, or one for each. For models that were trained with classes */
  class?: number | ArrayLike<number>
}

/** Whether a model can go without its condition. */
export const goesWithout = ({ dropout, guidance }: Condition): boolean => dropout > 0 && guidance === undefined

/** Numbers of a network's condition. */
export function conditionWidth(condition: Condition | null): number {
  if (!condition) return 0
  if (condition.kind === 'classes') return condition.classes.length
  const columns = condition.kind === 'table' ? toldWidth(condition.encoding) : condition.scaler.mean.length
  return columns + (condition.dropout > 0 ? 1 : 0)
}

/** Names of the columns that a model of a table is told. */
const toldNames = ({ encoding }: Extract<Condition, { kind: 'table' }>): string =>
  list(encoding.columns.map(({ name }) => name))

/** How many columns, and their names. */
const columnsText = ({ scaler, names }: Extract<Condition, { kind: 'columns' }>): string => {
  const C = scaler.mean.length
  return `${C} ${C === 1 ? 'column' : 'columns'}${names ? ` (${list(names)})` : ''}`
}

/** What a call should give, for messages. */
function wanted(condition: Condition): string {
  switch (condition.kind) {
    case 'classes':
      return `class, one of ${list(condition.classes.map(String))}, or one for each row`
    case 'table':
      return `cond, a table or rows by name with ${toldNames(condition)}, one row for each row or one for all`
    case 'columns':
      return `cond, ${columnsText(condition)} for each row, or one row for all`
  }
}

/** A condition that a call may give. */
export function anyCondition(condition: Condition | null): ConditionOptions {
  if (!condition) return {}
  if (condition.kind === 'classes') return { class: condition.classes[0] }
  if (condition.kind === 'table') return { cond: anyToldRow(condition.encoding) }
  const { mean } = condition.scaler
  return { cond: { values: Float32Array.from(mean), shape: [1, mean.length] } }
}

/** The condition of a training set's columns [n, C]. */
export function columnsCondition(
  { values, shape }: Tensor,
  names: readonly string[] | null,
  dropout: number,
): Condition {
  const [n, C] = shape
  const mean = new Array<number>(C).fill(0)
  const std = new Array<number>(C).fill(0)
  for (let i = 0; i < n * C; i++) mean[i % C] += values[i] / n
  for (let i = 0; i < n * C; i++) std[i % C] += (values[i] - mean[i % C]) ** 2 / n
  // the spread of a constant column is rounding
  const constant = mean.map((_, c) => {
    for (let i = 1; i < n; i++) if (values[i * C + c] !== values[c]) return false
    return true
  })
  return {
    kind: 'columns',
    names: names && [...names],
    scaler: { mean, std: std.map((variance, c) => (constant[c] ? 1 : Math.sqrt(variance))) },
    dropout,
  }
}

/** The condition of a training set's classes. */
export const classesCondition = (labels: ArrayLike<number>, dropout: number): Condition => ({
  kind: 'classes',
  classes: [...new Set(Array.from(labels))].sort((a, b) => a - b),
  dropout,
})

/**
 * Conditions of n rows as a network takes them, [n, C].
 * @throws InvalidArgumentError where they are missing, are given to a model without a condition, or are of another width, number
 *   or class than the training's; DataError where they are not finite
 */
export function conditionRows(
  condition: Condition | null,
  { cond, class: label }: ConditionOptions,
  n: number,
): Float32Array | null {
  if (!condition) {
    if (cond === undefined && label === undefined) return null
    const given = cond !== undefined ? 'cond' : 'class'
    throw new InvalidArgumentError(
      `${given} was given, but this model was trained without a condition; leave ${given} out.`,
    )
  }
  const [own, other] = condition.kind === 'classes' ? [label, cond] : [cond, label]
  if (other !== undefined) {
    const given =
      cond !== undefined && label !== undefined ? 'cond and class were' : cond !== undefined ? 'cond was' : 'class was'
    throw new InvalidArgumentError(
      `${given} given, but this model was trained with other conditions: give ${wanted(condition)}.`,
    )
  }
  if (own === undefined) {
    throw new InvalidArgumentError(
      `This model was trained with a condition, and none was given: give ${wanted(condition)}.`,
    )
  }
  switch (condition.kind) {
    case 'classes':
      return classRows(condition.classes, own as number | ArrayLike<number>, n)
    case 'table':
      return tableConditions(condition, own as ConditionOptions['cond'], n)
    case 'columns':
      return columnRows(condition, own as RowsLike, n)
  }
}

/**
 * What rows [first, first + count) of n are told, of what all are.
 * @throws InvalidArgumentError for conditions of neither n rows nor one
 */
export function conditionsOfBlock(
  condition: Condition | null,
  { cond, class: label }: ConditionOptions,
  n: number,
  first: number,
  count: number,
): ConditionOptions {
  if (typeof label === 'object' && label !== null) {
    expectRows('class', label.length, n)
    return { class: label.length === 1 ? label : Array.from({ length: count }, (_, i) => label[first + i]), cond }
  }
  if (cond === undefined || !condition || condition.kind === 'classes') return { cond, class: label }
  if (condition.kind === 'table') {
    const { rows, ...table } = toldTable(condition, cond)
    expectRows('cond', rows, n)
    return { cond: rows === 1 ? { rows, ...table } : tableRows({ rows, ...table }, first, first + count), class: label }
  }
  const C = condition.scaler.mean.length
  const { values, shape } = columnsOf(condition, cond as RowsLike)
  expectRows('cond', shape[0], n)
  const block = { values: values.slice(first * C, (first + count) * C), shape: [count, C] }
  return { cond: shape[0] === 1 ? cond : block, class: label }
}

/** Rows of the condition's columns, [n, C]. */
function columnsOf(condition: Extract<Condition, { kind: 'columns' }>, cond: RowsLike): Tensor {
  const C = condition.scaler.mean.length
  const rows = rowsOf('cond', cond, [C])
  if (rows.shape.length === 2 && rows.shape[1] === C) return rows
  throw new InvalidArgumentError(
    `cond must be rows of ${columnsText(condition)}, as in training, but its shape is [${rows.shape.join(', ')}].`,
  )
}

function columnRows(condition: Extract<Condition, { kind: 'columns' }>, cond: RowsLike, n: number): Float32Array {
  const { scaler, dropout } = condition
  const C = scaler.mean.length
  const { values, shape } = columnsOf(condition, cond)
  expectRows('cond', shape[0], n)
  const width = C + (dropout > 0 ? 1 : 0)
  const rows = new Float32Array(n * width).fill(1)
  for (let i = 0; i < n; i++) {
    const from = shape[0] === 1 ? 0 : i * C
    for (let c = 0; c < C; c++) rows[i * width + c] = (values[from + c] - scaler.mean[c]) / scaler.std[c]
  }
  return rows
}

/** The table of what a call tells a model of columns of a table. */
function toldTable(condition: Extract<Condition, { kind: 'table' }>, cond: ConditionOptions['cond']): Table {
  if (isTable(cond as Table)) return cond as Table
  const rows = Array.isArray(cond) ? cond : [cond]
  const named = rows.every(
    (row) => typeof row === 'object' && row !== null && !Array.isArray(row) && !('values' in row),
  )
  if (!named || rows.length === 0) {
    throw new InvalidArgumentError(`cond must be of the columns of a table: give ${wanted(condition)}.`)
  }
  return tableOfRows(condition.encoding, rows, 'cond')
}

/** How many rows of conditions a call gives. */
export function givenConditions(condition: Condition, { cond, class: label }: ConditionOptions): number {
  if (condition.kind === 'classes' || cond === undefined) return typeof label === 'object' ? label.length : 1
  if (condition.kind === 'table') return toldTable(condition, cond).rows
  return columnsOf(condition, cond as RowsLike).shape[0]
}

function tableConditions(
  condition: Extract<Condition, { kind: 'table' }>,
  cond: ConditionOptions['cond'],
  n: number,
): Float32Array {
  const table = toldTable(condition, cond)
  expectRows('cond', table.rows, n)
  const numbers = toldRows(condition.encoding, table, 'cond')
  const C = numbers.length / table.rows
  const width = C + (condition.dropout > 0 ? 1 : 0)
  const rows = new Float32Array(n * width).fill(1)
  for (let i = 0; i < n; i++) {
    const from = table.rows === 1 ? 0 : i * C
    rows.set(numbers.subarray(from, from + C), i * width)
  }
  return rows
}

function classRows(classes: readonly number[], given: number | ArrayLike<number>, n: number): Float32Array {
  const labels = typeof given === 'number' ? [given] : given
  if (typeof labels !== 'object' || labels === null || typeof labels.length !== 'number') {
    throw invalid('class', 'a class, or a list of one for each row', given)
  }
  expectRows('class', labels.length, n)
  const place = new Map(classes.map((name, i) => [name, i]))
  const K = classes.length
  const rows = new Float32Array(n * K)
  for (let i = 0; i < n; i++) {
    const label = labels[labels.length === 1 ? 0 : i]
    const at = place.get(label)
    if (at === undefined) {
      throw invalid('class', `one that the training rows have (${list(classes.map(String))})`, label)
    }
    rows[i * K + at] = Math.sqrt(K)
  }
  return rows
}

function expectRows(name: string, given: number, n: number): void {
  if (given === n || given === 1) return
  throw new InvalidArgumentError(`${name} has ${given} rows, but there are ${n}: give one for each, or one for all.`)
}

/**
 * Weights w of v = v_∅ + w (v_c − v_∅), one for each of the model's stages; 1 is no guidance.
 * @throws InvalidArgumentError for numbers that are not finite or below 0, a list of another length, and models that were not
 *   trained to go without their condition
 */
export function guidanceWeights(
  guidance: number | readonly number[] | undefined,
  condition: Condition | null,
  stages: number,
): number[] {
  const given = guidance ?? 1
  const weights = typeof given === 'number' ? new Array<number>(stages).fill(given) : given
  if (!Array.isArray(weights) || weights.length !== stages) {
    throw invalid('guidance', `a number from 0, or a list of ${stages} of them, one for each sub-flow`, guidance)
  }
  for (const weight of weights) {
    if (!(typeof weight === 'number' && weight >= 0 && weight < Number.POSITIVE_INFINITY)) {
      throw invalid('guidance', 'a finite number from 0 on (1: none), or a list of one for each sub-flow', weight)
    }
  }
  if (weights.every((weight) => weight === 1)) return [...weights]
  if (!condition) {
    throw new InvalidArgumentError(
      'guidance was given, but this model was trained without a condition; leave guidance out.',
    )
  }
  if (condition.guidance !== undefined) {
    throw new InvalidArgumentError(
      `This student was distilled with the guidance ${condition.guidance}, which is in its networks; leave guidance out.`,
    )
  }
  if (condition.dropout > 0) return [...weights]
  throw new InvalidArgumentError(
    'guidance needs a model that has learnt to go without its condition, but this one was trained with ' +
      'train.conditionDropout 0; leave guidance out, or train with train.conditionDropout 0.1.',
  )
}
