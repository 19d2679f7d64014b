/** Float16 numbers as they lie in memory, and the float32 numbers that they are (IEEE 754 binary16). */

import { toHalf } from '../../kernels/convert.js'

/** The values of the 16-bit words, exactly. */
export const fromHalves = (words: Uint16Array): Float32Array =>
  Float32Array.from(words, (word) => {
    const sign = word & 0x8000 ? -1 : 1
    const exponent = (word >> 10) & 31
    const fraction = word & 1023
    if (exponent === 31) return fraction === 0 ? sign * Number.POSITIVE_INFINITY : Number.NaN
    // numbers with exponent 0 have no leading one
    return exponent === 0 ? sign * fraction * 2 ** -24 : sign * (1024 + fraction) * 2 ** (exponent - 25)
  })

/** The 16-bit words nearest to values, as `convert` rounds them. */
export const toHalves = (values: Float32Array): Uint16Array =>
  Uint16Array.from(values, (value) => {
    const rounded = toHalf(value)
    const sign = rounded < 0 || Object.is(rounded, -0) ? 0x8000 : 0
    const size = Math.abs(rounded)
    if (size === Number.POSITIVE_INFINITY) return sign | 0x7c00
    if (size < 2 ** -14) return sign | (size * 2 ** 24)
    const exponent = Math.floor(Math.log2(size))
    return sign | ((exponent + 15) << 10) | (size * 2 ** (10 - exponent) - 1024)
  })
