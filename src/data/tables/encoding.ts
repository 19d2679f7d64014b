/**
 * A table as rows of numbers [n, D] that a flow learns, and back: every column by an encoder of its own (encoders/registry.ts),
 * fitted on training rows. Beside the values of a column of numbers stands its *state*, levels of their own: an ordinary value,
 * one of its *atoms* (values that over 5 % of the rows hold), or missing. Of a category, missing is one more level, and levels
 * that few rows hold are joined to one, whose members are drawn back by their shares. Where a row has no ordinary value its number
 * is drawn from N(0, 1), which is what a flow starts from, so that nothing is learnt there.
 */

import * as z from 'zod'
import { DataError, list, show } from '../../errors.js'
import { RandomStream, streams } from '../../random/stream.js'
import { dateFormat } from './dates.js'
import type { Draws, OpenEncoder } from './encoders/encoder.js'
import { MOST_ONE_HOT } from './encoders/levels.js'
import {
  describeEncoder,
  type EncoderName,
  type Fitted,
  fitEncoder,
  fittedSchema,
  openEncoder,
} from './encoders/registry.js'
import type { ColumnAs } from './kinds.js'
import { decimalsOf, unitOf } from './numbers.js'
import {
  type CategoryColumn,
  isCategory,
  type NumberColumn,
  type NumberFormat,
  type Table,
  type TableColumn,
} from './table.js'
import { usualDate } from './texts.js'

/** How numbers become normal: by their quantiles, or scaled alone. */
export const numberEncodings = ['quantile', 'standardise'] as const
export type NumberEncoding = (typeof numberEncodings)[number]

/** Share of the rows from which on a value is an atom. */
export const ATOM_SHARE = 0.05
/** Distinct values up to which numbers are ordered levels, and have no atoms. */
export const FEW_VALUES = 20
/** Distinct values up to which they are, where each stands in so many rows in the mean. */
const MANY_VALUES = 1000
const ROWS_A_VALUE = 10
/** Share of a column's rows, but those of atoms, from which on another column's value is a level of its own. */
const SAME_SHARE = 0.5
/** Levels that fewer rows hold are joined; a share, and a count. */
const RARE_SHARE = 0.001
const RARE_ROWS = 5
/** Levels of a category, and characters of one, at most: a run keeps them all. */
const MOST_LEVELS = 200_000
const LONGEST_LEVEL = 1000

const format: z.ZodType<NumberFormat> = z.object({
  decimals: z.int().min(0).max(20).optional(),
  padded: z.boolean().optional(),
  comma: z.boolean().optional(),
  thousands: z.string().max(4).optional(),
  date: z.string().max(100).refine(isDateFormat, 'it must be a format of dates').optional(),
})

function isDateFormat(text: string): boolean {
  try {
    return dateFormat(text) !== null
  } catch {
    return false
  }
}

const index = z.int().min(0)
const numberSchema = z.object({
  name: z.string(),
  kind: z.enum(['number', 'integer', 'date']),
  format: format.optional(),
  /** levels: 0 an ordinary value, then the atoms, the same value as another column's, missing; null where all values are ordinary */
  state: fittedSchema.nullable(),
  atoms: z.array(z.number()),
  /** number of the earlier column whose value is a level of its own here; left out: none */
  same: index.optional(),
  missing: z.boolean(),
  values: fittedSchema,
})
const categorySchema = z.object({
  name: z.string(),
  kind: z.enum(['category', 'boolean']),
  levels: z.array(z.string()).max(MOST_LEVELS),
  /** levels with a number of their own, by it: indices into `levels` */
  kept: z.array(index),
  /** those that share the next number, and their shares of it */
  rare: z.array(index),
  rareShares: z.array(z.number().min(0)),
  /** whether missing is a level, the last */
  missing: z.boolean(),
  values: fittedSchema,
})
type NumberEncoded = z.output<typeof numberSchema>
type CategoryEncoded = z.output<typeof categorySchema>

/** A table's encoding as a run keeps it. */
const schema = z.object({
  columns: z
    .array(z.discriminatedUnion('kind', [numberSchema, categorySchema]))
    .min(1)
    .superRefine((columns, context) => {
      const bad = columns.find((column, j) => !fits(column, columns.slice(0, j)))
      if (bad) context.addIssue({ code: 'custom', message: `its column ${show(bad.name)} does not fit together` })
    }),
})
type Encoded = NumberEncoded | CategoryEncoded

/** How a table's rows are numbers: plain data, which a run keeps as JSON. */
export interface Encoding {
  /** of each column, in the table's order: its name and kind, its encoder and what that was fitted to */
  readonly columns: readonly Encoded[]
}
export const encodingSchema: z.ZodType<Encoding> = schema

/** Whether the parts of a column's encoding are of one another. */
function fits(column: Encoded, before: readonly Encoded[]): boolean {
  if (!('kept' in column)) {
    if (column.same !== undefined && (!before[column.same] || 'kept' in before[column.same])) return false
    const states = statesOf(column)
    return column.state === null ? states === 1 : levelsOf(column.state) === states
  }
  const { kept, rare, rareShares, levels, missing, values } = column
  const all = [...kept, ...rare]
  if (all.some((level) => level >= levels.length) || rare.length !== rareShares.length) return false
  return levelsOf(values) === Math.max(1, kept.length + (rare.length > 0 ? 1 : 0) + (missing ? 1 : 0))
}

/** How many levels an encoder tells apart; undefined where it is one of numbers. */
function levelsOf({ encoder, parameters }: Fitted): number | undefined {
  if (encoder === 'constant') return 1
  if (encoder === 'oneHot') return (parameters as { shares: number[] }).shares.length
  return encoder === 'code' ? (parameters as { levels: number }).levels : undefined
}

/** Levels 0 … K − 1 by the encoder for so many. */
const fitLevels = (sorted: Float64Array, levels: number): Fitted =>
  fitEncoder(levels < 2 ? 'constant' : levels <= MOST_ONE_HOT ? 'oneHot' : 'code', { sorted, unit: 1 })

/** What values of a column of numbers are whole multiples of. */
function unitFor(column: NumberColumn): number {
  if (column.kind === 'date') {
    const { format, values } = column
    if (format?.date) return dateFormat(format.date).unit
    return values.every((value) => Number.isNaN(value) || value % 86_400 === 0) ? 86_400 : 1
  }
  return unitOf(column.format ? column : { ...column, format: { decimals: decimalsOf(column.values) } })
}

/** How a column's values are written, where that is known: of dates it always is, so that all samples are written alike. */
function formatFor({ kind, values, format }: NumberColumn): { format?: NumberFormat } {
  if (kind === 'date' && !format?.date) return { format: { ...format, date: usualDate(values) } }
  return format ? { format } : {}
}

/** Levels of a number's state. */
const statesOf = ({ atoms, same, missing }: Pick<NumberEncoded, 'atoms' | 'same' | 'missing'>): number =>
  1 + atoms.length + (same === undefined ? 0 : 1) + (missing ? 1 : 0)

/**
 * The earlier column of numbers that holds the same value in most of the training rows in which this one has a value that is no
 * atom; undefined: none does.
 */
function sameAs(
  { kind, values }: NumberColumn,
  before: readonly TableColumn[],
  rows: ArrayLike<number>,
  isAtom: (value: number) => boolean,
): number | undefined {
  const own = Array.from(rows).filter((row) => !Number.isNaN(values[row]) && !isAtom(values[row]))
  const shares = before.map((other) => {
    if (isCategory(other) || (other.kind === 'date') !== (kind === 'date')) return 0
    return own.filter((row) => other.values[row] === values[row]).length / own.length
  })
  const most = Math.max(...shares, 0)
  return own.length >= RARE_ROWS && most > SAME_SHARE ? shares.indexOf(most) : undefined
}

function fitNumbers(
  column: NumberColumn,
  rows: ArrayLike<number>,
  numbers: NumberEncoding,
  before: readonly TableColumn[],
): NumberEncoded {
  const { name, kind, values } = column
  const training = Float64Array.from(rows, (row) => values[row])
  const present = training.filter((value) => !Number.isNaN(value)).sort()
  const missing = values.some(Number.isNaN)
  const counts = new Map<number, number>()
  for (const value of present) counts.set(value, (counts.get(value) ?? 0) + 1)
  const isAtom = (count: number): boolean => counts.size > FEW_VALUES && count > ATOM_SHARE * training.length
  const atoms = [...counts].flatMap(([value, count]) => (isAtom(count) ? [value] : []))
  const places = new Map(atoms.map((value, i) => [value, i + 1]))
  const same = counts.size > FEW_VALUES ? sameAs(column, before, rows, (value) => places.has(value)) : undefined
  const states = statesOf({ atoms, same, missing })
  const rest = atoms.length > 0 ? present.filter((value) => !places.has(value)) : present
  const distinct = counts.size - atoms.length
  const often = distinct <= MANY_VALUES && rest.length >= ROWS_A_VALUE * distinct
  const encoder: EncoderName =
    distinct < 2
      ? 'constant'
      : numbers === 'standardise' && distinct > FEW_VALUES
        ? 'standard'
        : distinct <= FEW_VALUES || often
          ? 'ordered'
          : 'quantile'
  const stateOf = stateIn({ atoms, same, missing })
  const others = same === undefined ? values : (before[same] as NumberColumn).values
  return {
    name,
    kind,
    ...formatFor(column),
    state:
      states === 1
        ? null
        : fitLevels(
            withAll(
              training.map((value, i) => stateOf(value, others[rows[i]])),
              states,
            ),
            states,
          ),
    atoms,
    ...(same !== undefined && { same }),
    missing,
    values: fitEncoder(encoder, { sorted: rest, unit: unitFor(column) }),
  }
}

/** The level of a value, beside the one in the column that it may be the same as. */
function stateIn({ atoms, same, missing }: Pick<NumberEncoded, 'atoms' | 'same' | 'missing'>) {
  const places = new Map(atoms.map((value, i) => [value, i + 1]))
  const last = statesOf({ atoms, same, missing }) - 1
  return (value: number, other: number): number => {
    if (Number.isNaN(value)) return last
    return places.get(value) ?? (same !== undefined && value === other ? atoms.length + 1 : 0)
  }
}

/** Sorted levels among which the last one is there at least once: it may stand in rows alone that are not learnt from. */
function withAll(levels: Float64Array, count: number): Float64Array {
  const sorted = levels.sort()
  return sorted.at(-1) === count - 1 ? sorted : Float64Array.of(...sorted, count - 1)
}

function fitCategory(column: CategoryColumn, rows: ArrayLike<number>): CategoryEncoded {
  const { name, kind, codes, levels } = column
  if (levels.length > MOST_LEVELS) {
    throw new DataError(
      `Column ${show(name)} has ${levels.length} levels; a category has at most ${MOST_LEVELS}. Leave it out by data.columns.`,
      `A category has more than ${MOST_LEVELS} levels.`,
    )
  }
  const long = levels.find((level) => level.length > LONGEST_LEVEL)
  if (long !== undefined) {
    throw new DataError(
      `Column ${show(name)} has a text of ${long.length} characters; a level of a category has at most ${LONGEST_LEVEL}. Leave ` +
        'it out by data.columns.',
      `A level of a category has more than ${LONGEST_LEVEL} characters.`,
    )
  }
  const counts = new Float64Array(levels.length)
  for (let i = 0; i < rows.length; i++) if (codes[rows[i]] >= 0) counts[codes[rows[i]]]++
  const few = Math.max(RARE_ROWS, RARE_SHARE * rows.length)
  const all = Array.from(levels, (_, level) => level)
  const scarce = all.filter((level) => counts[level] < few)
  const joined = scarce.reduce((sum, level) => sum + counts[level], 0)
  // one level alone is joined to nothing
  const rare = scarce.length > 1 && joined > 0 ? scarce : []
  // the commonest first: the first digits of a code then tell common levels from scarce ones
  const kept = all
    .filter((level) => counts[level] >= (rare.length > 0 ? few : 1))
    .sort((a, b) => counts[b] - counts[a] || a - b)
  const missing = codes.some((value) => value < 0)
  const count = Math.max(1, kept.length + (rare.length > 0 ? 1 : 0) + (missing ? 1 : 0))
  const numbers = numbersOf(levels.length, kept, rare)
  const sorted = Float64Array.from(rows, (row) => (codes[row] < 0 ? count - 1 : numbers[codes[row]]))
  return {
    name,
    kind,
    levels: [...levels],
    kept,
    rare,
    rareShares: rare.map((level) => counts[level] / joined),
    missing,
    values: fitLevels(withAll(sorted, count), count),
  }
}

/** The number of each level; of one that no training row has, the number that rare ones share, or the first. */
function numbersOf(levels: number, kept: readonly number[], rare: readonly number[]): Int32Array {
  const numbers = new Int32Array(levels).fill(rare.length > 0 ? kept.length : 0)
  kept.forEach((level, number) => {
    numbers[level] = number
  })
  return numbers
}

/**
 * The encoding of a table.
 *
 * @param rows numbers of the training rows: what is fitted, is fitted on them
 * @throws DataError where there is nothing to learn (no column has two values), and for a category of too many levels
 */
export function fitEncoding(
  table: Table,
  rows: ArrayLike<number>,
  { numbers = 'quantile' }: { numbers?: NumberEncoding } = {},
): Encoding {
  const columns = table.columns.map((column, j) =>
    isCategory(column) ? fitCategory(column, rows) : fitNumbers(column, rows, numbers, table.columns.slice(0, j)),
  )
  const encoding = { columns }
  if (openEncoding(encoding).width === 0) {
    throw new DataError('Every column has one value alone in the training rows; there is nothing to learn.')
  }
  return encoding
}

/** What an encoding does with each column, for the report. */
export function describeEncoding({ columns }: Encoding): string[] {
  return columns.map((column) => {
    const what = describeEncoder(column.values)
    if ('kept' in column) {
      const { rare, missing } = column
      return [
        what,
        ...(rare.length > 0 ? [`${rare.length} rare levels joined`] : []),
        ...(missing ? ['missing a level'] : []),
      ].join(', ')
    }
    const { atoms, same, missing } = column
    const apart = [
      ...(atoms.length > 0 ? [`${atoms.length} atom${atoms.length > 1 ? 's' : ''}`] : []),
      ...(same !== undefined ? [`the same as ${columns[same].name}`] : []),
      ...(missing ? ['missing'] : []),
    ]
    return [what, ...(apart.length > 0 ? [`${apart.join(' and ')} apart`] : [])].join(', ')
  })
}

/** What a file is told that a column is, whose encoding this is. */
export const asKnown = ({ kind, ...column }: Encoded): ColumnAs =>
  'format' in column && column.format?.date ? { date: column.format.date } : kind

/** Columns of an encoding that belong together: one number, or the levels or the code of one choice. */
export interface Segment {
  /** of the first */
  readonly at: number
  readonly width: number
  readonly are: OpenEncoder['are']
  readonly levels?: OpenEncoder['levels']
  /** the first column of the levels that say whether there is such a number, of which the first is that there is */
  readonly state?: number
}

/** The numbers of a column of the table. */
export interface Place {
  readonly at: number
  readonly width: number
  /** the number of the level «missing»; null where there is none */
  readonly missing: number | null
}

/** An encoding that is ready to be used. */
export interface OpenEncoding {
  /** numbers of a row, D */
  readonly width: number
  /** what each number of a row is */
  readonly names: string[]
  /** how they belong together, in their order */
  readonly segments: readonly Segment[]
  /** where each column of the table has its numbers, and which of them says that it is missing */
  readonly places: readonly Place[]
  /**
   * A table of these columns, in their order, from one that has them in any; throws DataError for others and unseen levels.
   * @param holes whether a value may be missing where the model's table never had a missing one. Default false
   */
  conform(table: Table, name: string, holes?: boolean, words?: ConformWords): Table
  /**
   * Rows of numbers [rows, D]. Draws are those of the seed and the row's number.
   * @param table as conform gives it
   * @param numbers that of its first row, or of each; default 0
   */
  encode(table: Table, seed: number, numbers?: number | ArrayLike<number>): Float32Array
  /** The same with nothing drawn: what stands for a stretch is its middle, and 0 where there is no number. */
  encodeMiddle(table: Table): Float32Array
  /**
   * The table that rows [n, D] are.
   * @param first the number of the first row, for its draws; default 0
   */
  decode(rows: ArrayLike<number>, seed: number, first?: number): Table
}

/** What messages call the columns of an encoding, and the rows that it has levels and holes of. */
export interface ConformWords {
  readonly column: string
  readonly rows: string
}
const made: ConformWords = { column: "the model's column", rows: "the model's table" }

/** Draws of which each is the middle of its law. */
const middle: Draws = { uniform: () => 0.5, normal: () => 0 }

/** One column of a table, ready to be used. */
interface OpenColumn {
  readonly names: readonly string[]
  /** which of its numbers is the level «missing»; null: none */
  readonly missing: number | null
  readonly segments: readonly Segment[]
  encode(column: TableColumn, table: Table): (row: number, draws: Draws, out: Float32Array, at: number) => void
  /** @param before the columns before it, of which each row is read before its own */
  decode(
    rows: number,
    before: readonly TableColumn[],
  ): {
    read(row: number, values: ArrayLike<number>, at: number, draws: RandomStream): void
    column: TableColumn
  }
}

const segmentsOf = (parts: readonly OpenEncoder[]): Segment[] => {
  let at = 0
  return parts.flatMap(({ names: { length: width }, are, levels }, i) => {
    at += width
    return width === 0 ? [] : [{ at: at - width, width, are, levels, ...(i > 0 && { state: 0 }) }]
  })
}

function openNumbers(encoded: NumberEncoded): OpenColumn {
  const { name, kind, format, state, atoms, same, missing, values } = encoded
  const stateOf = stateIn(encoded)
  const states = state && openEncoder(state)
  const part = openEncoder(values)
  const stateWidth = states?.names.length ?? 0
  const sameState = same === undefined ? -1 : atoms.length + 1
  const stateNames = [
    'value',
    ...atoms.map(String),
    ...(same === undefined ? [] : ['the same']),
    ...(missing ? ['missing'] : []),
  ]
  return {
    names: [...(states?.names.map((_, k) => `${name}: ${stateNames[k]}`) ?? []), ...part.names.map(() => name)],
    // a value that is another column's is a value too
    segments: segmentsOf(states ? [states, part] : [part]).map(({ state, ...segment }) => {
      return { ...segment, ...(state !== undefined && same === undefined && { state }) }
    }),
    missing: missing && states ? stateNames.length - 1 : null,
    encode: (column, table) => (row, draws, out, at) => {
      const value = (column as NumberColumn).values[row]
      const other = same === undefined ? Number.NaN : (table.columns[same] as NumberColumn).values[row]
      const own = stateOf(value, other)
      states?.encode(own, draws, out, at)
      if (!Number.isNaN(value) && (own === 0 || own === sameState)) part.encode(value, draws, out, at + stateWidth)
      else for (let k = 0; k < part.names.length; k++) out[at + stateWidth + k] = draws.normal()
    },
    decode(rows, before) {
      const column: NumberColumn = { name, kind, values: new Float64Array(rows), ...(format && { format }) }
      return {
        column,
        read(row, numbers, at) {
          const own = states?.decode(numbers, at) ?? 0
          const other = own === sameState ? (before[same!] as NumberColumn).values[row] : Number.NaN
          const isValue = own === 0 || (own === sameState && Number.isNaN(other))
          column.values[row] = isValue ? part.decode(numbers, at + stateWidth) : (atoms[own - 1] ?? other)
        },
      }
    },
  }
}

function openCategory({ name, kind, levels, kept, rare, rareShares, missing, values }: CategoryEncoded): OpenColumn {
  const part = openEncoder(values)
  const numbers = numbersOf(levels.length, kept, rare)
  const rareNumber = rare.length > 0 ? kept.length : -1
  const missingNumber = missing ? kept.length + (rare.length > 0 ? 1 : 0) : -1
  const nameOf = (k: number): string => (k === rareNumber ? 'rare' : k === missingNumber ? 'missing' : levels[kept[k]])
  const drawn = (draws: RandomStream): number => {
    let left = draws.uniform()
    for (let i = 0; i < rare.length; i++) {
      left -= rareShares[i]
      if (left < 0) return rare[i]
    }
    return rare[rareShares.findLastIndex((value) => value > 0)]
  }
  return {
    names: part.names.map((word, k) => `${name}: ${part.are === 'levels' ? nameOf(k) : word}`),
    segments: segmentsOf([part]),
    missing: missing && part.are === 'levels' ? missingNumber : null,
    encode: (column) => (row, draws, out, at) => {
      const level = (column as CategoryColumn).codes[row]
      part.encode(level < 0 ? missingNumber : numbers[level], draws, out, at)
    },
    decode(rows) {
      const codes = new Int32Array(rows)
      return {
        column: { name, kind, codes, levels },
        read(row, values, at, draws) {
          const number = part.decode(values, at)
          codes[row] = number === rareNumber ? drawn(draws) : number === missingNumber ? -1 : (kept[number] ?? -1)
        },
      }
    },
  }
}

/** Makes an encoding ready to be used. */
export function openEncoding({ columns }: Encoding): OpenEncoding {
  const parts = columns.map((column) => ('kept' in column ? openCategory(column) : openNumbers(column)))
  const starts: number[] = []
  let width = 0
  for (const { names } of parts) {
    starts.push(width)
    width += names.length
  }
  const written = (table: Table, drawsOf: (row: number) => Draws): Float32Array => {
    const out = new Float32Array(table.rows * width)
    const writers = parts.map((part, j) => part.encode(table.columns[j], table))
    for (let row = 0; row < table.rows; row++) {
      const draws = drawsOf(row)
      writers.forEach((write, j) => {
        write(row, draws, out, row * width + starts[j])
      })
    }
    return out
  }
  return {
    width,
    names: parts.flatMap(({ names }) => names),
    segments: parts.flatMap(({ segments }, j) =>
      segments.map(({ at, state, ...segment }) => {
        return { ...segment, at: starts[j] + at, ...(state !== undefined && { state: starts[j] + state }) }
      }),
    ),
    places: parts.map((part, j) => {
      return {
        at: starts[j],
        width: part.names.length,
        missing: part.missing === null ? null : starts[j] + part.missing,
      }
    }),
    conform: (table, name, holes = false, words = made) => conform(columns, table, name, holes, words),
    encode(table, seed, numbers = 0) {
      const draws = new RandomStream(seed, streams.encode)
      return written(table, (row) => draws.row(typeof numbers === 'number' ? numbers + row : numbers[row]))
    },
    encodeMiddle: (table) => written(table, () => middle),
    decode(values, seed, first = 0) {
      const rows = values.length / width
      const draws = new RandomStream(seed, streams.decode)
      const columns: TableColumn[] = []
      const readers = parts.map((part) => {
        const reader = part.decode(rows, columns)
        columns.push(reader.column)
        return reader
      })
      for (let row = 0; row < rows; row++) {
        draws.row(first + row)
        readers.forEach(({ read }, j) => {
          read(row, values, row * width + starts[j], draws)
        })
      }
      return { rows, columns }
    },
  }
}

/** The columns of an encoding from a table that has them in any order. */
function conform(
  columns: readonly Encoded[],
  table: Table,
  name: string,
  holes: boolean,
  { column: called, rows }: ConformWords,
): Table {
  const missing = columns.filter(({ name }) => !table.columns.some((column) => column.name === name))
  if (missing.length > 0) {
    const there = table.columns.map((column) => show(column.name))
    throw new DataError(
      `${name} does not have ${called} ${list(missing.map((column) => show(column.name)))}` +
        `${there.length > 0 ? `; it has ${list(there)}` : ''}.`,
      `${name} does not have all columns of the model.`,
    )
  }
  return {
    rows: table.rows,
    columns: columns.map((own): TableColumn => {
      const given = table.columns.find((column) => column.name === own.name)!
      if ('kept' in own !== isCategory(given)) {
        throw new DataError(
          `${name}: column ${show(own.name)} is ${article(given.kind)}, but the model's is ${article(own.kind)}.`,
          `${name}: a column is of another kind than the model's.`,
        )
      }
      return 'kept' in own
        ? conformLevels(own, given as CategoryColumn, name, holes, rows)
        : checkedMissing(own, given as NumberColumn, name, holes, rows)
    }),
  }
}

const article = (kind: string): string => (kind === 'integer' ? 'an integer' : `a ${kind}`)

const noHoles = (name: string, column: string, row: number, rows: string): DataError =>
  new DataError(
    `${name}: column ${show(column)} has a missing value in row ${row + 1}, which ${rows} never had there.`,
    `${name}: a column has a missing value, which ${rows} never had.`,
  )

function checkedMissing(
  { name: column, missing }: NumberEncoded,
  given: NumberColumn,
  name: string,
  holes: boolean,
  rows: string,
): NumberColumn {
  const row = missing || holes ? -1 : given.values.findIndex(Number.isNaN)
  if (row >= 0) throw noHoles(name, column, row, rows)
  return given
}

function conformLevels(
  own: CategoryEncoded,
  given: CategoryColumn,
  name: string,
  holes: boolean,
  rows: string,
): CategoryColumn {
  const places = new Map(own.levels.map((level, i) => [level, i]))
  const to = given.levels.map((level) => places.get(level) ?? -1)
  const codes = given.codes.map((code, row) => {
    if (code < 0) {
      if (!own.missing && !holes) throw noHoles(name, own.name, row, rows)
      return -1
    }
    if (to[code] < 0) {
      throw new DataError(
        `${name}: column ${show(own.name)} has ${show(given.levels[code])} in row ${row + 1}, a level that ${rows} never had.`,
        `${name}: a column has a level that ${rows} never had.`,
      )
    }
    return to[code]
  })
  return { name: own.name, kind: own.kind, codes, levels: own.levels }
}
