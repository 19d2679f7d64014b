/**
 * What the native device promises beside right numbers: order of writes and runs, an event loop that stays free, prompt
 * abort, memory that comes back, errors instead of crashes, and bits that do not depend on the number of threads.
 */

import { spawnSync } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { expect, test } from 'vitest'
import type { Device } from '../../src/device/device.js'
import { loadAddon } from '../../src/device/native/binding.js'
import { openNative } from '../../src/device/native/index.js'
import { DeviceError } from '../../src/errors.js'
import { linearForward } from '../../src/kernels/linear_forward.js'
import { stageCombine } from '../../src/kernels/stage_combine.js'
import { type MlpSpec, mlpParameterLength } from '../../src/networks/mlp/spec.js'
import { addIntegration } from '../../src/ode/integrate.js'
import { methods } from '../../src/ode/methods.js'
import { localSteps } from '../../src/ode/steps.js'
import { ProgramBuilder } from '../../src/program/program.js'
import { describeOn } from '../devices.js'

/** y ← y + x, as a program over two buffers of `length` elements. */
async function accumulation(device: Device, length: number) {
  const [x, y] = [device.createBuffer(length), device.createBuffer(length)]
  const builder = new ProgramBuilder()
  const sum = builder.temporary([length])
  const [from, to] = [builder.tensor(x, [1, length]), builder.tensor(y)]
  builder.add(stageCombine, { y: to, stages: from, out: sum }, { coefficients: [1] })
  builder.add(
    stageCombine,
    { y: sum, stages: builder.constant(new Float32Array(length), [1, length]), out: to },
    { coefficients: [1] },
  )
  const program = await device.compile(builder.build())
  const dispose = (): void => {
    program.dispose()
    x.dispose()
    y.dispose()
  }
  return { x, y, program, dispose }
}

/** A program whose replay takes a while: one wide layer on many rows. */
async function slowLayer(device: Device) {
  const [B, K, N] = [4096, 512, 512]
  const buffers = {
    x: device.createBuffer(B * K),
    weight: device.createBuffer(K * N),
    bias: device.createBuffer(N),
    y: device.createBuffer(B * N),
  }
  const builder = new ProgramBuilder()
  builder.add(
    linearForward,
    {
      x: builder.tensor(buffers.x, [B, K]),
      weight: builder.tensor(buffers.weight, [N, K]),
      bias: builder.tensor(buffers.bias),
      y: builder.tensor(buffers.y, [B, N]),
    },
    { activation: 'softplus', beta: 20, scale: 1 },
  )
  const program = await device.compile(builder.build())
  const dispose = (): void => {
    program.dispose()
    for (const buffer of Object.values(buffers)) buffer.dispose()
  }
  return { program, dispose }
}

await describeOn(['native'], 'engine', (device) => {
  test('writes, runs, copies and reads happen in the order in which they were asked for', async () => {
    const { x, y, program, dispose } = await accumulation(device(), 100)
    x.write(new Float32Array(100).fill(1))
    const first = program.run(3)
    x.write(new Float32Array(100).fill(10))
    const early = y.read(0, 1)
    const second = program.run(2)
    device().copy(y, 0, x, 0, 50)
    const copied = x.read(49, 2)
    await Promise.all([first, second])
    expect([...(await early)]).toEqual([3])
    expect([...(await y.read(99, 1))]).toEqual([23])
    expect([...(await copied)]).toEqual([23, 10])
    dispose()
  })

  test('the engine goes from one run to the next, past what is read between them, without JavaScript', async () => {
    const native = new (loadAddon().Device)()
    const [total, part] = [native.createBuffer(1), native.createBuffer(1)]
    part.write(Float32Array.of(1), 0)
    const program = native.compile({
      operations: [{ kernel: 'accumulate', operands: { total: [0, 0, [1]], part: [1, 0, [1]] }, attributes: {} }],
      buffers: [total, part],
      slots: [],
      constants: new Float32Array(0),
    })
    const stop = new (loadAddon().Stop)()
    const asked = [program.run(1000, stop), total.read(0, 1, false), program.run(500, stop), total.read(0, 1, false)]
    part.dispose()
    // this thread stands still here: no promise of the first run can be seen before what was asked for last is done
    const word = new Int32Array(new SharedArrayBuffer(4))
    for (let waited = 0; native.memory().buffers > 1 && waited < 30_000; waited++) Atomics.wait(word, 0, 0, 1)
    expect(native.memory().buffers).toBe(1)
    expect(await Promise.all(asked)).toEqual([1000, Float32Array.of(1000), 500, Float32Array.of(1500)])
    total.dispose()
  })

  test('what an addon does not know is refused, not left out', () => {
    const native = new (loadAddon().Device)()
    const buffer = native.createBuffer(64)
    const compile = (kernel: string, operands: string[], attributes: object) =>
      native.compile({
        operations: [
          { kernel, operands: Object.fromEntries(operands.map((name) => [name, [0, 0, [64]]])), attributes },
        ],
        buffers: [buffer],
        slots: [],
        constants: new Float32Array(0),
      })
    const known = { activation: 'relu', beta: 1 }
    compile('activation', ['x', 'y'], { ...known, unset: undefined }).dispose()
    const remedy = /older than the sources; build it again: npm run build:addon/
    for (const [what, attempt] of [
      [/activation knows no attribute 'slope'/, () => compile('activation', ['x', 'y'], { ...known, slope: 0.1 })],
      [
        /activation knows no activation 'mish'/,
        () => compile('activation', ['x', 'y'], { ...known, activation: 'mish' }),
      ],
      [/activation knows no operand 'z'/, () => compile('activation', ['x', 'y', 'z'], known)],
      [/has no kernel 'deconvolution'/, () => compile('deconvolution', ['x', 'y'], known)],
    ] as const) {
      expect(attempt).toThrow(what)
      expect(attempt).toThrow(remedy)
    }
    buffer.dispose()
  })

  test('a short run is done at once, a longer one while the event loop turns, and the short one behind it in its order', async () => {
    const { x, y, program, dispose } = await accumulation(device(), 100)
    x.write(new Float32Array(100).fill(1))
    let turned = false
    const turn = (): void => {
      turned = true
    }
    await new Promise(setImmediate)
    setImmediate(turn)
    await program.run()
    expect([...(await y.read(0, 1))]).toEqual([1])
    expect(turned).toBe(false)
    // so many replays take longer than the event loop is kept waiting
    const many = program.run(1_000_000)
    x.write(new Float32Array(100).fill(2))
    await program.run()
    expect(turned).toBe(true)
    expect([...(await y.read(0, 1))]).toEqual([1_000_003])
    await many
    dispose()
  })

  test('short runs, one after another, leave the event loop its turns', async () => {
    const { program, dispose } = await accumulation(device(), 100)
    let turned = false
    setImmediate(() => {
      turned = true
    })
    for (let run = 0; !turned && run < 1_000_000; run++) await program.run()
    expect(turned).toBe(true)
    dispose()
  })

  test('the event loop turns while a program runs', async () => {
    const { program, dispose } = await slowLayer(device())
    // of a loop that were held there would be none, however long the run
    let turns = 0
    for (let runs = 30; turns <= 5 && runs <= 30_000; runs *= 2) {
      const timer = setInterval(() => turns++, 1)
      await program.run(runs)
      clearInterval(timer)
    }
    expect(turns).toBeGreaterThan(5)
    dispose()
  })

  test('an abort ends a run between two replays, with the reason of the signal', async () => {
    const { program, dispose } = await slowLayer(device())
    const controller = new AbortController()
    const reason = new Error('enough')
    // all of these would take longer than the test may
    const run = program.run(1_000_000, { signal: controller.signal })
    const queued = program.run(1_000_000, { signal: controller.signal })
    setTimeout(() => controller.abort(reason), 20)
    await expect(run).rejects.toBe(reason)
    await expect(queued).rejects.toBe(reason)
    await expect(program.run(1, { signal: controller.signal })).rejects.toBe(reason)
    await program.run(1)
    dispose()
  })

  test('a profile has the operations of each program that ran, and is asked for when a device is opened', async () => {
    expect(await device().profile()).toBeNull()
    const profiled = await openNative({ profile: true })
    const { x, y, program, dispose } = await accumulation(profiled, 1000)
    const { program: unused } = await accumulation(profiled, 10)
    x.write(new Float32Array(1000).fill(1))
    await Promise.all([program.run(30), program.run(12)])
    const { programs } = (await profiled.profile())!
    expect(programs).toHaveLength(1)
    expect(programs[0].replays).toBe(42)
    expect(programs[0].launches.map(({ name, flops }) => [name, flops])).toEqual([
      ['stage_combine', 2000],
      ['stage_combine', 2000],
    ])
    for (const { us } of programs[0].launches) expect(us).toBeGreaterThan(0)
    expect([...(await y.read(999, 1))]).toEqual([42])
    dispose()
    unused.dispose()
    await profiled.dispose()
  })

  test('the way of a cache line from core to core and back takes some time', () => {
    const { info, lineRoundTrip } = loadAddon()
    const ns = lineRoundTrip()
    if (info().threads === 1) expect(ns).toBe(0)
    else expect(ns).toBeGreaterThan(1)
  })

  test('memory is counted and comes back', async () => {
    const before = device().memory()
    const { dispose } = await accumulation(device(), 1 << 20)
    const during = device().memory()
    expect(during.bytes - before.bytes).toBeGreaterThanOrEqual(3 * (4 << 20))
    expect(during.buffers).toBeGreaterThan(before.buffers)
    dispose()
    const after = device().memory()
    expect({ ...after, peakBytes: 0 }).toEqual({ ...before, peakBytes: 0 })
    expect(after.peakBytes).toBeGreaterThanOrEqual(during.bytes)
  })

  test('what cannot be done is a DeviceError', async () => {
    const buffer = device().createBuffer(10)
    expect(() => device().createBuffer(0)).toThrow(DeviceError)
    expect(() => device().createBuffer(Number.NaN)).toThrow(DeviceError)
    expect(() => device().createBuffer(2 ** 45)).toThrow(/could not be made/)
    expect(() => buffer.write(new Float32Array(11))).toThrow(/the buffer has 10/)
    expect(() => buffer.write(new Float32Array(1), -1)).toThrow(DeviceError)
    await expect(buffer.read(5, 6)).rejects.toThrow(DeviceError)
    buffer.dispose()
    buffer.dispose()
    await expect(buffer.read()).rejects.toThrow(/disposed/)

    const { program, x, dispose } = await accumulation(device(), 16)
    await expect(program.run(-1)).rejects.toThrow(DeviceError)
    await expect(program.run(0.5)).rejects.toThrow(DeviceError)
    x.dispose()
    await expect(program.run()).rejects.toThrow(/disposed/)
    dispose()
    await expect(program.run()).rejects.toThrow(/disposed/)
  })

  test('a program made by hand is checked as well', async () => {
    const buffer = device().createBuffer(64)
    const builder = new ProgramBuilder()
    const all = builder.tensor(buffer)
    const operation = { contract: stageCombine, operands: { y: all, stages: all, out: all }, attributes: {} }
    await expect(device().compile({ operations: [operation as never] })).rejects.toThrow(/stages/)
    buffer.dispose()
  })

  /** Prints a digest of one result of each product in a fresh process, under the variables given. */
  const digest = (variables: Record<string, string>): string => {
    const script = fileURLToPath(new URL('./digest.mjs', import.meta.url))
    const { stdout, stderr, status } = spawnSync(process.execPath, [script], {
      env: { ...process.env, ...variables },
      encoding: 'utf8',
    })
    if (status !== 0) throw new Error(stderr)
    return stdout.trim()
  }

  test('results are bit-identical on one, two and five threads', () => {
    const one = digest({ LFM_THREADS: '1' })
    expect(one).toMatch(/^[0-9a-f]{64}$/)
    expect(digest({ LFM_THREADS: '2' })).toBe(one)
    expect(digest({ LFM_THREADS: '5' })).toBe(one)
  })

  test('a composite is fused unless its variant is forced; unknown names list the known ones', async () => {
    const net: MlpSpec = {
      kind: 'mlp',
      dimension: 2,
      condition: 0,
      hidden: [8],
      activation: 'tanh',
      beta: 1,
      time: 'first',
      frequencies: [],
    }
    const step = async (variants: Record<string, string>, spec = net): Promise<[object, number]> => {
      const forced = await openNative({ variants })
      const builder = new ProgramBuilder()
      const zeros = (shape: number[]) => builder.constant(new Float32Array(shape.reduce((a, b) => a * b, 1)), shape)
      const operands = {
        parameters: zeros([mlpParameterLength(spec)]),
        y: zeros([5, 2]),
        out: builder.temporary([5, 2]),
      }
      addIntegration(builder, { spec }, operands, [1], localSteps(methods.rk4, 0, 1, 1))
      const executable = await forced.compile(builder.build())
      await forced.dispose()
      return [executable.variants, executable.launches]
    }
    expect(await step({})).toEqual([{ integrate: 'fused' }, 1])
    expect(await step({ integrate: 'fused' })).toEqual([{ integrate: 'fused' }, 1])
    expect(await step({ integrate: 'expanded' })).toEqual([{ integrate: 'expanded', mlp_forward: 'fused' }, 8])
    // deeper than the engine's lists: the expansion serves
    const deep = { ...net, hidden: new Array(17).fill(2) }
    expect((await step({}, deep))[0]).toEqual({ integrate: 'expanded', mlp_forward: 'expanded' })
    await expect(openNative({ variants: { integrate: 'fast' } })).rejects.toThrow(
      /one of fused, expanded, but is 'fast'/,
    )
    await expect(openNative({ variants: { integrated: 'fused' } })).rejects.toThrow(
      /variants of integrate, .*mlp_tangents/,
    )
  })

  test('a wrong LFM_CPU or LFM_THREADS is a clear error', () => {
    expect(() => digest({ LFM_CPU: 'sparc' })).toThrow(/LFM_CPU must be one of .* but is 'sparc'/)
    expect(() => digest({ LFM_THREADS: '0' })).toThrow(/LFM_THREADS must be a whole number/)
  })
})
