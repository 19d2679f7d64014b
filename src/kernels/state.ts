/**
 * The *state words* of training: a u32 tensor of eight that stays on the device, so that a replayed training step needs
 * nothing from the host. Read back with the losses every few hundred steps.
 */
export const stateWords = {
  /** completed steps of this sub-flow: skipped ones count, a halted one does not */
  step: 0,
  /** 0 running, 1 the loss was not finite, 2 ten gradients in a row were not finite: nothing changes any more */
  halted: 1,
  /** steps skipped because the gradient's norm was not finite */
  skipped: 2,
  /** of these, the last ones in a row */
  skippedInARow: 3,
  /** binary logarithm of the loss scale; 0: the loss is not scaled */
  lossExponent: 4,
  /** steps with a finite gradient since the loss scale last changed */
  goodSteps: 5,
} as const

export const STATE_LENGTH = 8
export const HALTED_LOSS = 1
export const HALTED_GRADIENT = 2
export const SKIPS_BEFORE_HALT = 10

/** Steps with a finite gradient after which the loss scale doubles. */
export const LOSS_SCALE_GROWTH = 2000
/** Binary logarithms of the first loss scale and the largest. */
export const FIRST_LOSS_EXPONENT = 16
export const LARGEST_LOSS_EXPONENT = 24

/** What a loss is multiplied by before its gradient is stored in float16: 2^lossExponent. */
export const lossScaleOf = (state: ArrayLike<number>): number => 2 ** state[stateWords.lossExponent]
