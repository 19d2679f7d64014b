/**
 * How the values of a column become numbers that a flow learns, and come back. A value is a number or, of a category, the number
 * of its level. Parameters are plain data, which a run keeps as JSON; they are fitted on training rows alone.
 */

import type { z } from 'zod'

/** Draws of a row, one after another. */
export interface Draws {
  /** on (0, 1) */
  uniform(): number
  normal(): number
}

/** What an encoder is fitted on. */
export interface Sample {
  /** values of training rows in ascending order, none missing; of a category the numbers of levels */
  readonly sorted: Float64Array
  /** what values are whole multiples of; 0 where they have all digits they can */
  readonly unit: number
}

/** An encoder with its parameters, ready to be used. */
export interface OpenEncoder {
  /** what each of its numbers is, in a word or two; none where there is nothing to learn */
  readonly names: readonly string[]
  /** what its numbers are together: a number is normal where there is one column, levels are of one choice or a code */
  readonly are: 'number' | 'levels' | 'code'
  /** of levels: level k is the number scale·([it is k] − shares_k) */
  readonly levels?: { readonly scale: number; readonly shares: readonly number[] }
  /** writes `names.length` numbers of a value to `out` from `at` on */
  encode(value: number, draws: Draws, out: Float32Array, at: number): void
  /** the value of the numbers at `at` */
  decode(row: ArrayLike<number>, at: number): number
}

export interface Encoder<P> {
  /** what it does, a few words, for the report */
  describe(parameters: P): string
  readonly schema: z.ZodType<P>
  fit(sample: Sample): P
  open(parameters: P): OpenEncoder
}

/** Shares of a cell that a dithered value stays away from its borders, where rounding could carry it over. */
const MARGIN = 0.01

/** Uniform within a cell. */
export const within = (low: number, high: number, draws: Draws): number =>
  low + (high - low) * (MARGIN + (1 - 2 * MARGIN) * draws.uniform())

/** The first index at which a growing list reaches x; its length where it does not. */
export function firstFrom(list: ArrayLike<number>, x: number): number {
  let [low, high] = [0, list.length]
  while (low < high) {
    const middle = (low + high) >> 1
    if (list[middle] < x) low = middle + 1
    else high = middle
  }
  return low
}

/** The multiple of a unit that is nearest to x; x itself where there is none (0). */
export function roundTo(x: number, unit: number): number {
  if (unit === 0) return x
  // 3 · 0.1 is not 0.3, and 3/10 is
  return unit < 1 ? Math.round(x / unit) / Math.round(1 / unit) : Math.round(x / unit) * unit
}
