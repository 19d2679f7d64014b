/**
 * Calls for one row, as a policy makes them many times a second: their program is kept, and they are the rows of a call for many,
 * whatever was asked for before.
 */

import { expect, test } from 'vitest'
import type { Device } from '../../src/device/device.js'
import { openNative } from '../../src/device/native/index.js'
import type { Condition } from '../../src/model/condition.js'
import { Flow } from '../../src/model/flow.js'
import { modelSchema, networkFor, resolveModel } from '../../src/networks/registry.js'
import { describeOn } from '../devices.js'

const condition = {
  kind: 'columns',
  names: null,
  scaler: { mean: [0, 1, 2], std: [1, 1, 2] },
  dropout: 0.1,
} satisfies Condition
const nets: [string, object, number[]][] = [
  ['an mlp', { hidden: [16, 16] }, [8, 3]],
  ['an mlp told at every layer', { hidden: [16, 16, 16], conditionAt: 'every' }, [8, 3]],
  ['a unet1d', { kind: 'unet1d', width: 8, multipliers: [1, 2], groups: 4 }, [8, 3]],
]

function policyOf(
  written: object,
  rowShape: number[],
  device: Device | null,
  open: () => Promise<Device> = async () => device!,
): Flow {
  const network = networkFor(resolveModel(modelSchema.parse(written)), rowShape, { condition: 4 })
  const stages = [0.3, null].map((gamma, n) => ({
    parameters: network.initialise(1, n).map((value, i) => value + 0.05 * Math.sin(i + n)),
    outputScale: 1,
    gamma,
    angle: null,
  }))
  const solver = { solver: 'midpoint', steps: 1, rtol: 1e-5, atol: 1e-5 } as const
  const settings = { sample: solver, evaluate: { ...solver, trace: 'hutchinson', probes: 1 }, seed: 3 } as const
  return new Flow({ network, stages, rowShape, scaler: null, settings, condition }, device, open)
}

const told = (i: number): number[] => [Math.sin(i), Math.cos(i), i / 5]

await describeOn(['native', 'webgpu', 'reference'], 'one row', (device) => {
  test.each(nets)('of %s is that of many, for every condition, guided or not', async (_, written, rowShape) => {
    const flow = policyOf(written, rowShape, device())
    for (const guidance of [1, 2]) {
      const cond = Array.from({ length: 70 }, (_, i) => told(i))
      const { values } = await flow.sample(70, { cond, guidance })
      for (const i of [0, 1, 2, 69]) {
        const one = await flow.sample(1, { cond: told(i), guidance, first: i })
        expect(one.values).toEqual(values.slice(i * 24, (i + 1) * 24))
      }
      const three = await Promise.all([4, 5, 6].map((i) => flow.sample(1, { cond: told(i), guidance, first: i })))
      for (const [k, one] of three.entries()) expect(one.values).toEqual(values.slice((4 + k) * 24, (5 + k) * 24))
    }
    await flow.dispose()
  })

  test('is asked of a program that is there: nothing is compiled, and memory stays as it is', async () => {
    const flow = policyOf(...(nets[2].slice(1) as [object, number[]]), device())
    const compile = device().compile
    let compiled = 0
    device().compile = (program) => {
      compiled++
      return compile.call(device(), program)
    }
    await flow.sample(1, { cond: told(1) })
    const before = { compiled, ...device().memory() }
    for (let first = 1; first < 5; first++) await flow.sample(1, { cond: told(first), first })
    expect({ compiled, ...device().memory() }).toEqual(before)
    // another solver is another program; that of the first is made again
    await flow.sample(1, { cond: told(1), solver: 'euler' })
    await flow.sample(1, { cond: told(1) })
    expect(compiled).toBe(before.compiled + 2)
    device().compile = compile
    await flow.dispose()
  })
})

await describeOn(['native'], 'a model that was disposed of', () => {
  test('plans the same call anew, on another device', async () => {
    const [, written, rowShape] = nets[0]
    const flow = policyOf(written, rowShape, null, () => openNative())
    const { values } = await flow.sample(1, { cond: told(1) })
    await flow.dispose()
    expect((await flow.sample(1, { cond: told(1) })).values).toEqual(values)
    await flow.dispose()
  })
})
