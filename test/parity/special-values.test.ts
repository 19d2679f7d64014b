/**
 * What activations make of numbers that are none, of infinities and of the smallest numbers, on every adapter at hand: a NaN
 * has to come through, or a training whose numbers are broken goes on in silence. Compared with the float64 reference;
 * where an adapter may take the smallest numbers for zero (denormals), either is right, and so are NaN and the limit where
 * the reference multiplies an infinity by zero.
 */

import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { Device } from '../../src/device/device.js'
import { readShader } from '../../src/device/webgpu/node/adapter.js'
import { listAdapters, openWebgpu } from '../../src/device/webgpu/node/index.js'
import { activations } from '../../src/kernels/activations.js'
import { kernels } from '../../src/kernels/registry.js'
import { ProgramBuilder } from '../../src/program/program.js'
import { adapterOrSkip } from '../webgpu/adapter.js'
import { cases } from './cases.js'
import { activationNames, runCase } from './harness.js'

const { NaN: none, POSITIVE_INFINITY: infinity } = Number
const SMALLEST_NORMAL = 2 ** -126
const inputs = [none, infinity, -infinity, 1e-40, -1e-40, 2 ** -149, 0, 2e38, -2e38, 1, none, 2, -none]

const name = await adapterOrSkip()
const adapters = name ? (await listAdapters()).map((adapter) => adapter.name) : []

/** y of a kernel whose other operands are constants. */
async function resultOf(
  device: Device,
  kernel: string,
  operands: Readonly<Record<string, readonly [values: readonly number[], shape: readonly number[]]>>,
  result: readonly [name: string, shape: readonly number[]],
  attributes: object,
): Promise<Float32Array> {
  const [resultName, shape] = result
  const builder = new ProgramBuilder()
  const buffer = device.createBuffer(shape.reduce((product, extent) => product * extent, 1))
  const given = Object.entries(operands).map(([operand, [values, of]]) => [
    operand,
    builder.constant(Float32Array.from(values), of),
  ])
  const tensors = { ...Object.fromEntries(given), [resultName]: builder.tensor(buffer, shape) }
  builder.add(kernels.get(kernel)!, tensors, { beta: 1.5, scale: 1, ...attributes })
  const executable = await device.compile(builder.build())
  try {
    await executable.run()
    return (await buffer.read()) as Float32Array
  } finally {
    executable.dispose()
    buffer.dispose()
  }
}

function isRight(got: number, want: number): boolean {
  if (Number.isNaN(want) || !Number.isFinite(want)) return Object.is(got, want)
  return Math.abs(got - want) <= SMALLEST_NORMAL + 1e-6 * Math.abs(want)
}

describe.each(adapters)('numbers out of the ordinary on %s', { timeout: 600_000 }, (adapter) => {
  let device: Device
  beforeAll(async () => {
    device = await openWebgpu({ adapter, autotune: 'off' })
  })
  afterAll(() => device?.dispose())

  test.each(activationNames)('%s', async (activation) => {
    const n = inputs.length
    const y = await resultOf(device, 'activation', { x: [inputs, [n]] }, ['y', [n]], { activation })
    inputs.forEach((z, i) => {
      const want = activations[activation].value(Math.fround(z), 1.5)
      // silu and gelu: −∞ · 0
      const limit = z === -infinity && Number.isNaN(want)
      expect(isRight(y[i], want) || (limit && isRight(y[i], 0)), `${activation}(${z}) = ${y[i]}, not ${want}`).toBe(
        true,
      )
    })
  })

  test.each(activationNames)(
    'a row of a layer with %s, and its derivative, keep a NaN to themselves',
    async (activation) => {
      const [B, K, N] = [5, 8, 12]
      const x = Array.from({ length: B * K }, (_, i) => (i === 2 * K + 3 ? none : Math.sin(i)))
      const weight: [number[], number[]] = [Array.from({ length: N * K }, (_, i) => Math.cos(i)), [N, K]]
      const bias: [number[], number[]] = [new Array(N).fill(0.1), [N]]
      const forward = await resultOf(device, 'linear_forward', { x: [x, [B, K]], weight, bias }, ['y', [B, N]], {
        activation,
      })
      const rows = Array.from({ length: B }, (_, row) => forward.subarray(row * N, (row + 1) * N))
      expect(rows.map((row) => row.every(Number.isNaN))).toEqual([false, false, true, false, false])
      expect(rows.map((row) => row.some(Number.isNaN))).toEqual([false, false, true, false, false])

      const dy: [number[], number[]] = [new Array(B * N).fill(0.5), [B, N]]
      const saved = x.map((value) => Math.abs(value) / 2)
      const back = await resultOf(
        device,
        'linear_backward_input',
        { dy, weight, saved: [saved, [B, K]] },
        ['dx', [B, K]],
        {
          activation,
        },
      )
      saved.forEach((value, i) => {
        const derivative = activations[activation].derivative(value, 1.5)
        expect(Number.isNaN(back[i]), `derivative of ${activation} at ${value}`).toBe(Number.isNaN(derivative))
      })
    },
  )

  // Metal's and DXC's compilers may factor: (x − n·a) − n·b becomes x − n·(a + b), and the last digits of a and b are lost
  test('range reductions are written so that no compiler can add up the parts of their constants', async () => {
    const text = await readShader('include/numeric.wgsl')
    const number = '([\\w.-]+)'
    const factored = text
      .replace(new RegExp(`\\(([^()]+) - n \\* ${number}\\) - n \\* ${number}`, 'g'), '($1 - n * ($2 + $3))')
      .replace(new RegExp(`n \\* ${number} \\+ \\((.*) \\+ n \\* ${number}\\)`, 'g'), '(n * ($1 + $3) + ($2))')
    expect(factored).toBe(text)
    const softplus = cases.find(({ kernel, label }) => kernel === 'activation' && /softplus/.test(label))!
    for (const { error, allowed } of await runCase(device, softplus)) expect(error).toBeLessThanOrEqual(allowed)
  })
})
