/**
 * Interpolants and couplings in closed form: I_t = α(t) x_l + β(t) x_r, target dI_t/dt (Albergo and Vanden-Eijnden 2023;
 * Xu et al. 2024), and what is known of them on Gaussians (docs/method.md has the derivations).
 */

import type { Pairing } from '../kernels/draw_batch.js'

export type Interpolant = 'linear' | 'trig'
export type Coupling = 'dependent' | 'shuffled' | 'independent'

interface Path {
  readonly left: number
  readonly right: number
  readonly leftRate: number
  readonly rightRate: number
}

/** α, β and their derivatives at t. */
export const interpolants: Readonly<Record<Interpolant, (t: number) => Path>> = {
  linear: (t) => ({ left: 1 - t, right: t, leftRate: -1, rightRate: 1 }),
  trig: (t) => {
    const angle = (Math.PI / 2) * t
    const [cos, sin] = [Math.cos(angle), Math.sin(angle)]
    return { left: cos, right: sin, leftRate: (-Math.PI / 2) * sin, rightRate: (Math.PI / 2) * cos }
  },
}

/** One sub-flow's noising: x_r = a x_l + b z with a = e^{−γ}, b = √(1 − e^{−2γ}); γ = null is the free one, x_r = z. */
export function ouStep(gamma: number | null): { decay: number; spread: number } {
  if (gamma === null) return { decay: 0, spread: 1 }
  return { decay: Math.exp(-gamma), spread: Math.sqrt(-Math.expm1(-2 * gamma)) }
}

export interface SubFlowKind {
  readonly gamma: number | null
  readonly interpolant: Interpolant
  readonly coupling: Coupling
}

const pairings = { dependent: 'own', shuffled: 'shuffled', independent: 'independent' } as const

/** Whose row the right end of a sub-flow is made of: no one's in the free one. */
export const pairingOf = ({ gamma, coupling }: Pick<SubFlowKind, 'gamma' | 'coupling'>): Pairing =>
  gamma === null ? 'none' : pairings[coupling]

/** Mean over t in [0, 1] by Simpson's rule. */
function mean(f: (t: number) => number): number {
  const pieces = 400
  let sum = 0
  for (let i = 0; i <= pieces; i++) sum += f(i / pieces) * (i === 0 || i === pieces ? 1 : i % 2 === 1 ? 4 : 2)
  return sum / (3 * pieces)
}

/** Coefficients of the target and of I_t on x_l, on an independent copy of it, and on z. */
function parts(kind: SubFlowKind, t: number): { target: number[]; state: number[] } {
  const { left, right, leftRate, rightRate } = interpolants[kind.interpolant](t)
  const { decay, spread } = ouStep(kind.gamma)
  return kind.coupling === 'dependent'
    ? {
        target: [leftRate + decay * rightRate, 0, spread * rightRate],
        state: [left + decay * right, 0, spread * right],
      }
    : { target: [leftRate, decay * rightRate, spread * rightRate], state: [left, decay * right, spread * right] }
}

/** Standard deviation of the target, time-averaged, for data of the given variance: what output scaling multiplies by. */
export const targetSpread = (kind: SubFlowKind, variance: number): number =>
  Math.sqrt(
    mean((t) => {
      const [own, other, noise] = parts(kind, t).target
      return (own * own + other * other) * variance + noise * noise
    }),
  )

/**
 * The least loss that any velocity field can reach, a dimension, where x_l is Gaussian with these variances along its
 * principal axes: the mean over t of Var(target | I_t). At S = 1, γ = 0.1, dependent: linear 0.187, trig 0.294.
 */
export const leastLoss = (kind: SubFlowKind, variances: readonly number[]): number =>
  variances.reduce(
    (sum, S) =>
      sum +
      mean((t) => {
        const { target, state } = parts(kind, t)
        const weights = [S, S, 1]
        const inner = (a: readonly number[], b: readonly number[]): number =>
          a.reduce((total, value, i) => total + value * b[i] * weights[i], 0)
        const variance = inner(state, state)
        return variance === 0 ? 0 : inner(target, target) - inner(target, state) ** 2 / variance
      }),
    0,
  ) / variances.length
