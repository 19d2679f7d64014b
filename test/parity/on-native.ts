/** The parity cases on one CPU target of the native engine; each test file that calls this is a process of its own. */

import { expect, test } from 'vitest'
import type { Device } from '../../src/device/device.js'
import { convolutionVariants, isConvolution } from '../../src/device/native/convolutions.js'
import { describeOn } from '../devices.js'
import { convolutionCases } from './convolution-cases.js'
import { casesOn, gapTests } from './gaps.js'
import { type Case, runCase } from './harness.js'

function parityTest(device: () => Device, one: Case, variant?: string): void {
  test(`${one.kernel}: ${one.label}`, async () => {
    for (const { operand, error, allowed, detail } of await runCase(device(), one, variant)) {
      expect(error, `${operand}, ${detail}`).toBeLessThanOrEqual(allowed)
    }
  })
}

export async function parityOnNative(target: 'avx512' | 'avx2' | 'baseline'): Promise<void> {
  const { loadAddon } = await import('../../src/device/native/binding.js')
  const supported = loadAddon().info().supportedTargets.includes(target)
  if (!supported) process.stderr.write(`\n*** SKIPPED: parity on ${target}: this processor does not have it\n`)
  await describeOn(supported ? ['native'] : [], `parity with the reference, ${target},`, (device) => {
    test('the forced target runs', () => {
      expect(device().info.cpuTarget).toBe(target)
    })
    gapTests('native', device)
    for (const one of casesOn('native')) if (!isConvolution(one.kernel)) parityTest(device, one)
  })
  for (const variant of convolutionVariants) {
    const title = `parity of ${variant} convolutions with the reference, ${target},`
    const cases = convolutionCases(variant)
    const body = (device: () => Device): void => {
      for (const one of cases) parityTest(device, one, variant)
    }
    const variants = Object.fromEntries(cases.map(({ kernel }) => [kernel, variant]))
    await describeOn(supported ? ['native'] : [], title, body, { variants })
  }
  if (!supported) test.skip(`parity on ${target}: not on this processor`, () => undefined)
}
