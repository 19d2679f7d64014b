/** Composites of the WebGPU device, fused, against the reference: at the adapter's workgroup memory and at less. */

import { afterAll, beforeAll, describe } from 'vitest'
import type { Device } from '../../src/device/device.js'
import { openWebgpu } from '../../src/device/webgpu/node/index.js'
import { adapterOrSkip } from '../webgpu/adapter.js'
import { casesOf, compositeParity, type Spec, withEveryActivation } from './composites.js'

const name = await adapterOrSkip()
const fused = { mlp_backward: 'fused', mlp_forward: 'fused', mlp_tangents: 'fused', integrate: 'fused' }

/** Every activation; one to four hidden layers; widths of 1, odd, of one tile of columns each; more rows than a tile. */
const specs = withEveryActivation([
  { B: 1, D: 1, hidden: [1], activation: 'tanh' },
  { B: 300, D: 2, hidden: [7, 32], activation: 'silu', every: true, T: 2, steps: 2 },
  { B: 133, D: 2, hidden: [64, 64, 64], activation: 'softplus', beta: 20, steps: 2 },
  { B: 70, D: 3, C: 2, F: 1, hidden: [100, 31], activation: 'gelu', every: true, scale: 2.5 },
  { B: 67, D: 2, F: 6, hidden: [33, 1, 17, 65], activation: 'elu', T: 3 },
  { B: 21, D: 43, C: 1, hidden: [70, 38], activation: 'relu', T: 1, scale: 0.4 },
  { B: 45, D: 2, hidden: [256, 256, 256], activation: 'softplus', beta: 20 },
  { B: 23, D: 2, hidden: [20, 250], activation: 'identity', T: 1 },
])
/** A software adapter takes seconds to make one of these pipelines: the longest composite for all, the others for some. */
const cases = specs.flatMap((spec, i) =>
  casesOf(spec, i).filter(({ composite, label }) =>
    /log det$/.test(label) ? true : composite === 'integrate' ? i === 3 : composite !== 'mlp_backward' && i === 1,
  ),
)

/** Widths in fours: a derivative of the output, and of the input with features, a condition and the time in every layer. */
const steps: readonly Spec[] = [
  { B: 133, D: 2, hidden: [20, 132, 8], activation: 'softplus', beta: 20 },
  { B: 70, D: 3, C: 2, F: 1, hidden: [100, 32], activation: 'gelu', every: true, scale: 2.5 },
]
const backward = steps.flatMap((spec, i) => casesOf(spec, i).filter(({ composite }) => composite === 'mlp_backward'))

describe.skipIf(!name)(`webgpu: fused composites on ${name}`, { timeout: 600_000 }, () => {
  let device: Device
  beforeAll(async () => {
    device = await openWebgpu({ adapter: name, variants: fused })
  })
  afterAll(() => device?.dispose())
  compositeParity(() => device, 'fused', [...cases, ...backward])
})

describe.skipIf(!name)(`webgpu: layered integration on ${name}`, { timeout: 600_000 }, () => {
  let device: Device
  beforeAll(async () => {
    device = await openWebgpu({ adapter: name, variants: { integrate: 'layered' } })
  })
  afterAll(() => device?.dispose())
  const wide: Spec = { B: 37, D: 70, hidden: [24, 24], activation: 'tanh', T: 2, scale: 1.5, steps: 2 }
  // a state that is not what the network sees is no case for layers
  const layered = [...specs, wide].flatMap((spec, i) =>
    casesOf(spec, i).filter(
      ({ composite, label }) =>
        composite === 'integrate' && !/three sub-flows/.test(label) && (i === 3 || /log det$|two-step/.test(label)),
    ),
  )
  compositeParity(() => device, 'layered', layered)
})
