/** Parity cases of the kernels on rows of mixed columns. */

import { type Case, type CaseOperand, testCase, type Values, written } from './harness.js'

/** Lengths of a row's segments: 1 is a number, others are levels of a category. */
const layouts: readonly { label: string; lengths: readonly number[]; B: number }[] = [
  { label: 'one number', lengths: [1], B: 1 },
  { label: 'two levels', lengths: [2], B: 3 },
  { label: 'numbers alone', lengths: new Array(37).fill(1), B: 67 },
  { label: 'a category alone', lengths: [61], B: 101 },
  { label: 'mixed', lengths: [1, 5, 1, 1, 16, 2, 17, 1, 3], B: 301 },
  { label: 'many', lengths: Array.from({ length: 300 }, (_, s) => (s % 3 === 0 ? 1 : 2 + (s % 7))), B: 29 },
  { label: 'levels in hundreds', lengths: [1, 700, 33], B: 5 },
]

const numbers = (...values: number[]): CaseOperand => ({ shape: [values.length], values: Float32Array.from(values) })

/** Scales and centres as an encoder has them; a row's levels by turns, those of the last row known in part. */
function layout(v: Values, lengths: readonly number[], B: number) {
  const starts = [0]
  for (const length of lengths) starts.push(starts[starts.length - 1] + length)
  const D = starts[starts.length - 1]
  const scale = Array.from({ length: D }, () => 1 + 2 * v.uniform())
  const centre = Array.from({ length: D }, () => v.uniform())
  const segment = (d: number): number => starts.findIndex((start) => start > d) - 1
  const segments = Array.from({ length: D }, (_, d) => segment(d))
  const level = (b: number, d: number): number => {
    const [first, length] = [starts[segments[d]], lengths[segments[d]]]
    if (b === B - 1 && length > 2) return d - first === 0 ? 0.25 : d - first === 2 ? 0.5 : 0
    return (b * 7 + segments[d]) % length === d - first ? 1 : 0
  }
  const encoding: CaseOperand = { shape: [2, D], values: Float32Array.from([...scale, ...centre]) }
  const target = v.fill([B, D], (i) => {
    const [b, d] = [Math.floor(i / D), i % D]
    return lengths[segments[d]] === 1 ? v.gaussian() : scale[d] * (level(b, d) - centre[d])
  })
  return { D, encoding, starts: numbers(...starts), target, segments }
}

/** Rows A, B, A′, B′ of two paths. */
const straight: CaseOperand = { shape: [2, 4], values: Float32Array.of(1, 0, -1, 1, 0, 1, -1, 1) }
function circle(knots: number): CaseOperand {
  const rows = Array.from({ length: knots }, (_, k) => {
    const [cos, sin] = [Math.cos((Math.PI / 2) * (k / (knots - 1))), Math.sin((Math.PI / 2) * (k / (knots - 1)))]
    return [cos, sin, (-Math.PI / 2) * sin, (Math.PI / 2) * cos]
  })
  return { shape: [knots, 4], values: Float32Array.from(rows.flat()) }
}

export const segmentCases: readonly Case[] = [
  ...layouts.flatMap(({ label, lengths, B }) =>
    [0, 1, B].map((rows) =>
      testCase(
        'softmax_segments',
        `${label}, ${rows === 0 ? 'the end point' : `a velocity, ${rows === 1 ? 'one time' : 'a time for each row'}`}`,
        1e-6,
        (v) => {
          const { D, encoding, starts } = layout(v, lengths, B)
          return {
            operands: {
              x: v.normal([B, D], 3),
              encoding,
              starts,
              // the straight path, on a grid, and a quarter of a circle, coarse; at the data, and at the noise
              ...(rows > 0 && {
                state: v.normal([B, D]),
                t: v.fill([rows], (i) => (i === 1 ? 0 : i === 2 ? 1 : 0.02 + 0.98 * v.uniform())),
                path_table: rows === 1 ? straight : circle(9),
              }),
              y: written([B, D]),
            },
            attributes: { factor: rows > 0 ? -0.5 : 1 },
          }
        },
      ),
    ),
  ),
  testCase('softmax_segments', 'logits far out', 1e-6, (v) => ({
    operands: {
      x: { shape: [2, 4], values: Float32Array.of(-1000, 1000, -1000, 5, 300, 300, 300, -5) },
      encoding: v.fill([2, 4], (i) => (i < 4 ? 1 : 0)),
      starts: numbers(0, 3, 4),
      y: written([2, 4]),
    },
    attributes: { factor: 1 },
  })),
  ...layouts.flatMap(({ label, lengths, B }) =>
    [false, true].map((gated) =>
      testCase('segment_loss', `${label}${gated ? ', gated, with rates' : ''}`, 2e-6, (v) => {
        const { D, encoding, starts, target, segments } = layout(v, lengths, B)
        const states = Array.from({ length: D }, (_, d) => d).filter((d) => lengths[segments[d]] > 1)
        const gates = lengths.map((_, s) => (gated && states.length > 0 && s % 2 === 0 ? states[s % states.length] : D))
        return {
          operands: {
            x: v.normal([B, D], 2),
            target,
            ...(gated && { rates: v.normal([B, D]) }),
            encoding,
            starts,
            gates: numbers(...gates),
            delta: written([B, D]),
            row_loss: written([B]),
          },
        }
      }),
    ),
  ),
  testCase('segment_loss', 'logits far out', 2e-6, (v) => ({
    operands: {
      x: { shape: [2, 3], values: Float32Array.of(-60, 60, 0, 300, 300, -300) },
      target: { shape: [2, 3], values: Float32Array.of(1, 0, 0, 0, 1, 0) },
      encoding: v.fill([2, 3], (i) => (i < 3 ? 1 : 0)),
      starts: numbers(0, 3),
      gates: numbers(3),
      delta: written([2, 3]),
      row_loss: written([2]),
    },
  })),
]
