/** Tables with holes, whose missing values are to be drawn given the values that are there. */

import { DataError, list, show } from '../../errors.js'
import { type Encoding, openEncoding } from './encoding.js'
import { isCategory, type Table, type TableColumn } from './table.js'

/** Rows of numbers, of which some are known. */
export interface KnownRows {
  /** [n, D], whatever in the places that are not known */
  readonly values: Float32Array
  /** [n, D], 1 where a number is known, else 0 */
  readonly known: Float32Array
}

/** A table with holes in the order of a model's columns, and what fills it. */
export interface HoledTable {
  /** the table's own values, NaN and −1 in holes; columns that it lacked are holes */
  readonly table: Table
  readonly rows: KnownRows
  /** values that are missing */
  readonly holes: number
  /** the table with the values of rows [n, D] in its holes, none of them missing; draws are those of the seed and the row's number */
  filled(values: Float32Array, seed: number, first: number): Table
}

const isHole = (column: TableColumn, row: number): boolean =>
  isCategory(column) ? column.codes[row] < 0 : Number.isNaN(column.values[row])

/** A column of holes alone. */
function absent({ name, kind, ...own }: Encoding['columns'][number], rows: number): TableColumn {
  return kind === 'category' || kind === 'boolean'
    ? { name, kind, codes: new Int32Array(rows).fill(-1), levels: 'levels' in own ? own.levels : [] }
    : { name, kind, values: new Float64Array(rows).fill(Number.NaN) }
}

/**
 * A table as what is known of rows that a model makes. Columns that it lacks are unknown in every row.
 * @throws DataError for columns that the model does not have, levels that it has not seen, and where nothing is missing
 */
export function holedTable(encoding: Encoding, given: Table, name: string, seed: number): HoledTable {
  const names = new Set(encoding.columns.map((column) => column.name))
  const others = given.columns.filter((column) => !names.has(column.name))
  if (others.length > 0) {
    throw new DataError(
      `${name} has the column ${list(others.map((column) => show(column.name)))}, which the model does not make; it makes ` +
        `${list([...names].map(show))}. Leave it out.`,
      `${name} has columns that the model does not make.`,
    )
  }
  const there = new Set(given.columns.map((column) => column.name))
  const lacking = encoding.columns.filter((column) => !there.has(column.name))
  const { conform, encode, decode, places, width } = openEncoding(encoding)
  const all = { rows: given.rows, columns: [...given.columns, ...lacking.map((column) => absent(column, given.rows))] }
  const table = conform(all, name, true)
  const known = new Float32Array(table.rows * width)
  let holes = 0
  table.columns.forEach((column, j) => {
    const { at, width: own } = places[j]
    for (let row = 0; row < table.rows; row++) {
      if (isHole(column, row)) holes++
      else known.fill(1, row * width + at, row * width + at + own)
    }
  })
  if (holes === 0) {
    throw new DataError(`${name} has no holes: every value is there, so nothing is to be filled in.`)
  }
  const rows = { values: encode(table, seed), known }
  return {
    table,
    rows,
    holes,
    filled(values, seed, first) {
      const drawn = values.map((value, i) => (known[i] === 1 ? rows.values[i] : value))
      // what is drawn for a hole is a value: the level «missing» is out of the question
      for (const { missing } of places) {
        if (missing === null) continue
        for (let at = missing; at < drawn.length; at += width) if (known[at] === 0) drawn[at] = Number.NEGATIVE_INFINITY
      }
      const made = decode(drawn, seed, first)
      const columns = table.columns.map((column, j): TableColumn => {
        const other = made.columns[j]
        if (isCategory(column)) {
          const { codes } = other as typeof column
          return { ...column, codes: column.codes.map((code, row) => (code < 0 ? codes[row] : code)) }
        }
        const { values: numbers, format } = other as typeof column
        return {
          ...column,
          ...(format && { format }),
          values: column.values.map((value, row) => (Number.isNaN(value) ? numbers[row] : value)),
        }
      })
      return { rows: table.rows, columns }
    },
  }
}
