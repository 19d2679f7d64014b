/**
 * Random numbers of the host: shuffles, toy sets, points of a picture, directions of a metric. Every number is a pure function of
 * (seed, stream, row, position in the row), so row i of a sample is the same however many rows are drawn, and streams
 * with other numbers (train, validation, test …) never share a draw. Draws of training live on the device and use other
 * counters of the same generator.
 */

import { invalid } from '../errors.js'
import { philox4x32 } from './philox.js'

/** Which independent sequence of a seed is drawn from. */
export const streams = {
  sample: 0,
  train: 1,
  validation: 2,
  test: 3,
  entropy: 4,
  shuffle: 5,
  dequantise: 6,
  metric: 7,
  pairs: 8,
  encode: 9,
  decode: 10,
  told: 11,
} as const

/** The high half of the last counter word: keeps host draws apart from the device's, whose last words stay small. */
const hostDomain = 0xda7a0000

/** Throws InvalidArgumentError unless the seed is a whole number from 0 to 2^53 − 1. */
export function checkSeed(name: string, seed: number): void {
  if (!Number.isSafeInteger(seed) || seed < 0) throw invalid(name, 'a whole number from 0 to 2^53 - 1', seed)
}

/** One row's draws after another: `row(i)` goes to row i, then `uniform()`, `normal()` and `below()` read on in it. */
export class RandomStream {
  readonly #key: [number, number]
  readonly #last: number
  #row = 0
  #block = 0
  #words: readonly number[] = []
  #used = 0
  #spare: number | null = null

  /**
   * @param seed whole number from 0 to 2^53 − 1
   * @param stream whole number from 0 to 65535, see `streams`
   */
  constructor(seed: number, stream: number = streams.sample) {
    checkSeed('seed', seed)
    if (!Number.isInteger(stream) || stream < 0 || stream > 0xffff) {
      throw invalid('stream', 'a whole number from 0 to 65535', stream)
    }
    this.#key = [seed >>> 0, Math.floor(seed / 2 ** 32)]
    this.#last = (hostDomain + stream) >>> 0
  }

  /** Goes to the start of row i (0 ≤ i < 2^32). */
  row(i: number): this {
    this.#row = i
    this.#block = 0
    this.#words = []
    this.#used = 0
    this.#spare = null
    return this
  }

  #word(): number {
    if (this.#used === this.#words.length) {
      this.#words = philox4x32([this.#row >>> 0, 0, this.#block++, this.#last], this.#key)
      this.#used = 0
    }
    return this.#words[this.#used++]
  }

  /** Uniform on (0, 1): the middle of one of 2^32 equal cells. */
  uniform(): number {
    return (this.#word() + 0.5) * 2 ** -32
  }

  /** Uniform on (0, 1) with `bits` bits (1 to 32), so that a float32 can hold the result and small multiples exactly. */
  uniformBits(bits: number): number {
    return ((this.#word() >>> (32 - bits)) + 0.5) * 2 ** -bits
  }

  /** A whole number from 0 to n − 1 (n ≤ 2^32); the bias is below n·2^−32. */
  below(n: number): number {
    return Math.floor(this.uniform() * n)
  }

  /** Standard normal, by Box and Muller's transform. */
  normal(): number {
    if (this.#spare !== null) {
      const value = this.#spare
      this.#spare = null
      return value
    }
    const radius = Math.sqrt(-2 * Math.log(this.uniform()))
    const angle = 2 * Math.PI * this.uniform()
    this.#spare = radius * Math.sin(angle)
    return radius * Math.cos(angle)
  }
}

/** The numbers 0 … n − 1 in an order given by the seed (Fisher and Yates' shuffle). */
export function permutation(n: number, seed: number): Uint32Array {
  const random = new RandomStream(seed, streams.shuffle)
  const order = Uint32Array.from({ length: n }, (_, i) => i)
  for (let i = n - 1; i > 0; i--) {
    const j = random.row(i).below(i + 1)
    const kept = order[i]
    order[i] = order[j]
    order[j] = kept
  }
  return order
}
