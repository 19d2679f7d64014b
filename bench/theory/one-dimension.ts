/**
 * What is known exactly of chains in one dimension: densities along the Ornstein–Uhlenbeck process, divergences by quadrature,
 * the velocity that a sub-flow should learn, and chains whose velocity is wrong by an affine amount.
 */

/** Weights sum to 1. */
export interface Mixture {
  readonly weights: readonly number[]
  readonly means: readonly number[]
  readonly variances: readonly number[]
}

export const normalDensity = (x: number, mean: number, variance: number): number =>
  Math.exp(-((x - mean) ** 2) / (2 * variance)) / Math.sqrt(2 * Math.PI * variance)

export const density = ({ weights, means, variances }: Mixture, x: number): number =>
  weights.reduce((sum, weight, k) => sum + weight * normalDensity(x, means[k], variances[k]), 0)

/** Its law after the time Γ of dX = −X dt + √2 dW. */
export function noised({ weights, means, variances }: Mixture, gamma: number): Mixture {
  const decay = Math.exp(-gamma)
  return {
    weights,
    means: means.map((mean) => decay * mean),
    variances: variances.map((variance) => decay * decay * variance + 1 - decay * decay),
  }
}

/** Points in the middle of even cells, and what each stands for. */
export function grid(from: number, to: number, count: number): { points: number[]; width: number } {
  const width = (to - from) / count
  return { points: Array.from({ length: count }, (_, i) => from + (i + 0.5) * width), width }
}

export interface Divergences {
  /** χ²(p‖q) = ∫ p²/q − 1 */
  readonly chi2: number
  /** KL(p‖q) = ∫ p log(p/q) */
  readonly kl: number
}

/** Divergences of p from q. @param mass of p at each point @param ratio p/q there */
export function divergences(mass: readonly number[], ratio: readonly number[]): Divergences {
  const whole = mass.reduce((sum, value) => sum + value, 0)
  const mean = (of: (r: number) => number): number => ratio.reduce((sum, r, i) => sum + mass[i] * of(r), 0) / whole
  return { chi2: mean((r) => r) - 1, kl: mean(Math.log) }
}

/** Divergences of a mixture from N(0, 1). */
export function fromNormal(mixture: Mixture): Divergences {
  const { points, width } = grid(-9, 9, 4000)
  const values = points.map((x) => density(mixture, x))
  return divergences(
    values.map((value) => value * width),
    points.map((x, i) => values[i] / normalDensity(x, 0, 1)),
  )
}

/** A law as points and the mass that each carries: any law that a map makes of a grid. */
export interface Cloud {
  readonly points: readonly number[]
  readonly mass: readonly number[]
}

/** A, B and their derivatives: I_t = A x_l + B z (docs/method.md). */
export interface Noising {
  readonly left: number
  readonly right: number
  readonly leftRate: number
  readonly rightRate: number
}

/** E[dI_t/dt | I_t = x] for x_l of the cloud: what the sub-flow should learn. @param at B > 0 */
export function bestVelocity(
  { points, mass }: Cloud,
  { left, right, leftRate, rightRate }: Noising,
  x: number,
): number {
  let [whole, sum] = [0, 0]
  for (let i = 0; i < points.length; i++) {
    const weight = mass[i] * Math.exp(-((x - left * points[i]) ** 2) / (2 * right * right))
    whole += weight
    sum += weight * points[i]
  }
  const mean = sum / whole
  return leftRate * mean + (rightRate * (x - left * mean)) / right
}

export const NOISE_POINTS = 40
/** z ~ N(0, 1) as points and masses. */
const noiseGrid = (() => {
  const { points, width } = grid(-5, 5, NOISE_POINTS)
  return { points, mass: points.map((z) => normalDensity(z, 0, 1) * width) }
})()

/** States I_t at one time with their mass, from a cloud and noise. */
export function states({ points, mass }: Cloud, { left, right }: Noising): Cloud {
  return {
    points: points.flatMap((x) => noiseGrid.points.map((z) => left * x + right * z)),
    mass: mass.flatMap((m) => noiseGrid.mass.map((w) => m * w)),
  }
}

/** A normal law. */
export interface Normal {
  readonly mean: number
  readonly variance: number
}

/** χ²(p‖q) of normal laws, by variances S and T: finite where S < 2T. */
export function normalChi2(p: Normal, q: Normal): number {
  const S = p.variance / q.variance
  const m2 = (p.mean - q.mean) ** 2 / q.variance
  return Math.exp(m2 / (2 - S)) / Math.sqrt(S * (2 - S)) - 1
}

/**
 * What a chain makes of N(0, 1) whose velocity is the exact one of N(m, S) on straight lines plus δ (1 + x): sub-flow by
 * sub-flow from noise to data, by rk4 for mean and variance.
 * @param gammas null: straight to noise
 * @returns the law that is made, and the loss above the least one, summed over sub-flows
 */
export function affineChain(
  data: Normal,
  gammas: readonly (number | null)[],
  delta: number,
): { made: Normal; excess: number } {
  const ends = gammas.reduce<Normal[]>(
    (laws, gamma) => {
      const a2 = gamma === null ? 0 : Math.exp(-2 * gamma)
      const { mean, variance } = laws[laws.length - 1]
      laws.push({ mean: Math.sqrt(a2) * mean, variance: a2 * variance + 1 - a2 })
      return laws
    },
    [data],
  )
  let [mean, variance, excess] = [0, 1, 0]
  for (let n = gammas.length - 1; n >= 0; n--) {
    const gamma = gammas[n]
    const a = gamma === null ? 0 : Math.exp(-gamma)
    const b = Math.sqrt(1 - a * a)
    const { mean: m, variance: S } = ends[n]
    // v(x, t) = E[target] + slope (x − E[I_t]) + δ (1 + x)
    const at = (t: number) => {
      const [left, right] = [1 - t + a * t, b * t]
      const spread = left * left * S + right * right
      const slope = ((a - 1) * left * S + b * right) / spread
      return { slope, offset: (a - 1) * m - slope * left * m, centre: left * m, spread }
    }
    const steps = 200
    const rates = (t: number, m1: number, v1: number): [number, number] => {
      const { slope, offset } = at(t)
      return [(slope + delta) * m1 + offset + delta, 2 * (slope + delta) * v1]
    }
    for (let k = 0; k < steps; k++) {
      const t = 1 - k / steps
      const h = -1 / steps
      const k1 = rates(t, mean, variance)
      const k2 = rates(t + h / 2, mean + (h / 2) * k1[0], variance + (h / 2) * k1[1])
      const k3 = rates(t + h / 2, mean + (h / 2) * k2[0], variance + (h / 2) * k2[1])
      const k4 = rates(t + h, mean + h * k3[0], variance + h * k3[1])
      mean += (h / 6) * (k1[0] + 2 * k2[0] + 2 * k3[0] + k4[0])
      variance += (h / 6) * (k1[1] + 2 * k2[1] + 2 * k3[1] + k4[1])
      const { centre, spread } = at(t + h / 2)
      excess += (delta * delta * ((1 + centre) ** 2 + spread)) / steps
    }
  }
  return { made: { mean, variance }, excess }
}

/** The exponent of y ~ x^p by least squares of logarithms. */
export function exponent(points: readonly { readonly x: number; readonly y: number }[]): number {
  const logs = points.map(({ x, y }) => [Math.log(x), Math.log(y)])
  const mean = (k: number): number => logs.reduce((sum, pair) => sum + pair[k], 0) / logs.length
  const [mx, my] = [mean(0), mean(1)]
  const top = logs.reduce((sum, [x, y]) => sum + (x - mx) * (y - my), 0)
  return top / logs.reduce((sum, [x]) => sum + (x - mx) ** 2, 0)
}
