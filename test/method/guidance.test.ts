/**
 * Classifier-free guidance on every device: with one Euler step a state moves by v = v_∅ + w (v_c − v_∅), so that states, and the
 * log-determinants of their paths, lie on a line in w; for networks of any kind, fixed and adaptive solvers, one weight or many.
 */

import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { Condition } from '../../src/model/condition.js'
import { Flow, type FlowModel } from '../../src/model/flow.js'
import { mlpNetwork } from '../../src/networks/mlp/mlp.js'
import type { Network } from '../../src/networks/network.js'
import { unetLayout } from '../../src/networks/unet/spec.js'
import { unetNetwork } from '../../src/networks/unet/unet.js'
import { describeOn } from '../devices.js'
import { smallUnet } from '../small-unet.js'

const condition: Condition = {
  kind: 'columns',
  names: null,
  scaler: { mean: [0, 1], std: [1, 2] },
  dropout: 0.1,
}
const wave = (length: number, frequency: number, size = 1): Float32Array =>
  Float32Array.from({ length }, (_, i) => size * Math.sin(frequency * (i + 1) + 0.01 * i * i))

const mlp = mlpNetwork({
  ...{ kind: 'mlp', dimension: 2, condition: 3, hidden: [24, 24], activation: 'silu', beta: 1 },
  ...{ time: 'first', frequencies: [] },
})
const unetSpec = { ...smallUnet, condition: 3, scaleShift: true }
const unet = unetNetwork(unetSpec)

/** Parameters that differ from stage to stage, no layer zero. */
function parametersOf(network: Network, stage: number): Float32Array {
  const flat = network.initialise(3, stage)
  if (network !== unet) return flat.map((value) => 2 * value)
  for (const { offset, shape } of unetLayout(unetSpec).parameters) {
    const length = shape.reduce((product, extent) => product * extent, 1)
    for (let i = 0; i < length; i++) flat[offset + i] += 0.1 * Math.sin(1.3 * i + stage)
  }
  return flat
}

const model = (network: Network, rowShape: number[], stages: number): FlowModel => {
  const solver = { solver: 'euler', steps: 1, clock: 'local', rtol: 1e-5, atol: 1e-5 } as const
  return {
    network,
    stages: [1, 2].slice(0, stages).map((stage) => ({
      ...{ parameters: parametersOf(network, stage), outputScale: 0.8, gamma: null, angle: null },
    })),
    rowShape,
    scaler: null,
    settings: { sample: solver, evaluate: { ...solver, trace: 'exact', probes: 2 }, seed: 4 },
    condition,
  }
}
const most = (a: ArrayLike<number>, b: ArrayLike<number>): number =>
  Array.from(a).reduce((sum, value, i) => Math.max(sum, Math.abs(value - b[i])), 0)
/** a + w (b − a) */
const along = (a: ArrayLike<number>, b: ArrayLike<number>, w: number): number[] =>
  Array.from(a, (value, i) => value + w * (b[i] - value))

await describeOn(['reference', 'native', 'webgpu'], 'guidance', (device, kind) => {
  const open = (network: Network, rowShape: number[], stages = 2): Flow =>
    new Flow(model(network, rowShape, stages), device(), async () => device())

  describe.each([
    ['an MLP', mlp, [2], 100],
    ['a UNet', unet, [2, 8, 8], 3],
  ] as const)('of %s', (_, network, rowShape, n) => {
    let flow: Flow
    const D = network.dimension
    const z = { values: wave(n * D, 1.7), shape: [n, ...rowShape] }
    const cond = { values: wave(n * 2, 0.4, 2), shape: [n, 2] }
    beforeAll(() => {
      flow = open(network, [...rowShape])
    })
    afterAll(() => flow.dispose())

    /** The states after the stage at the noise's side alone. */
    const carried = async (guidance: number | number[] | undefined) => {
      const { states } = await flow.trajectory(z, { cond, guidance, times: [1] })
      return states[0].values
    }

    test('moves a state along the line between no condition and its condition', async () => {
      const [none, told] = [await carried(0), await carried(undefined)]
      expect(most(none, told)).toBeGreaterThan(0.01)
      for (const w of [0.5, 3]) expect(most(await carried(w), along(none, told, w))).toBeLessThan(2e-4)
      // the second weight is that of the stage at the noise's side
      expect(most(await carried([7, 3]), along(none, told, 3))).toBeLessThan(2e-4)
      expect(await carried([7, 1])).toEqual(told)
    })

    test('counts two evaluations, and one where the weight is 1', async () => {
      const counted = async (guidance: number | number[]): Promise<number> => {
        await flow.sample(3, { cond: [0, 1], guidance })
        return flow.evaluations!.mean
      }
      expect(await counted(2)).toBe(4)
      expect(await counted([1, 2])).toBe(3)
      expect(await counted(1)).toBe(2)
      expect(await counted(0)).toBe(2)
    })

    // the reference takes a minute for the divergence of a UNet
    test.skipIf(network === unet && kind === 'reference')('moves log-determinants along the same line', async () => {
      const one = open(network, [...rowShape], 1)
      for (const how of [{ trace: 'exact' }, { trace: 'hutchinson', probes: 2 }] as const) {
        if (network === unet && how.trace === 'exact') continue
        const logDet = async (guidance: number): Promise<number[]> => {
          const options = { cond, guidance }
          const { values } = await one.encode(z, options)
          const logProb = await one.logProb(z, { ...options, ...how })
          return [...logProb].map(
            (score, i) => score + values.slice(i * D, (i + 1) * D).reduce((s, v) => s + (v * v) / 2, 0),
          )
        }
        const [none, told] = [await logDet(0), await logDet(1)]
        expect(most(none, told)).toBeGreaterThan(1e-3)
        expect(most(await logDet(3), along(none, told, 3))).toBeLessThan(network === unet ? 5e-3 : 1e-4)
      }
      await one.dispose()
    })
  })

  test('by steps that are found while rows go is that of many even steps', async () => {
    const flow = open(mlp, [2])
    const z = { values: wave(20, 1.7), shape: [10, 2] }
    const options = { cond: [0.4, 3], guidance: [2.5, 1] }
    const found = await flow.decode(z, { ...options, solver: 'dopri5' })
    // each evaluation of the guided half counts twice
    expect(flow.evaluations!.mean).toBeGreaterThan(20)
    const even = await flow.decode(z, { ...options, solver: 'rk4', steps: 40 })
    expect(most(found.values, even.values)).toBeLessThan(1e-3)
    const [a, b] = [
      await flow.logProb(z, { ...options, solver: 'dopri5' }),
      await flow.logProb(z, { ...options, solver: 'rk4', steps: 40 }),
    ]
    expect(most(a, b)).toBeLessThan(2e-3)
    await flow.dispose()
  })
})
