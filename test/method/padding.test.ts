/**
 * Hidden widths are padded to multiples of four on a device: the units that are added stay exactly zero through training, so
 * that files and results are those of the network without them.
 */

import { expect, test } from 'vitest'
import type { Device } from '../../src/device/device.js'
import { openReference } from '../../src/device/reference/device.js'
import { type ActivationName, activations } from '../../src/kernels/activations.js'
import { freshState } from '../../src/learn/fit.js'
import { mlpNetwork, padded } from '../../src/networks/mlp/mlp.js'
import type { MlpSpec } from '../../src/networks/mlp/spec.js'
import type { Network } from '../../src/networks/network.js'
import { describeOn } from '../devices.js'
import { optimizer, poolOf, subFlow, trainSubFlow } from '../training.js'

const spec = (activation: ActivationName): MlpSpec => ({
  kind: 'mlp',
  dimension: 3,
  condition: 0,
  hidden: [6, 9],
  activation,
  beta: 1,
  time: 'every',
  frequencies: [],
})

const settings = subFlow({ optimizer: { ...optimizer, weightDecay: 0.01, ema: 0.9 } })

async function train(device: Device, field: Network): Promise<Float32Array> {
  const rows = 100
  const pool = device.createBuffer(3 * rows)
  pool.write(Float32Array.from({ length: 3 * rows }, (_, i) => Math.sin(0.37 * i * i)))
  const start = freshState(field.initialise(5, 1), settings.optimizer)
  const { state } = await trainSubFlow(device, field, poolOf(pool, rows), start, settings, { checkpointEvery: 0 })
  pool.dispose()
  return state.parameters
}

const restored = (field: Network, flat: Float32Array): Float32Array => {
  const tensors = field.toTensors(flat, '').map((tensor) => [tensor.name, tensor] as const)
  return field.fromTensors(new Map(tensors), '')
}

test('an activation that is not zero at zero keeps its widths; the others get multiples of four', () => {
  const names = Object.keys(activations) as ActivationName[]
  expect(names.filter((name) => padded(spec(name)).hidden.join() === '6,9')).toEqual(['softplus'])
  expect(padded(spec('relu')).hidden).toEqual([8, 12])
})

test('starting parameters and files are those of the network as it is', () => {
  const [plain, on] = [mlpNetwork(spec('silu')), mlpNetwork(spec('silu'), padded(spec('silu')))]
  expect(on.parameterLength).toBeGreaterThan(0)
  expect(on.toTensors(on.initialise(3, 2), 'p.')).toEqual(plain.toTensors(plain.initialise(3, 2), 'p.'))
  expect([on.parameterCount, on.rowFlops, on.stepFlops(7)]).toEqual([
    plain.parameterCount,
    plain.rowFlops,
    plain.stepFlops(7),
  ])
})

await describeOn(['reference', 'native', 'webgpu'], 'training with padded widths', (device) => {
  test.each(['relu', 'elu', 'silu', 'gelu', 'tanh'] as const)(
    '%s leaves what was added at zero',
    async (activation) => {
      const net = spec(activation)
      const [plain, on] = [mlpNetwork(net), mlpNetwork(net, padded(net))]
      const trained = await train(device(), on)
      expect(trained.some((value) => value !== 0)).toBe(true)
      expect(restored(on, trained)).toEqual(trained)
      const exact = plain.toTensors(await train(openReference(), plain), '')
      const got = on.toTensors(trained, '')
      const differences = exact.flatMap(({ values }, i) => [...values].map((value, j) => value - got[i].values[j]))
      expect(Math.hypot(...differences)).toBeLessThan(1e-3)
    },
  )
})
