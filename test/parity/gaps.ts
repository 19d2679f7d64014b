/**
 * Kernels whose implementation on a device is still to come. The list can only shrink: a kernel that a device has may not
 * be listed (`gapTests` fails where it is), and one that is not listed has to pass its cases. The reference has all.
 */

import { expect, test } from 'vitest'
import type { Device } from '../../src/device/device.js'
import { DeviceError } from '../../src/errors.js'
import { kernels } from '../../src/kernels/registry.js'
import { cases } from './cases.js'
import { type Case, runCase } from './harness.js'

/** Only the WebGPU device stores anything in float16. */
const forMixed = ['adam_mixed', 'convert']

export const gaps: Readonly<Record<'native' | 'webgpu', readonly string[]>> = {
  native: [...forMixed],
  webgpu: [],
}

/** The cases that a device has the kernels for. */
export const casesOn = (kind: 'native' | 'webgpu'): readonly Case[] =>
  cases.filter(({ kernel }) => !gaps[kind].includes(kernel))

/** Says loudly what a device does not have; fails where that is more or less than what is listed. */
export function gapTests(kind: 'native' | 'webgpu', device: () => Device): void {
  if (gaps[kind].length > 0) {
    process.stderr.write(`\n*** NOT THERE YET on ${kind}: ${gaps[kind].join(', ')}\n`)
  }
  test('what it has not is what the list of gaps says', () => {
    expect([...kernels.keys()].filter((name) => !device().kernels.has(name))).toEqual([...gaps[kind]].sort())
  })
  for (const name of gaps[kind]) {
    test(`${name} is refused by its name`, async () => {
      const one = cases.find(({ kernel }) => kernel === name)!
      const refused = runCase(device(), one)
      await expect(refused).rejects.toThrow(DeviceError)
      // a case with float16 in it needs convert as well
      await expect(refused).rejects.toThrow(new RegExp(`The ${kind} device has no (convert, )?${name} yet`))
    })
  }
}
