/** Every kernel on the WebGPU device against its contract's float64 reference. */

import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { Device } from '../../src/device/device.js'
import { openWebgpu } from '../../src/device/webgpu/node/index.js'
import { kernels } from '../../src/kernels/registry.js'
import { adapterOrSkip, adapterWith } from '../webgpu/adapter.js'
import { cases } from './cases.js'
import { casesOn, gapTests } from './gaps.js'
import { type Case, runCase } from './harness.js'

const name = await adapterOrSkip()
const hasHalf = (await adapterWith('shader-f16')) !== undefined
const needsHalf = ({ operands }: Case): boolean => Object.values(operands).some(({ half }) => half)

describe.skipIf(!name)(`webgpu: parity with the reference on ${name}`, { timeout: 600_000 }, () => {
  let device: Device
  beforeAll(async () => {
    device = await openWebgpu({ adapter: name })
  })
  afterAll(() => device?.dispose())

  test('every kernel has cases', () => {
    expect([...kernels.keys()].filter((kernel) => !cases.some((one) => one.kernel === kernel))).toEqual([])
  })

  gapTests('webgpu', () => device)

  for (const one of casesOn('webgpu')) {
    test.skipIf(!hasHalf && needsHalf(one))(`${one.kernel}: ${one.label}`, async () => {
      for (const { operand, error, allowed, detail } of await runCase(device, one)) {
        expect(error, `${operand}, ${detail}`).toBeLessThanOrEqual(allowed)
      }
    })
  }

  test('nothing is left on the device', () => {
    expect(device.memory().buffers).toBe(0)
  })
})
