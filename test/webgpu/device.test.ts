/**
 * The WebGPU device as a device: order, limits, errors, the end. What its kernels compute is in test/parity.
 */

import { spawnSync } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import type { Device } from '../../src/device/device.js'
import type { WebgpuDevice } from '../../src/device/webgpu/device.js'
import { forgetful } from '../../src/device/webgpu/findings.js'
import { listAdapters, openWebgpu } from '../../src/device/webgpu/node/index.js'
import { variants } from '../../src/device/webgpu/variants.js'
import { DeviceError, DeviceLostError } from '../../src/errors.js'
import { toHalf } from '../../src/kernels/convert.js'
import { kernels } from '../../src/kernels/registry.js'
import { ProgramBuilder } from '../../src/program/program.js'
import { casesOn } from '../parity/gaps.js'
import { runCase } from '../parity/harness.js'
import { adapterOrSkip } from './adapter.js'
import { counting } from './programs.js'

const name = await adapterOrSkip()
const timeout = 600_000

describe.skipIf(!name)(`webgpu: the device on ${name}`, { timeout }, () => {
  let device: Device
  beforeEach(async () => {
    device = await openWebgpu({ adapter: name })
  }, timeout)
  afterEach(() => device.dispose(), timeout)

  test('an adapter tells what it is', async () => {
    const [adapter] = await listAdapters()
    expect(adapter.driver).not.toBe('')
    expect(adapter.limits.maxBufferSize).toBeGreaterThan(2 ** 27)
    if (/llvmpipe|SwiftShader/.test(adapter.name)) expect(adapter.type).toBe('software')
    expect(device.info).toMatchObject({ kind: 'webgpu', name: adapter.name, type: adapter.type })
  })

  test('memory starts as zeros and is counted', async () => {
    expect(device.memory()).toMatchObject({ buffers: 0, bytes: 0 })
    const buffer = device.createBuffer(1000, 'u32')
    expect(await buffer.read()).toEqual(new Uint32Array(1000))
    expect(device.memory()).toMatchObject({ buffers: 1, bytes: 4000 })
    buffer.dispose()
    expect(device.memory()).toMatchObject({ buffers: 0, bytes: 0, peakBytes: 4000 })
    await expect(async () => buffer.read()).rejects.toThrow(/disposed/)
  })

  test('an executable frees what it allocated', async () => {
    const buffer = device.createBuffer(64)
    const executable = await device.compile(counting(buffer))
    expect(device.memory().buffers).toBeGreaterThan(1)
    executable.dispose()
    expect(device.memory().buffers).toBe(1)
    await expect(executable.run()).rejects.toThrow(/disposed/)
  })

  test('writes, runs, copies and reads happen in the order of the calls', async () => {
    const buffer = device.createBuffer(64)
    const other = device.createBuffer(64)
    const executable = await device.compile(counting(buffer))
    const values = new Float32Array(64).fill(10)
    const first = executable.run(300)
    device.copy(buffer, 0, other, 0, 64)
    buffer.write(values)
    values.fill(-1)
    const second = executable.run(5)
    const copied = await other.read()
    await Promise.all([first, second])
    expect(copied[0]).toBe(300)
    expect((await buffer.read())[63]).toBe(15)
  })

  test('a copy within one buffer may overlap', async () => {
    const buffer = device.createBuffer(10)
    buffer.write(Float32Array.from({ length: 10 }, (_, i) => i))
    device.copy(buffer, 0, buffer, 3, 6)
    expect([...(await buffer.read())]).toEqual([0, 1, 2, 0, 1, 2, 3, 4, 5, 9])
  })

  test('replays are bit-identical', async () => {
    const bits = async (): Promise<string> => {
      const builder = new ProgramBuilder()
      const buffers = { x: 1237 * 65, dy: 1237 * 33, dweight: 33 * 65, dbias: 33 }
      const made = Object.fromEntries(
        Object.entries(buffers).map(([key, length]) => [key, device.createBuffer(length)]),
      )
      made.x.write(Float32Array.from({ length: buffers.x }, (_, i) => Math.sin(i)))
      made.dy.write(Float32Array.from({ length: buffers.dy }, (_, i) => Math.cos(i * i)))
      builder.add(
        kernels.get('linear_backward_weight')!,
        {
          x: builder.tensor(made.x, [1237, 65]),
          dy: builder.tensor(made.dy, [1237, 33]),
          dweight: builder.tensor(made.dweight, [33, 65]),
          dbias: builder.tensor(made.dbias, [33]),
        },
        {},
      )
      const executable = await device.compile(builder.build())
      await executable.run(3)
      const parts = await Promise.all([made.dweight.read(), made.dbias.read()])
      executable.dispose()
      for (const buffer of Object.values(made)) buffer.dispose()
      return parts.map((part) => new Uint32Array(part.buffer).join()).join()
    }
    expect(await bits()).toBe(await bits())
  })

  test('a launch may need more workgroups than fit into one dimension', async () => {
    const length = 65535 * 64 + 1000
    const x = device.createBuffer(length)
    const y = device.createBuffer(length)
    x.write(new Float32Array(1000).fill(-3), length - 1000)
    const builder = new ProgramBuilder()
    const operands = { x: builder.tensor(x), y: builder.tensor(y) }
    builder.add(kernels.get('activation')!, operands, { activation: 'identity', beta: 1 })
    const executable = await device.compile(builder.build())
    await executable.run()
    expect(await y.read(length - 1001, 1001)).toEqual(Float32Array.from([0, ...new Array(1000).fill(-3)]))
  })

  test('a run stops between replays when it is aborted', async () => {
    const buffer = device.createBuffer(64)
    const executable = await device.compile(counting(buffer))
    await executable.run(1)
    const reason = new Error('enough')
    let count = 1
    // the event loop is free while the device works, which may be slow to begin
    for (let ms = 100; count === 1; ms *= 2) {
      const controller = new AbortController()
      const running = executable.run(10_000_000, { signal: controller.signal })
      await new Promise((resolve) => setTimeout(resolve, ms))
      controller.abort(reason)
      await expect(running).rejects.toBe(reason)
      ;[count] = await buffer.read()
    }
    expect(count).toBeLessThan(10_000_000)
    await expect(executable.run(1, { signal: AbortSignal.abort(reason) })).rejects.toBe(reason)
    expect((await buffer.read())[0]).toBe(count)
  })

  test('an error names the limit that was exceeded', () => {
    const limit = (device as WebgpuDevice).gpu.limits.maxBufferSize
    expect(() => device.createBuffer(limit)).toThrow(/maxBufferSize.*is \d+/)
    expect(() => device.createBuffer(limit)).toThrow(DeviceError)
    expect(device.memory().buffers).toBe(0)
  })

  test('operands of one buffer, of which one is written, are refused', async () => {
    const buffer = device.createBuffer(128)
    const builder = new ProgramBuilder()
    const operands = { x: builder.tensor(buffer, [64]), y: builder.tensor(buffer, [64], 64) }
    builder.add(kernels.get('activation')!, operands, { activation: 'relu', beta: 1 })
    await expect(device.compile(builder.build())).rejects.toThrow(/activation: operands x and y lie in one buffer/)
    expect(device.memory().buffers).toBe(1)
  })

  test('a buffer of another device is refused', async () => {
    const other = await openWebgpu({ adapter: name })
    const buffer = other.createBuffer(64)
    await expect(device.compile(counting(buffer))).rejects.toThrow(/another device/)
    await other.dispose()
  })

  test('an error that no call can be blamed for comes with the next await', async () => {
    const { gpu } = device as WebgpuDevice
    gpu.createBuffer({ size: 4, usage: 0x1 | 0x80 })
    const buffer = device.createBuffer(64)
    await expect(buffer.read()).rejects.toThrow(DeviceError)
    expect((await buffer.read())[0]).toBe(0)
  })

  test('a lost device rejects what is pending and what comes after', async () => {
    const buffer = device.createBuffer(64)
    const executable = await device.compile(counting(buffer))
    const running = executable.run(10_000_000)
    const outcome = expect(running).rejects.toThrow(DeviceLostError)
    await new Promise((resolve) => setTimeout(resolve, 50))
    ;(device as WebgpuDevice).gpu.destroy()
    await outcome
    await expect(buffer.read()).rejects.toThrow(DeviceLostError)
    expect(() => device.createBuffer(1)).toThrow(DeviceLostError)
    await expect(device.compile(counting(buffer))).rejects.toThrow(DeviceLostError)
  })

  test('disposing ends a run and frees all memory', async () => {
    const buffer = device.createBuffer(64)
    const executable = await device.compile(counting(buffer))
    const outcome = expect(executable.run(10_000_000)).rejects.toThrow(/disposed/)
    await device.dispose()
    await outcome
    expect(device.memory()).toMatchObject({ buffers: 0, bytes: 0 })
  })
})

describe.skipIf(!name)(`webgpu: what ${name} can be asked for`, { timeout }, () => {
  test('a process ends by itself after dispose', () => {
    const script = fileURLToPath(new URL('exit.ts', import.meta.url))
    const { stdout, status } = spawnSync(process.execPath, ['--import', 'tsx', script], {
      encoding: 'utf8',
      timeout: 120_000,
    })
    expect(stdout).toContain('read 2')
    expect(status).toBe(0)
  })

  test('an adapter that is not there is an error that names those that are', async () => {
    const opening = openWebgpu({ adapter: 'Voodoo 2' })
    await expect(opening).rejects.toThrow(DeviceError)
    await expect(opening).rejects.toThrow(`No adapter has 'Voodoo 2' in its name; there is '${name}'`)
  })

  test('without any adapter the error names Vulkan and the way out', async () => {
    const before = process.env.VK_DRIVER_FILES
    process.env.VK_DRIVER_FILES = '/nonexistent.json'
    try {
      await expect(openWebgpu()).rejects.toThrow(/no Vulkan adapter.*nonexistent.*software-vulkan\.sh/)
    } finally {
      if (before === undefined) delete process.env.VK_DRIVER_FILES
      else process.env.VK_DRIVER_FILES = before
    }
  })

  test('a buffer of float16 holds what float16 does, and is read and written as a whole', async () => {
    const device = await openWebgpu({ adapter: name })
    const values = [1, -0.1, 65504, 1e6, -1e6, 2 ** -24, 3 * 2 ** -25, -(2 ** -14), 0, 1000.4, 0.333251953125]
    const buffer = device.createBuffer(values.length, 'f16')
    expect(device.memory().bytes).toBe(4 * 6)
    buffer.write(Float32Array.from(values))
    expect([...(await buffer.read())]).toEqual(values.map(toHalf))
    await expect(async () => buffer.read(0, 4)).rejects.toThrow(/part of a buffer of float16/)
    buffer.dispose()
    await device.dispose()
  })

  test('an unknown variant is refused', async () => {
    const device = await openWebgpu({ adapter: name, variants: { mat_mul: 'tiny' } })
    await expect(runCase(device, casesOn('webgpu').find(({ kernel }) => kernel === 'mat_mul')!)).rejects.toThrow(
      /variant of mat_mul/,
    )
    await device.dispose()
  })

  const products = casesOn('webgpu').filter(({ kernel }) => /^(mat_mul|linear_backward_weight)$/.test(kernel))
  // a processor's driver takes seconds to compile each of the tiles that are made for GPUs
  const tiled: Record<string, RegExp> = {
    tile32: /^mat_mul (aᵀ b|a bᵀ), .52, 36, 44.$|^linear_(backward_weight|forward) .53, 36. → 44/,
    tile64: /^mat_mul a b, .52, 36, 44.$/,
    tile128: /^mat_mul aᵀ bᵀ, .52, 36, 44.$/,
  }

  for (const variant of Object.keys(variants)) {
    test(`products by the variant ${variant}`, async () => {
      const kernels = ['mat_mul', 'linear_backward_weight', 'linear_forward']
      const device = await openWebgpu({
        adapter: name,
        variants: Object.fromEntries(kernels.map((kernel) => [kernel, variant])),
      })
      for (const one of variant in tiled
        ? casesOn('webgpu').filter(({ kernel, label }) => tiled[variant].test(`${kernel} ${label}`))
        : products) {
        for (const { operand, error, allowed, detail } of await runCase(device, one)) {
          expect(error, `${one.label}: ${operand}, ${detail}`).toBeLessThanOrEqual(allowed)
        }
      }
      expect(device.memory().buffers).toBe(0)
      await device.dispose()
    })
  }

  test('without Dawn’s own checks every kernel still computes the same', async () => {
    const device = await openWebgpu({ adapter: name, fast: true, findings: forgetful() })
    for (const one of casesOn('webgpu').filter(({ label }, i) => i % 8 === 0 || /halted/.test(label))) {
      for (const { operand, error, allowed, detail } of await runCase(device, one)) {
        expect(error, `${one.kernel}, ${one.label}: ${operand}, ${detail}`).toBeLessThanOrEqual(allowed)
      }
    }
    await device.dispose()
  })
})
