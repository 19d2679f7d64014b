/** Starting parameters: uniform on ±1/√(inputs of the layer), so of the variance 1/(3·inputs); by the seed and the stream. */

import { describe, expect, test } from 'vitest'
import { mlpNetwork, padded } from '../../src/networks/mlp/mlp.js'
import type { MlpSpec } from '../../src/networks/mlp/spec.js'
import type { Network } from '../../src/networks/network.js'
import { unetNetwork } from '../../src/networks/unet/unet.js'
import { smallUnet } from '../small-unet.js'

const mlp: MlpSpec = {
  kind: 'mlp',
  dimension: 20,
  condition: 0,
  hidden: [50, 62],
  activation: 'silu',
  beta: 1,
  time: 'every',
  frequencies: [],
}

const tensors = (network: Network, seed = 1, stream = 1) => network.toTensors(network.initialise(seed, stream), '')

/** Values that are uniform on ±bound as far as n of them can tell: their spread, mean, and how far out they go. */
function expectUniform(name: string, values: Float32Array, bound: number): void {
  const n = values.length
  const mean = values.reduce((sum, value) => sum + value, 0) / n
  const square = values.reduce((sum, value) => sum + value * value, 0) / n
  // five standard errors of each
  expect(Math.abs(mean), `${name}: mean`).toBeLessThan((5 * bound) / Math.sqrt(3 * n))
  expect(Math.abs(square / (bound ** 2 / 3) - 1), `${name}: variance`).toBeLessThan(5 * Math.sqrt(0.8 / n))
  expect(Math.max(...values.map(Math.abs)), `${name}: largest`).toBeLessThanOrEqual(Math.fround(bound))
}

describe.each([
  ['an MLP', mlpNetwork(mlp)],
  ['a padded MLP', mlpNetwork(mlp, padded(mlp))],
] as const)('%s', (_, network) => {
  test('begins with variances of 1/(3·inputs), the time counted as one', () => {
    const inputs = [21, 51, 63]
    const made = tensors(network)
    expect(made.map(({ name }) => name)).toEqual([0, 1, 2].flatMap((i) => [`layers.${i}.weight`, `layers.${i}.bias`]))
    made.forEach(({ name, values, shape }, i) => {
      const fanIn = inputs[i >> 1]
      if (i % 2 === 0) expect(shape[1]).toBe(fanIn)
      expectUniform(name, values, 1 / Math.sqrt(fanIn))
      // the time's column by itself
      if (i % 2 === 0)
        expectUniform(
          `${name} of t`,
          values.filter((_, j) => j % fanIn === 0),
          1 / Math.sqrt(fanIn),
        )
    })
  })
})

test('a UNet begins with variances of 1/(3·inputs), its normalisations at 1 and 0, what ends a residual at 0', () => {
  const made = tensors(unetNetwork({ ...smallUnet, width: 16, groups: 8 }))
  let checked = 0
  made.forEach(({ name, values, shape }, i) => {
    const weight = name.endsWith('.bias') ? made[i - 1] : { shape }
    if (weight.shape.length === 1) {
      // a normalisation
      const start = name.endsWith('.bias') ? 0 : 1
      expect(
        values.every((value) => value === start),
        name,
      ).toBe(true)
      return
    }
    const fanIn = weight.shape.slice(1).reduce((product, extent) => product * extent, 1)
    // guided-diffusion's zero_module: second convolutions of residual blocks, attention's projections, the last convolution
    if (/^(out\.2|.*\.out_layers\.3|.*\.proj_out)\./.test(name)) {
      expect(
        values.every((value) => value === 0),
        name,
      ).toBe(true)
      return
    }
    checked++
    expectUniform(name, values, 1 / Math.sqrt(fanIn))
  })
  expect(checked).toBeGreaterThan(20)
})

test.each([
  ['an MLP', mlpNetwork(mlp)],
  ['a UNet', unetNetwork(smallUnet)],
] as const)('%s begins otherwise for another seed, another stream, and in another layer', (_, network) => {
  const [a, again, seed, stream] = [tensors(network), tensors(network), tensors(network, 2, 1), tensors(network, 1, 2)]
  expect(again).toEqual(a)
  const random = a.filter(({ values }) => !values.every((value) => value === values[0]))
  for (const other of [seed, stream]) {
    for (const { name, values } of random) expect(other.find((t) => t.name === name)!.values, name).not.toEqual(values)
  }
  // first numbers, as drawn on ±1, are all different
  const beginnings = a.flatMap(({ name, values }, i) => {
    const { shape } = name.endsWith('.bias') ? a[i - 1] : a[i]
    const fanIn = shape.slice(1).reduce((product, extent) => product * extent, 1)
    const drawn = !values.every((value) => value === values[0])
    return drawn ? [(values[0] * Math.sqrt(fanIn)).toFixed(5)] : []
  })
  expect(beginnings.length).toBeGreaterThan(5)
  expect(new Set(beginnings).size).toBe(beginnings.length)
})
