/**
 * What a model carries, against arithmetic: stages of constant velocity move rows by their own scale and number, and samples are
 * the decoded normals of their seed, the i-th row's by its number.
 */

import { expect, test } from 'vitest'
import type { Device } from '../../src/device/device.js'
import { seedWords } from '../../src/kernels/draws.js'
import { normal } from '../../src/kernels/normal.js'
import { Flow, type Stage } from '../../src/model/flow.js'
import { mlpNetwork } from '../../src/networks/mlp/mlp.js'
import { type MlpSpec, mlpLayers } from '../../src/networks/mlp/spec.js'
import type { SolverSettings } from '../../src/ode/solver.js'
import { describeOn } from '../devices.js'

const net: MlpSpec = {
  kind: 'mlp',
  dimension: 2,
  condition: 0,
  hidden: [12],
  activation: 'tanh',
  beta: 1,
  time: 'first',
  frequencies: [],
}
const network = mlpNetwork(net)

function flowOf(
  device: Device,
  stages: readonly Pick<Stage, 'parameters' | 'outputScale'>[],
  solver: SolverSettings,
): Flow {
  const settings = { sample: solver, evaluate: { ...solver, trace: 'exact', probes: 1 } as const, seed: 1 }
  const all = stages.map((stage) => ({ ...stage, gamma: null, angle: null }))
  return new Flow({ network, stages: all, rowShape: [2], scaler: null, settings }, device, async () => device)
}

/** A network whose velocity is (x, y) everywhere. */
function constant(x: number, y: number): Float32Array {
  const parameters = new Float32Array(network.parameterLength)
  parameters.set([x, y], mlpLayers(net).at(-1)!.bias)
  return parameters
}

await describeOn(['reference', 'native'], 'a model', (device) => {
  test.each(['euler', 'rk4', 'dopri5'] as const)(
    'carries by %s through every stage with its own scale',
    async (solver) => {
      const stages = [
        { parameters: constant(1, 10), outputScale: 0.5 },
        { parameters: constant(2, -3), outputScale: 2 },
        { parameters: constant(-1, 1), outputScale: 1.5 },
      ]
      const flow = flowOf(device(), stages, { solver, steps: 2, rtol: 1e-5, atol: 1e-5 })
      const x = { values: Float32Array.of(0, 0, 1, 2), shape: [2, 2] }
      const close = (values: number[]) => values.map((value) => expect.closeTo(value, 5))
      const { values: encoded } = await flow.encode(x)
      expect([...encoded]).toEqual(close([3, 0.5, 4, 2.5]))
      expect([...(await flow.decode(x)).values]).toEqual(close([-3, -0.5, -2, 1.5]))
      const { states } = await flow.trajectory(x, { direction: 'encode', times: [0, 0.25, 1, 1.5, 3] })
      expect(states.map(({ values }) => [...values.subarray(0, 2)])).toEqual(
        [
          [0, 0],
          [0.125, 1.25],
          [0.5, 5],
          [2.5, 2],
          [3, 0.5],
        ].map(close),
      )
      // a constant velocity keeps volumes: the density is the normal one of the image
      const [first] = await flow.logProb(x)
      expect(first).toBeCloseTo(-Math.log(2 * Math.PI) - (3 ** 2 + 0.5 ** 2) / 2, 5)
      await flow.dispose()
    },
  )

  test('samples are the decoded normals of the seed, each by its number', async () => {
    const stages = [1, 2].map((stream) => ({ parameters: network.initialise(8, stream), outputScale: 1 }))
    const flow = flowOf(device(), stages, { solver: 'rk4', steps: 2, rtol: 1e-5, atol: 1e-5 })
    // more than a block has
    const n = 1500
    const noise = { data: new Float64Array(2 * n), shape: [n, 2] }
    normal.reference({ first: { data: Uint32Array.of(0), shape: [1] }, y: noise }, { ...seedWords(3), stream: 0 })
    const samples = await flow.sample(n, { seed: 3 })
    const decoded = await flow.decode({ values: Float32Array.from(noise.data), shape: [n, 2] })
    samples.values.forEach((value, i) => {
      expect(Math.abs(value - decoded.values[i]), `value ${i}`).toBeLessThan(1e-4)
    })
    await flow.dispose()
  })
})
