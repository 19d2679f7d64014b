/**
 * What a *path* is: how the state I_t moves from the left end x_l (t = 0, the data's side) to the right end (t = 1) of a
 * sub-flow. Between two ends that are given it is I_t = A(t) x_l + B(t) x_r. Where the right end is the left one's own
 * noisy image, x_r = a x_l + b z, it is I_t = A(t) x_l + B(t) z with coefficients of its own. Targets are the derivatives
 * (Albergo and Vanden-Eijnden 2023; Xu et al. 2024; docs/method.md).
 */

import type { OuStep } from '../noise.js'

/** A, B and their derivatives at one time. */
export interface Coefficients {
  readonly left: number
  readonly right: number
  readonly leftRate: number
  readonly rightRate: number
}

export interface Path {
  readonly description: string
  /** on x_l and x_r, t in [0, 1] */
  between(t: number): Coefficients
  /** on x_l and z, where x_r = a x_l + b z. Left out: what `between` gives. */
  noising?(t: number, step: OuStep): Coefficients
  /** name under which the kernel draw_batch has `between` in closed form; left out: it reads a table of it */
  readonly closedForm?: 'linear' | 'trig'
}

/** Coefficients on x_l and z of the path from x_l to its own image. */
export function noisingOf(path: Path, t: number, step: OuStep): Coefficients {
  if (path.noising) return path.noising(t, step)
  const { left, right, leftRate, rightRate } = path.between(t)
  const { decay, spread } = step
  return {
    left: left + decay * right,
    right: spread * right,
    leftRate: leftRate + decay * rightRate,
    rightRate: spread * rightRate,
  }
}
