/** The examples on pictures: their configs resolve, and those of the paper have its settings and its numbers of parameters. */

import { existsSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { describe, expect, it, test } from 'vitest'
import { readComparison, readConfig, resolveConfig, resolveMethod } from '../../src/config/index.js'
import { plannedRow } from '../../src/data/row-shape.js'
import { checkTraining, networkFor } from '../../src/networks/registry.js'

const folder = fileURLToPath(new URL('../../examples/', import.meta.url))
const resolved = async (name: string) => resolveConfig(await readConfig(join(folder, name)), name)

describe('examples', () => {
  it.each(readdirSync(folder).filter((name) => name.endsWith('.yaml')))('%s resolves', async (name) => {
    const { data } = await resolved(name)
    // a picture lies beside its config; sets of pictures are fetched
    if (data.kind === 'image-density') expect(existsSync(join(folder, data.path))).toBe(true)
    else expect('path' in data && data.path).toMatch(/^\.\.\/data(\/|$)/)
  })
})

it.each(readdirSync(join(folder, 'compare')))(
  'compare/%s resolves: methods without a teacher have as many steps in all',
  async (name) => {
    const { methods, settings } = await readComparison([join(folder, 'compare', name)])
    const steps = methods
      .filter(({ distill }) => !distill)
      .map((method) => resolveMethod(method, settings.seeds[0]).train.steps.reduce((a, b) => a + b))
    // of digits as many operations: those of a push are left to the others as steps
    expect(Math.max(...steps) / Math.min(...steps)).toBeLessThanOrEqual(name === 'digits.yaml' ? 1.1 : 1)
  },
)

const geometric = [0.1, 0.15, 0.225, null]
test.each([
  ['cifar10', [3, 32, 32], 35_746_307, geometric, 256, 50_000, 0.1, 0.9999],
  ['imagenet32', [3, 32, 32], 49_062_787, geometric, 256, 200_000, 0, 0.9999],
  ['flowers128', [3, 128, 128], 21_424_323, [0.5, 0.75, 1.125, null], 40, 40_000, 0, 0.999],
] as const)('%s has the paper’s settings', async (name, shape, parameters, gammas, batch, steps, dropout, ema) => {
  const config = await resolved(`${name}.yaml`)
  expect(networkFor(config.model, shape).parameterCount).toBe(parameters)
  checkTraining(config.model, config.train, shape)
  expect(config.flow).toMatchObject({ gammas, interpolant: Array(4).fill('linear'), coupling: 'dependent' })
  expect(config.train).toMatchObject({ batch, steps: Array(4).fill(steps), ema, clip: 1, warmup: 5000 })
  expect(config.model).toMatchObject({ kind: 'unet', dropout, scaleShift: false, residualResampling: false })
  for (const solver of [config.ode.push, config.ode.sample]) {
    expect(solver).toMatchObject({ solver: 'dopri5', rtol: 1e-3, atol: 1e-3 })
  }
  expect('flips' in config.data && config.data.flips).toBe(name === 'cifar10')
})

test.each([
  ['power', 6, 200_966, [0.15, 0.195, 0.2535, null], 30_000, 100_000],
  ['gas', 8, 532_148, [0.05, null], 50_000, 100_000],
  ['miniboone', 43, 426_117, [0.35, null], 1000, 100_000],
  ['bsds300', 63, 853_567, [0.25, 0.25, 0.25, null], 1000, 30_000],
] as const)('paper-%s has the paper’s settings', async (name, width, parameters, gammas, batch, steps) => {
  const config = await resolved(`paper-${name}.yaml`)
  expect(plannedRow(config.data)).toEqual({ rowShape: [width], pixels: false })
  expect(networkFor(config.model, [width]).parameterCount).toBe(parameters)
  expect(config.flow).toMatchObject({ gammas, interpolant: gammas.map(() => 'trig') })
  expect(config.train).toMatchObject({ batch, steps: gammas.map(() => steps) })
})

test.each([
  ['digits', 16],
  ['digits-28', 28],
] as const)('%s can be trained, and is measured by the features that ship', async (name, side) => {
  const config = await resolved(`${name}.yaml`)
  expect(config.data).toMatchObject({ kind: 'idx', ...(side === 16 && { size: 16 }) })
  checkTraining(config.model, config.train, [1, side, side])
  const { rowFlops, parameterCount } = networkFor(config.model, [1, side, side])
  expect(parameterCount).toBeLessThan(2e6)
  // a push of the pool of 20 000 pictures by two midpoint steps
  if (name === 'digits') expect((4 * 20_000 * rowFlops) / 1e12).toBeLessThan(13)
})
