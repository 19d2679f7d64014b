import { expect, test } from 'vitest'
import { openDevice } from '../../src/device/node/select.js'
import { compositeVariants } from '../../src/device/webgpu/composites.js'
import { cases } from './cases.js'
import { parityRuns } from './runs.js'

/** Programs on GPU hosts and under the validation layer are cut by the clock: here the list is walked to its end. */
test('the short list has every kernel of float32 and every variant of a composite, and is right on the native device', async () => {
  const whats: string[] = []
  for await (const { what, complaints } of parityRuns(() => openDevice('native'), 'few')) {
    expect(complaints, what).toEqual([])
    whats.push(what)
  }
  const first = new Set(whats.map((what) => what.split(',')[0]))
  const single = cases.filter(({ operands }) => !Object.values(operands).some(({ half }) => half))
  expect(single.map(({ kernel }) => kernel).filter((name) => !first.has(name))).toEqual([])
  for (const [name, variants] of Object.entries(compositeVariants)) {
    for (const variant of variants) {
      expect(whats.filter((what) => what.startsWith(`${name}, `) && what.endsWith(`, as ${variant}`))).toHaveLength(1)
    }
  }
})
