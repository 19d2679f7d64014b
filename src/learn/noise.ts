/** The noising of one step of the Ornstein–Uhlenbeck process dX = −X dt + √2 dW. */

/** x_r = decay·x_l + spread·z */
export interface OuStep {
  /** a = e^{−γ} */
  readonly decay: number
  /** b = √(1 − e^{−2γ}) */
  readonly spread: number
}

/** A step of size γ; null is the free one, straight to noise: x_r = z. */
export function ouStep(gamma: number | null): OuStep {
  if (gamma === null) return { decay: 0, spread: 1 }
  return { decay: Math.exp(-gamma), spread: Math.sqrt(-Math.expm1(-2 * gamma)) }
}
