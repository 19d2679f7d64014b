/** The laws of training times: quantiles against closed forms, and what a config says of them. */

import { expect, test } from 'vitest'
import { resolveOptions } from '../../src/config/index.js'
import { betaQuantiles, type TimeLaw, timeQuantiles } from '../../src/learn/times.js'
import { recipeSettings } from '../../src/recipes/settings.js'

const knots = Array.from({ length: 65 }, (_, i) => 64 * i)

test('Beta: Beta(1, ½) in closed form, uniform for Beta(1, 1), symmetric Beta(½, ½)', () => {
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

test('logit-normal: the quartiles and tails of the normal, symmetric about its median, 0 and 1 at the ends', () => {
  const table = timeQuantiles({ logitNormal: [0.4, 1.5] })!
  const normal = (t: number): number => (Math.log(t / (1 - t)) - 0.4) / 1.5
  // Φ⁻¹ at 3/4 and at 1/4096, from tables
  expect(normal(table[3072])).toBeCloseTo(0.6744898, 4)
  expect(normal(table[1])).toBeCloseTo(-3.4871, 2)
  expect(table[2048]).toBeCloseTo(1 / (1 + Math.exp(-0.4)), 6)
  for (const k of knots.slice(1, -1)) expect(normal(table[k])).toBeCloseTo(-normal(table[4096 - k]), 3)
  expect([table[0], table[4096]]).toEqual([0, 1])
})

test('U-shaped: the differences of the quantiles are one over the density cosh(a(t − ½))', () => {
  const a = 4
  const table = timeQuantiles({ uShaped: [a] })!
  const mass = (2 * Math.sinh(a / 2)) / a
  for (const k of knots.slice(1, -1)) {
    const density = Math.cosh(a * (table[k] - 0.5)) / mass
    expect((4096 / 2) * (table[k + 1] - table[k - 1]) * density).toBeCloseTo(1, 2)
  }
  expect([table[0], table[2048], table[4096]]).toEqual([0, 0.5, 1])
})

test('cosine: with p = 2 the distribution is t + sin(πt)/π, with p = 1 the sine of a quarter turn', () => {
  const [square, plain] = [2, 1].map((p) => timeQuantiles({ cosine: [p] })!)
  for (const k of knots) {
    const t = square[k]
    expect(t + Math.sin(Math.PI * t) / Math.PI).toBeCloseTo(k / 4096, 5)
    expect(Math.sin((Math.PI * plain[k]) / 2)).toBeCloseTo(k / 4096, 5)
  }
})

test('every law is monotone and ends at 0 and 1, and a config reaches it', () => {
  for (const time of [{ beta: [0.5, 1] }, { logitNormal: [-1, 0.5] }, { uShaped: [4] }, { cosine: [2] }] as const) {
    const settings = recipeSettings(resolveOptions({ flow: { recipe: 'reflow', time, reflow: { time } } }))
    expect(settings.quantiles).toEqual([timeQuantiles(time as TimeLaw), timeQuantiles(time as TimeLaw)])
    expect(settings.own).toMatchObject({ time })
    const table = settings.quantiles[0]!
    expect([table[0], table[4096]]).toEqual([0, 1])
    for (let k = 1; k < table.length; k++) expect(table[k]).toBeGreaterThanOrEqual(table[k - 1])
  }
  expect(timeQuantiles('uniform')).toBeNull()
})

test('a law that there is not, and numbers that it cannot take, are told with the forms that there are', () => {
  const time = (value: unknown) => () => resolveOptions({ flow: { time: value } })
  expect(time('u-shaped')).toThrow(
    'flow.time must be uniform, { beta: [α, β] }, { logitNormal: [mean, standard deviation] }, { uShaped: [a] } or { cosine: [p] }',
  )
  expect(time({ beta: [1] })).toThrow('flow.time')
  expect(time({ logitNormal: [0, -1] })).toThrow('a number above 0')
})
