/** The peak that shares of a WebGPU device are of: that it is measured where it can be, and what it counts. */

import { expect, test } from 'vitest'
import { adapterPeaks, loops } from '../../bench/adapter-peak.js'
import { openReference } from '../../src/device/reference/device.js'
import { readShader } from '../../src/device/webgpu/adapter.js'
import { openWebgpu } from '../../src/device/webgpu/index.js'
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

test('of another device it is not', async () => {
  expect(await adapterPeaks(openReference())).toBeNull()
})
