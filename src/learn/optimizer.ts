/** Settings of the optimizer, and the step table that the kernels adam and adam_mixed read. */

import { stepTable } from '../kernels/adam.js'

export type RateSchedule =
  | { readonly kind: 'constant' }
  | { readonly kind: 'cosine' }
  | { readonly kind: 'step'; readonly every: number; readonly factor: number }

export interface OptimizerSettings {
  readonly optimizer: 'adam' | 'adamw'
  readonly lr: number
  readonly betas: readonly [number, number]
  readonly eps: number
  readonly weightDecay: number
  /** decay of the parameters' moving average; 0: none is kept */
  readonly ema: number
  /** largest global gradient norm; 0: no clipping */
  readonly clip: number
  readonly schedule: RateSchedule
  /** steps of linear warm-up */
  readonly warmup: number
}

/** The learning rate of step k = 0, 1, …: linear warm-up, then constant, falling by a cosine to 0, or by a factor every so many steps. */
export function rateAt(k: number, steps: number, { lr, schedule, warmup }: OptimizerSettings): number {
  if (k < warmup) return (lr * (k + 1)) / warmup
  switch (schedule.kind) {
    case 'constant':
      return lr
    case 'cosine':
      return (lr * (1 + Math.cos((Math.PI * (k - warmup)) / Math.max(1, steps - warmup)))) / 2
    case 'step':
      return lr * schedule.factor ** Math.floor((k - warmup) / schedule.every)
  }
}

/** Rows of adam's table for all steps of a fit; the average follows the parameters until the warm-up ends. */
export function optimizerTable(steps: number, optimizer: OptimizerSettings): Float32Array {
  const table = new Float32Array(steps * stepTable.columns)
  const [beta1, beta2] = optimizer.betas
  for (let k = 0; k < steps; k++) {
    const row = k * stepTable.columns
    table[row + stepTable.rate] = rateAt(k, steps, optimizer)
    table[row + stepTable.correction1] = 1 / (1 - beta1 ** (k + 1))
    table[row + stepTable.correction2] = 1 / (1 - beta2 ** (k + 1))
    table[row + stepTable.averageDecay] = k < optimizer.warmup ? 0 : optimizer.ema
  }
  return table
}
