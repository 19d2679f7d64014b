/**
 * Tables that are compared have the same columns. Here they are brought to one order, the levels of a category to one list, and
 * what cannot be compared is refused by name.
 */

import {
  type CategoryColumn,
  isCategory,
  type Table,
  type TableColumn,
  takeTableRows,
} from '../../data/tables/table.js'
import { DataError, InvalidArgumentError, list, show } from '../../errors.js'
import { permutation } from '../../random/stream.js'

/**
 * The tables with the columns in the order of the first, and the codes of every category by one list of levels: those of the
 * first table, then those that the others add. Other kinds of numbers (integers for numbers), and booleans for categories, are fine.
 *
 * @param tables by what they are called in messages
 * @throws InvalidArgumentError for a table without rows or columns, for columns that only one has or of other kinds (named);
 *   DataError for an infinite number (its column and row, from 0)
 */
export function alignTables<Name extends string>(tables: Record<Name, Table>): Record<Name, Table> {
  const names = Object.keys(tables) as Name[]
  for (const name of names) checkTable(name, tables[name])
  const [first, ...others] = names
  const columns = tables[first].columns
  const found = others.map((name) => columnsOf(first, columns, name, tables[name].columns))
  const aligned = Object.fromEntries(names.map((name) => [name, [] as TableColumn[]]))
  columns.forEach((column, j) => {
    const all = [column, ...found.map((own) => own[j])]
    const same = all.every(isCategory) ? joinLevels(all) : all
    same.forEach((own, k) => {
      aligned[names[k]].push(own)
    })
  })
  return Object.fromEntries(
    names.map((name) => [name, { rows: tables[name].rows, columns: aligned[name] }]),
  ) as unknown as Record<Name, Table>
}

function checkTable(name: string, { rows, columns }: Table): void {
  if (rows < 1 || columns.length < 1) {
    throw new InvalidArgumentError(
      `The ${name} table has ${rows} rows and ${columns.length} columns; it must have some.`,
    )
  }
  for (const column of columns) {
    const length = isCategory(column) ? column.codes.length : column.values.length
    if (length !== rows) {
      throw new InvalidArgumentError(
        `Column ${show(column.name)} of the ${name} table has ${length} values, but the table has ${rows} rows.`,
      )
    }
    if (isCategory(column)) continue
    const infinite = column.values.findIndex((value) => Math.abs(value) === Infinity)
    if (infinite < 0) continue
    throw new DataError(
      `Column ${show(column.name)} of the ${name} table holds ${column.values[infinite]} in row ${infinite} (from 0); ` +
        'numbers must be finite, or NaN where they are missing.',
    )
  }
}

/** The columns of another table in the first's order. */
function columnsOf(
  first: string,
  columns: readonly TableColumn[],
  name: string,
  others: readonly TableColumn[],
): TableColumn[] {
  const byName = new Map(others.map((column) => [column.name, column]))
  const missing = columns.filter((column) => !byName.has(column.name))
  const known = new Set(columns.map((column) => column.name))
  const added = others.filter((column) => !known.has(column.name))
  if (missing.length > 0 || added.length > 0) {
    const parts = [
      ...(missing.length > 0 ? [`the ${name} table lacks ${list(missing.map((column) => show(column.name)))}`] : []),
      ...(added.length > 0 ? [`the ${first} table lacks ${list(added.map((column) => show(column.name)))}`] : []),
    ]
    throw new InvalidArgumentError(`The tables must have the same columns; ${parts.join(', and ')}.`)
  }
  return columns.map((column) => {
    const other = byName.get(column.name)!
    if (isCategory(other) === isCategory(column)) return other
    throw new InvalidArgumentError(
      `Column ${show(column.name)} is of kind ${column.kind} in the ${first} table and ${other.kind} in the ${name} table; ` +
        'both must hold numbers, or both categories.',
    )
  })
}

/** The columns by one list of levels. */
function joinLevels(columns: readonly CategoryColumn[]): CategoryColumn[] {
  const levels: string[] = []
  const codeOf = new Map<string, number>()
  const codes = columns.map((column) =>
    column.levels.map((level) => {
      const code = codeOf.get(level) ?? levels.length
      if (code === levels.length) {
        levels.push(level)
        codeOf.set(level, code)
      }
      return code
    }),
  )
  return columns.map((column, k) => ({
    ...column,
    codes: column.codes.map((code) => (code < 0 ? -1 : codes[k][code])),
    levels,
  }))
}

/** At most so many rows, drawn without replacement by the seed. */
export function thin(table: Table, most: number, seed: number): Table {
  return table.rows <= most ? table : takeTableRows(table, permutation(table.rows, seed).subarray(0, most))
}

/** Whether the value of a row is missing. */
export const isMissing = (column: TableColumn, row: number): boolean =>
  isCategory(column) ? column.codes[row] < 0 : Number.isNaN(column.values[row])

/** Rows whose value is missing. */
export function missingRows(column: TableColumn): number {
  return isCategory(column)
    ? column.codes.reduce((sum, code) => sum + (code < 0 ? 1 : 0), 0)
    : column.values.reduce((sum, value) => sum + (Number.isNaN(value) ? 1 : 0), 0)
}
