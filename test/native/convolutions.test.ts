/** Which implementation of a convolution the native engine takes, and what Winograd's costs in digits. */

import { expect, test } from 'vitest'
import { type ConvolutionVariant, convolutionVariants } from '../../src/device/native/convolutions.js'
import { openNative } from '../../src/device/native/index.js'
import { size } from '../../src/kernels/contract.js'
import { conv2d, plainConvolution } from '../../src/kernels/conv2d.js'
import { ProgramBuilder, type ProgramTensor } from '../../src/program/program.js'
import { describeOn } from '../devices.js'
import { convolutionCases } from '../parity/convolution-cases.js'
import { runCase } from '../parity/harness.js'

/** What is reported for a program of one convolution for each list of [taps, stride, channels in, channels out]. */
async function variantsOf(convolutions: readonly number[][], forced?: string): Promise<string> {
  const device = await openNative({ variants: forced === undefined ? {} : { conv2d: forced } })
  const builder = new ProgramBuilder()
  for (const [k, stride, C, N] of convolutions) {
    const given = (...shape: number[]): ProgramTensor => builder.constant(new Float32Array(size(shape)), shape)
    const operands = { x: given(2, 6, 6, C), weight: given(k, k, C, N), bias: given(N) }
    const y = builder.temporary([2, 6 / stride, 6 / stride, N])
    const attributes = { ...plainConvolution, padding: (k - 1) / 2, stride: stride as 1 | 2 }
    builder.add(conv2d, { ...operands, y }, attributes)
  }
  const executable = await device.compile(builder.build())
  const { variants } = executable
  executable.dispose()
  await device.dispose()
  return variants.conv2d
}

/** Of unit variance, as docs/kernels.md has them, and a tenth more. */
const errors: Record<string, Record<ConvolutionVariant, number>> = {
  conv2d: { direct: 2.3e-7, winograd: 4.4e-7 },
  conv2d_backward_input: { direct: 4.7e-7, winograd: 9.2e-7 },
  conv2d_backward_weight: { direct: 2.8e-7, winograd: 6.8e-7 },
}

await describeOn(['native'], 'variants of convolutions', () => {
  const wide = [3, 1, 32, 32]
  const narrow = [3, 1, 32, 4]

  test('3 × 3 taps of stride 1 between enough channels are taken by Winograd, all others one by one', async () => {
    expect(await variantsOf([wide])).toBe('winograd')
    for (const other of [narrow, [1, 1, 32, 32], [3, 2, 32, 32]]) expect(await variantsOf([other])).toBe('direct')
  })

  test.each(Object.entries(errors))('the error of %s', async (kernel, most) => {
    for (const variant of convolutionVariants) {
      const device = await openNative({ variants: { [kernel]: variant } })
      const one = convolutionCases(variant).find((one) => one.kernel === kernel && one.label.includes('64 → 64'))!
      const deviations = await runCase(device, one, variant)
      await device.dispose()
      const error = Math.max(...deviations.map((deviation) => deviation.error))
      process.stdout.write(`${kernel}, ${one.label}, ${variant}: ${error.toExponential(1)}\n`)
      expect(error).toBeLessThan(most[variant])
    }
  })

  test('one that is forced holds for what it can do; both, as a manifest has them, are the usual choice', async () => {
    expect(await variantsOf([wide], 'direct')).toBe('direct')
    expect(await variantsOf([narrow], 'winograd')).toBe('winograd')
    expect(await variantsOf([wide, [1, 1, 32, 32]], 'winograd')).toBe('direct winograd')
    expect(await variantsOf([narrow], 'direct winograd')).toBe('direct')
  })

  test('one that is misspelt is an error, alone and beside a right one', async () => {
    for (const forced of ['winogard', 'direct winogard']) {
      await expect(variantsOf([wide], forced)).rejects.toThrow(
        /variant of conv2d must be one of direct, winograd, but is 'winogard'/,
      )
    }
    const backward = openNative({ variants: { conv2d_backward_weight: 'fused' } })
    await expect(backward).rejects.toThrow(/conv2d_backward_weight must be one of direct, winograd, but is 'fused'/)
  })
})
