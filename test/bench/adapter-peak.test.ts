/** The peak that shares of a WebGPU device are of: that it is measured where it can be, and what it counts. */

import { expect, test } from 'vitest'
import { ADDEND, adapterPeaks, FACTOR, longEnough, loops, openLoop } from '../../bench/adapter-peak.js'
import { openReference } from '../../src/device/reference/device.js'
import type { WebgpuDevice } from '../../src/device/webgpu/device.js'
import { readShader } from '../../src/device/webgpu/node/adapter.js'
import { openWebgpu } from '../../src/device/webgpu/node/index.js'
import { loadShader } from '../../src/device/webgpu/shaders.js'
import { adapterOrSkip } from '../webgpu/adapter.js'

const name = await adapterOrSkip()

test('flops of a workgroup are those of its shader', async () => {
  const { float32, units } = loops(true)
  const count = (code: string, what: RegExp): number => [...code.matchAll(what)].length
  const { code } = await loadShader(readShader, float32.shader)
  const invocations = Number(/@workgroup_size\((\d+)\)/.exec(code)![1])
  // each turn is a multiply-add of four vectors
  expect(float32.flops).toBe(invocations * count(code, /s = turn\(/g) * count(code, /\* factor \+ addend/g) * 4 * 2)
  const matrix = (await loadShader(readShader, units.shader)).code
  const subgroups = Number(/@workgroup_size\((\d+)\)/.exec(matrix)![1]) / 32
  expect(units.flops).toBe(subgroups * count(matrix, /subgroupMatrixMultiplyAccumulate\(/g) * 2 * 16 ** 3)
  expect(units.bytes).toBe(units.groups * subgroups * count(matrix, /subgroupMatrixStore/g) * 16 * 16 * 4)
})

test.skipIf(!name)(
  `it is measured on ${name}, of matrix units where there are some`,
  { timeout: 120_000 },
  async () => {
    const device = await openWebgpu({ adapter: name })
    const peaks = (await adapterPeaks(device))!
    expect(await peaks.float32()).toBeGreaterThan(0)
    expect(peaks.units === null).toBe(device.info.details.matrixUnits === 'none')
    await device.dispose()
  },
)

test.skipIf(!name)('every invocation has done all of its turns', { timeout: 120_000 }, async () => {
  const device = (await openWebgpu({ adapter: name })) as WebgpuDevice
  const { float32 } = loops(true)
  const loop = await openLoop(device.gpu, { ...float32, groups: 2, bytes: 2 * 256 * 4 }, true)
  const sums = await loop.sums()
  const turns = (float32.flops / (2 * 256 * 16)) * loop.rounds
  const after = (first: number): number => {
    const end = ADDEND / (1 - FACTOR)
    return end + (first - end) * FACTOR ** turns
  }
  for (const i of [0, 1, 255, 256, 511]) {
    const want = 4 * [0, 0.25, 0.5, 0.75].reduce((sum, more) => sum + after((i % 256) + more), 0)
    expect(Math.abs(sums[i] / want - 1), `invocation ${i}`).toBeLessThan(1e-3)
  }
  await device.dispose()
})

test('a loop that takes no time is an error, and not an endless one', async () => {
  const asked: number[] = []
  const timeOf = (rounds: number, ms: number): Promise<number> => {
    asked.push(rounds)
    return Promise.resolve(ms)
  }
  expect(await longEnough((rounds) => timeOf(rounds, rounds / 1000), 5)).toBe(8192)
  await expect(longEnough((rounds) => timeOf(rounds, 0.1), 5)).rejects.toThrow(/leaves it out/)
  expect(Math.max(...asked)).toBeLessThan(2 ** 32)
})

test('of another device it is not', async () => {
  expect(await adapterPeaks(openReference())).toBeNull()
})
