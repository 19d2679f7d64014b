/**
 * The products with float16 operands on the WebGPU device against the same contracts' float64 references, at sizes of the
 * float32 cases. The reference gets the values that float16 holds. What is allowed is the rounding of results: float16's
 * where that is how they are stored, else float32's.
 */

import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { Device } from '../../src/device/device.js'
import { halfVariants } from '../../src/device/webgpu/half-variants.js'
import { openWebgpu } from '../../src/device/webgpu/node/index.js'
import { convert, toHalf } from '../../src/kernels/convert.js'
import { kernels } from '../../src/kernels/registry.js'
import { ProgramBuilder } from '../../src/program/program.js'
import { adapterOrSkip } from '../webgpu/adapter.js'
import { cases } from './cases.js'
import { type Case, runCase, state } from './harness.js'

const name = await adapterOrSkip()

/** A float32 case with its float operands in float16, and a loss scale of 8 where the contract takes one. */
function halved(one: Case): Case {
  const { operands: specs } = kernels.get(one.kernel)!
  const operands = Object.fromEntries(
    Object.entries(one.operands).map(([operand, given]) => [
      operand,
      specs[operand].dtype === 'float'
        ? { ...given, values: (given.values as Float32Array).map(toHalf), half: true }
        : given,
    ]),
  )
  const scaled = products.includes(one.kernel) && 'state' in specs
  return { ...one, operands: scaled ? { ...operands, state: state(5, 0, 0, 0, 3) } : operands }
}

const products = ['linear_forward', 'linear_loss', 'linear_backward_input', 'linear_backward_weight']
const chosen = cases.filter(({ kernel }) => products.includes(kernel))
const plain = Object.keys(halfVariants).filter((variant) => !halfVariants[variant].units)

describe.skipIf(!name)(`products of float16 on ${name}`, { timeout: 600_000 }, () => {
  for (const variant of plain) {
    describe(variant, () => {
      let device: Device
      beforeAll(async () => {
        const variants = Object.fromEntries(products.map((kernel) => [kernel, variant]))
        device = await openWebgpu({ adapter: name, variants })
      })
      afterAll(() => device?.dispose())

      // widths of any size, and multiples of four, which have loads of their own; the larger tiles where there are several
      const sizes = {
        half32: /^\[(7, 3|61, 67|193, 130|2503, 5|128, 256|1000, 2|1237, 128)\]/,
        half64: /^\[128, 256\]/,
        half128: /^\[193, 130\]/,
      }[variant]!
      test.each(chosen.filter(({ label }) => sizes.test(label)))('$kernel: $label', async (one) => {
        for (const { operand, error, allowed, detail } of await runCase(device, halved(one))) {
          expect(error, `${operand}, ${detail}`).toBeLessThanOrEqual(allowed)
        }
      })

      // what comes before the first layer writes its input; a few of the cases, since each is a pipeline
      const before = cases
        .filter(({ kernel }) => ['draw_batch', 'input_features'].includes(kernel))
        .filter(({ attributes }, i) => i % 7 === 0 || attributes.path === 'table')
      test.each(variant === 'half32' ? before : [])('$kernel: $label', async (one) => {
        for (const { operand, error, allowed, detail } of await runCase(device, halved(one))) {
          expect(error, `${operand}, ${detail}`).toBeLessThanOrEqual(allowed)
        }
      })

      test('all launches of a product are of this variant', async () => {
        const builder = new ProgramBuilder()
        const [x, weight] = [builder.temporary([4, 3], 'f16'), builder.temporary([5, 3], 'f16')]
        const bias = builder.constant([0, 0, 0, 0, 0])
        builder.add(convert, { x: builder.constant(new Float32Array(12), [4, 3]), y: x }, { to: 'f16' })
        builder.add(convert, { x: builder.constant(new Float32Array(15), [5, 3]), y: weight }, { to: 'f16' })
        const operands = { x, weight, bias, y: builder.temporary([4, 5], 'f16') }
        builder.add(kernels.get('linear_forward')!, operands, { activation: 'relu', beta: 1, scale: 1 })
        const executable = await device.compile(builder.build())
        expect(executable.variants).toEqual({ linear_forward: variant })
        executable.dispose()
      })
    })
  }
})
