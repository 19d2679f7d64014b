/** Axes: the range of some clouds of points, ticks at round numbers, and the room for their labels. */
import { SIZE } from './theme.js'

/** Numbers to draw: float64 where float32 would merge them. */
export type Numbers = Float32Array | Float64Array

/** The range of all finite values of some lists except the outermost 0.1 % on each side, with a margin; never empty. */
export function rangeOf(lists: readonly Numbers[]): [number, number] {
  let [low, high] = [Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY]
  for (const list of lists) {
    const sorted = list.filter(Number.isFinite).sort()
    if (sorted.length === 0) continue
    low = Math.min(low, sorted[Math.floor(0.001 * (sorted.length - 1))])
    high = Math.max(high, sorted[Math.ceil(0.999 * (sorted.length - 1))])
  }
  if (!(low <= high)) return [-1, 1]
  const margin = 0.04 * (high - low) || Math.max(Math.abs(low), 1) / 2
  return [low - margin, high + margin]
}

/** Settings of a Vega axis, and the pixels of its widest label. */
export interface Ticks {
  values: number[]
  format: string
  /** pixels */
  labelWidth: number
}

/** A digit of DejaVu Sans at tick size is this wide; separators are narrower. */
const DIGIT = 0.64 * SIZE.tick

/**
 * Ticks of a linear axis at multiples of 1, 2 or 5 times a power of ten: at most `most`, but always two. Labels of 100 000 and
 * more, or below a ten thousandth, are shortened by the prefixes of units (40k, 1.7M, 20µ), with all the digits that tell them
 * apart.
 */
export function linearTicks([low, high]: readonly [number, number], most: number): Ticks {
  const finest = Math.floor(Math.log10((high - low) / most)) - 1
  let values: number[] = []
  let stepPower = finest
  for (let i = 0; ; i++) {
    const power = finest + Math.floor(i / 3)
    const step = [1, 2, 5][i % 3] * 10 ** power
    const [first, last] = [Math.ceil(low / step - 1e-9), Math.floor(high / step + 1e-9)]
    const next = Array.from({ length: last - first + 1 }, (_, k) => (first + k) * step)
    // too many are better than one
    if (next.length < 2) break
    ;[values, stepPower] = [next, power]
    if (next.length <= most) break
  }
  const largest = Math.max(...values.map(Math.abs))
  const sign = values.some((value) => value < 0) ? 1 : 0
  if (largest >= 1e5 || stepPower < -4) {
    const digits = Math.max(1, Math.floor(Math.log10(largest * (1 + 1e-9))) - stepPower + 1)
    return { values, format: `.${digits}~s`, labelWidth: (sign + digits + 2) * DIGIT }
  }
  const decimals = Math.max(0, -stepPower)
  const characters = Math.floor(largest).toString().length + (decimals > 0 ? decimals + 1 : 0)
  return { values, format: `.${decimals}f`, labelWidth: (sign + characters) * DIGIT }
}

/** Pixels between the labels of neighbouring ticks. */
const BETWEEN = 14

/** Ticks of a horizontal axis of some pixels: as many as have room beside each other, at most `most`. */
export function ticksAcross(range: readonly [number, number], width: number, most: number): Ticks {
  for (let count = most; count > 1; count--) {
    const ticks = linearTicks(range, count)
    if (ticks.values.length * (ticks.labelWidth + BETWEEN) <= width + BETWEEN) return ticks
  }
  return linearTicks(range, 1)
}
