/**
 * The vector functions of native/simd/math.h against float64, over the ranges that they promise. Errors are counted in
 * units in the last place of the float32 result; the bounds here are the documentation of their accuracy.
 */

import { describe, expect, test } from 'vitest'
import { type Addon, loadAddon } from '../../src/device/native/binding.js'
import { erf } from '../../src/kernels/activations.js'

function addon(): Addon | null {
  try {
    return loadAddon()
  } catch (error) {
    if (process.env.LFM_REQUIRE_NATIVE === '1') throw error
    process.stderr.write(`\n*** SKIPPED: vector functions: ${(error as Error).message}\n`)
    return null
  }
}

/** The distance between float32 neighbours at `x`; the smallest normal number's below that. */
const ulp = (x: number): number => 2 ** (Math.floor(Math.log2(Math.max(Math.abs(x), 2 ** -126))) - 23)

const word = new DataView(new ArrayBuffer(4))
const bitsOf = (x: number): number => {
  word.setFloat32(0, x)
  return word.getUint32(0)
}
const floatOf = (bits: number): number => {
  word.setUint32(0, bits)
  return word.getFloat32(0)
}

/** Floats of [low, high] evenly spaced by value, and as many evenly spaced by bit pattern for each sign. */
function samples(low: number, high: number): Float32Array {
  const points: number[] = [low, high]
  const many = 20_000
  for (let i = 0; i < many; i++) points.push(low + ((high - low) * (i + 0.5)) / many)
  for (const [sign, most] of [
    [1, high],
    [-1, -low],
  ]) {
    if (most <= 0) continue
    const least = sign * (sign > 0 ? low : high) > 0 ? (sign > 0 ? low : -high) : 2 ** -126
    const [first, last] = [bitsOf(least), bitsOf(most)]
    for (let i = 0; i < many; i++) points.push(sign * floatOf(Math.floor(first + ((last - first) * i) / many)))
  }
  return Float32Array.from(points)
}

interface Row {
  readonly name: string
  readonly exact: (x: number) => number
  readonly range: readonly [number, number]
  readonly ulps: number
  /** where results cross zero: error in absolute terms below this magnitude */
  readonly absolute?: number
}

const table: readonly Row[] = [
  { name: 'exp', exact: Math.exp, range: [-87, 88.7], ulps: 1.5 },
  { name: 'expOfNegative', exact: Math.exp, range: [-87, 0], ulps: 1.5 },
  { name: 'expm1OfNegative', exact: Math.expm1, range: [-87, -1e-30], ulps: 2 },
  { name: 'log', exact: Math.log, range: [2 ** -126, 3e38], ulps: 1.5 },
  { name: 'log1pOfFraction', exact: Math.log1p, range: [2 ** -126, 1], ulps: 2 },
  { name: 'tanh', exact: Math.tanh, range: [-20, 20], ulps: 3 },
  { name: 'sigmoid', exact: (x) => 1 / (1 + Math.exp(-x)), range: [-80, 80], ulps: 3 },
  { name: 'softplus', exact: (x) => Math.max(x, 0) + Math.log1p(Math.exp(-Math.abs(x))), range: [-80, 80], ulps: 3 },
  { name: 'erf', exact: erf, range: [-6, 6], ulps: 2.5 },
  // near a zero of sin and cos the reduction's own error shows: 1.5 units of 2^-24 absolute
  { name: 'sin', exact: Math.sin, range: [-8192, 8192], ulps: 2, absolute: 2 ** -24 },
  { name: 'cos', exact: Math.cos, range: [-8192, 8192], ulps: 2, absolute: 2 ** -24 },
]

const native = addon()

describe.skipIf(native === null)('vector functions of the native engine', () => {
  test.each(table)('$name is within $ulps units in the last place', ({ name, exact, range, ulps, absolute = 0 }) => {
    const x = samples(range[0], range[1])
    const y = native!.testMath(name, x)
    let worst = 0
    let where = 0
    for (let i = 0; i < x.length; i++) {
      const want = exact(x[i])
      const error = Math.abs(y[i] - want)
      const units = error <= absolute ? 0 : error / ulp(want)
      if (!(units <= worst)) [worst, where] = [units, x[i]]
    }
    expect(worst, `at ${where}`).toBeLessThanOrEqual(ulps)
  })

  test('limits and values that are not numbers', () => {
    const at = (name: string, x: number): number => native!.testMath(name, Float32Array.of(x))[0]
    expect(at('exp', 89)).toBe(Number.POSITIVE_INFINITY)
    expect(at('exp', Number.POSITIVE_INFINITY)).toBe(Number.POSITIVE_INFINITY)
    expect(at('exp', -110)).toBe(0)
    expect(at('exp', Number.NEGATIVE_INFINITY)).toBe(0)
    expect(at('tanh', 50)).toBe(1)
    expect(at('tanh', -50)).toBe(-1)
    expect(at('erf', 30)).toBe(1)
    expect(at('softplus', 1000)).toBe(1000)
    for (const { name } of table) {
      if (name !== 'log') expect(at(name, Number.NaN), name).toBeNaN()
    }
  })

  test('an unknown function is an error', () => {
    expect(() => native!.testMath('gamma', Float32Array.of(1))).toThrow(/no vector function 'gamma'/)
  })

  test('Philox4x32-10 gives the published known answers', () => {
    const words = (counter: number[], key: number[]): string =>
      [...native!.testPhilox(Uint32Array.from(counter), Uint32Array.from(key))].map((w) => w.toString(16)).join(' ')
    const ones = 0xffffffff
    expect(words([0, 0, 0, 0], [0, 0])).toBe('6627e8d5 e169c58d bc57ac4c 9b00dbd8')
    expect(words([ones, ones, ones, ones], [ones, ones])).toBe('408f276d 41c83b0e a20bc7c6 6d5451fd')
    expect(words([0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344], [0xa4093822, 0x299f31d0])).toBe(
      'd16cfe09 94fdcceb 5001e420 24126ea1',
    )
  })
})
