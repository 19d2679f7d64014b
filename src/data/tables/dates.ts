/**
 * Dates as text: seconds since 1970-01-01 (UTC) to and from a format of directives as strptime has them. %-m and %-d have no
 * leading zeros, %L are milliseconds, %f microseconds.
 */

import { InvalidArgumentError, show } from '../../errors.js'

const MONTHS = ['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec']
const MONTH_NAMES = [
  'January',
  'February',
  'March',
  'April',
  'May',
  'June',
  'July',
  'August',
  'September',
  'October',
  'November',
  'December',
]

/** What a directive reads: which part of a date, and the text of it. */
interface Directive {
  part: 'year' | 'month' | 'day' | 'hour' | 'minute' | 'second' | 'fraction'
  pattern: string
  read(text: string): number
  write(value: number): string
  /** seconds between two values that it tells apart */
  unit: number
}

const digits = (part: Directive['part'], count: number, unit: number): Directive => ({
  part,
  pattern: `\\d{${count}}`,
  read: Number,
  write: (value) => String(value).padStart(count, '0'),
  unit,
})
const bare = (part: Directive['part'], unit: number): Directive => ({
  part,
  pattern: '[1-9]\\d?',
  read: Number,
  write: String,
  unit,
})
const named = (names: readonly string[]): Directive => ({
  part: 'month',
  pattern: names.join('|'),
  read: (text) => names.indexOf(text) + 1,
  write: (value) => names[value - 1],
  unit: DAY,
})
const fraction = (count: number): Directive => ({
  part: 'fraction',
  pattern: `\\d{${count}}`,
  read: (text) => Number(text) / 10 ** count,
  write: (value) => String(Math.floor(value * 10 ** count + 1e-3)).padStart(count, '0'),
  unit: 10 ** -count,
})

const DAY = 86_400
const directives: Readonly<Record<string, Directive>> = {
  Y: digits('year', 4, DAY),
  m: digits('month', 2, DAY),
  '-m': bare('month', DAY),
  b: named(MONTHS),
  B: named(MONTH_NAMES),
  d: digits('day', 2, DAY),
  '-d': bare('day', DAY),
  H: digits('hour', 2, 3600),
  M: digits('minute', 2, 60),
  S: digits('second', 2, 1),
  L: fraction(3),
  f: fraction(6),
}

/** The formats that are looked for where none is given, of dates alone and with a time of the day. */
const dayFormats = [
  '%Y-%m-%d',
  '%Y/%m/%d',
  '%m/%d/%Y',
  '%d/%m/%Y',
  '%-m/%-d/%Y',
  '%-d/%-m/%Y',
  '%d.%m.%Y',
  '%-d.%-m.%Y',
  '%d-%m-%Y',
  '%m-%d-%Y',
  '%d %b %Y',
  '%b %d, %Y',
  '%B %-d, %Y',
  '%d-%b-%Y',
]
export const dateFormats: readonly string[] = [
  ...dayFormats,
  ...['%Y-%m-%d', '%Y/%m/%d', '%m/%d/%Y', '%d/%m/%Y', '%-m/%-d/%Y', '%d.%m.%Y'].flatMap((day) => [
    `${day} %H:%M:%S`,
    `${day} %H:%M`,
  ]),
  ...['', 'Z'].flatMap((zone) => [
    `%Y-%m-%dT%H:%M:%S${zone}`,
    `%Y-%m-%dT%H:%M${zone}`,
    `%Y-%m-%dT%H:%M:%S.%L${zone}`,
    `%Y-%m-%dT%H:%M:%S.%f${zone}`,
  ]),
  '%Y-%m-%d %H:%M:%S.%L',
  '%Y-%m-%d %H:%M:%S.%f',
]

/** A format that is understood. */
export interface DateFormat {
  readonly format: string
  /** seconds since 1970-01-01, UTC; NaN where the text is no date of this format */
  read(text: string): number
  /** a date of the year 100 to 9999 */
  write(seconds: number): string
  /** seconds between two dates that it tells apart: a day, an hour, … */
  readonly unit: number
}

const LETTERS = /%(-?[A-Za-z])|%(.?)|([^%]+)/g

/**
 * Understands a format.
 *
 * @throws InvalidArgumentError for a directive that is none, and where year, month and day are not each there once
 */
export function dateFormat(format: string): DateFormat {
  const parts: (Directive | string)[] = []
  for (const [whole, letters, other, text] of format.matchAll(LETTERS)) {
    if (text !== undefined) parts.push(text)
    else if (other === '%') parts.push('%')
    else if (letters !== undefined && Object.hasOwn(directives, letters)) parts.push(directives[letters])
    else {
      const there = Object.keys(directives).map((name) => `%${name}`)
      throw new InvalidArgumentError(
        `The format of a date, ${show(format)}, has ${show(whole)}, which is none of ${there.join(' ')}.`,
      )
    }
  }
  const used = parts.flatMap((part) => (typeof part === 'string' ? [] : [part]))
  for (const name of ['year', 'month', 'day', 'hour', 'minute', 'second', 'fraction']) {
    const count = used.filter(({ part }) => part === name).length
    const needed = name === 'year' || name === 'month' || name === 'day'
    if (count > 1 || (needed && count === 0)) {
      throw new InvalidArgumentError(
        `The format of a date, ${show(format)}, must have year, month and day, and each part once.`,
      )
    }
  }
  const source = parts.map((part) =>
    typeof part === 'string' ? part.replace(/[.*+?^${}()|[\]\\]/g, '\\$&') : `(${part.pattern})`,
  )
  const pattern = new RegExp(`^${source.join('')}$`)
  return {
    format,
    unit: Math.min(...used.map(({ unit }) => unit)),
    read(text) {
      const found = pattern.exec(text)
      if (!found) return Number.NaN
      const at = { year: 0, month: 1, day: 1, hour: 0, minute: 0, second: 0, fraction: 0 }
      used.forEach((directive, i) => {
        at[directive.part] = directive.read(found[i + 1])
      })
      if (at.hour > 23 || at.minute > 59 || at.second > 59) return Number.NaN
      const days = Date.UTC(at.year, at.month - 1, at.day)
      const date = new Date(days)
      // a day that is not in its month, and years that JavaScript takes for others
      if (date.getUTCFullYear() !== at.year || date.getUTCMonth() !== at.month - 1 || date.getUTCDate() !== at.day) {
        return Number.NaN
      }
      return days / 1000 + 3600 * at.hour + 60 * at.minute + at.second + at.fraction
    },
    write(seconds) {
      const whole = Math.floor(seconds)
      const date = new Date(1000 * whole)
      const at = {
        year: date.getUTCFullYear(),
        month: date.getUTCMonth() + 1,
        day: date.getUTCDate(),
        hour: date.getUTCHours(),
        minute: date.getUTCMinutes(),
        second: date.getUTCSeconds(),
        fraction: seconds - whole,
      }
      return parts.map((part) => (typeof part === 'string' ? part : part.write(at[part.part]))).join('')
    },
  }
}

const known = dateFormats.map(dateFormat)

/** The formats of the usual ones that a text is a date of. */
export const formatsOf = (text: string): DateFormat[] => known.filter((format) => !Number.isNaN(format.read(text)))
