/** Profiles: what a program's launches cost, by the adapter's clock; and that they change nothing else. */

import { describe, expect, test } from 'vitest'
import { type DeviceTimes, profileOf, profileText, stepProfile } from '../../src/device/profile.js'
import { openWebgpu } from '../../src/device/webgpu/node/index.js'
import { size } from '../../src/kernels/contract.js'
import { convert } from '../../src/kernels/convert.js'
import { linearForward } from '../../src/kernels/linear_forward.js'
import { ProgramBuilder } from '../../src/program/program.js'
import { adapterOrSkip } from './adapter.js'
import { counting } from './programs.js'

const name = await adapterOrSkip()

const launch = (name: string, us: number, flops = 0, bytes = 0) => ({ name, us, flops, bytes })

const times: DeviceTimes = {
  emptyDispatchUs: 2,
  recordUs: 1.5,
  programs: [
    { replays: 30, launches: [launch('linear_forward', 60, 6e6, 3e6), launch('adam', 20, 0, 4e6)] },
    { replays: 10, launches: [launch('linear_forward', 100, 6e6, 3e6), launch('adam', 20, 0, 4e6)] },
    { replays: 500, launches: [launch('linear_forward', 1)] },
  ],
}

describe('a profile', () => {
  test('of a training step is the mean over all sub-flows, without what else was run', () => {
    const profile = stepProfile(times)!
    expect(profile.dispatches).toBe(2)
    expect(profile.emptyDispatchUs).toBe(2)
    const [forward, adam] = profile.kernels
    expect(forward).toMatchObject({ name: 'linear_forward', launches: 1, us: 70 })
    expect(forward.gflops).toBeCloseTo(6e6 / 70 / 1000)
    expect(forward.gbs).toBeCloseTo(3e6 / 70 / 1000)
    expect(adam.share).toBeCloseTo(20 / 90)
  })

  test('counts a program as often as it was replayed', () => {
    const { kernels, dispatches } = profileOf(times, times.programs, 10)!
    expect(kernels[0]).toMatchObject({ name: 'linear_forward', launches: 54, us: 30 * 6 + 100 + 50 })
    expect(dispatches).toBe(58)
  })

  test('is null where nothing was timed, and a table else', () => {
    expect(stepProfile({ emptyDispatchUs: null, recordUs: null, programs: [] })).toBeNull()
    const text = profileText(stepProfile(times)!, 'a training step')
    expect(text).toMatch(
      /^a training step: 2 launches, 90.0 µs when each is timed by itself; .* 2.00 µs, and recording one 1.50 µs of JavaScript\n/,
    )
    expect(text).toMatch(/linear_forward +1 +70.0 +85.7 +42.9 +77.8 %\n/)
  })
})

describe.skipIf(!name)(`webgpu: profiles on ${name}`, { timeout: 600_000 }, () => {
  const count = async (profile: boolean): Promise<{ value: number; times: DeviceTimes | null }> => {
    const device = await openWebgpu({ adapter: name, profile })
    const buffer = device.createBuffer(64)
    const executable = await device.compile(counting(buffer))
    for (const replays of [1, 40, 9]) await executable.run(replays)
    const [value] = await buffer.read()
    executable.dispose()
    const times = await device.profile()
    buffer.dispose()
    expect(device.memory().buffers).toBe(0)
    await device.dispose()
    return { value, times }
  }

  test('every launch of a program has a time, and timed replays are replays', async () => {
    const { value, times } = await count(true)
    expect(value).toBe(50)
    expect(times!.emptyDispatchUs).toBeGreaterThan(0)
    expect(times!.recordUs).toBeGreaterThan(0)
    const [program] = times!.programs
    expect(program.replays).toBe(50)
    expect(program.launches.map(({ name }) => name)).toEqual(['stage_combine', 'activation'])
    for (const { us } of program.launches) expect(us).toBeGreaterThan(0)
  })

  test('bytes are two for a number in float16, and four for one in float32', async (context) => {
    const device = await openWebgpu({ adapter: name, profile: true })
    if (!device.dtypes.has('f16')) {
      await device.dispose()
      context.skip()
    }
    const [B, K, N] = [8, 12, 20]
    const builder = new ProgramBuilder()
    const half = (...shape: number[]) => {
      const tensor = builder.temporary(shape, 'f16')
      builder.add(convert, { x: builder.constant(new Float32Array(size(shape)), shape), y: tensor }, { to: 'f16' })
      return tensor
    }
    const operands = { x: half(B, K), weight: half(N, K), bias: builder.constant(new Float32Array(N)) }
    const y = builder.temporary([B, N], 'f16')
    builder.add(linearForward, { ...operands, y }, { activation: 'relu', beta: 1, scale: 1 })
    const executable = await device.compile(builder.build())
    await executable.run()
    executable.dispose()
    const [{ launches }] = (await device.profile())!.programs
    await device.dispose()
    expect(launches.map(({ bytes }) => bytes)).toEqual([6 * B * K, 6 * N * K, 2 * (B * K + N * K + B * N) + 4 * N])
  })

  test('nothing is timed where it was not asked for', async () => {
    expect(await count(false)).toEqual({ value: 50, times: null })
  })
})
