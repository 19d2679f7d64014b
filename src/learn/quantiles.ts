/**
 * The distribution of training times as a table of its quantile function, which the device reads with linear interpolation.
 * Beta(α, β) times lean to one end: Beta(1, ½), the GAS setting of the official code, to t = 1.
 */

/** Knots of the table: 4096 intervals of equal probability. */
const KNOTS = 4097
/** Points of the integral behind it, between which the density is integrated by substitution. */
const POINTS = 16_384

/**
 * Quantiles of Beta(α, β) at k/4096, k = 0 … 4096. The cumulative distribution is integrated in the variable s with
 * t = s^{1/α} below one half and t = 1 − s^{1/β} above, which takes the density's poles at 0 and 1 away.
 */
export function betaQuantiles(alpha: number, beta: number): Float32Array {
  const half = 0.5
  // ∫ t^{α−1} (1 − t)^{β−1} dt = (1/α) ∫ (1 − s^{1/α})^{β−1} ds
  const lower = cumulative(half ** alpha, (s) => (1 - s ** (1 / alpha)) ** (beta - 1) / alpha)
  const upper = cumulative(half ** beta, (s) => (1 - s ** (1 / beta)) ** (alpha - 1) / beta)
  const below = lower.sums[POINTS]
  const total = below + upper.sums[POINTS]
  const table = new Float32Array(KNOTS)
  for (let k = 0; k < KNOTS; k++) {
    const mass = (k / (KNOTS - 1)) * total
    table[k] = mass <= below ? invert(lower, mass) ** (1 / alpha) : 1 - invert(upper, total - mass) ** (1 / beta)
  }
  return table
}

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
