/** Rates and decays from step to step: the table against figures worked out by hand, and that a fit goes by it. */

import { describe, expect, test } from 'vitest'
import type { Device } from '../../src/device/device.js'
import { stepTable } from '../../src/kernels/adam.js'
import { freshState, type TrainingState } from '../../src/learn/fit.js'
import { type OptimizerSettings, optimizerTable, type RateSchedule, rateAt } from '../../src/learn/optimizer.js'
import { mlpNetwork } from '../../src/networks/mlp/mlp.js'
import { describeOn } from '../devices.js'
import { optimizer, poolOf, subFlow, trainSubFlow } from '../training.js'

const [steps, warmup, lr, ema] = [20, 4, 0.8, 0.9]
const settings = (schedule: RateSchedule, over: Partial<OptimizerSettings> = {}): OptimizerSettings => ({
  ...optimizer,
  lr,
  warmup,
  ema,
  schedule,
  ...over,
})
const step = { kind: 'step', every: 5, factor: 0.5 } as const

/** [k, rate]: 0, the last of the warm-up, the first after it, one between, the last. */
const rates: [RateSchedule, [number, number][]][] = [
  [
    { kind: 'constant' },
    [
      [0, 0.2],
      [3, 0.8],
      [4, 0.8],
      [12, 0.8],
      [19, 0.8],
    ],
  ],
  // (1 + cos(π·15/16))/2 of 0.8 at the last: it would be 0 one step later
  [
    { kind: 'cosine' },
    [
      [0, 0.2],
      [3, 0.8],
      [4, 0.8],
      [12, 0.4],
      [19, 0.4 * (1 - 0.980785280403)],
    ],
  ],
  [
    step,
    [
      [0, 0.2],
      [3, 0.8],
      [4, 0.8],
      [8, 0.8],
      [9, 0.4],
      [13, 0.4],
      [14, 0.2],
      [19, 0.1],
    ],
  ],
]

describe('the table of the optimizer', () => {
  test.each(rates)('rates of %o', (schedule, wanted) => {
    const table = optimizerTable(steps, settings(schedule))
    for (const [k, rate] of wanted) {
      expect(rateAt(k, steps, settings(schedule)), `step ${k}`).toBeCloseTo(rate, 10)
      expect(table[k * stepTable.columns + stepTable.rate], `step ${k}`).toBeCloseTo(rate, 6)
    }
  })

  test('without a warm-up the first rate is the whole one', () => {
    for (const kind of ['constant', 'cosine'] as const)
      expect(rateAt(0, steps, settings({ kind }, { warmup: 0 }))).toBe(lr)
    // one step alone, or none after the warm-up, divides by nothing
    expect(rateAt(4, 4, settings({ kind: 'cosine' }))).toBe(lr)
  })

  test('the average follows the parameters through the warm-up and decays from its end on', () => {
    const table = optimizerTable(steps, settings({ kind: 'cosine' }))
    const decays = Array.from({ length: steps }, (_, k) => table[k * stepTable.columns + stepTable.averageDecay])
    expect(decays).toEqual([0, 0, 0, 0, ...new Array(16).fill(Math.fround(0.9))])
  })

  test('bias corrections are 1/(1 − βᵏ⁺¹)', () => {
    const table = optimizerTable(steps, settings({ kind: 'cosine' }, { betas: [0.5, 0.75] }))
    const row = (k: number) => [...table.subarray(k * stepTable.columns).subarray(1, 3)]
    expect(row(0)).toEqual([2, 4])
    expect(row(1)).toEqual([expect.closeTo(4 / 3, 6), expect.closeTo(16 / 7, 6)])
  })
})

const field = mlpNetwork({
  kind: 'mlp',
  dimension: 2,
  condition: 0,
  hidden: [8],
  activation: 'silu',
  beta: 1,
  time: 'first',
  frequencies: [],
})

/** The states of a short fit, from its start on, one after every step. */
async function states(device: Device, steps: number, rule: OptimizerSettings): Promise<TrainingState[]> {
  const rows = 64
  const values = Float32Array.from({ length: 2 * rows }, (_, i) => Math.sin(0.37 * i * i))
  const pool = device.createBuffer(values.length)
  pool.write(values)
  const found = [freshState(field.initialise(5, 1), rule)]
  const asked = subFlow({ steps, batch: 16, optimizer: rule })
  const end = await trainSubFlow(device, field, poolOf(pool, rows), found[0], asked, {
    checkpointEvery: 1,
    onCheckpoint: async (state) => {
      found.push(state)
    },
  })
  pool.dispose()
  return [...found, end.state]
}

await describeOn(['reference', 'native'], 'a fit', (device) => {
  test.each([{ kind: 'constant' }, { kind: 'cosine' }, step] as const)('goes by its table: %o', async (schedule) => {
    // with betas of zero a step of Adam is the rate in the direction of the gradient's sign
    const rule = settings(schedule, { lr: 0.01, betas: [0, 0], eps: 1e-20, clip: 0 })
    const found = await states(device(), steps, rule)
    expect(found.map((state) => state.step)).toEqual(Array.from({ length: steps + 1 }, (_, k) => k))
    for (let k = 0; k < steps; k++) {
      const [before, after] = [found[k], found[k + 1]]
      const moved = after.parameters.map((p, i) => Math.abs(p - before.parameters[i]))
      expect(Math.max(...moved), `step ${k}`).toBeCloseTo(rateAt(k, steps, rule), 6)
      const decay = k < warmup ? 0 : ema
      after.average!.forEach((mean, i) => {
        expect(mean, `step ${k}`).toBeCloseTo(decay * before.average![i] + (1 - decay) * after.parameters[i], 6)
      })
    }
    const { average, parameters } = found[steps]
    expect(Math.max(...average!.map((mean, i) => Math.abs(mean - parameters[i])))).toBeGreaterThan(1e-3)
  })

  test('without a warm-up averages from its starting parameters on', async () => {
    const rule = settings({ kind: 'constant' }, { lr: 0.01, warmup: 0 })
    const [start, first] = await states(device(), 1, rule)
    first.average!.forEach((mean, i) => {
      expect(mean).toBeCloseTo(0.9 * start.parameters[i] + 0.1 * first.parameters[i], 6)
    })
  })

  test.each(['adam', 'adamw'] as const)('steps by the rule of %s, with both betas and the decay', async (name) => {
    const [beta1, beta2, weightDecay, rate] = [0.5, 0.8, 0.3, 0.02]
    const found = await states(
      device(),
      4,
      settings(
        { kind: 'constant' },
        { optimizer: name, lr: rate, betas: [beta1, beta2], weightDecay, warmup: 0, clip: 0 },
      ),
    )
    for (let k = 0; k < 4; k++) {
      const [before, after] = [found[k], found[k + 1]]
      const [c1, c2] = [1 / (1 - beta1 ** (k + 1)), 1 / (1 - beta2 ** (k + 1))]
      after.m.forEach((m, i) => {
        // the gradient, with Adam's decay in it
        const g = (m - beta1 * before.m[i]) / (1 - beta1)
        expect(after.v[i]).toBeCloseTo(beta2 * before.v[i] + (1 - beta2) * g * g, 6)
        const p = before.parameters[i]
        const shrunk = name === 'adamw' ? p - rate * weightDecay * p : p
        const next = shrunk - (rate * m * c1) / (Math.sqrt(after.v[i] * c2) + 1e-8)
        expect(after.parameters[i]).toBeCloseTo(next, 5)
      })
    }
  })
})
