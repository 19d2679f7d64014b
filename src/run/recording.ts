/** What a training keeps beside its checkpoints: the loss of every step, and which rows it was trained on. */

import { createHash } from 'node:crypto'
import type { Tensor } from '../data/tensor.js'
import type { RecipeState } from '../recipes/recipe.js'

/** Losses of all steps, as they come. */
export class LossLog {
  readonly losses: Float32Array[]
  readonly counts: number[]

  constructor(steps: readonly number[], before: readonly Float32Array[] = []) {
    this.losses = steps.map((count) => new Float32Array(count))
    this.counts = steps.map((_, i) => before[i]?.length ?? 0)
    before.forEach((values, i) => {
      this.losses[i].set(values)
    })
  }

  add(subFlow: number, first: number, values: Float32Array): void {
    this.losses[subFlow - 1].set(values, first)
    this.counts[subFlow - 1] = first + values.length
  }

  /** Losses up to a state of the chain. */
  until({ fit: subFlow, training }: RecipeState): Float32Array[] {
    return this.losses.map((values, i) => {
      const count = i + 1 < subFlow ? this.counts[i] : i + 1 === subFlow ? (training?.step ?? 0) : 0
      return values.subarray(0, Math.min(count, this.counts[i]))
    })
  }
}

/** Bytes that a hash takes at a time: it refuses more than 2 GiB. */
const HASHED = 2 ** 30

export function rowsSha256({ values: { buffer, byteOffset, byteLength } }: Tensor): string {
  const hash = createHash('sha256')
  for (let at = 0; at < byteLength; at += HASHED) {
    hash.update(new Uint8Array(buffer, byteOffset + at, Math.min(HASHED, byteLength - at)))
  }
  return hash.digest('hex')
}
