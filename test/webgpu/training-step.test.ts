/**
 * A training step as a whole on the WebGPU device: operations that are planned together (the parts of the weight gradients
 * are added up where the norm is taken) leave what the reference's single kernels leave, bit-identical each time.
 */

import { describe, expect, test } from 'vitest'
import type { Device } from '../../src/device/device.js'
import { openReference } from '../../src/device/reference/device.js'
import { openWebgpu } from '../../src/device/webgpu/node/index.js'
import type { MlpSpec } from '../../src/networks/mlp/spec.js'
import { compare } from '../parity/harness.js'
import { adapterOrSkip } from './adapter.js'
import { stepOf } from './training-step.js'

const name = await adapterOrSkip()

const nets: Record<string, Pick<MlpSpec, 'dimension' | 'hidden' | 'activation' | 'time'>> = {
  'widths in quads': { dimension: 2, hidden: [32, 32, 32], activation: 'silu', time: 'first' },
  'odd widths': { dimension: 9, hidden: [33, 21], activation: 'softplus', time: 'every' },
}

async function trained(device: Device, spec: MlpSpec, steps: number): Promise<Record<string, Float32Array>> {
  const { program, buffers, values } = stepOf(spec, 200, (length, dtype) => device.createBuffer(length, dtype))
  for (const [key, start] of Object.entries(values)) buffers[key as keyof typeof buffers].write(start)
  const executable = await device.compile(program)
  await executable.run(steps)
  const read = async (key: keyof typeof buffers): Promise<Float32Array> => (await buffers[key].read()) as Float32Array
  const left = { gradient: await read('gradient'), parameters: await read('parameters'), ring: await read('ring') }
  executable.dispose()
  for (const buffer of Object.values(buffers)) buffer.dispose()
  return left
}

describe.skipIf(!name)(`webgpu: a training step on ${name}`, { timeout: 600_000 }, () => {
  test.each(Object.entries(nets))('of a net with %s is the reference’s', async (_, net) => {
    const spec: MlpSpec = { kind: 'mlp', condition: 0, beta: 1, frequencies: [], ...net }
    const [webgpu, reference] = [await openWebgpu({ adapter: name }), openReference()]
    const [left, wanted] = [await trained(webgpu, spec, 3), await trained(reference, spec, 3)]
    for (const [key, values] of Object.entries(wanted)) {
      const { error, allowed, detail } = compare(key, left[key], values, 2e-5)
      expect(error, `${key}, ${detail}`).toBeLessThanOrEqual(allowed)
    }
    expect(await trained(webgpu, spec, 3)).toEqual(left)
    expect(webgpu.memory().buffers).toBe(0)
    await webgpu.dispose()
    await reference.dispose()
  })
})
