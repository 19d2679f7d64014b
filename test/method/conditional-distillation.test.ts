/**
 * Students of conditional models. Of jointly Gaussian x and c, p(x | c) is N(A c, S): a student's samples have that mean and that
 * covariance. A student of a guided teacher goes where that one does, and takes no guidance of its own.
 */

import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { gaussian } from '../../src/data/gaussian.js'
import { LocalFlow } from '../../src/run/local-flow.js'
import { describeOn } from '../devices.js'
import { noise } from '../export/models.js'

const work = mkdtempSync(join(tmpdir(), 'lfm-conditional-students-'))
afterAll(() => rmSync(work, { recursive: true }))

const spread = [
  [0.5, 0.2],
  [0.2, 0.3],
]
const meanOf = (c: number): number[] => [0.8 * c, 0.5 - 0.6 * c]
const rows = 8000
const scattered = gaussian([0, 0], spread).sample(rows, 2)
/** Conditions on ±2, in units of their own. */
const told = Float64Array.from({ length: rows }, (_, i) => 4 * ((i * 0.618034) % 1) - 2)
const x = {
  values: scattered.map((value, i) => value + meanOf(told[i >> 1])[i % 2]),
  shape: [rows, 2],
}
const cond = { values: told.map((c) => 10 + 3 * c), shape: [rows, 1] }

await describeOn(['native'], 'students of a conditional model', (_, kind) => {
  let teacher: LocalFlow
  beforeAll(async () => {
    teacher = await LocalFlow.train(x, {
      cond,
      model: { hidden: [32, 32], activation: 'silu' },
      flow: { gammas: [0.4, null] },
      train: { batch: 256, steps: 700, lr: 8e-3, ema: 0.99 },
      ode: { solver: 'rk4', steps: 4 },
      seed: 3,
      device: kind as 'native',
    })
  }, 120_000)
  afterAll(() => teacher.dispose())

  const momentsOf = (values: ArrayLike<number>, n: number) => {
    const mean = [0, 1].map((d) => Array.from({ length: n }, (_, i) => values[2 * i + d] / n).reduce((a, b) => a + b))
    const moment = (a: number, b: number): number =>
      Array.from({ length: n }, (_, i) => ((values[2 * i + a] - mean[a]) * (values[2 * i + b] - mean[b])) / n).reduce(
        (sum, value) => sum + value,
      )
    return { mean, covariance: [moment(0, 0), moment(0, 1), moment(1, 1)] }
  }

  test.each([
    ['pairs', 0.06],
    // one step of Euler along a path that is nearly straight
    ['reflow', 0.1],
  ] as const)('%s: have mean and covariance of each condition, and are kept', async (kind, tolerance) => {
    const student = await teacher.distill({ kind, into: 2, cond, train: { steps: 500 } })
    const n = 8000
    for (const c of [-1.4, 0, 1]) {
      const { values } = await student.sample(n, { cond: [10 + 3 * c], seed: 4 })
      expect(student.evaluations!.mean).toBe(2)
      const { mean, covariance } = momentsOf(values, n)
      meanOf(c).forEach((truth, d) => {
        expect(Math.abs(mean[d] - truth), `mean ${d} of ${c}`).toBeLessThan(tolerance)
      })
      const wanted = [spread[0][0], spread[0][1], spread[1][1]]
      wanted.forEach((truth, i) => {
        expect(Math.abs(covariance[i] - truth), `covariance ${i} of ${c}`).toBeLessThan(tolerance)
      })
    }
    await student.save(join(work, kind))
    await using loaded = await LocalFlow.load(join(work, kind))
    expect((await loaded.sample(5, { cond: [11] })).values).toEqual((await student.sample(5, { cond: [11] })).values)
    await student.dispose()
  })

  test('have the guidance of their teacher in their networks', async () => {
    const guidance = 1.8
    const student = await teacher.distill({ kind: 'pairs', into: 2, cond, guidance, train: { steps: 500 } })
    const n = 2000
    const z = { values: noise(2 * n, 5), shape: [n, 2] }
    const own = { cond: [10 + 3 * 1.5] }
    const [made, guided, plain] = await Promise.all([
      student.decode(z, own),
      teacher.decode(z, { ...own, guidance }),
      teacher.decode(z, own),
    ])
    const apart = (a: ArrayLike<number>, b: ArrayLike<number>): number =>
      Math.sqrt(Array.from(a).reduce((sum, value, i) => sum + (value - b[i]) ** 2, 0) / a.length)
    expect(apart(made.values, guided.values)).toBeLessThan(0.3 * apart(plain.values, guided.values))
    await expect(student.sample(1, { ...own, guidance: 2 })).rejects.toThrow('distilled with the guidance 1.8')
    await expect(student.export({ to: 'onnx', out: join(work, 'never'), guidance: 2 })).rejects.toThrow('guidance 1.8')
    await student.dispose()
  })
})
