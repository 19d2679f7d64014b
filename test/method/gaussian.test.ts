/**
 * Gaussian truth: trained on a correlated N(μ, Σ), the model's NLL on fresh points is within 0.02 nats a dimension of
 * the entropy ½ log det(2πe Σ), and its excess loss is near zero.
 */

import { expect, test } from 'vitest'
import { gaussian } from '../../src/data/gaussian.js'
import { LocalFlow, type TrainArguments } from '../../src/run/local-flow.js'
import { describeOn } from '../devices.js'

/** A well-conditioned covariance with correlations everywhere, and a mean off the origin. */
function truth(D: number) {
  const mean = Array.from({ length: D }, (_, i) => 0.6 * Math.sin(2 * i + 1))
  const covariance = mean.map((_, i) =>
    mean.map((_, j) => (i === j ? 0.7 + 0.3 * Math.cos(i) : 0) + 0.25 * Math.exp(-Math.abs(i - j) / 2)),
  )
  return gaussian(mean, covariance)
}

const settings: Record<number, TrainArguments> = {
  2: {
    model: { hidden: [32, 32], activation: 'silu' },
    flow: { gammas: [0.2, null] },
    train: { batch: 256, steps: 800, lr: 5e-3, ema: 0.99 },
  },
  8: {
    model: { hidden: [64, 64], activation: 'silu' },
    flow: { gammas: [0.3, null] },
    train: { batch: 256, steps: 900, lr: 4e-3, ema: 0.99 },
  },
  32: {
    model: { hidden: [64], activation: 'silu' },
    flow: { gammas: [0.4, null], interpolant: ['linear', 'trig'] },
    train: { batch: 256, steps: 1000, lr: 8e-3, ema: 0.99 },
  },
}

await describeOn(['native', 'webgpu'], 'Gaussian truth', (_, kind) => {
  test.each([2, 8, 32])('%d dimensions: NLL within 0.02 nats a dimension of the entropy', async (D) => {
    const density = truth(D)
    const rows = (n: number, seed: number) => ({ values: density.sample(n, seed), shape: [n, D] })
    const flow = await LocalFlow.train(rows(20_000, 1), {
      ...settings[D],
      ode: { solver: 'rk4', steps: 6 },
      seed: 4,
      device: kind as 'native' | 'webgpu',
    })
    try {
      const test = rows(D === 32 ? 300 : 2000, 2)
      const logProb = await flow.logProb(test)
      const truthHere = density.logDensity(test.values)
      // over the same points, so that the points' own scatter falls out
      const kl = truthHere.reduce((sum, value, i) => sum + value - logProb[i], 0) / logProb.length
      expect(kl / D).toBeLessThan(0.02)
      expect(kl / D).toBeGreaterThan(-0.02)
    } finally {
      await flow.dispose()
    }
  })
})
