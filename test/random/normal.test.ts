/** Shares and quantiles of the standard normal, against numbers that are known and against each other. */

import { expect, test } from 'vitest'
import { normalQuantile, normalShare } from '../../src/random/normal.js'

test('shares are those of the tables, in the tails too', () => {
  expect(normalShare(0)).toBe(0.5)
  // Φ(1), Φ(−1.96), Φ(−6), Φ(−20), by the C library's erfc
  for (const [z, share] of [
    [1, 0.8413447460685429],
    [-1.96, 0.0249978951482204],
    [-2.9, 0.00186581330038404],
    [-6, 9.86587645037698e-10],
    [-20, 2.75362411860623e-89],
  ]) {
    expect(Math.abs(normalShare(z) / share - 1)).toBeLessThan(1e-12)
    expect(normalShare(-z)).toBeCloseTo(1 - share, 14)
  }
  expect([normalShare(-Infinity), normalShare(Infinity), normalShare(NaN)]).toEqual([0, 1, NaN])
})

test('quantiles turn shares back, in each of the three fits', () => {
  for (const p of [1e-200, 1e-20, 1e-12, 1e-6, 0.01, 0.074, 0.076, 0.3, 0.5, 0.7, 0.99, 1 - 1e-9]) {
    expect(Math.abs(normalShare(normalQuantile(p)) / p - 1)).toBeLessThan(1e-11)
  }
  expect(normalQuantile(0.975)).toBeCloseTo(1.959963984540054, 14)
  expect([0, 1, -0.1, NaN].map(normalQuantile)).toEqual([-Infinity, Infinity, NaN, NaN])
})
