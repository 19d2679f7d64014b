/**
 * Random draws as pure functions of counters, shared by every kernel that needs them. A draw is Philox4x32-10 (Salmon
 * et al., SC 2011) of the counter (index, step, block, stream·256 + purpose) under the key (seed low, seed high), so
 * any thread on any device finds the same integers without state. Floats follow from the integers by the formulas here;
 * engines evaluate them in float32 with the project's own polynomials.
 */

import { philox4x32 } from '../random/philox.js'

/** What a draw is for; keeps the uses of one (index, step) apart. */
export const purposes = {
  noise: 0,
  row: 1,
  time: 2,
  shuffleRows: 3,
  shuffleBatch: 4,
  probe: 5,
  latent: 6,
  weight: 7,
  dropout: 8,
  mirror: 9,
  leftNoise: 10,
} as const
export type Purpose = keyof typeof purposes

/** Seed and stream of a kernel that draws. `stream` is the number of the sub-flow, or another small whole number. */
export interface DrawAttributes {
  readonly seedLow: number
  readonly seedHigh: number
  readonly stream: number
}

/** Splits a whole number below 2^53 into the two words of a Philox key. */
export const seedWords = (seed: number): { seedLow: number; seedHigh: number } => ({
  seedLow: seed >>> 0,
  seedHigh: Math.floor(seed / 2 ** 32) >>> 0,
})

export type Words = readonly [number, number, number, number]

export const draw = (a: DrawAttributes, purpose: Purpose, index: number, step: number, block: number): Words =>
  philox4x32(
    [index >>> 0, step >>> 0, block >>> 0, (a.stream * 256 + purposes[purpose]) >>> 0],
    [a.seedLow, a.seedHigh],
  )

/** Uniform on (0, 1) with 24 bits: ((w >> 8) + ½)·2^−24. Times are drawn so. */
export const uniform = (word: number): number => ((word >>> 8) + 0.5) * 2 ** -24

/** Four standard normals from four words by Box–Muller: radius from (w >> 8) + 1 in (0, 1], angle from the next word. */
export function normals(words: Words): [number, number, number, number] {
  const pair = (a: number, b: number): [number, number] => {
    const radius = Math.sqrt(-2 * Math.log(((a >>> 8) + 1) * 2 ** -24))
    const angle = 2 * Math.PI * (b >>> 8) * 2 ** -24
    return [radius * Math.cos(angle), radius * Math.sin(angle)]
  }
  return [...pair(words[0], words[1]), ...pair(words[2], words[3])]
}

/** A whole number in [0, n) from a word: the high half of w·n. */
export const below = (word: number, n: number): number => Number((BigInt(word) * BigInt(n)) >> 32n)

/**
 * Position `x` of a pseudo-random permutation of [0, n): an eight-round Feistel network on 2h bits, h = ⌈log2(n)/2⌉
 * (at least 1), walked until it lands below n. Round r uses key word r: two Philox blocks.
 */
export function permute(x: number, n: number, keys: readonly number[]): number {
  let half = 1
  while (half < 16 && 2 ** (2 * half) < n) half++
  const mask = 2 ** half - 1
  let value = x
  do {
    let left = value >>> half
    let right = value & mask
    for (let round = 0; round < 8; round++) {
      let f = Math.imul((right ^ keys[round]) >>> 0, 0x9e3779b1) >>> 0
      f = (f ^ (f >>> 15)) >>> 0
      f = Math.imul(f, 0x85ebca77) >>> 0
      f = ((f ^ (f >>> 13)) & mask) >>> 0
      const next = (left ^ f) >>> 0
      left = right
      right = next
    }
    value = ((left << half) | right) >>> 0
  } while (value >= n)
  return value
}

/** The eight key words of a permutation: blocks 0 and 1 of the draw with index `epoch`. */
export const permutationKeys = (a: DrawAttributes, purpose: Purpose, epoch: number): number[] => [
  ...draw(a, purpose, epoch, 0, 0),
  ...draw(a, purpose, epoch, 0, 1),
]
