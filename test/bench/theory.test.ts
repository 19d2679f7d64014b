/** The quadrature behind docs/theory.md against closed forms, and a trained chain against what it must be. */

import { describe, expect, test } from 'vitest'
import {
  affineChain,
  bestVelocity,
  density,
  exponent,
  fromNormal,
  grid,
  noised,
  normalChi2,
} from '../../bench/theory/one-dimension.js'
import { trainedChain } from '../../bench/theory/trained.js'

const data = { weights: [1], means: [1], variances: [0.25] }
const twoPeaks = { weights: [0.5, 0.5], means: [-1, 1], variances: [0.1, 0.1] }
const normal = { mean: 1, variance: 0.25 }

describe('in one dimension', () => {
  test('χ² and KL by quadrature are those of the closed forms', () => {
    const { chi2, kl } = fromNormal(data)
    expect(chi2).toBeCloseTo(1.677190324, 8)
    expect(chi2).toBeCloseTo(normalChi2(normal, { mean: 0, variance: 1 }), 8)
    expect(kl).toBeCloseTo(0.5 * (0.25 + 1 - 1 - Math.log(0.25)), 8)
  })

  test.each([data, twoPeaks])('both fall at least as exp(−2Γ) along the process', (set) => {
    const start = fromNormal(set)
    for (const gamma of [0.1, 0.5, 1]) {
      const { chi2, kl } = fromNormal(noised(set, gamma))
      expect(chi2).toBeLessThan(start.chi2 * Math.exp(-2 * gamma))
      expect(kl).toBeLessThan(start.kl * Math.exp(-2 * gamma))
    }
  })

  test('the best velocity of a normal law is linear, with the slope of the closed form', () => {
    const { points, width } = grid(-2, 4, 600)
    const cloud = { points, mass: points.map((x) => density(data, x) * width) }
    const noising = { left: 0.8, right: 0.5, leftRate: -0.3, rightRate: 0.9 }
    const spread = 0.8 ** 2 * 0.25 + 0.5 ** 2
    const slope = (0.8 * -0.3 * 0.25 + 0.5 * 0.9) / spread
    for (const x of [-0.5, 0.8, 2]) {
      expect(bestVelocity(cloud, noising, x)).toBeCloseTo(-0.3 + slope * (x - 0.8), 6)
    }
  })

  test('with the exact velocity, what a chain makes is as far from the data as its end from noise', () => {
    const gammas = [0.2, 0.3]
    const { made, excess } = affineChain(normal, gammas, 0)
    expect(excess).toBe(0)
    expect(normalChi2(normal, made)).toBeCloseTo(fromNormal(noised(data, 0.5)).chi2, 8)
    const free = affineChain(normal, [0.2, null], 0).made
    expect(free.mean).toBeCloseTo(1, 7)
    expect(free.variance).toBeCloseTo(0.25, 7)
  })

  test('χ² grows with the loss above the least one, not with its root', () => {
    const points = [0.0003, 0.001, 0.003].map((delta) => {
      const { made, excess } = affineChain(normal, [0.2, null], delta)
      return { x: excess, y: normalChi2(normal, made) }
    })
    expect(exponent(points)).toBeCloseTo(1, 1)
  })

  test('an invertible chain keeps χ²: of the data from what is made, and of X_N from noise', async () => {
    const { along, made, excess } = await trainedChain(twoPeaks, [0.2, 0.4], { steps: 150, seed: 1 })
    expect(made.chi2 / along[2].chi2).toBeCloseTo(1, 2)
    expect(made.kl / along[2].kl).toBeCloseTo(1, 2)
    expect(along[2].chi2).toBeLessThan(along[1].chi2)
    expect(Math.max(...excess)).toBeLessThan(0.1)
  })
})
