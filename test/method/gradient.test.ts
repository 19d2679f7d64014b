/**
 * The gradient of the flow-matching loss against finite differences, for every activation, time placement, feature set and
 * output scale, on the reference; other devices' gradients against the reference's.
 */

import { describe, expect, test } from 'vitest'
import type { Device } from '../../src/device/device.js'
import { openReference } from '../../src/device/reference/device.js'
import { type ActivationName, activations } from '../../src/kernels/activations.js'
import { mlpNetwork } from '../../src/networks/mlp/mlp.js'
import { type MlpSpec, mlpLayers, mlpParameterCount } from '../../src/networks/mlp/spec.js'
import { wholeBatch } from '../../src/networks/network.js'
import { ProgramBuilder } from '../../src/program/program.js'
import { describeOn } from '../devices.js'

const B = 19

const nets: { net: MlpSpec; scale: number }[] = (
  ['relu', 'elu', 'softplus', 'silu', 'gelu', 'tanh'] as ActivationName[]
).map((activation, i) => ({
  net: {
    kind: 'mlp',
    dimension: 2 + (i % 3),
    condition: i % 2 === 0 ? 0 : 3,
    hidden: i % 2 === 0 ? [7, 33] : [65],
    activation,
    beta: activation === 'softplus' ? 5 : 1,
    time: i % 3 === 0 ? 'first' : 'every',
    frequencies: i % 2 === 0 ? [0.8, 2.1] : [],
  },
  scale: i % 2 === 0 ? 1 : 0.4,
}))
// by the activation's input and by its output
for (const activation of ['gelu', 'softplus'] as const) {
  const told = { condition: 3, everyCondition: true, hidden: [9, 14, 6], activation, time: 'every' } as const
  nets.push({ net: { ...nets[0].net, ...told }, scale: 0.7 })
}

async function gradient(device: Device, net: MlpSpec, scale: number) {
  const field = mlpNetwork(net)
  const D = net.dimension
  const builder = new ProgramBuilder()
  const made: { dispose(): void }[] = []
  const buffer = (length: number, value: (i: number) => number) => {
    const created = device.createBuffer(Math.ceil(length / 64) * 64)
    created.write(Float32Array.from({ length }, (_, i) => value(i)))
    made.push(created)
    return created
  }
  const parameters = buffer(field.parameterLength, () => 0)
  const result = buffer(field.parameterLength, () => 0)
  const rowLoss = buffer(B, () => 0)
  const condition = net.condition > 0 ? buffer(B * net.condition, (i) => Math.sin(5 * i)) : undefined
  field.addGradient(
    builder,
    {
      parameters: builder.tensor(parameters),
      x: builder.tensor(
        buffer(B * D, (i) => Math.sin(3 * i + 1)),
        [B, D],
      ),
      t: builder.tensor(
        buffer(B, (i) => (i + 0.5) / B),
        [B],
      ),
      condition: condition && builder.tensor(condition, [B, net.condition]),
      target: builder.tensor(
        buffer(B * D, (i) => Math.cos(2 * i)),
        [B, D],
      ),
      gradient: builder.tensor(result),
      row_loss: builder.tensor(rowLoss, [B]),
    },
    scale,
    wholeBatch,
  )
  const executable = await device.compile(builder.build())
  made.push(executable)
  const at = async (values: Float32Array) => {
    parameters.write(values)
    await executable.run()
    const losses = (await rowLoss.read(0, B)) as Float32Array
    return { loss: losses.reduce((a, b) => a + b, 0) / B, gradient: (await result.read()) as Float32Array }
  }
  return {
    field,
    at,
    dispose: () => {
      for (const thing of made) thing.dispose()
    },
  }
}

describe('gradient of the loss', () => {
  test.each(nets)('finite differences: $net.activation, time $net.time, scale $scale', async ({ net, scale }) => {
    const device = openReference()
    const { field, at, dispose } = await gradient(device, net, scale)
    const start = field.initialise(5, 1)
    const { gradient: found } = await at(start)
    for (const layer of mlpLayers(net)) {
      const offsets = [layer.weight, layer.weight + layer.inputs * layer.outputs - 1, layer.bias + layer.outputs - 1]
      if (layer.timeWeight !== null) offsets.push(layer.timeWeight)
      if (layer.conditionWeight !== null)
        offsets.push(layer.conditionWeight, layer.conditionWeight + 3 * layer.outputs - 1)
      for (const offset of offsets) {
        const h = 4e-3
        const [up, down] = [start.slice(), start.slice()]
        up[offset] += h
        down[offset] -= h
        const slope = ((await at(up)).loss - (await at(down)).loss) / (up[offset] - down[offset])
        // relu's kinks and elu's may lie between the two points
        expect(Math.abs(found[offset] - slope)).toBeLessThan(2e-3 * Math.max(1, Math.abs(slope)))
      }
    }
    dispose()
  })

  test.each(Object.keys(activations) as ActivationName[])('the derivative of %s is that of its values', (name) => {
    const { value, derivative, derivativeOf } = activations[name]
    for (const beta of [1, 5]) {
      for (const z of [-4, -1.3, -0.2, 0.15, 0.9, 3]) {
        const slope = (value(z + 1e-5, beta) - value(z - 1e-5, beta)) / 2e-5
        expect(derivative(derivativeOf === 'output' ? value(z, beta) : z, beta), `at ${z}`).toBeCloseTo(slope, 8)
      }
    }
  })

  test('parameter counts of the paper’s networks', () => {
    const count = (dimension: number, width: number, layers: number) =>
      mlpParameterCount({
        ...nets[0].net,
        dimension,
        frequencies: [],
        time: 'first',
        hidden: Array(layers).fill(width),
      })
    expect(count(2, 256, 3)).toBe(133_122)
    expect(count(6, 256, 4)).toBe(200_966)
    expect(count(8, 362, 5)).toBe(532_148)
    expect(count(43, 362, 4)).toBe(426_117)
    expect(count(63, 512, 4)).toBe(853_567)
  })
})

await describeOn(['native', 'webgpu'], 'gradient of the loss', (device) => {
  test.each(nets)('as the reference: $net.activation', async ({ net, scale }) => {
    const theirs = await gradient(device(), net, scale)
    const ours = await gradient(openReference(), net, scale)
    const start = theirs.field.initialise(5, 1)
    const [a, b] = [await theirs.at(start), await ours.at(start)]
    const norm = Math.sqrt(b.gradient.reduce((sum, g) => sum + g * g, 0))
    const error = Math.sqrt(b.gradient.reduce((sum, g, i) => sum + (g - a.gradient[i]) ** 2, 0))
    expect(error / norm).toBeLessThan(1e-5)
    expect(a.loss / b.loss).toBeCloseTo(1, 5)
    theirs.dispose()
    ours.dispose()
  })
})
