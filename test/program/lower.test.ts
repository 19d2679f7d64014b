/** Lowering: composites expand, temporaries share memory only when their lives do not meet. */

import { expect, test } from 'vitest'
import { LocalFlowError } from '../../src/errors.js'
import { activation } from '../../src/kernels/activation.js'
import { convert } from '../../src/kernels/convert.js'
import { linearForward } from '../../src/kernels/linear_forward.js'
import { mlpBackward } from '../../src/networks/mlp/mlp_backward.js'
import { type MlpSpec, mlpParameterLength } from '../../src/networks/mlp/spec.js'
import { lower, type PlacedTensor } from '../../src/program/lower.js'
import { ProgramBuilder } from '../../src/program/program.js'

const net: MlpSpec = {
  kind: 'mlp',
  dimension: 2,
  condition: 0,
  hidden: [8, 8, 8],
  activation: 'tanh',
  beta: 1,
  time: 'every',
  frequencies: [1, 2],
}

function gradientProgram() {
  const builder = new ProgramBuilder()
  const buffer = (length: number) => builder.tensor({ dtype: 'f32', length })
  const P = mlpParameterLength(net)
  builder.add(
    mlpBackward,
    {
      parameters: buffer(P),
      x: builder.view(buffer(64), [10, 2]),
      t: builder.view(buffer(64), [10]),
      target: builder.view(buffer(64), [10, 2]),
      gradient: buffer(P),
      row_loss: builder.view(buffer(64), [10]),
    },
    { net, scale: 1 },
  )
  return builder.build()
}

test('a taken composite stays whole, any other becomes kernels', () => {
  expect(lower(gradientProgram(), () => true).operations.map((o) => o.contract.name)).toEqual(['mlp_backward'])
  const kinds = new Set(lower(gradientProgram(), () => false).operations.map((o) => o.contract.kind))
  expect([...kinds]).toEqual(['kernel'])
})

test('no operation meets one slot through two tensors, and slots are fewer than temporaries', () => {
  const { operations, slots } = lower(gradientProgram(), () => false)
  const written = operations.flatMap((o) =>
    Object.entries(o.operands).filter(([k]) => o.contract.operands[k].access === 'write'),
  )
  const temporaries = written.filter(([, t]) => t.place.kind === 'slot').length
  expect(slots.length).toBeLessThan(temporaries)
  for (const { contract, operands } of operations) {
    const used = Object.values(operands).filter((t): t is PlacedTensor => t.place.kind === 'slot')
    const distinct = new Set(used.map((t) => (t.place.kind === 'slot' ? t.place.slot : -1)))
    expect(distinct.size, contract.name).toBe(used.length)
  }
})

test('reading a temporary that nothing wrote is an error of the builder', () => {
  const builder = new ProgramBuilder()
  const x = builder.temporary([4])
  builder.add(activation, { x, y: builder.temporary([4]) }, { activation: 'relu', beta: 1 })
  expect(() => lower(builder.build(), () => false)).toThrow(LocalFlowError)
})

test('shapes are checked when an operation is added, by name', () => {
  const builder = new ProgramBuilder()
  const add = () =>
    builder.add(activation, { x: builder.temporary([4]), y: builder.temporary([5]) }, { activation: 'relu', beta: 1 })
  expect(add).toThrow(/activation: operand y must have the shape \[4\], but has \[5\]/)
})

test('float16 temporaries take half an element a number on a device that packs them, and a whole one elsewhere', () => {
  const builder = new ProgramBuilder()
  const half = builder.temporary([64, 3], 'f16')
  builder.add(convert, { x: builder.tensor({ dtype: 'f32', length: 192 }, [64, 3]), y: half }, { to: 'f16' })
  builder.add(convert, { x: half, y: builder.temporary([64, 3]) }, { to: 'f32' })
  expect(lower(builder.build(), () => false, true).slots).toEqual([192, 96])
  expect(lower(builder.build(), () => false).slots).toEqual([192, 192])
})

test('the floats of an operation are all float32 or all float16', () => {
  const builder = new ProgramBuilder()
  const layer = (x: 'f16' | 'f32', y: 'f16' | 'f32') => ({
    x: builder.temporary([4, 3], x),
    weight: builder.temporary([5, 3], x),
    bias: builder.temporary([5]),
    y: builder.temporary([4, 5], y),
  })
  const attributes = { activation: 'relu', beta: 1, scale: 1 } as const
  expect(() => builder.add(linearForward, layer('f16', 'f16'), attributes)).not.toThrow()
  expect(() => builder.add(linearForward, layer('f16', 'f32'), attributes)).toThrow(
    'linear_forward: operands x and y must both be f32 or both f16, but are f16 and f32.',
  )
  const wrong = { ...layer('f32', 'f32'), bias: builder.temporary([5], 'f16') }
  expect(() => builder.add(linearForward, wrong, attributes)).toThrow('operand bias must be f32')
})
