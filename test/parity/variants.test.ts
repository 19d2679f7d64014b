/**
 * Every variant of the float32 products that this adapter can run, against the reference, on cases with edges. Variants of
 * convolutions have more of them (test/webgpu/convolutions.test.ts), those of float16 a suite of their own (half.test.ts).
 */

import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { Device } from '../../src/device/device.js'
import type { WebgpuDevice } from '../../src/device/webgpu/device.js'
import { openWebgpu } from '../../src/device/webgpu/node/index.js'
import { variants } from '../../src/device/webgpu/variants.js'
import { adapterOrSkip } from '../webgpu/adapter.js'
import { runCase } from './harness.js'
import { attentionCases, attentionVariants, edgeCases, productKernels } from './variant-cases.js'

const name = await adapterOrSkip()

describe.skipIf(!name).each(Object.keys(variants))(`%s on ${name}`, { timeout: 600_000 }, (variant) => {
  let device: WebgpuDevice
  beforeAll(async () => {
    const forced = Object.fromEntries(productKernels.map((kernel) => [kernel, variant]))
    device = (await openWebgpu({ adapter: name, variants: forced, autotune: 'off' })) as WebgpuDevice
  })
  afterAll(() => device?.dispose())

  const chosen = edgeCases(variant).filter(({ kernel }) => !kernel.startsWith('conv2d'))
  test('has cases', () => expect(chosen).not.toEqual([]))

  test.each(chosen)('$kernel: $label', async (one) => {
    const lanes = Number(/^(\d+) to \1$/.exec(String(device.info.details.lanes))?.[1] ?? 0)
    const { subgroups, workgroupBytes } = variants[variant](lanes)
    // of other kernels some cases have widths that a core made for few columns, or for quads, does not do
    const fits =
      ['linear_forward', 'linear_tangent', 'mat_mul'].includes(one.kernel) &&
      (lanes > 0 || !subgroups) &&
      workgroupBytes <= Number(device.info.details.maxComputeWorkgroupStorageSize)
    for (const { operand, error, allowed, detail } of await runCase(device, one, fits ? variant : undefined)) {
      expect(error, `${operand}, ${detail}`).toBeLessThanOrEqual(allowed)
    }
  })
})

describe.skipIf(!name).each(attentionVariants)(`attention in %s on ${name}`, { timeout: 600_000 }, (variant) => {
  let device: Device
  beforeAll(async () => {
    device = await openWebgpu({ adapter: name, variants: { attention: variant, attention_backward: variant } })
  })
  afterAll(() => device?.dispose())

  test.each(attentionCases)('$kernel: $label', async (one) => {
    // lanes are there where subgroups are
    for (const { operand, error, allowed, detail } of await runCase(
      device,
      one,
      variant === 'lanes' ? undefined : variant,
    )) {
      expect(error, `${operand}, ${detail}`).toBeLessThanOrEqual(allowed)
    }
  })

  test('has cases', () => expect(attentionCases.map(({ kernel }) => kernel)).toContain('attention_backward'))
})
