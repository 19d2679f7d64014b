/**
 * The products with float16 operands on the WebGPU device against the same contracts' float64 references, at sizes of the
 * float32 cases. The reference gets the values that float16 holds. What is allowed is the rounding of results: float16's
 * where that is how they are stored, else float32's. Every variant is tested: those for matrix units on the adapter's own
 * where it has some, else on emulated ones (test/webgpu/emulated-units.ts). LFM_REQUIRE_UNITS=1: there must be real ones.
 */

import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { Device } from '../../src/device/device.js'
import type { WebgpuDevice } from '../../src/device/webgpu/device.js'
import { halfVariants } from '../../src/device/webgpu/half-variants.js'
import { readShader } from '../../src/device/webgpu/node/adapter.js'
import { openWebgpu } from '../../src/device/webgpu/node/index.js'
import type { UnitsProduct } from '../../src/device/webgpu/target.js'
import { convert } from '../../src/kernels/convert.js'
import { kernels } from '../../src/kernels/registry.js'
import { ProgramBuilder } from '../../src/program/program.js'
import { adapterOrSkip } from '../webgpu/adapter.js'
import { type Emulation, openEmulated, readEmulated } from '../webgpu/emulated-units.js'
import { cases } from './cases.js'
import { type Case, runCase, runReference } from './harness.js'
import { halfKernels, halved } from './variant-cases.js'

const name = await adapterOrSkip()

/** What this adapter has of float16 and of matrix units. */
async function offered(): Promise<{ f16: boolean; units: UnitsProduct | null; workgroupBytes: number }> {
  if (!name) return { f16: false, units: null, workgroupBytes: 0 }
  const device = (await openWebgpu({ adapter: name, autotune: 'off' })) as WebgpuDevice
  const { units, dtypes, info } = device
  await device.dispose()
  const workgroupBytes = Number(info.details.maxComputeWorkgroupStorageSize)
  return { f16: dtypes.has('f16'), units, workgroupBytes }
}
const { f16, units, workgroupBytes } = await offered()
if (name && !f16) console.warn(`\n*** FLOAT16 SUITES SKIPPED: ${name} has no shader-f16 ***\n`)
if (name && process.env.LFM_REQUIRE_UNITS === '1' && units === null) {
  throw new Error(`LFM_REQUIRE_UNITS=1, but ${name} has no matrix units that could be used`)
}

const products: readonly string[] = halfKernels
// with stages combined there is no float16
const chosen = cases.filter(
  ({ kernel, attributes: { combine = 'none' } }) => products.includes(kernel) && combine === 'none',
)

/** Widths of any size, and multiples of four, which have loads of their own; the larger tiles where there are several. */
const sizes: Readonly<Record<string, RegExp>> = {
  half32: /^\[(7, 3|61, 67|193, 130|2503, 5|128, 256|1000, 2|1237, 128)\]/,
  half64: /^\[128, 256\]/,
  half128: /^\[193, 130\]/,
  half128_ahead: /^\[(53, 36|193, 130)\]/,
  units64: /^\[(7, 3|53, 36|193, 130|128, 256|1237, 128)\]/,
  units64_ahead: /^\[(53, 36|193, 130|1237, 128)\]/,
  units128: /^\[(193, 130|128, 256)\]/,
  units128_ahead: /^\[(193, 130|128, 256)\]/,
}

/** Of convolutions, whose channels are multiples of four: windows, odd extents with stride 2, enlarged with stride 2, single taps. */
const pictures: Readonly<Record<string, RegExp>> = {
  half32:
    /16 → 32, windows|8 → 8, stride 2|32 → 32, enlarged|48 → 32|4 → 4, stride 2|(64 → 64|4 → 8|8 → 20)$|4 → 12|12 → 36/,
  half64: /4 → 12|64 → 32, windows/,
  half128: /32 → 64, stride 2/,
  half128_ahead: /8 → 8, stride 2/,
  units64: /4 → 12/,
  units64_ahead: /8 → 8, stride 2/,
  units128: /16 → 32, windows/,
  units128_ahead: /48 → 32, windows/,
}

const fewSizes: Readonly<Record<string, RegExp>> = {
  units64_ahead: /^\[53, 36\]/,
  units128_ahead: /^\[193, 130\]/,
  units64: /^\[(53, 36|193, 130)\]/,
  units128: /^\[128, 256\]/,
}

interface Setting {
  readonly variant: string
  readonly form: UnitsProduct | null
  readonly how: string
  readonly emulation?: Emulation
}

/** Each variant, and for matrix units each form of their text that is not the adapter's own. */
const settings = Object.keys(halfVariants).flatMap((variant): Setting[] => {
  if (!halfVariants[variant].units) return [{ variant, form: null, how: 'plain' }]
  const own: Setting[] = units === null ? [] : [{ variant, form: units, how: `matrix units, as ${units}` }]
  // of numbers: two fragments of 256 for each team of 32
  const { workgroupBytes: bytes, threads } = halfVariants[variant]
  const emulation = bytes + (threads / 32) * 2 * 256 * 2 > workgroupBytes ? 'places' : 'numbers'
  if (bytes > workgroupBytes) {
    console.warn(`\n*** ${variant} IS NOT EMULATED: it takes more workgroup memory than ${name} has ***\n`)
    return own
  }
  const forms: UnitsProduct[] = variant === 'units64' ? ['units_wide', 'units_old'] : ['units_wide']
  return [...own, ...forms.map((form) => ({ variant, form, how: `emulated units, as ${form}`, emulation }) as const)]
})

const compare = async (device: Device, one: Case): Promise<void> => {
  for (const { operand, error, allowed, detail } of await runCase(device, halved(one))) {
    expect(error, `${operand}, ${detail}`).toBeLessThanOrEqual(allowed)
  }
}

describe.skipIf(!f16)(`products of float16 on ${name}`, { timeout: 600_000 }, () => {
  for (const { variant, form, how, emulation } of settings) {
    describe(`${variant}, ${how}`, () => {
      let device: Device
      beforeAll(async () => {
        const variants = Object.fromEntries(products.map((kernel) => [kernel, variant]))
        device = emulation
          ? await openEmulated(name!, form!, variants, (path) => readEmulated(path, undefined, emulation))
          : await openWebgpu({ adapter: name, variants, autotune: 'off' })
      })
      afterAll(() => device?.dispose())

      // emulated ones are slow, and the older form differs in its loads alone
      const few = !emulation ? sizes[variant] : form === 'units_old' ? /^\[53, 36/ : fewSizes[variant]
      const ofPictures = form === null || form === 'units_wide' ? pictures[variant] : null
      const sized = chosen.filter(({ label }) => few.test(label) || ofPictures?.test(label))
      test.each(sized)('$kernel: $label', (one) => compare(device, one))

      // what comes before the first layer writes its input; a few of the cases, since each is a pipeline
      const before = cases
        .filter(({ kernel }) => ['draw_batch', 'input_features'].includes(kernel))
        .filter((_, i) => i % 7 === 0)
      test.each(variant === 'half32' ? before : [])('$kernel: $label', (one) => compare(device, one))

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

  test('of a convolution what float16 does not hold is infinite where it is read, and nowhere else', async () => {
    const device = await openWebgpu({ adapter: name, variants: { conv2d: 'half32' }, autotune: 'off' })
    const one = chosen.find(({ kernel, label }) => kernel === 'conv2d' && /8 → 8, stride 2/.test(label))!
    for (const value of [1e5, -1e5, Number.NaN]) {
      const x = { ...one.operands.x, values: (one.operands.x.values as Float32Array).with(0, value) }
      const large = { ...one, operands: { ...one.operands, x } }
      const { data } = runReference(kernels.get('conv2d')!, halved(large)).y
      const infinite = [...data].filter((y) => !Number.isFinite(y)).length
      expect(infinite).toBeGreaterThan(0)
      expect(infinite).toBeLessThan(data.length)
      await compare(device, large)
    }
    await device.dispose()
  })

  describe('the emulation', () => {
    const one = chosen.find(({ kernel, label }) => kernel === 'linear_forward' && /^\[53, 36\]/.test(label))!
    const forced = { linear_forward: 'units64' }

    test('leaves nothing of the extension in the text', async () => {
      for (const file of ['include/fragments_units.wgsl', 'include/unit_access.wgsl', 'include/unit_access_old.wgsl']) {
        expect(await readShader(file)).toContain('subgroup')
        expect(await readEmulated(file)).not.toMatch(/subgroup_matrix|subgroupMatrix/)
      }
    })

    // a load with rows in the place of columns, and a stride that counts numbers where elements count
    test.each([
      ['Left, row_major', 'Left, col_major'],
      ['LEFT_PITCH / HALF_WIDTH);', 'LEFT_PITCH);'],
    ])('shows what a unit would do with %s as %s', async (right, wrong) => {
      const device = await openEmulated(name!, 'units_wide', forced, async (path) => {
        const text = await readShader(path)
        const changed = path.endsWith('unit_access.wgsl') ? text.replace(right, wrong) : text
        expect(changed !== text).toBe(path.endsWith('unit_access.wgsl'))
        // what the emulation makes of the changed text
        return readEmulated(path, () => Promise.resolve(changed))
      })
      const deviations = await runCase(device, halved(one))
      expect(deviations.some(({ error, allowed }) => error > allowed)).toBe(true)
      await device.dispose()
    })

    test('a driver that refuses the kernels for matrix units ends nothing: it goes on without them', async () => {
      // the extension is not there, so this text makes no module
      const device = await openEmulated(name!, 'units_wide', {}, readShader)
      await compare(device, one)
      await device.dispose()
    })
  })
})
