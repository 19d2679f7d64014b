/** Every variant of the convolutions against the reference, those made for GPUs on a few cases: processors compile them slowly. */

import { describe, expect, test } from 'vitest'
import { openWebgpu } from '../../src/device/webgpu/node/index.js'
import { variants } from '../../src/device/webgpu/variants.js'
import { cases } from '../parity/cases.js'
import { runCase } from '../parity/harness.js'
import { adapterOrSkip } from './adapter.js'

const name = await adapterOrSkip()

const kernels = ['conv2d', 'conv2d_backward_input', 'conv2d_backward_weight']
const convolving = Object.keys(variants).filter((variant) => variants[variant](8).convolves)

/** Labels of dense cases: windows, odd extents with stride 2, enlarged with stride 2, an enlarged residual. */
const dense = /16 → 32, windows|1 × 7 × 9, 3 × 3, 8 → 8|4 → 12, stride 2, enlarged|12 → 36/
const few: Readonly<Record<string, RegExp>> = {
  tile32: /16 → 32, windows|^conv2d_backward_input 1 × 7 × 9, 3 × 3, 8 → 8|^conv2d .*12 → 36/,
  tile64: /^conv2d_backward_input 1 × 7 × 9, 3 × 3, 8 → 8|^conv2d(_backward_weight)? .*4 → 12, stride 2, enlarged/,
  tile128: /16 → 32, windows/,
}

describe.skipIf(!name)(`webgpu: the variants of convolutions on ${name}`, { timeout: 600_000 }, () => {
  test('are these', () => {
    expect(convolving).toEqual(['tile32', 'tile64', 'tile128', 'lanes16', 'lanes32', 'storage'])
  })

  test.each(convolving)('%s', async (variant) => {
    const device = await openWebgpu({
      adapter: name,
      variants: Object.fromEntries(kernels.map((kernel) => [kernel, variant])),
    })
    const chosen = cases.filter(
      ({ kernel, label }) => kernels.includes(kernel) && (few[variant] ?? dense).test(`${kernel} ${label}`),
    )
    expect(new Set(chosen.map(({ kernel }) => kernel)).size).toBe(3)
    for (const one of chosen) {
      for (const { operand, error, allowed, detail } of await runCase(device, one)) {
        expect(error, `${one.kernel}, ${one.label}: ${operand}, ${detail}`).toBeLessThanOrEqual(allowed)
      }
    }
    expect(device.memory().buffers).toBe(0)
    await device.dispose()
  })
})
