/**
 * Toy sets in any number of dimensions, of which the density is known: a mixture of Gaussians, and a thin curved sheet. Their
 * constants are drawn from a fixed seed, so that a set is the same for everyone; the data's own seed draws the points.
 */

import { invalid } from '../errors.js'
import { RandomStream, streams } from '../random/stream.js'
import { checkRows, type Density, estimateEntropy, rowCount } from './density.js'

/** Seed of the constants: of where components lie and how a sheet is bent. */
const CONSTANTS = 20_241
const MOST_DIMENSIONS = 64

const logSumExp = (terms: readonly number[]): number => {
  const top = Math.max(...terms)
  return top + Math.log(terms.reduce((sum, term) => sum + Math.exp(term - top), 0))
}

function density(
  dimension: number,
  point: (random: RandomStream) => ArrayLike<number>,
  logAt: (x: Float32Array) => number,
): Density {
  const made: Density = {
    dimension,
    sample(n, seed, stream) {
      checkRows(n)
      const random = new RandomStream(seed, stream)
      const points = new Float32Array(dimension * n)
      for (let i = 0; i < n; i++) points.set(point(random.row(i)), dimension * i)
      return points
    },
    logDensity: (x) =>
      Float64Array.from({ length: rowCount(x, dimension) }, (_, i) =>
        logAt(x.subarray(i * dimension, (i + 1) * dimension)),
      ),
    entropy: (options) => estimateEntropy(made, { n: 100_000, ...options }),
  }
  return made
}

/**
 * Twice as many equal Gaussians as dimensions: means N(0, I), standard deviation `noise` in every direction.
 * @param dimension 2 to 64
 * @param noise above 0
 */
export function mixture(dimension: number, noise: number): Density {
  const constants = new RandomStream(CONSTANTS, streams.sample)
  const K = 2 * dimension
  const means = Array.from({ length: K }, (_, k) => {
    constants.row(k)
    return Float64Array.from({ length: dimension }, () => constants.normal())
  })
  const constant = dimension * (Math.log(noise) + 0.5 * Math.log(2 * Math.PI)) + Math.log(K)
  return density(
    dimension,
    (random) => {
      const mean = means[random.below(K)]
      return mean.map((value) => value + noise * random.normal())
    },
    (x) =>
      logSumExp(means.map((mean) => -0.5 * mean.reduce((sum, value, d) => sum + ((x[d] - value) / noise) ** 2, 0))) -
      constant,
  )
}

/**
 * A sheet of ⌈D/3⌉ dimensions, bent into D: the first coordinates u are N(0, I), each of the others is sin of a direction of u,
 * with Gaussian noise of standard deviation `noise`.
 * @param dimension 2 to 64
 * @param noise above 0
 */
export function sheet(dimension: number, noise: number): Density {
  const constants = new RandomStream(CONSTANTS, streams.train)
  const flat = Math.ceil(dimension / 3)
  const bends = Array.from({ length: dimension - flat }, (_, j) => {
    constants.row(j)
    const phase = 2 * Math.PI * constants.uniform()
    const direction = Float64Array.from({ length: flat }, () => constants.normal())
    const length = Math.hypot(...direction)
    return { phase, direction: direction.map((value) => (1.5 * value) / length) }
  })
  const heights = (u: ArrayLike<number>): number[] =>
    bends.map(({ phase, direction }) => Math.sin(direction.reduce((sum, value, d) => sum + value * u[d], phase)))
  const constant = (dimension / 2) * Math.log(2 * Math.PI) + bends.length * Math.log(noise)
  return density(
    dimension,
    (random) => {
      const u = Array.from({ length: flat }, () => random.normal())
      return [...u, ...heights(u).map((height) => height + noise * random.normal())]
    },
    (x) => {
      const u = x.subarray(0, flat)
      const along = u.reduce((sum, value) => sum + value * value, 0)
      const off = heights(u).reduce((sum, height, j) => sum + ((x[flat + j] - height) / noise) ** 2, 0)
      return -0.5 * (along + off) - constant
    },
  )
}

/** A set in any number of dimensions. */
export interface SpaceSet {
  /** what it is, in a few words */
  readonly description: string
  /** standard deviation of its noise, unless another is given */
  readonly noise: number
  /** its dimensions, unless others are given */
  readonly dimension: number
  /** the set in so many dimensions, with so much noise */
  make(dimension: number, noise: number): Density
}

/** The sets, a row each. */
export const spaceSets = {
  mixture: {
    description: 'twice as many equal Gaussians as dimensions, their means drawn from N(0, I)',
    noise: 0.25,
    dimension: 6,
    make: mixture,
  },
  sheet: {
    description: 'a sheet of a third of the dimensions, bent into the others, with Gaussian noise off it',
    noise: 0.05,
    dimension: 8,
    make: sheet,
  },
} as const satisfies Record<string, SpaceSet>

/** Names of the toy sets in any number of dimensions. */
export type SpaceName = keyof typeof spaceSets
export const isSpace = (name: string): name is SpaceName => Object.hasOwn(spaceSets, name)
/** All names that `space` takes. */
export const spaceNames = Object.keys(spaceSets) as SpaceName[]

/**
 * A set by name: mixture or sheet.
 *
 * @param dimension 2 to 64; default: the set's own (6 and 8)
 * @param noise standard deviation of the noise, above 0; default: the set's own (0.25 and 0.05)
 * @throws InvalidArgumentError for an unknown name, and for a dimension or a noise that is none
 */
export function space(name: SpaceName, { dimension, noise }: { dimension?: number; noise?: number } = {}): Density {
  if (!Object.hasOwn(spaceSets, name)) throw invalid('name', `one of ${spaceNames.join(', ')}`, name)
  const set = spaceSets[name]
  const D = dimension ?? set.dimension
  const deviation = noise ?? set.noise
  if (!Number.isInteger(D) || D < 2 || D > MOST_DIMENSIONS) {
    throw invalid('dimension', `a whole number from 2 to ${MOST_DIMENSIONS}`, D)
  }
  if (!(deviation > 0 && deviation < Infinity)) throw invalid('noise', 'a number above 0', noise)
  return set.make(D, deviation)
}
