/**
 * Toy sets in the plane, from formulas, as a table: what each is, how a point is drawn from a row's random numbers, and
 * its log density where that has a closed form. All lie within about [−4, 4]². The shapes are the customary ones
 * (moons: scikit-learn; the others: FFJORD's toy_data.py), with constants of our own where a round one is clearer.
 */

import { invalid } from '../errors.js'
import { RandomStream } from '../random/stream.js'
import { checkRows, type Density, type Entropy, estimateEntropy, rowCount, type Sampler } from './density.js'

export interface ToySet {
  readonly description: string
  /** Standard deviation of the noise where none is given; null for a set that has no noise. */
  readonly noise: number | null
  point(random: RandomStream, noise: number): readonly [number, number]
  logDensity?(x: number, y: number, noise: number): number
  /** In nats, where it is known in closed form; else it is estimated from the log density. */
  entropy?: number
}

const circleOfEight = Array.from({ length: 8 }, (_, k) => [
  3 * Math.cos((k * Math.PI) / 4),
  3 * Math.sin((k * Math.PI) / 4),
])
const radii = [0.75, 1.5, 2.25, 3]
const pinwheelArms = 5

const logSumExp = (terms: readonly number[]): number => {
  const top = Math.max(...terms)
  return top === -Infinity ? top : top + Math.log(terms.reduce((sum, term) => sum + Math.exp(term - top), 0))
}

const logNormal = (x: number, deviation: number): number =>
  -0.5 * (x / deviation) ** 2 - Math.log(deviation) - 0.5 * Math.log(2 * Math.PI)

export const toySets = {
  moons: {
    description: 'two half circles of radius 2 that reach into each other, with Gaussian noise',
    noise: 0.1,
    point(random, noise) {
      const side = random.below(2) === 0 ? 1 : -1
      const angle = Math.PI * random.uniform()
      const x = side * (2 * Math.cos(angle) - 1)
      const y = side * (2 * Math.sin(angle) - 0.5)
      return [x + noise * random.normal(), y + noise * random.normal()]
    },
  },
  checkerboard: {
    description: 'uniform on the eight dark squares (side 2) of a 4×4 board on [−4, 4]²',
    noise: null,
    // 20 bits, so that float32 holds each point exactly and none is rounded onto the edge of its square.
    point(random) {
      const column = random.below(4)
      const row = 2 * random.below(2) + (column % 2)
      return [-4 + 2 * (column + random.uniformBits(20)), -4 + 2 * (row + random.uniformBits(20))]
    },
    logDensity(x, y) {
      const inside = x >= -4 && x < 4 && y >= -4 && y < 4
      const dark = (Math.floor(x / 2) + Math.floor(y / 2)) % 2 === 0
      return inside && dark ? -Math.log(32) : -Infinity
    },
    entropy: Math.log(32),
  },
  spirals: {
    description: 'two arms of one and a half turns about the origin, with Gaussian noise',
    noise: 0.1,
    point(random, noise) {
      const side = random.below(2) === 0 ? 1 : -1
      const angle = 3 * Math.PI * Math.sqrt(random.uniform())
      const x = (side * -Math.cos(angle) * angle) / 3
      const y = (side * Math.sin(angle) * angle) / 3
      return [x + noise * random.normal(), y + noise * random.normal()]
    },
  },
  'eight-gaussians': {
    description: 'eight equal Gaussians on a circle of radius 3',
    noise: 0.3,
    point(random, noise) {
      const [x, y] = circleOfEight[random.below(8)]
      return [x + noise * random.normal(), y + noise * random.normal()]
    },
    logDensity: (x, y, noise) =>
      logSumExp(circleOfEight.map(([cx, cy]) => logNormal(x - cx, noise) + logNormal(y - cy, noise) - Math.log(8))),
  },
  pinwheel: {
    description: 'five Gaussian arms, bent as they go out; noise is the width of an arm before it is bent',
    noise: 0.2,
    point(random, noise) {
      const arm = random.below(pinwheelArms)
      const along = 2 + 0.6 * random.normal()
      const across = noise * random.normal()
      const angle = (2 * Math.PI * arm) / pinwheelArms + 0.25 * Math.exp(along / 2)
      const [cos, sin] = [Math.cos(angle), Math.sin(angle)]
      return [cos * along - sin * across, sin * along + cos * across]
    },
  },
  rings: {
    description: 'four equal circles about the origin, with Gaussian noise along the radius',
    noise: 0.08,
    point(random, noise) {
      const radius = radii[random.below(radii.length)] + noise * random.normal()
      const angle = 2 * Math.PI * random.uniform()
      return [radius * Math.cos(angle), radius * Math.sin(angle)]
    },
    // A radius of −r at one angle is a radius of r at the opposite one, so both count.
    logDensity(x, y, noise) {
      const r = Math.hypot(x, y)
      const alongRadius = logSumExp(
        radii.flatMap((radius) => [logNormal(r - radius, noise), logNormal(r + radius, noise)]),
      )
      return alongRadius - Math.log(radii.length * 2 * Math.PI * r)
    },
  },
} as const satisfies Record<string, ToySet>

/** Names of the toy sets on the plane. */
export type ToyName = keyof typeof toySets
/** All names that `toy` takes. */
export const toyNames = Object.keys(toySets) as ToyName[]

/**
 * A toy set by name: moons, checkerboard, spirals, eight-gaussians, pinwheel or rings. The checkerboard, the eight
 * Gaussians and the rings are densities, the others only draw.
 *
 * @param noise standard deviation of the noise, above 0; default: the set's own
 * @throws InvalidArgumentError for an unknown name, and for a noise that is not above 0 or given to the checkerboard
 */
export function toy(name: ToyName, { noise }: { noise?: number } = {}): Sampler | Density {
  if (!Object.hasOwn(toySets, name)) throw invalid('name', `one of ${toyNames.join(', ')}`, name)
  const set: ToySet = toySets[name]
  if (noise !== undefined && set.noise === null) throw invalid('noise', `left out (${name} has none)`, noise)
  const deviation = noise ?? set.noise ?? 0
  if (set.noise !== null && !(deviation > 0 && deviation < Infinity)) throw invalid('noise', 'a number above 0', noise)

  const sampler: Sampler = {
    dimension: 2,
    sample(n, seed, stream) {
      checkRows(n)
      const random = new RandomStream(seed, stream)
      const points = new Float32Array(2 * n)
      for (let i = 0; i < n; i++) points.set(set.point(random.row(i), deviation), 2 * i)
      return points
    },
  }
  const { logDensity, entropy } = set
  if (!logDensity) return sampler
  const density: Density = {
    ...sampler,
    logDensity: (x) =>
      Float64Array.from({ length: rowCount(x, 2) }, (_, i) => logDensity(x[2 * i], x[2 * i + 1], deviation)),
    entropy: (options): Entropy =>
      entropy === undefined ? estimateEntropy(density, options) : { mean: entropy, standardError: 0 },
  }
  return density
}
