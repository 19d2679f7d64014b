/** Closed forms of interpolants and couplings, against the figures of the paper's analysis and against sampling. */

import { expect, test } from 'vitest'
import { cleanLeft, drawBatch } from '../../src/kernels/draw_batch.js'
import { leastLoss, ouStep, pairingOf, type SubFlowKind, targetSpread } from '../../src/learn/interpolant.js'
import { betaQuantiles } from '../../src/learn/quantiles.js'

const kind = (
  gamma: number | null,
  interpolant: 'linear' | 'trig',
  coupling: SubFlowKind['coupling'] = 'dependent',
) => ({
  gamma,
  interpolant,
  coupling,
})

test('an OU step keeps the unit variance, and loses little at a small γ', () => {
  for (const gamma of [0.001, 0.025, 0.5, 3]) {
    const { decay, spread } = ouStep(gamma)
    expect(decay ** 2 + spread ** 2).toBeCloseTo(1, 14)
  }
  expect(ouStep(1e-12).spread).toBeCloseTo(Math.sqrt(2e-12), 17)
})

test.each([
  [0.025, 0.049, 0.077],
  [0.1, 0.187, 0.294],
  [0.35, 0.56, 0.879],
])('the least loss at S = 1, γ = %d is %d (linear) and %d (trig)', (gamma, linear, trig) => {
  expect(leastLoss(kind(gamma, 'linear'), [1])).toBeCloseTo(linear, 3)
  expect(leastLoss(kind(gamma, 'trig'), [1])).toBeCloseTo(trig, 3)
})

test('with independent ends the least loss at S = 1 does not depend on γ: π/2 and π²/4', () => {
  for (const gamma of [0.05, 0.4, null]) {
    expect(leastLoss(kind(gamma, 'linear', 'independent'), [1])).toBeCloseTo(Math.PI / 2, 4)
    expect(leastLoss(kind(gamma, 'trig', 'shuffled'), [1])).toBeCloseTo(Math.PI ** 2 / 4, 4)
  }
})

test('a target’s spread with a linear, dependent step is √((1 − a)² S + b²)', () => {
  const { decay, spread } = ouStep(0.3)
  expect(targetSpread(kind(0.3, 'linear'), 2.5)).toBeCloseTo(Math.sqrt((1 - decay) ** 2 * 2.5 + spread ** 2), 12)
})

test.each([
  [kind(0.3, 'linear'), 2.5],
  [kind(0.3, 'trig', 'independent'), 0.5],
  [kind(0.8, 'trig', 'shuffled'), 2],
  [kind(null, 'linear'), 2],
] as const)('the spread agrees with drawn batches: %o', (subFlow, variance) => {
  const n = 40_000
  const tensor = (shape: number[]) => ({ data: new Float64Array(shape.reduce((a, b) => a * b)), shape })
  const pool = tensor([n, 1])
  for (let i = 0; i < n; i++) pool.data[i] = Math.sqrt(variance) * (i % 2 === 0 ? 1 : -1)
  const target = tensor([n, 1])
  drawBatch.reference(
    { pool, state: { data: new Uint32Array(8), shape: [8] }, x: tensor([n, 1]), t: tensor([n]), target },
    {
      seedLow: 5,
      seedHigh: 0,
      stream: 1,
      ...ouStep(subFlow.gamma),
      ...cleanLeft,
      pairing: pairingOf(subFlow),
      path: subFlow.interpolant,
      sampling: 'epochs',
      timesPerPair: 1,
      values: 'floats',
      mirror: 0,
    },
  )
  const squares = target.data.reduce((sum, v) => sum + v * v, 0) / n
  expect(Math.sqrt(squares)).toBeCloseTo(targetSpread(subFlow, variance), 1)
})

test('Beta quantiles: Beta(1, ½) in closed form, uniform for Beta(1, 1), symmetric Beta(½, ½)', () => {
  const half = betaQuantiles(1, 0.5)
  const uniform = betaQuantiles(1, 1)
  const arcsine = betaQuantiles(0.5, 0.5)
  for (let k = 0; k <= 4096; k += 64) {
    const u = k / 4096
    expect(half[k]).toBeCloseTo(1 - (1 - u) ** 2, 5)
    expect(uniform[k]).toBeCloseTo(u, 5)
    expect(arcsine[k]).toBeCloseTo(Math.sin((Math.PI * u) / 2) ** 2, 5)
  }
})
