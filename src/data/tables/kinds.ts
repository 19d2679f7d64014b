/**
 * What kind of column texts make, and why: told from the distinct texts, unless the config says it. Missing values are '' and
 * the usual words for them.
 */

import { cut, DataError, list, show } from '../../errors.js'
import { isNonFinite } from '../table-text.js'
import { type DateFormat, dateFormat, formatsOf } from './dates.js'
import { formatOf, type NumberWay, numberWay, readNumber } from './numbers.js'
import type { NumberColumn, TableColumn } from './table.js'
import type { TextColumn } from './text-column.js'

/** What a column can be said to be; `ignore` leaves it out. */
export const columnKinds = ['number', 'integer', 'category', 'boolean', 'date', 'ignore'] as const
/** What a column is, or is said to be. */
export type ColumnKind = (typeof columnKinds)[number]
/** A kind, or a date in a format of its own. */
export type ColumnAs =
  | ColumnKind
  | {
      /** how a date is written, as strptime has it: '%d.%m.%Y' */
      readonly date: string
    }

/** Texts that stand for a missing value where nothing else is said. */
export const missingTexts = ['', 'NA', 'N/A', 'NaN', 'nan', 'null', 'NULL'] as const

/** How columns of text are understood. */
export interface KindOptions {
  /** decimal commas are looked for before points */
  readonly comma: boolean
  readonly missing: readonly string[]
  /** what columns are said to be, by name */
  readonly said: Readonly<Record<string, ColumnAs>>
  /** how columns that are said to be numbers write them, by name, where these texts are a part of the column's */
  readonly ways?: ReadonlyMap<string, NumberWay>
}

/** A column with what is known of how it was understood. */
export interface KnownColumn {
  /** as the header has it */
  readonly name: string
  /** null: it is left out */
  readonly column: TableColumn | null
  /** of its kind, a few words */
  readonly why: string
  /** what a reader should know before it is learnt */
  readonly remark?: string
}

/** Words of booleans, the false one first, in small letters. */
const booleans: readonly (readonly [string, string])[] = [
  ['false', 'true'],
  ['no', 'yes'],
  ['n', 'y'],
  ['f', 't'],
  ['off', 'on'],
]

/** Texts that are nearly all distinct name their rows: from this share on, and from so many rows. */
const NAMES_SHARE = 0.95
const NAMES_ROWS = 100

/** The texts of a column that are not missing, by their numbers. */
interface Present {
  texts: string[]
  /** numbers in the column's texts */
  numbers: number[]
}

function presentOf({ texts }: TextColumn, missing: readonly string[]): Present {
  const numbers = texts.flatMap((text, i) => (missing.includes(text) ? [] : [i]))
  return { numbers, texts: numbers.map((i) => texts[i]) }
}

/** Values of each row from a value for each text; missing texts are NaN. */
function valuesOf({ texts, codes }: TextColumn, { numbers }: Present, value: (text: string) => number): Float64Array {
  const of = new Float64Array(texts.length).fill(Number.NaN)
  for (const i of numbers) of[i] = value(texts[i])
  // Float64Array.from() would make a list of all of them first
  const values = new Float64Array(codes.length)
  for (let row = 0; row < codes.length; row++) values[row] = of[codes[row]]
  return values
}

/** A column of levels; missing texts are −1. */
function categories(
  column: TextColumn,
  { numbers }: Present,
  kind: 'category' | 'boolean',
  levels: readonly string[],
): TableColumn {
  const of = new Int32Array(column.texts.length).fill(-1)
  const placeOf = new Map(levels.map((level, i) => [level, i]))
  for (const i of numbers) of[i] = placeOf.get(column.texts[i])!
  return { name: column.name, kind, codes: column.codes.map((code) => of[code]), levels }
}

const sorted = (texts: readonly string[]): string[] => [...texts].sort((a, b) => (a < b ? -1 : a > b ? 1 : 0))
const category = (column: TextColumn, present: Present): TableColumn =>
  categories(column, present, 'category', sorted(present.texts))

/** The pair of words that these texts are; null where they are none. */
function booleanLevels(texts: readonly string[]): string[] | null {
  if (texts.length === 0 || texts.length > 2) return null
  for (const words of booleans) {
    const found = words.map((word) => texts.find((text) => text.toLowerCase() === word))
    const there = found.filter((text) => text !== undefined)
    // a letter alone may be anything
    if (there.length === texts.length && (texts.length === 2 || words[0].length > 1)) return there
  }
  return null
}

function numberColumn(column: TextColumn, present: Present, way: NumberWay, as?: 'number' | 'integer'): NumberColumn {
  const values = valuesOf(column, present, (text) => readNumber(text, way))
  const format = formatOf(present.texts, way)
  const whole = present.texts.every((text) => Number.isInteger(readNumber(text, way)))
  return { name: column.name, kind: as ?? (whole ? 'integer' : 'number'), values, format }
}

/** 'abc' in line 7, 'def' in line 9 */
const examples = ({ texts, places, unit }: TextColumn, numbers: readonly number[]): string =>
  list(numbers.slice(0, 3).map((i) => `${show(texts[i])} in ${unit} ${places[i]}`))

/** Formats that all texts are dates of; null where one is no date, or each is one of another format. */
function datesOf(
  column: TextColumn,
  { texts, numbers }: Present,
): { formats: DateFormat[]; mixed: string | null } | null {
  if (texts.length === 0) return null
  let formats = formatsOf(texts[0])
  let mixed: string | null = null
  for (let k = 1; k < texts.length; k++) {
    const own = formats.filter((format) => !Number.isNaN(format.read(texts[k])))
    if (own.length === 0) {
      if (formats.length === 0 || formatsOf(texts[k]).length === 0) return null
      mixed ??= examples(column, [numbers[0], numbers[k]])
    } else {
      formats = own
    }
  }
  return formats.length === 0 ? null : { formats, mixed }
}

function dateColumn(column: TextColumn, present: Present, format: DateFormat): NumberColumn {
  const values = valuesOf(column, present, (text) => format.read(text))
  return { name: column.name, kind: 'date', values, format: { date: format.format } }
}

/**
 * Understands a column of text.
 *
 * @param file what the file is called in messages
 * @throws DataError where texts are not what the column is said to be (a row is named), and for dates in two formats
 */
export function understand(file: string, column: TextColumn, options: KindOptions): KnownColumn {
  const present = presentOf(column, options.missing)
  // what `said` holds is a config's own key, never one of every object's
  const said = Object.hasOwn(options.said, column.name) ? options.said[column.name] : undefined
  return said === undefined ? guessed(file, column, present, options) : asSaid(file, column, present, said, options)
}

function asSaid(
  file: string,
  column: TextColumn,
  present: Present,
  said: ColumnAs,
  { comma, ways }: KindOptions,
): KnownColumn {
  const { name } = column
  const known = (made: TableColumn | null): KnownColumn => ({ name, column: made, why: 'as data.columns says' })
  const refuse = (what: string, bad: readonly number[]): DataError =>
    new DataError(
      `${file}: column ${show(name)} is said to be ${what} (data.columns), but holds ${examples(column, bad)}.`,
      `${file}: a column is not what data.columns says it is.`,
    )
  const failing = (good: (text: string) => boolean): number[] =>
    present.numbers.filter((i) => !good(column.texts[i])).slice(0, 3)
  if (typeof said === 'object') {
    const format = dateFormat(said.date)
    const bad = failing((text) => !Number.isNaN(format.read(text)))
    if (bad.length > 0) throw refuse(`a date as ${said.date}`, bad)
    return known(dateColumn(column, present, format))
  }
  if (said === 'ignore') return known(null)
  if (said === 'category') return known(category(column, present))
  if (said === 'boolean') {
    const levels = booleanLevels(present.texts) ?? sorted(present.texts)
    if (levels.length > 2) throw refuse('a boolean', present.numbers)
    return known(categories(column, present, 'boolean', levels))
  }
  if (said === 'date') {
    const dates = datesOf(column, present)
    if (present.texts.length > 0 && !dates) {
      throw refuse('a date', failing((text) => formatsOf(text).length > 0).concat(present.numbers))
    }
    if (dates?.mixed) throw twoFormats(file, name, dates.mixed)
    return known(dateColumn(column, present, dates?.formats[0] ?? dateFormat('%Y-%m-%d')))
  }
  const way = ways?.get(name) ?? numberWay(present.texts, comma) ?? { comma }
  const bad = failing((text) => {
    const value = readNumber(text, way)
    return Number.isFinite(value) && (said === 'number' || Number.isInteger(value))
  })
  if (bad.length > 0) throw refuse(said === 'integer' ? 'an integer' : 'a number', bad)
  return known(numberColumn(column, present, way, said))
}

const twoFormats = (file: string, name: string, where: string): DataError =>
  new DataError(
    `${file}: column ${show(name)} has dates in two formats: ${where}. Write all in one, or take it as it is by data.columns: ` +
      `{ ${cut(name, 60)}: category }.`,
    `${file}: a column has dates in two formats.`,
  )

function guessed(file: string, column: TextColumn, present: Present, { comma }: KindOptions): KnownColumn {
  const { name, texts, codes } = column
  const { texts: words, numbers } = present
  const known = (made: TableColumn | null, why: string, remark?: string): KnownColumn => ({
    name,
    column: made,
    why,
    ...(remark && { remark: `Column ${show(name)} ${remark}` }),
  })
  const namesRows = words.length >= NAMES_SHARE * codes.length && codes.length >= NAMES_ROWS
  const levelled = (why: string, remark?: string): KnownColumn =>
    namesRows
      ? known(
          null,
          `${words.length} texts in ${codes.length} rows name the rows`,
          'is left out: nearly every row has a text of its own, of which nothing is to be learnt. data.columns takes it as a ' +
            'category.',
        )
      : known(category(column, present), why, remark)
  if (words.length === 0) return known(category(column, present), 'nothing but missing values')
  const levels = booleanLevels(words)
  if (levels) return known(categories(column, present, 'boolean', levels), `only ${levels.map(show).join(' and ')}`)
  const way = numberWay(words, comma)
  if (way) {
    const zeros = numbers.find((i) => /^0\d+$/.test(texts[i]))
    if (zeros !== undefined) return levelled(`leading zeros: ${examples(column, [zeros])}`)
    const large = numbers.find((i) => /^[+-]?\d+$/.test(texts[i]) && !Number.isSafeInteger(Number(texts[i])))
    if (large !== undefined) return levelled(`whole numbers beyond 2^53: ${examples(column, [large])}`)
    const made = numberColumn(column, present, way)
    const { decimals } = made.format ?? {}
    const written = [
      made.kind === 'integer'
        ? 'whole numbers'
        : decimals
          ? `numbers with ${made.format?.padded ? '' : 'up to '}${decimals} decimal${decimals > 1 ? 's' : ''}`
          : 'numbers',
      ...(way.comma ? ['decimal commas'] : []),
      ...(way.thousands ? [`thousands apart by ${show(way.thousands)}`] : []),
    ]
    const example = words.find((text) => text.includes(way.thousands ?? ','))
    const remark = way.thousands
      ? `is read with ${show(way.thousands)} between thousands: ${show(example)} is ${readNumber(example!, way)}.`
      : way.comma && example
        ? `is read with decimal commas: ${show(example)} is ${readNumber(example, way)}.`
        : undefined
    return known(made, written.join(', '), remark)
  }
  const dates = datesOf(column, present)
  if (dates?.mixed) throw twoFormats(file, name, dates.mixed)
  if (dates) {
    const [format, other] = dates.formats
    const ambiguous = other && format.read(words[0]) !== other.read(words[0])
    return known(
      dateColumn(column, present, format),
      `dates as ${format.format}`,
      ambiguous
        ? `is read as dates in the form ${format.format}; they could be ${other.format} as well, which data.columns says.`
        : undefined,
    )
  }
  const numeric = words.filter((text) => Number.isFinite(readNumber(text, { comma })))
  const others = numbers.filter((i) => !Number.isFinite(readNumber(texts[i], { comma })))
  if (2 * numeric.length > words.length) {
    const what = others.every((i) => isNonFinite(texts[i]))
      ? 'numbers that are not finite'
      : 'texts that are no numbers'
    const why = `numbers and ${others.length === 1 ? 'a text' : 'texts'}: ${examples(column, others)}`
    const instead = 'Where these stand for missing values, data.missing names them.'
    // numbers that are nearly all distinct name no rows: what keeps them from being learnt is the others
    if (namesRows) {
      return known(
        null,
        why,
        `is left out: it has ${what}, ${examples(column, others)}, and as a category nearly every row would have a level of its own. ${instead}`,
      )
    }
    return levelled(why, `is a category, since it has ${what}: ${examples(column, others)}. ${instead}`)
  }
  return levelled(`${words.length === 1 ? 'one text' : `${words.length} texts`}`)
}
