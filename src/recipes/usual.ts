/**
 * The chain that is trained where a config does not say, and how a budget of steps is shared out. Chosen on checkerboard, rings,
 * moons and eight gaussians, tried on others (docs/method.md, «Settings that need no choice»).
 */

import type { PathName } from '../learn/paths/registry.js'

export const usualChain = {
  gammas: [0.05, 0.2, null],
  interpolant: ['linear', 'linear', 'arc'],
  /** of the training steps */
  shares: [0.6, 0.2, 0.2],
  /** training steps in all */
  total: 12_000,
} as const satisfies { interpolant: readonly PathName[]; [name: string]: unknown }

/**
 * Whole numbers in proportion to the shares, at least 1 each, that are `total` together; what rounding leaves goes to the first.
 * @param total at least as many as there are shares
 */
export function shareOut(total: number, shares: readonly number[]): number[] {
  const whole = shares.reduce((sum, share) => sum + share, 0)
  const parts = shares.map((share) => Math.max(1, Math.floor((total * share) / whole)))
  parts[0] += total - parts.reduce((sum, part) => sum + part, 0)
  return parts
}

/** Steps of warm-up, at most a tenth of the shortest fit's. */
export const usualWarmup = (steps: readonly number[]): number => Math.min(100, Math.floor(Math.min(...steps) / 10))
