/**
 * Step sizes γ_n of the Ornstein–Uhlenbeck chain, n = 1 … N, as a table of formulas. A step takes x to
 * e^{−γ} x + sqrt(1 − e^{−2γ}) z, so α_n = e^{−2γ_n} is what a diffusion schedule calls α, and γ_n = −½ log α_n with
 * β_n = 1 − α_n. The last step may be «free» (null): straight to noise in place of γ_N.
 */

/** The step sizes of a chain; null, only ever the last, is the free step. */
export type Gammas = (number | null)[]

export interface Schedule {
  kind: 'geometric' | 'linear' | 'cosine'
  /** The number of all sub-flows, the free one too. */
  n: number
  last: 'free' | 'ou'
  /** First step and ratio of the geometric schedule; the others have no use for them. */
  c?: number
  rho?: number
}

/** Offset of the cosine schedule (Nichol and Dhariwal, "Improved denoising diffusion probabilistic models"). */
const cosineOffset = 0.008
const largestBeta = 0.999
const linearBetas = { first: 0.1, last: 20 }

const fromBeta = (beta: number): number => -0.5 * Math.log1p(-beta)

/** ᾱ(n) = cos²(((n/N + s)/(1 + s))π/2), up to a factor that falls out of the ratio of two. */
const cosineAlphaBar = (n: number, total: number): number =>
  Math.cos((((n / total + cosineOffset) / (1 + cosineOffset)) * Math.PI) / 2) ** 2

/** γ_n of each kind, n from 1 to `total`. */
const formulas: Readonly<Record<Schedule['kind'], (n: number, total: number, c: number, rho: number) => number>> = {
  geometric: (n, _, c, rho) => c * rho ** (n - 1),
  linear: (n, total) => {
    const last = Math.min(0.99 * total, linearBetas.last)
    const share = total === 1 ? 0 : (n - 1) / (total - 1)
    return fromBeta((linearBetas.first + share * (last - linearBetas.first)) / total)
  },
  cosine: (n, total) => fromBeta(Math.min(1 - cosineAlphaBar(n, total) / cosineAlphaBar(n - 1, total), largestBeta)),
}

/**
 * The step sizes of a schedule, one for each sub-flow. Geometric: c·ρ^{n−1} (c = 0.1 and ρ = 1.5 where left out);
 * linear: β_n = linspace(0.1, min(0.99 N, 20), N)/N; cosine: β_n = 1 − ᾱ(n)/ᾱ(n−1), at most 0.999.
 */
export function scheduleGammas({ kind, n: total, last, c = 0.1, rho = 1.5 }: Schedule): Gammas {
  return Array.from({ length: total }, (_, i) =>
    last === 'free' && i === total - 1 ? null : formulas[kind](i + 1, total, c, rho),
  )
}
