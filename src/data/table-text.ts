/** How a table of text is written: its delimiter, its decimal sign, its header. All is told by the first line. */

const delimiters = [',', ';', '\t']
const decimal = /^[+-]?(?:\d+(?:\.\d*)?|\.\d+)(?:e[+-]?\d+)?$/i
const withComma = /^[+-]?(?:\d+(?:,\d*)?|,\d+)(?:e[+-]?\d+)?$/i
const nonFinite = /^[+-]?(nan|inf|infinity)$/i

export const isNonFinite = (field: string): boolean => nonFinite.test(field)

/** Digits whose numbers a double holds. */
const SHORT = 15
const tens = Array.from({ length: SHORT + 1 }, (_, i) => 10 ** i)

/**
 * The number of a few digits with a point among them or none; NaN for all else. Both digits and power of ten are exact, and
 * their quotient is rounded once, so that it is the number that Number() gives, in a fifth of the time.
 */
function shortDecimal(field: string): number {
  const { length } = field
  if (length === 0 || length > SHORT) return Number.NaN
  const negative = field.charCodeAt(0) === 45
  let [digits, count, point] = [0, 0, -1]
  for (let i = negative ? 1 : 0; i < length; i++) {
    const digit = field.charCodeAt(i) - 48
    if (digit >= 0 && digit <= 9) {
      digits = 10 * digits + digit
      count++
    } else if (digit === -2 && point < 0) point = i
    else return Number.NaN
  }
  if (count === 0) return Number.NaN
  const value = point < 0 ? digits : digits / tens[length - 1 - point]
  return negative ? -value : value
}

/** A field's number; NaN where it is none. `comma`: whether a comma is the decimal sign beside the point. */
export function numberOf(field: string, comma: boolean): number {
  const short = shortDecimal(field)
  if (!Number.isNaN(short)) return short
  if (decimal.test(field)) return Number(field)
  return comma && withComma.test(field) ? Number(field.replace(',', '.')) : Number.NaN
}

/** A field that a header does not have: a number, one that is not finite, or nothing at all. */
const isData = (field: string, comma: boolean): boolean =>
  field === '' || nonFinite.test(field) || !Number.isNaN(numberOf(field, comma))

/**
 * The delimiter: the commonest of comma, semicolon and tab, but no comma where the others leave numbers with decimal commas.
 */
export function delimiterOf(line: string): string {
  const bare = line.replace(/"[^"]*"/g, '')
  const fields = (delimiter: string): string[] => bare.split(delimiter).map((field) => field.trim())
  const commas = [';', '\t'].find((delimiter) => {
    const split = fields(delimiter)
    return split.length > 1 && split.every((field) => isData(field, true)) && split.some((field) => field.includes(','))
  })
  if (commas) return commas
  const counts = delimiters.map((delimiter) => fields(delimiter).length)
  return delimiters[counts.indexOf(Math.max(...counts))]
}

/** Whether a record is a header: no field of it need be a number. */
export const isHeader = (record: readonly string[], comma: boolean): boolean =>
  !record.every((field) => isData(field, comma))

/** What the column of the rows' own names is called where pandas or R wrote it, and where pandas read and wrote it again. */
const rowNames = ['', 'Unnamed: 0']

/** Whether a header's first column is one that a library wrote for the rows' own names. */
export const hasRowNames = (header: readonly string[] | null): boolean =>
  header !== null && header.length > 1 && rowNames.includes(header[0])

/** A header without empty names: these are called by their numbers. */
export const named = (header: readonly string[]): string[] =>
  header.map((name, i) => (name === '' ? `column ${i}` : name))
