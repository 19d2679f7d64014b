/** Single kernels as functions on a device's tensors, against plain arithmetic. */

import { expect, test } from 'vitest'
import { erf } from '../../src/kernels/activations.js'
import { gelu, kernels, launch, linear, matMul, prepare, softplus, tensor, zeros } from '../../src/single-kernels.js'
import { describeOn } from '../devices.js'

const close = (got: ArrayLike<number>, want: readonly number[]): void => {
  expect(got.length).toBe(want.length)
  want.forEach((value, i) => {
    expect(got[i]).toBeCloseTo(value, 5)
  })
}

await describeOn(['reference', 'native', 'webgpu'], 'single kernels', (device) => {
  test('matMul with every pair of transposes', async () => {
    const a = tensor(device(), [1, 2, 3, 4, 5, 6], [2, 3])
    const at = tensor(device(), [1, 4, 2, 5, 3, 6], [3, 2])
    const b = tensor(device(), [1, -1, 0, 2, 3, 1], [3, 2])
    const bt = tensor(device(), [1, 0, 3, -1, 2, 1], [2, 3])
    const products = [
      await matMul(a, b),
      await matMul(at, b, { transposeA: true }),
      await matMul(a, bt, { transposeB: true }),
      await matMul(at, bt, { transposeA: true, transposeB: true }),
    ]
    for (const product of products) {
      expect(product.shape).toEqual([2, 2])
      close(await product.read(), [10, 6, 22, 12])
    }
    for (const made of [a, at, b, bt, ...products]) made.dispose()
  })

  test('activations and a linear layer', async () => {
    const values = [-3, -0.5, 0, 0.25, 4]
    const x = tensor(device(), values, [5])
    const y = [await softplus(x, 2), await gelu(x)]
    close(
      await y[0].read(),
      values.map((v) => Math.log1p(Math.exp(2 * v)) / 2),
    )
    close(
      await y[1].read(),
      values.map((v) => (v * (1 + erf(v / Math.SQRT2))) / 2),
    )
    const rows = tensor(device(), [1, 2], [1, 2])
    const [weight, bias] = [tensor(device(), [3, -1, 0.5, 2], [2, 2]), tensor(device(), [0.5, -9])]
    const layer = await linear(rows, weight, bias, { activation: 'relu' })
    close(await layer.read(), [1.5, 0])
    for (const made of [x, ...y, rows, weight, bias, layer]) made.dispose()
  })

  test('a prepared launch runs many times, and names what does not fit', async () => {
    const y = zeros(device(), [3, 7])
    const first = tensor(device(), Uint32Array.of(5))
    const run = await prepare(device(), 'normal', { first, y }, { seedLow: 1, seedHigh: 0, stream: 0 })
    await run.run(3)
    const values = [...(await y.read())]
    const expected = { data: new Float64Array(21), shape: [3, 7] }
    kernels
      .get('normal')!
      .reference(
        { first: { data: Uint32Array.of(5), shape: [1] }, y: expected },
        { seedLow: 1, seedHigh: 0, stream: 0 },
      )
    close(values, [...expected.data])
    run.dispose()
    await expect(launch('norma', { y })).rejects.toThrow(/no kernel 'norma'/)
    await expect(launch('normal', { y, first: y }, {})).rejects.toThrow(/first must be u32/)
    expect(() => tensor(device(), [1, 2, 3], [2, 2])).toThrow(/takes 4 values, but was given 3/)
    y.dispose()
    first.dispose()
  })
})
