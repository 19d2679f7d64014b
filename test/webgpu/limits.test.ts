/** Limits of an adapter that a config exceeds: named before anything is trained, or worked around. Small adapters are played. */

import { describe, expect, test } from 'vitest'
import { resolveOptions } from '../../src/config/index.js'
import type { Device } from '../../src/device/device.js'
import { openWebgpu, type WebgpuOptions } from '../../src/device/webgpu/node/index.js'
import { ConfigError, DeviceError } from '../../src/errors.js'
import { data } from '../../src/index.js'
import { LocalFlow } from '../../src/run/local-flow.js'
import { trainFlow } from '../../src/run/training.js'
import { cases } from '../parity/cases.js'
import { runCase } from '../parity/harness.js'
import { adapterOrSkip } from './adapter.js'

const name = await adapterOrSkip()

const base = {
  model: { hidden: [64, 64], activation: 'silu' },
  flow: { gammas: [null] },
  train: { batch: 64, steps: 2, checkpointEvery: 'off' },
  ode: { steps: 1 },
} as const

const rows = (count: number) => ({ values: data.toy('moons').sample(count, 1) as Float32Array, shape: [count, 2] })

describe.skipIf(!name)(`webgpu: limits on ${name}`, { timeout: 600_000 }, () => {
  const on = async <T>(limits: WebgpuOptions['limits'], use: (device: Device) => Promise<T>): Promise<T> => {
    const device = await openWebgpu({ adapter: name, limits })
    try {
      return await use(device)
    } finally {
      await device.dispose()
    }
  }
  const train = (limits: WebgpuOptions['limits'], options: object, count = 1000): Promise<LocalFlow> =>
    on(limits, async (device) => {
      const { parts } = await trainFlow(device, rows(count), null, resolveOptions({ ...base, ...options }), {})
      expect(device.memory().buffers).toBe(0)
      return new LocalFlow(parts, device)
    })

  const binding = { maxStorageBufferBindingSize: 65536 }

  test.each([
    ['train.batch 1000', { train: { ...base.train, batch: 1000 } }, /train\.batch 1000 needs a buffer of 250 KiB/],
    ['model.hidden', { model: { ...base.model, hidden: [64, 200, 200] } }, /model\.hidden makes a network that needs/],
    ['train.steps', { train: { ...base.train, steps: 5000 } }, /train\.steps 5000 needs a buffer of/],
  ])('%s is named before training', async (_, options, message) => {
    const training = train(binding, options)
    await expect(training).rejects.toThrow(ConfigError)
    await expect(training).rejects.toThrow(message)
    await expect(training).rejects.toThrow(/allows 64.0 KiB \(maxStorageBufferBindingSize\)/)
  })

  const unet = {
    model: { kind: 'unet', width: 8, multipliers: [1, 2], depth: 1, attention: [], headChannels: 8, groups: 4 },
    train: { ...base.train, batch: 16 },
  } as const

  test.each([
    [
      'train.batch',
      { train: { ...unet.train, batch: 1000 } },
      /train\.batch 1000 needs a buffer of .* train\.microBatches: 2/s,
    ],
    ['model.width', { model: { ...unet.model, width: 64 } }, /model\.width makes a network that needs a buffer of/],
  ])('%s of a UNet is named before training', async (_, options, message) => {
    const pictures = { values: new Uint8Array(1000 * 64).fill(20), shape: [1000, 1, 8, 8] }
    const training = on({ maxStorageBufferBindingSize: 262144 }, (device) =>
      trainFlow(device, pictures, null, resolveOptions({ ...base, ...unet, ...options }), {}),
    )
    await expect(training).rejects.toThrow(ConfigError)
    await expect(training).rejects.toThrow(message)
    await expect(training).rejects.toThrow(/allows 256 KiB \(maxStorageBufferBindingSize\)/)
  })

  test('data that no buffer holds are named by data.train', async () => {
    const limits = { maxBufferSize: 131072 }
    await expect(train(limits, {}, 20_000)).rejects.toThrow(/data\.train needs a buffer of 156 KiB.*\(maxBufferSize\)/)
  })

  test('data that are larger than a binding are split, with bit-identical results', async () => {
    const options = { flow: { gammas: [0.2], coupling: 'independent' }, train: { ...base.train, steps: 5 } }
    // 160 KB: three bindings, of which the last is not full
    const [split, whole] = [await train(binding, options, 20_000), await train({}, options, 20_000)]
    expect(split.subFlows.map(({ parameters }) => parameters)).toEqual(whole.subFlows.map((one) => one.parameters))
    await expect(train(binding, options, 40_000)).rejects.toThrow(/data\.train needs a buffer of 313 KiB/)
  })

  const drawn = cases.filter(({ kernel }) => kernel === 'draw_batch')

  test('stored right ends that no binding holds are refused, with their size and what to do', async () => {
    const stored = drawn.find(({ attributes }) => attributes.pairing === 'stored')!
    const [n, D] = [16_385, 1]
    const ends = { shape: [n, D], values: new Float32Array(n * D) }
    const large = { ...stored, operands: { ...stored.operands, pool: ends, right: ends } }
    const refused = on(binding, (device) => runCase(device, large))
    await expect(refused).rejects.toThrow(DeviceError)
    await expect(refused).rejects.toThrow(
      /right ends take 65540 bytes, .* which has 65536 bytes here\. Take fewer pairs/,
    )
  })

  test('eight bindings are enough for a batch without conditions', { timeout: 600_000 }, async () => {
    const most = drawn.filter(({ operands }) => !operands.condition && operands.path_table)
    expect(most.length).toBeGreaterThan(3)
    await on({ maxStorageBuffersPerShaderStage: 8 }, async (device) => {
      for (const one of [...most, drawn.find(({ label }) => label.includes('stored, pixels'))!]) {
        for (const { error, allowed, detail } of await runCase(device, one)) {
          expect(error, `${one.label}: ${detail}`).toBeLessThanOrEqual(allowed)
        }
      }
    })
  })

  test('blocks of rows are as large as an adapter binds at a time, and the rows are the same', async () => {
    const flow = await train({}, {})
    const sample = (limits: WebgpuOptions['limits']) =>
      on(limits, async (device) => {
        const { options, raw, rowShape, rowKind, scaler, subFlows } = flow
        const here = new LocalFlow({ options, raw, rowShape, rowKind, scaler, subFlows }, device)
        const { values } = await here.sample(1000)
        await here.dispose()
        return values
      })
    expect(await sample(binding)).toEqual(await sample({}))
  })
})
