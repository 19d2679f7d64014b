/** Numbers as text: how a column writes them, told from all of its texts, and the texts of numbers in that way. */

import { numberOf } from '../table-text.js'
import type { NumberColumn, NumberFormat } from './table.js'

/** Digits after the decimal sign beyond which a number was computed, not measured: it keeps all digits it has. */
export const MOST_DECIMALS = 9

const byThousands = (thousands: string, decimal: string): RegExp =>
  new RegExp(`^[+-]?\\d{1,3}(?:[${thousands}]\\d{3})+(?:[${decimal}]\\d+)?$`)

/** How a column's numbers may be written; the first that all of its texts fit is taken. */
const ways: readonly { comma: boolean; thousands?: string; grouped?: RegExp }[] = [
  { comma: false },
  { comma: true },
  { comma: false, thousands: ',', grouped: byThousands(',', '.') },
  { comma: true, thousands: '.', grouped: byThousands('.', ',') },
  { comma: false, thousands: ' ', grouped: byThousands(' \\u00a0\\u202f', '.') },
  { comma: true, thousands: ' ', grouped: byThousands(' \\u00a0\\u202f', ',') },
  { comma: false, thousands: "'", grouped: byThousands("'", '.') },
]

/** A text's number; NaN where it is none. */
export function readNumber(text: string, way: { comma?: boolean; thousands?: string }): number {
  const { comma = false, thousands } = way
  if (thousands === undefined) return numberOf(text, comma)
  const grouped = ways.find((other) => other.thousands === thousands && other.comma === comma)?.grouped
  const separators = thousands === ' ' ? /[ \u00a0\u202f]/g : new RegExp(`[${thousands}]`, 'g')
  return numberOf(grouped?.test(text) ? text.replace(separators, '') : text, comma)
}

/**
 * How these texts are written as numbers; null where they are not all finite numbers.
 * @param comma whether decimal commas are looked for (true: before points)
 */
export function numberWay(texts: readonly string[], comma: boolean): { comma: boolean; thousands?: string } | null {
  const fits = (way: (typeof ways)[number]): boolean =>
    texts.every((text) => Number.isFinite(readNumber(text, way))) &&
    (!way.grouped || texts.some((text) => way.grouped!.test(text)))
  // 1,234 has a decimal comma where these may be, else it is more than a thousand
  const order = ways.filter((way) => !way.comma || comma)
  const found = order.find(fits)
  return found ? { comma: found.comma, thousands: found.thousands } : null
}

/** A way to write numbers. */
export type NumberWay = NonNullable<ReturnType<typeof numberWay>>

/** The same of texts that come one after another and are not kept. */
export class NumberWays {
  /** those that all texts so far fit, and whether one of them shows the way */
  private fitting: { way: (typeof ways)[number]; shown: boolean }[]

  constructor(comma: boolean) {
    this.fitting = ways.filter((way) => !way.comma || comma).map((way) => ({ way, shown: way.grouped === undefined }))
  }

  /** False where no way is left that all texts are numbers in. */
  add(text: string): boolean {
    this.fitting = this.fitting.filter((one) => {
      one.shown ||= one.way.grouped!.test(text)
      return Number.isFinite(readNumber(text, one.way))
    })
    return this.found() !== null
  }

  /** As numberWay finds it. */
  found(): NumberWay | null {
    const found = this.fitting.find(({ shown }) => shown)
    return found ? { comma: found.way.comma, thousands: found.way.thousands } : null
  }
}

/** The format of numbers that are written in this way: their digits after the decimal sign, and whether all have as many. */
export function formatOf(
  texts: readonly string[],
  { comma, thousands }: { comma: boolean; thousands?: string },
): NumberFormat {
  const written = { ...(comma && { comma }), ...(thousands && { thousands }) }
  if (texts.some((text) => /e/i.test(text))) return written
  let [least, most] = [Infinity, 0]
  for (const text of texts) {
    const sign = text.lastIndexOf(comma ? ',' : '.')
    const digits = sign < 0 || (thousands !== undefined && text[sign] === thousands) ? 0 : text.length - sign - 1
    least = Math.min(least, digits)
    most = Math.max(most, digits)
  }
  if (most > MOST_DECIMALS) return written
  const padded = most > 0 && least === most
  return { decimals: most, ...(padded && { padded }), ...written }
}

/** Digits after the point that tell all of these finite numbers apart; undefined where that takes more than nine. */
export function decimalsOf(values: Iterable<number>, single = false): number | undefined {
  let decimals = 0
  for (const value of values) {
    if (Number.isNaN(value)) continue
    const same = (digits: number): boolean => {
      const rounded = Number(value.toFixed(digits))
      return rounded === value || (single && Math.fround(rounded) === value)
    }
    while (!same(decimals)) if (++decimals > MOST_DECIMALS) return undefined
  }
  return decimals
}

/** The text of a number in the format of its column; '' of NaN. */
export function writeNumber(value: number, format: NumberFormat = {}): string {
  if (Number.isNaN(value)) return ''
  const { decimals, padded = false, comma = false, thousands } = format
  let text = decimals === undefined ? String(value) : value.toFixed(decimals)
  if (decimals !== undefined && !padded) text = String(Number(text))
  if (Number(text) === 0 && text.startsWith('-')) text = text.slice(1)
  let [whole, part = ''] = text.includes('e') ? [text] : text.split('.')
  if (thousands) whole = whole.replace(/\B(?=(?:\d{3})+$)/g, thousands)
  return part === '' ? whole : `${whole}${comma ? ',' : '.'}${part}`
}

/** The seconds or the unit that the values of a column are whole multiples of; 0 where they have all digits they can. */
export function unitOf({ kind, format }: Pick<NumberColumn, 'kind' | 'format'>): number {
  if (kind === 'integer') return 1
  return format?.decimals === undefined ? 0 : 10 ** -format.decimals
}
