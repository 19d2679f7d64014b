/** The parity cases on one CPU target of the native engine; each test file that calls this is a process of its own. */

import { expect, test } from 'vitest'
import { describeOn } from '../devices.js'
import { casesOn, gapTests } from './gaps.js'
import { runCase } from './harness.js'

export async function parityOnNative(target: 'avx512' | 'avx2' | 'baseline'): Promise<void> {
  const { loadAddon } = await import('../../src/device/native/binding.js')
  const supported = loadAddon().info().supportedTargets.includes(target)
  if (!supported) process.stderr.write(`\n*** SKIPPED: parity on ${target}: this processor does not have it\n`)
  await describeOn(supported ? ['native'] : [], `parity with the reference, ${target},`, (device) => {
    test('the forced target runs', () => {
      expect(device().info.cpuTarget).toBe(target)
    })
    gapTests('native', device)
    for (const one of casesOn('native')) {
      test(`${one.kernel}: ${one.label}`, async () => {
        for (const { operand, error, allowed, detail } of await runCase(device(), one)) {
          expect(error, `${operand}, ${detail}`).toBeLessThanOrEqual(allowed)
        }
      })
    }
  })
  if (!supported) test.skip(`parity on ${target}: not on this processor`, () => undefined)
}
