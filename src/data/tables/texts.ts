/** A table as text: each value as its column was written, lines with a delimiter that its decimal commas leave free. */

import { dateFormat } from './dates.js'
import { writeNumber } from './numbers.js'
import { isCategory, type Table, type TableColumn } from './table.js'

const DAY = 86_400

/** How the dates of a column are written where nothing says it. */
export const usualDate = (values: Float64Array): string =>
  values.every((value) => Number.isNaN(value) || value % DAY === 0) ? '%Y-%m-%d' : '%Y-%m-%d %H:%M:%S'

/** The text of a column's value in a row; '' where it is missing. */
export function textOf(column: TableColumn): (row: number) => string {
  if (isCategory(column)) {
    const { codes, levels } = column
    return (row) => (codes[row] < 0 ? '' : levels[codes[row]])
  }
  const { values, kind, format } = column
  if (kind !== 'date') return (row) => writeNumber(values[row], format)
  const { write } = dateFormat(format?.date ?? usualDate(values))
  return (row) => (Number.isNaN(values[row]) ? '' : write(values[row]))
}

/** Rows that become one piece of text. */
const ROWS_IN_PIECE = 4096

/** A table as CSV, in pieces: a header, then a line a row. Semicolons separate where a column has decimal commas. */
export function* tableText(table: Table, { header = true }: { header?: boolean } = {}): Generator<string> {
  const commas = table.columns.some((column) => !isCategory(column) && column.format?.comma)
  const delimiter = commas ? ';' : ','
  const quoted = (text: string): string =>
    text.includes(delimiter) || /["\r\n]/.test(text) || text.trim() !== text ? `"${text.replaceAll('"', '""')}"` : text
  // a line of one empty field would be no row at all
  const field = table.columns.length === 1 ? (text: string) => (text === '' ? '""' : quoted(text)) : quoted
  if (header) yield `${table.columns.map(({ name }) => quoted(name)).join(delimiter)}\n`
  const texts = table.columns.map(textOf)
  for (let first = 0; first < table.rows; first += ROWS_IN_PIECE) {
    let text = ''
    for (let row = first; row < Math.min(first + ROWS_IN_PIECE, table.rows); row++) {
      text += `${texts.map((of) => field(of(row))).join(delimiter)}\n`
    }
    yield text
  }
}
