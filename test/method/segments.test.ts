/**
 * The kernels on rows of mixed columns, as their references define them: known answers, the loss's gradient against finite
 * differences, and a flow that is led by predicted end points (variational flow matching) to the rows that the prediction is of.
 */

import { describe, expect, test } from 'vitest'
import type { ReferenceTensor } from '../../src/kernels/contract.js'
import { segmentLoss } from '../../src/kernels/segment_loss.js'
import { softmaxSegments } from '../../src/kernels/softmax_segments.js'
import { RandomStream } from '../../src/random/stream.js'
import { runReference } from '../parity/harness.js'
import { segmentCases } from '../parity/segment-cases.js'

const tensor = (shape: readonly number[], values: readonly number[]): ReferenceTensor => ({
  shape,
  data: Float64Array.from(values),
})
const counts = (...values: number[]): ReferenceTensor => tensor([values.length], values)

describe('the loss', () => {
  const smallCases = segmentCases.filter(
    ({ kernel, operands }) => kernel === 'segment_loss' && operands.x.values.length < 5000,
  )

  test.each(smallCases.map((one) => [one.label, one] as const))('%s: its gradient by finite differences', (_, one) => {
    const operands = runReference(segmentLoss, one)
    const { data } = operands.x
    const analytic = Float64Array.from(operands.delta.data)
    const mean = (): number => {
      segmentLoss.reference(operands, {})
      return Array.from(operands.row_loss.data).reduce((sum, loss) => sum + loss, 0) / operands.row_loss.data.length
    }
    for (const i of new Set([0, data.length - 1, data.length >> 1, data.length >> 2, Math.floor(data.length / 3)])) {
      const kept = data[i]
      const at = (value: number): number => {
        data[i] = value
        return mean()
      }
      const slope = (at(kept + 1e-5) - at(kept - 1e-5)) / 2e-5
      data[i] = kept
      expect(Math.abs(slope - analytic[i])).toBeLessThan(1e-8)
    }
  })

  test('half the square of a number, log of the probability of a level, none where the gate is shut', () => {
    const encoding = tensor([2, 3], [1, 2, 2, 0, 0.5, 0.5])
    const operands = (gate: number): Record<string, ReferenceTensor> => ({
      x: tensor([1, 3], [3, Math.log(3), 0]),
      // the first level: 2·(1 − ½) and 2·(0 − ½)
      target: tensor([1, 3], [1, 1, -1]),
      encoding,
      starts: counts(0, 1, 3),
      gates: counts(gate, 3),
      delta: tensor([1, 3], [0, 0, 0]),
      row_loss: tensor([1], [0]),
    })
    const lossOf = (gate: number): number => {
      const given = operands(gate)
      segmentLoss.reference(given, {})
      return given.row_loss.data[0]
    }
    expect(lossOf(3)).toBeCloseTo((2 + Math.log(4 / 3)) / 2, 12)
    expect(lossOf(1)).toBeCloseTo(lossOf(3), 12)
    expect(lossOf(2)).toBeCloseTo(Math.log(4 / 3) / 2, 12)
  })
})

describe('the end point', () => {
  /** Levels with these chances, and a number that hangs on the level: N(mean, spread²). */
  const levels = [
    { chance: 0.5, mean: -2 },
    { chance: 0.3, mean: 0 },
    { chance: 0.2, mean: 3 },
  ]
  const spread = 0.5
  const scale = 2
  const encoding = tensor([2, 4], [1, scale, scale, scale, 0, ...levels.map(({ chance }) => chance)])
  const starts = counts(0, 1, 4)
  const oneHot = (level: number): number[] => levels.map(({ chance }, k) => scale * ((k === level ? 1 : 0) - chance))

  /** What the best network would say of x_t = a·x_l + b·z: E[number | x_t], and the logits of the levels given x_t. */
  function best(x: ArrayLike<number>, a: number, b: number): number[] {
    const variance = a * a * spread * spread + b * b
    const logits = levels.map(({ chance, mean }, level) => {
      const rest = oneHot(level).reduce((sum, value, k) => sum + (x[k + 1] - a * value) ** 2, 0)
      return Math.log(chance) - (x[0] - a * mean) ** 2 / (2 * variance) - rest / (2 * b * b)
    })
    const top = Math.max(...logits)
    const weights = logits.map((logit) => Math.exp(logit - top))
    const whole = weights.reduce((sum, weight) => sum + weight, 0)
    const means = levels.map(({ mean }) => mean + ((a * spread * spread) / variance) * (x[0] - a * mean))
    return [means.reduce((sum, mean, k) => sum + (mean * weights[k]) / whole, 0), ...logits]
  }

  /** The end point that an output says; with a state at a time of the straight path its velocity there. */
  function said(output: number[], at?: { state: number[]; t: number }): number[] {
    const y = tensor([1, 4], [0, 0, 0, 0])
    const x = tensor([1, 4], output)
    const operands: Record<string, ReferenceTensor> = at
      ? {
          state: tensor([1, 4], at.state),
          t: tensor([1], [at.t]),
          path_table: tensor([2, 4], [1, 0, -1, 1, 0, 1, -1, 1]),
        }
      : {}
    softmaxSegments.reference({ x, encoding, starts, ...operands, y }, { factor: 1 })
    return [...y.data]
  }

  test('is the expectation of the encoded level', () => {
    expect(said([7, 0, Math.log(2), 0])).toEqual([7, scale * (0.25 - 0.5), scale * (0.5 - 0.3), scale * (0.25 - 0.2)])
  })

  test('leads by its velocity to rows of the data; the last step arrives at the expectation itself', () => {
    // the straight path: A = 1 − t, B = t, from t = 1 to t = 0
    const [steps, rows] = [40, 800]
    let [worst, unsure] = [0, 0]
    const random = new RandomStream(5)
    const found = levels.map(() => ({ count: 0, sum: 0, squares: 0 }))
    for (let row = 0; row < rows; row++) {
      random.row(row)
      let x = Array.from({ length: 4 }, () => random.normal())
      for (let step = 0; step < steps; step++) {
        const [t, s] = [1 - step / steps, 1 - (step + 1) / steps]
        const [mean, ...logits] = best(x, 1 - t, t)
        // of the number the network says how fast it goes
        const output = [(x[0] - mean) / t, ...logits]
        const velocity = said(output, { state: x, t })
        if (s === 0) {
          const end = [mean, ...said(output).slice(1)]
          end.forEach((value, k) => {
            worst = Math.max(worst, Math.abs(value - (x[k] - t * velocity[k])))
          })
        }
        x = x.map((value, k) => value + (s - t) * velocity[k])
      }
      const level = [0, 1, 2].reduce((most, k) => (x[k + 1] > x[most + 1] ? k : most), 0)
      // probabilities are sure by then
      if (Math.abs(x[level + 1] - oneHot(level)[level]) > 0.05) unsure++
      found[level].count++
      found[level].sum += x[0]
      found[level].squares += x[0] ** 2
    }
    expect(worst).toBeLessThan(1e-9)
    expect(unsure).toBeLessThan(rows / 100)
    found.forEach(({ count, sum, squares }, level) => {
      expect(Math.abs(count / rows - levels[level].chance)).toBeLessThan(0.06)
      expect(Math.abs(sum / count - levels[level].mean)).toBeLessThan(0.15)
      expect(Math.abs(Math.sqrt(squares / count - (sum / count) ** 2) - spread)).toBeLessThan(0.1)
    })
  })
})
