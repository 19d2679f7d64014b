/**
 * The laws that training times are drawn from, a row each, as quantile functions: t = Q(u) with u uniform. The device reads Q
 * as a table with linear interpolation. t = 0 is the data's side, t = 1 the noise's. A new law is a row here.
 */

import * as z from 'zod'
import { either, key, positive } from '../schema/words.js'

/** Knots of the table: 4096 intervals of equal probability. */
const KNOTS = 4097
/** Points of an integral behind it, between which a density is integrated by substitution. */
const POINTS = 16_384

interface Law {
  readonly description: string
  /** what follows its name in a config, for people */
  readonly form: string
  /** which of the numbers must be above 0 */
  readonly positive: readonly boolean[]
  /** Q at k/4096, k = 0 … 4096 */
  quantiles(...parameters: number[]): Float32Array
}

export const timeLaws = {
  beta: {
    description: 'the Beta distribution, which leans to one end',
    form: '[α, β]',
    positive: [true, true],
    quantiles: betaQuantiles,
  },
  logitNormal: {
    description: 'a normal number through the logistic function, which keeps to the middle (Esser et al. 2024)',
    form: '[mean, standard deviation]',
    positive: [false, true],
    quantiles: logitNormalQuantiles,
  },
  uShaped: {
    description:
      'density in proportion to cosh(a(t − ½)), which keeps to both ends (Lee, Lin and Fanti 2024, with a = 4)',
    form: '[a]',
    positive: [true],
    quantiles: uShapedQuantiles,
  },
  cosine: {
    description:
      'density in proportion to cos(πt/2)^p, which leans to the data; with p = 2 the loss of a plain flow on the arc is that of ' +
      'predicting the noise (Ho et al. 2020; Salimans and Ho 2022)',
    form: '[p]',
    positive: [true],
    quantiles: cosineQuantiles,
  },
} as const satisfies Record<string, Law>

export type TimeLawName = keyof typeof timeLaws
export const timeLawNames = Object.keys(timeLaws) as [TimeLawName, ...TimeLawName[]]

/** As a config has it: uniform, or the name of one law with its numbers. */
export type TimeLaw = 'uniform' | { readonly [name in TimeLawName]?: readonly number[] }

/** What a law looks like in a config, for people. */
export const timeLawForms = either(['uniform', ...timeLawNames.map((name) => `{ ${name}: ${timeLaws[name].form} }`)])

/** A law as a key of a config. */
export function timeLaw(description: string) {
  const laws = timeLawNames.map((name) => {
    const { positive: above, form, description: of } = timeLaws[name]
    const numbers = above.map((positiveOnly) => (positiveOnly ? positive() : key(z.number(), 'a number')))
    const list = z.tuple(numbers as [z.ZodNumber, ...z.ZodNumber[]])
    return z.strictObject({ [name]: key(list, form, `Numbers of this law: ${of}.`) }) as z.ZodType<TimeLaw, TimeLaw>
  })
  return key(z.union([z.literal('uniform'), ...laws]), timeLawForms, description)
}

/** The table of a law; null for uniform times, which need none. */
export function timeQuantiles(time: TimeLaw): Float32Array | null {
  if (time === 'uniform') return null
  const [[name, parameters]] = Object.entries(time) as [TimeLawName, number[]][]
  const law: Law = timeLaws[name]
  return law.quantiles(...parameters)
}

/**
 * Beta(α, β); Beta(1, ½), the GAS setting of the official code, leans to t = 1. The cumulative distribution is integrated in
 * the variable s with t = s^{1/α} below one half and t = 1 − s^{1/β} above, which removes the density's poles at 0 and 1.
 */
export function betaQuantiles(alpha: number, beta: number): Float32Array {
  const half = 0.5
  // ∫ t^{α−1} (1 − t)^{β−1} dt = (1/α) ∫ (1 − s^{1/α})^{β−1} ds
  const lower = cumulative(half ** alpha, (s) => (1 - s ** (1 / alpha)) ** (beta - 1) / alpha)
  const upper = cumulative(half ** beta, (s) => (1 - s ** (1 / beta)) ** (alpha - 1) / beta)
  const below = lower.sums[POINTS]
  const total = below + upper.sums[POINTS]
  return atKnots((u) => {
    const mass = u * total
    return mass <= below ? invert(lower, mass) ** (1 / alpha) : 1 - invert(upper, total - mass) ** (1 / beta)
  })
}

/** Normal numbers beyond this many standard deviations are not told apart. */
const FARTHEST = 8

/** t = 1/(1 + e^{−(mean + deviation·z)}), z standard normal. */
function logitNormalQuantiles(mean: number, deviation: number): Float32Array {
  const upper = cumulative(FARTHEST, (z) => Math.exp((-z * z) / 2))
  const half = upper.sums[POINTS]
  return atKnots((u) => {
    if (u === 0 || u === 1) return u
    const z = Math.sign(u - 0.5) * invert(upper, 2 * Math.abs(u - 0.5) * half)
    return 1 / (1 + Math.exp(-(mean + deviation * z)))
  })
}

/** F(t) = ½ + sinh(a(t − ½))/(2 sinh(a/2)), solved for t. */
function uShapedQuantiles(a: number): Float32Array {
  return atKnots((u) => 0.5 + Math.asinh((2 * u - 1) * Math.sinh(a / 2)) / a)
}

function cosineQuantiles(power: number): Float32Array {
  const all = cumulative(1, (t) => Math.max(0, Math.cos((Math.PI * t) / 2)) ** power)
  return atKnots((u) => (u === 1 ? 1 : invert(all, u * all.sums[POINTS])))
}

const atKnots = (quantile: (u: number) => number): Float32Array =>
  Float32Array.from({ length: KNOTS }, (_, k) => quantile(k / (KNOTS - 1)))

interface Cumulative {
  readonly end: number
  /** integral up to i/POINTS of the end */
  readonly sums: Float64Array
}

function cumulative(end: number, density: (s: number) => number): Cumulative {
  const sums = new Float64Array(POINTS + 1)
  const step = end / POINTS
  for (let i = 0; i < POINTS; i++) {
    const s = i * step
    sums[i + 1] = sums[i] + (step / 6) * (density(s) + 4 * density(s + step / 2) + density(s + step))
  }
  return { end, sums }
}

function invert({ end, sums }: Cumulative, mass: number): number {
  let [low, high] = [0, POINTS]
  while (high - low > 1) {
    const middle = (low + high) >> 1
    if (sums[middle] <= mass) low = middle
    else high = middle
  }
  const gap = sums[high] - sums[low]
  const fraction = gap > 0 ? Math.min(1, Math.max(0, (mass - sums[low]) / gap)) : 0
  return ((low + fraction) / POINTS) * end
}
