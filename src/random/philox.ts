/**
 * Philox4x32-10, the counter-based generator of Salmon, Moraes, Dror and Shaw, "Parallel random numbers: as easy as
 * 1, 2, 3" (SC'11). A pure function from a counter (four 32-bit words) and a key (two) to four random words: any draw can
 * be made by anyone who knows its number, so host, shaders and native kernels agree without sharing state.
 *
 * One round multiplies words 0 and 2 by constants and mixes the high halves with the odd words and the key; the key
 * moves by the Weyl constants after each of ten rounds. Not a cryptographic generator.
 */

export type Counter = readonly [number, number, number, number]
export type Key = readonly [number, number]

const multiplier0 = 0xd2511f53
const multiplier1 = 0xcd9e8d57
const weyl0 = 0x9e3779b9
const weyl1 = 0xbb67ae85
const rounds = 10

/** The high 32 bits of the 64-bit product of two unsigned 32-bit integers (`Math.imul` gives the low ones). */
export function mulHigh(a: number, b: number): number {
  const aLow = a & 0xffff
  const aHigh = a >>> 16
  const bLow = b & 0xffff
  const bHigh = b >>> 16
  const middle = aHigh * bLow + ((aLow * bLow) >>> 16)
  const carry = (middle % 0x10000) + aLow * bHigh
  return (aHigh * bHigh + Math.floor(middle / 0x10000) + Math.floor(carry / 0x10000)) >>> 0
}

/**
 * Four random unsigned 32-bit words for a counter and a key.
 *
 * @param counter four unsigned 32-bit words: the number of the draw
 * @param key two unsigned 32-bit words: the seed and the stream
 */
export function philox4x32(counter: Counter, key: Key): [number, number, number, number] {
  let [c0, c1, c2, c3] = counter
  let [k0, k1] = key
  for (let round = 0; round < rounds; round++) {
    const high0 = mulHigh(multiplier0, c0)
    const low0 = Math.imul(multiplier0, c0)
    const high1 = mulHigh(multiplier1, c2)
    const low1 = Math.imul(multiplier1, c2)
    c0 = (high1 ^ c1 ^ k0) >>> 0
    c1 = low1 >>> 0
    c2 = (high0 ^ c3 ^ k1) >>> 0
    c3 = low0 >>> 0
    k0 = (k0 + weyl0) >>> 0
    k1 = (k1 + weyl1) >>> 0
  }
  return [c0, c1, c2, c3]
}
