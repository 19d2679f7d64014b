/** Precision and recall, nearest rows, bits of 8-bit pictures, and the digit classifier that ships. */

import { statSync } from 'node:fs'
import { expect, test } from 'vitest'
import { InvalidArgumentError } from '../../src/errors.js'
import { bitsPerDimension, dequantise } from '../../src/metrics/bits.js'
import { openDigitFeatures } from '../../src/metrics/digit-classifier.js'
import { quantise } from '../../src/metrics/features.js'
import { nearestRows, precisionRecall } from '../../src/metrics/neighbours.js'

test('precision and recall of points on a line', async () => {
  // balls about the data reach to their second neighbours: 2 beyond either end
  const data = Float32Array.of(0, 1, 2, 3, 4)
  expect(await precisionRecall(data, data, 1, 2)).toEqual({ precision: 1, recall: 1 })
  const samples = Float32Array.of(0.5, 1.5, 2.5, 100, 101, 102)
  // radii of the samples: 2, 1, 2, 2, 1, 2, so that the first three reach from −1.5 to 4.5
  expect(await precisionRecall(data, samples, 1, 2)).toEqual({ precision: 0.5, recall: 1 })
  // one mode of two: everything good, half of it missing
  const two = Float32Array.of(0, 0.1, 0.2, 0.3, 10, 10.1, 10.2, 10.3)
  expect(await precisionRecall(two, Float32Array.of(0, 0.1, 0.2, 0.3), 1, 2)).toEqual({ precision: 1, recall: 0.5 })
  await expect(precisionRecall(data, Float32Array.of(1, 2), 1, 2)).rejects.toThrow('need more than 2 rows')
})

test('nearest rows, nearest first', () => {
  const rows = Float32Array.of(0, 0, 5, 5, 1, 0, 0, 2)
  expect(nearestRows(Float32Array.of(0, 0.1, 5, 4), rows, 2, 3)).toEqual([
    [0, 2, 3],
    [1, 3, 2],
  ])
})

test('a density that is uniform on all 256 cells takes 8 bits, and dequantised bytes stay in their cells', () => {
  const D = 12
  expect(bitsPerDimension(D * Math.log(256 / 127.5), D, true)).toBeCloseTo(8, 12)
  expect(bitsPerDimension(D * Math.LN2, D, false)).toBeCloseTo(1, 12)
  const bytes = Uint8Array.from({ length: 3 * D }, (_, i) => (i * 97) % 256)
  const { values } = dequantise({ values: bytes, shape: [3, 1, 3, 4] }, 5)
  const cells = values.map((value) => 127.5 * value + 127.5)
  cells.forEach((cell, i) => {
    expect(Math.abs(cell - bytes[i])).toBeLessThanOrEqual(0.5001)
  })
  const mean = cells.reduce((sum, cell, i) => sum + cell - bytes[i], 0) / cells.length
  expect(Math.abs(mean)).toBeLessThan(0.2)
  const two = dequantise({ values: bytes.subarray(0, 2 * D), shape: [2, 1, 3, 4] }, 5)
  expect([...two.values]).toEqual([...values.subarray(0, 2 * D)])
  // and they come back as the same bytes
  expect([...quantise({ values, shape: [3, 1, 3, 4] }).values]).toEqual([...bytes])
})

test('values beyond [−1, 1] are cut off', () => {
  expect([...quantise({ values: Float32Array.of(-7, -1, 0.003, 1, 1.5), shape: [5, 1] }).values]).toEqual([
    0, 0, 128, 255, 255,
  ])
})

test('the digit classifier ships in less than a megabyte, and tells pictures apart', async () => {
  expect(statSync(new URL('../../assets/digit-classifier.safetensors', import.meta.url)).size).toBeLessThan(1e6)
  const features = await openDigitFeatures()
  // a bar and a ring, at two sizes
  const draw = (side: number, ink: (x: number, y: number) => boolean): number[] =>
    Array.from({ length: side * side }, (_, i) =>
      ink((i % side) / side - 0.5, Math.floor(i / side) / side - 0.5) ? 255 : 0,
    )
  const bar = (x: number, y: number): boolean => Math.abs(x) < 0.06 && Math.abs(y) < 0.35
  const ring = (x: number, y: number): boolean => Math.abs(Math.hypot(x, y) - 0.28) < 0.06
  const extract = async (side: number) => {
    const values = Uint8Array.from([...draw(side, bar), ...draw(side, ring)])
    const { values: found, dimension } = await features.extract({ values, shape: [2, 1, side, side] })
    expect(found.length).toBe(2 * dimension)
    return [found.subarray(0, dimension), found.subarray(dimension)]
  }
  const distance = (a: Float32Array, b: Float32Array): number => Math.hypot(...a.map((value, i) => value - b[i]))
  const [[bar16, ring16], [bar32, ring32]] = [await extract(16), await extract(32)]
  expect(distance(bar16, bar32)).toBeLessThan(0.5 * distance(bar16, ring16))
  expect(distance(ring16, ring32)).toBeLessThan(0.5 * distance(bar16, ring16))
  for (const shape of [
    [1, 3, 16, 16],
    [1, 1, 12, 12],
    [1, 1, 16, 20],
  ]) {
    const values = new Uint8Array(shape.reduce((a, b) => a * b))
    await expect(features.extract({ values, shape })).rejects.toThrow(InvalidArgumentError)
  }
})
