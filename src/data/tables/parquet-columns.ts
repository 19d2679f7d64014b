/** The types that columns have in Parquet, and their values as these. A missing value is null. */

import type { DecodedArray, SchemaElement } from 'hyparquet'
import type { RowValues } from '../tensor.js'
import { dateFormat } from './dates.js'
import { isCategory, type TableColumn } from './table.js'

/** A column's values in a row group. */
export interface ColumnData {
  readonly name: string
  readonly data: DecodedArray
}

const INT32 = 2 ** 31 - 1
const DAY = 86_400

/**
 * The type of a column of a table.
 *
 * @param all whether the column is all there is, so that the narrowest type that holds its values will do; else the type has to hold
 *   whatever comes after it in other row groups
 */
export function elementOf(column: TableColumn, all: boolean): SchemaElement {
  const optional = { name: column.name, repetition_type: 'OPTIONAL' } as const
  if (isCategory(column)) {
    const { kind, levels } = column
    const truths = kind === 'boolean' && levels.length === 2 && levels[0] === 'false' && levels[1] === 'true'
    return truths ? { ...optional, type: 'BOOLEAN' } : { ...optional, type: 'BYTE_ARRAY', converted_type: 'UTF8' }
  }
  const { kind, values, format } = column
  const every = (fits: (value: number) => boolean): boolean =>
    values.every((value) => Number.isNaN(value) || fits(value))
  if (kind === 'date') {
    const days = all
      ? every((value) => value % DAY === 0)
      : format?.date !== undefined && dateFormat(format.date).unit % DAY === 0
    return days
      ? { ...optional, type: 'INT32', converted_type: 'DATE' }
      : { ...optional, type: 'INT64', converted_type: 'TIMESTAMP_MILLIS' }
  }
  if (kind === 'number') return { ...optional, type: 'DOUBLE' }
  const narrow = all && every((value) => Math.abs(value) <= INT32)
  return { ...optional, type: narrow ? 'INT32' : 'INT64' }
}

/** A column's values as a type has them. */
export function dataOf(column: TableColumn, { type, converted_type }: SchemaElement): ColumnData {
  const { name } = column
  if (isCategory(column)) {
    const { codes, levels } = column
    const value = type === 'BOOLEAN' ? (code: number) => code === 1 : (code: number) => levels[code]
    return { name, data: Array.from(codes, (code) => (code < 0 ? null : value(code))) }
  }
  const value =
    converted_type !== undefined ? (seconds: number) => new Date(1000 * seconds) : type === 'INT64' ? BigInt : Number
  return { name, data: Array.from(column.values, (number) => (Number.isNaN(number) ? null : value(number))) }
}

/** The types of rows of numbers [n, D]: as exact as the values are. */
export const numberElements = (values: RowValues, width: number, columns: readonly string[] | null): SchemaElement[] =>
  Array.from({ length: width }, (_, j) => ({
    name: columns?.[j] ?? `x${j}`,
    type: values instanceof Float64Array ? 'DOUBLE' : 'FLOAT',
    repetition_type: 'REQUIRED',
  }))

/** Rows of numbers [n, D] column by column. */
export function numberData(values: RowValues, elements: readonly SchemaElement[]): ColumnData[] {
  const D = elements.length
  return elements.map(({ name }, j) => {
    const data = new (values instanceof Float64Array ? Float64Array : Float32Array)(values.length / D)
    for (let i = 0; i < data.length; i++) data[i] = values[i * D + j]
    return { name, data }
  })
}
