/**
 * Minibatch optimal transport (Pooladian et al. 2023; Tong et al. 2024): rows of data and as many rows of noise are paired so that
 * the sum of squared distances is least, in blocks of some hundred rows. The pairs of all rows are made on the host and stored
 * beside the pool as right ends. After some steps they are made anew, with other blocks and other noise, while the device goes
 * on with the ones before; what they are depends on the seed and on the number of the stretch alone.
 */

import * as z from 'zod'
import type { DeviceBuffer } from '../device/device.js'
import { assign } from '../learn/assignment.js'
import type { PoolValues } from '../learn/pool.js'
import { permutation, RandomStream, streams } from '../random/stream.js'
import { count } from '../schema/words.js'

export const assignmentSchema = z
  .strictObject({
    block: count('Rows that are paired with as many rows of noise at a time (coupling: optimal).').default(256),
    every: count(
      'Training steps between two renewals of the pairs of all rows, with other blocks and other noise.',
    ).default(500),
  })
  .prefault({})

/** Rows of a block, and steps between two renewals. */
export type PairSettings = Readonly<z.output<typeof assignmentSchema>>

/** The event loop turns after so many milliseconds of assigning. */
const SLICE_MS = 15

/**
 * Right ends of all rows, [n, D]: standard normal noise, in each block given to the rows that it is nearest to.
 * @param left [n, D], floats or pixels
 * @param stretch which of the renewals; others have other blocks and other noise
 */
export async function optimalPairs(
  left: PoolValues,
  D: number,
  { block, seed, stretch, signal }: { block: number; seed: number; stretch: number; signal?: AbortSignal },
): Promise<Float32Array> {
  const n = left.length / D
  // stretches draw from rows of their own of one stream
  const random = new RandomStream(seed, streams.pairs)
  const order = permutation(n, shuffleSeed(random, stretch))
  const right = new Float32Array(n * D)
  const noise = new Float32Array(block * D)
  let began = performance.now()
  for (let first = 0; first < n; first += block) {
    if (performance.now() - began > SLICE_MS) {
      await new Promise((resolve) => setTimeout(resolve))
      signal?.throwIfAborted()
      began = performance.now()
    }
    const rows = order.subarray(first, Math.min(n, first + block))
    random.row(1 + stretch * Math.ceil(n / block) + first / block)
    for (let i = 0; i < rows.length * D; i++) noise[i] = random.normal()
    const columns = assign(squaredDistances(left, rows, noise, D), rows.length)
    rows.forEach((row, i) => {
      right.set(noise.subarray(columns[i] * D, (columns[i] + 1) * D), row * D)
    })
  }
  return right
}

/** A seed for the blocks of a stretch, from the pairs' own stream. */
function shuffleSeed(random: RandomStream, stretch: number): number {
  random.row(0)
  return random.below(2 ** 31) + stretch
}

/** [m, m] between rows of the pool, in the scale of the model, and noise. */
function squaredDistances(left: PoolValues, rows: Uint32Array, noise: Float32Array, D: number): Float64Array {
  const m = rows.length
  const pixels = left instanceof Uint8Array
  const cost = new Float64Array(m * m)
  const row = new Float64Array(D)
  for (let i = 0; i < m; i++) {
    for (let d = 0; d < D; d++) {
      const value = left[rows[i] * D + d]
      row[d] = pixels ? (value - 127.5) / 127.5 : value
    }
    for (let j = 0; j < m; j++) {
      let sum = 0
      for (let d = 0, at = j * D; d < D; d++, at++) {
        const apart = row[d] - noise[at]
        sum += apart * apart
      }
      cost[i * m + j] = sum
    }
  }
  return cost
}

/** Keeps the pairs on the device those of the stretch that is trained on; makes the next ones meanwhile. */
export class PairRenewal {
  readonly every: number
  private readonly next = new Map<number, Promise<Float32Array>>()
  private readonly stop = new AbortController()

  constructor(
    private readonly left: PoolValues,
    private readonly dimension: number,
    private readonly right: DeviceBuffer,
    private readonly settings: PairSettings & { readonly seed: number; readonly steps: number },
  ) {
    this.every = settings.every
  }

  /** Writes the pairs of a stretch of steps, and begins to make those of the next. */
  async renew(stretch: number): Promise<void> {
    const pairs = await this.of(stretch)
    this.next.delete(stretch)
    this.right.write(pairs)
    if ((stretch + 1) * this.every < this.settings.steps) this.of(stretch + 1)
  }

  /** Ends what is being made. */
  close(): void {
    this.stop.abort()
  }

  private of(stretch: number): Promise<Float32Array> {
    const known = this.next.get(stretch)
    if (known) return known
    const { block, seed } = this.settings
    const made = optimalPairs(this.left, this.dimension, { block, seed, stretch, signal: this.stop.signal })
    made.catch(() => {}) // who awaits it reports its failure
    this.next.set(stretch, made)
    return made
  }
}
