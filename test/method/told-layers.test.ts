/** An MLP that is told its condition at every hidden layer: what that changes, its trace, its files, and the engines. */

import { expect, test } from 'vitest'
import type { Device } from '../../src/device/device.js'
import { openReference } from '../../src/device/reference/device.js'
import { mlpNetwork, padded } from '../../src/networks/mlp/mlp.js'
import { type MlpSpec, mlpParameterCount } from '../../src/networks/mlp/spec.js'
import type { Network } from '../../src/networks/network.js'
import { networkFor } from '../../src/networks/registry.js'
import { ProgramBuilder } from '../../src/program/program.js'
import { describeOn } from '../devices.js'

const [B, D, C] = [5, 3, 2]
const net: MlpSpec = {
  kind: 'mlp',
  dimension: D,
  condition: C,
  everyCondition: true,
  hidden: [7, 10, 5],
  activation: 'silu',
  beta: 1,
  time: 'first',
  frequencies: [],
}
const wave = (length: number, frequency: number): Float32Array =>
  Float32Array.from({ length }, (_, i) => Math.sin(frequency * (i + 1) + 0.02 * i * i))
const x = wave(B * D, 1.3)
const cond = wave(B * C, 0.9)

/** v [B, D] and its divergence [B], at times of each row. */
async function velocity(
  device: Device,
  field: Network,
  parameters: Float32Array,
  at = x,
  told: Float32Array | null = cond,
) {
  const builder = new ProgramBuilder()
  const buffers = [
    parameters,
    at,
    told ?? new Float32Array(1),
    wave(B, 0.4).map(Math.abs),
    new Float32Array(B * D),
  ].map((values) => {
    const buffer = device.createBuffer(values.length)
    buffer.write(values)
    return buffer
  })
  const divergence = device.createBuffer(B)
  const [flat, from, condition, t, out] = buffers
  field.addDivergence(
    builder,
    {
      parameters: builder.tensor(flat),
      x: builder.tensor(from, [B, D]),
      ...(told && { condition: builder.tensor(condition, [B, C]) }),
      t: builder.tensor(t),
      out: builder.tensor(out, [B, D]),
      divergence: builder.tensor(divergence),
    },
    1.5,
  )
  const program = await device.compile(builder.build())
  await program.run()
  const results = { v: (await out.read()) as Float32Array, divergence: (await divergence.read()) as Float32Array }
  program.dispose()
  for (const buffer of [...buffers, divergence]) buffer.dispose()
  return results
}

const farthest = (a: ArrayLike<number>, b: ArrayLike<number>): number =>
  Array.from(a).reduce((most, value, i) => Math.max(most, Math.abs(value - b[i])), 0)

const field = mlpNetwork(net, padded(net))
const parameters = field.initialise(3, 1)
const tensorsOf = (flat: Float32Array) => new Map(field.toTensors(flat, '').map((tensor) => [tensor.name, tensor]))

test('hidden layers behind the first have columns of their own for it, the last ones of their weights in files', () => {
  const shapes = [...tensorsOf(parameters).values()].map(({ shape }) => shape.join(' × '))
  expect(shapes).toEqual(['7 × 6', '7', '10 × 9', '10', '5 × 12', '5', '3 × 5', '3'])
  expect(field.parameterCount - mlpParameterCount({ ...net, everyCondition: false })).toBe(C * (10 + 5))
  expect(field.fromTensors(tensorsOf(parameters), '')).toEqual(parameters)
  expect(field.initialise(3, 1)).toEqual(parameters)
})

test('of a config, but not for a second time', () => {
  const model = {
    kind: 'mlp',
    hidden: [7, 10],
    activation: 'silu',
    beta: 1,
    time: 'first',
    fourier: [],
    classes: false,
  } as const
  const count = (conditionAt: 'first' | 'every', how: object): number =>
    networkFor({ ...model, hidden: [7, 10], fourier: [], conditionAt }, [D], how).parameterCount
  expect(count('every', { condition: C }) - count('first', { condition: C })).toBe(C * 10)
  expect(count('every', { secondTime: true })).toBe(count('first', { secondTime: true }))
  expect(count('every', {})).toBe(count('first', {}))
})

test('the trace is that of differences of the field, and one condition may be in the biases', async () => {
  const device = openReference()
  const exact = await velocity(device, field, parameters)
  for (let b = 0; b < B; b++) {
    let trace = 0
    for (let d = 0; d < D; d++) {
      const moved = (by: number): Float32Array => x.map((value, i) => (i === b * D + d ? value + by : value))
      const [up, down] = [
        await velocity(device, field, parameters, moved(0.01)),
        await velocity(device, field, parameters, moved(-0.01)),
      ]
      trace += (up.v[b * D + d] - down.v[b * D + d]) / 0.02
    }
    expect(exact.divergence[b]).toBeCloseTo(trace, 3)
  }
  const one = cond.slice(0, C)
  const all = Float32Array.from({ length: B * C }, (_, i) => one[i % C])
  const without = mlpNetwork({ ...net, condition: 0 }, padded({ ...net, condition: 0 }))
  const folded = await velocity(device, without, field.told!(parameters, one), x, null)
  expect(farthest(folded.v, (await velocity(device, field, parameters, x, all)).v)).toBeLessThan(1e-5)
  await device.dispose()
})

await describeOn(['native', 'webgpu'], 'conditions at every layer', (device) => {
  test('are the reference’s, and still there where the first layer does not see them', async () => {
    const tensors = tensorsOf(parameters)
    const first = tensors.get('layers.0.weight')!
    // columns [t, x, condition]
    const deaf = first.values.map((value, i) => (i % 6 >= 1 + D ? 0 : value))
    const flat = field.fromTensors(tensors.set('layers.0.weight', { ...first, values: deaf }), '')
    const reference = openReference()
    for (const own of [parameters, flat]) {
      const [got, want] = [await velocity(device(), field, own), await velocity(reference, field, own)]
      expect(farthest(got.v, want.v)).toBeLessThan(1e-5)
      expect(farthest(got.divergence, want.divergence)).toBeLessThan(1e-4)
    }
    const others = cond.map((value) => -value)
    const [told, else_] = [await velocity(device(), field, flat), await velocity(device(), field, flat, x, others)]
    expect(farthest(told.v, else_.v)).toBeGreaterThan(1e-2)
    await reference.dispose()
  })
})
