/** Quality of conditional pictures: whether they are of their class, by the classifier whose features measure them, and under which guidance. */

import { expect, test } from 'vitest'
import type { LoadedData } from '../../src/data/source.js'
import type { Device } from '../../src/device/device.js'
import { openDigitFeatures } from '../../src/metrics/digit-classifier.js'
import { pictureQuality } from '../../src/run/evaluate-pictures.js'
import type { LocalFlow } from '../../src/run/local-flow.js'

const side = 16
/** A one or a zero, a little to the left or right: values in [−1, 1]. */
function digit(label: number, i: number): number[] {
  return Array.from({ length: side * side }, (_, at) => {
    const [x, y] = [(at % side) / side - 0.47 - 0.02 * (i % 3), Math.floor(at / side) / side - 0.47]
    const ink = label === 1 ? Math.abs(x) < 0.06 && Math.abs(y) < 0.35 : Math.abs(Math.hypot(x, y) - 0.28) < 0.06
    return ink ? 1 : -1
  })
}
const pictures = (labels: ArrayLike<number>) => ({
  values: Float32Array.from(Array.from(labels).flatMap(digit)),
  shape: [labels.length, 1, side, side],
})

const n = 90
const labels = Array.from({ length: n }, (_, i) => i % 2)
const data = { test: pictures(labels), train: pictures(labels), labels: { test: labels } } as unknown as LoadedData
/** Draws what is asked for; without guidance every third is of the other class. */
const flow = {
  isFlow: true,
  rowShape: [1, side, side],
  condition: { kind: 'classes', classes: [0, 1], dropout: 0.1 },
  options: { ode: { sample: { solver: 'euler', steps: 1 } } },
  evaluations: { mean: 1, max: 1 },
  sample: async (_: number, given: { class: number[]; guidance?: number }) =>
    pictures(given.class.map((label, i) => (given.guidance === undefined && i % 3 === 0 ? 1 - label : label))),
} as unknown as LocalFlow
const device = { info: { name: 'a device' } } as unknown as Device

test('the shipped classifier says whether samples are of the class that they were drawn as', async () => {
  const features = await openDigitFeatures()
  const bytes = { values: Uint8Array.from(data.test!.values, (v) => (v > 0 ? 255 : 0)), shape: data.test!.shape }
  expect([...(await features.classify!(bytes))]).toEqual(labels)
  const plain = (await pictureQuality(flow, device, data, 'test', { samples: n }))!
  expect(plain.accuracy).toBeCloseTo(2 / 3)
  expect(plain).not.toHaveProperty('guidance')
  const guided = (await pictureQuality(flow, device, data, 'test', { samples: n, guidance: 2 }))!
  expect([guided.accuracy, guided.guidance]).toEqual([1, [2]])
  const each = (await pictureQuality(flow, device, data, 'test', { samples: n, guidance: [1, 3] }))!
  expect(each.guidance).toEqual([1, 3])
})

test('a model that is told nothing has no accuracy', async () => {
  const told = { ...flow, condition: null, sample: async (count: number) => pictures(labels.slice(0, count)) }
  const quality = (await pictureQuality(told as unknown as LocalFlow, device, data, 'test', { samples: n }))!
  expect(quality).not.toHaveProperty('accuracy')
})

test("students draw by their own maps, and not by the config's solver", async () => {
  const asked: object[] = []
  const student = {
    ...flow,
    isFlow: false,
    condition: null,
    sample: async (count: number, given: object) => {
      asked.push(Object.fromEntries(Object.entries(given).filter(([, value]) => value !== undefined)))
      return pictures(labels.slice(0, count))
    },
  } as unknown as LocalFlow
  const { solver } = (await pictureQuality(student, device, data, 'test', { samples: n }))!
  await pictureQuality(student, device, data, 'test', { samples: n, evaluations: 2 })
  expect([asked, solver]).toEqual([[{}, { evaluations: 2 }], 'maps of one evaluation'])
})
