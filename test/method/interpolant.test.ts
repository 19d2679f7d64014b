/** Closed forms of paths and couplings, against the figures of the paper's analysis and against sampling. */

import { expect, test } from 'vitest'
import { type DrawBatchAttributes, drawBatch, PATH_COLUMNS } from '../../src/kernels/draw_batch.js'
import { leastLoss, type SubFlowKind, targetSpread } from '../../src/learn/closed-forms.js'
import { ouStep } from '../../src/learn/noise.js'
import { noisingOf } from '../../src/learn/paths/path.js'
import { type PathName, pathNames, paths } from '../../src/learn/paths/registry.js'
import type { Task } from '../../src/learn/task.js'
import { ProgramBuilder } from '../../src/program/program.js'
import { poolOf, subFlow, taskOf } from '../training.js'

const kind = (gamma: number | null, path: PathName, coupling: SubFlowKind['coupling'] = 'dependent') => ({
  gamma,
  path,
  coupling,
})

/** n batch rows of one value as a task draws them, by the kernel's reference. */
function drawn(task: Task, pool: Float64Array): { x: Float64Array; target: Float64Array; t: Float64Array } {
  const n = pool.length
  const builder = new ProgramBuilder()
  const f32 = (length: number) => ({ dtype: 'f32', length }) as const
  task.addStep(builder, {
    network: { dimension: 1, condition: 0 } as never,
    pool: poolOf(f32(n), n),
    tables: Object.fromEntries(
      Object.entries(task.tables).map(([name, { length }]) => [name, builder.tensor(f32(length))]),
    ),
    batch: n,
    seed: 5,
    stream: 1,
    state: builder.tensor({ dtype: 'u32', length: 8 }),
    inputs: 'f32',
    differentiate: () => {},
    evaluate: () => {},
    regress: () => {},
  })
  const tensor = (data: Float64Array | Float32Array | Uint32Array, shape = [n, 1]) => ({ data, shape })
  const [x, target, t] = [new Float64Array(n), new Float64Array(n), new Float64Array(n)]
  const { path } = task.tables
  drawBatch.reference(
    {
      pool: tensor(pool),
      state: tensor(new Uint32Array(8), [8]),
      ...(path && { path_table: tensor(path, [path.length / PATH_COLUMNS, PATH_COLUMNS]) }),
      x: tensor(x),
      target: tensor(target),
      t: tensor(t, [n]),
    },
    builder.operations[0].attributes as unknown as DrawBatchAttributes,
  )
  return { x, target, t }
}

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
  expect(leastLoss(kind(gamma, 'arc'), [1])).toBeCloseTo(Math.acos(Math.exp(-gamma)) ** 2, 10)
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
  [kind(0.8, 'arc', 'shuffled'), 2],
  [kind(0.3, 'arc'), 2.5],
  [kind(null, 'arc'), 0.5],
  [kind(null, 'linear'), 2],
] as const)('spread and least loss agree with drawn batches: %o', (given, variance) => {
  const n = 40_000
  const pool = Float64Array.from({ length: n }, (_, i) => Math.sqrt(variance) * (i % 2 === 0 ? 1 : -1))
  const { x, target, t } = drawn(taskOf(subFlow({ ...given, batch: n })), pool)
  const squares = target.reduce((sum, v) => sum + v * v, 0) / n
  expect(Math.sqrt(squares)).toBeCloseTo(targetSpread(given, variance), 1)
  // the best linear guess of the target from the state, at times that are near to one another
  const bins = 50
  const moments = Array.from({ length: bins }, () => [0, 0, 0, 0])
  x.forEach((value, i) => {
    const bin = moments[Math.min(bins - 1, Math.floor(t[i] * bins))]
    bin[0] += value * value
    bin[1] += value * target[i]
    bin[2] += target[i] * target[i]
    bin[3] += 1
  })
  const left = moments.reduce((sum, [xx, xy, yy, count]) => sum + (yy - (xy * xy) / xx) / count, 0) / bins
  expect(left / leastLoss(given, [variance])).toBeCloseTo(1, 1)
})

test.each(pathNames)('the path %s goes from the left end to its image, and its rates are its derivatives', (name) => {
  for (const gamma of [0.05, 0.7, null]) {
    const step = ouStep(gamma)
    const [start, end] = [noisingOf(paths[name], 0, step), noisingOf(paths[name], 1, step)]
    expect([start.left, start.right, end.left, end.right].map((v) => v + 1)).toEqual(
      [1, 0, step.decay, step.spread].map((v) => expect.closeTo(v + 1, 12)),
    )
    for (const at of [(t: number) => noisingOf(paths[name], t, step), (t: number) => paths[name].between(t)]) {
      for (const t of [0.1, 0.5, 0.83]) {
        const [before, now, after] = [at(t - 1e-5), at(t), at(t + 1e-5)]
        expect(now.leftRate).toBeCloseTo((after.left - before.left) / 2e-5, 8)
        expect(now.rightRate).toBeCloseTo((after.right - before.right) / 2e-5, 8)
      }
    }
  }
})

test('on the arc data of variance one keep it, and their optimal velocity is zero', () => {
  for (const gamma of [0.05, 0.7, null]) {
    for (const t of [0, 0.3, 1]) {
      const { left, right, leftRate, rightRate } = noisingOf(paths.arc, t, ouStep(gamma))
      expect(left ** 2 + right ** 2).toBeCloseTo(1, 12)
      expect(left * leftRate + right * rightRate).toBeCloseTo(0, 12)
    }
  }
})

test('an unknown coupling is not taken for another', () => {
  expect(() => leastLoss({ ...kind(0.1, 'linear'), coupling: 'dependant' as never }, [1])).toThrow('dependant')
})

test('a path’s table begins at t = 0 and ends at t = 1, evenly between', () => {
  const table = taskOf(subFlow(kind(0.3, 'arc'))).tables.path
  const last = table.length / PATH_COLUMNS - 1
  for (const k of [0, 1, last / 4, last / 2, last]) {
    const { left, right, leftRate, rightRate } = noisingOf(paths.arc, k / last, ouStep(0.3))
    const row = [...table.subarray(k * PATH_COLUMNS, (k + 1) * PATH_COLUMNS)]
    expect(row).toEqual([left, right, leftRate, rightRate].map(Math.fround))
  }
})

test('a coupling pairs as its name says, and a free sub-flow with noise alone', () => {
  const pairingOf = (gamma: number | null, coupling: SubFlowKind['coupling']): unknown => {
    const builder = new ProgramBuilder()
    const f32 = (length: number) => ({ dtype: 'f32', length }) as const
    taskOf(subFlow({ ...kind(gamma, 'linear', coupling), batch: 8 })).addStep(builder, {
      network: { dimension: 1, condition: 0 } as never,
      pool: poolOf(f32(16), 16),
      tables: {},
      batch: 8,
      seed: 5,
      stream: 1,
      state: builder.tensor({ dtype: 'u32', length: 8 }),
      inputs: 'f32',
      differentiate: () => {},
      evaluate: () => {},
      regress: () => {},
    })
    return builder.operations[0].attributes.pairing
  }
  expect(pairingOf(0.3, 'dependent')).toBe('own')
  expect(pairingOf(0.3, 'shuffled')).toBe('shuffled')
  expect(pairingOf(0.3, 'independent')).toBe('independent')
  for (const coupling of ['dependent', 'shuffled', 'independent'] as const)
    expect(pairingOf(null, coupling)).toBe('none')
})
