/** What a training keeps beside its checkpoints: the loss of every step, and which rows it was trained on. */

import { createHash } from 'node:crypto'
import type { Tensor } from '../data/tensor.js'
import type { RecipeState } from '../recipes/recipe.js'
import type { ValidationHistory } from './report.js'

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

/** Validation losses of all sub-flows, as they come. */
export class ValidationLog {
  private readonly of: { steps: number[]; losses: number[] }[]

  constructor(fits: number, before: ValidationHistory = []) {
    this.of = Array.from({ length: fits }, (_, i) => ({
      steps: [...(before[i]?.steps ?? [])],
      losses: [...(before[i]?.losses ?? [])],
    }))
  }

  add(subFlow: number, step: number, loss: number): void {
    this.of[subFlow - 1].steps.push(step)
    this.of[subFlow - 1].losses.push(loss)
  }

  /** All of them. */
  get all(): ValidationHistory {
    return this.of
  }

  /** Those up to a state of the chain. */
  until({ fit, training }: RecipeState): ValidationHistory {
    return this.of.map(({ steps, losses }, i) => {
      const last = i + 1 < fit ? Infinity : i + 1 === fit ? (training?.step ?? 0) : -1
      const count = steps.filter((step) => step <= last).length
      return { steps: steps.slice(0, count), losses: losses.slice(0, count) }
    })
  }
}

/** Bytes that a hash takes at a time: it refuses more than 2 GiB. */
const HASHED = 2 ** 30

/** The hash of rows, and of the conditions that a model is told of them. */
export function rowsSha256({ values }: Tensor, conditions: ArrayBufferView | null = null): string {
  const hash = createHash('sha256')
  for (const { buffer, byteOffset, byteLength } of conditions ? [values, conditions] : [values]) {
    for (let at = 0; at < byteLength; at += HASHED) {
      hash.update(new Uint8Array(buffer, byteOffset + at, Math.min(HASHED, byteLength - at)))
    }
  }
  return hash.digest('hex')
}
