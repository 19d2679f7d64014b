/** The gradient of a small UNet on the WebGPU device beside the native engine's, parameter by parameter in norm: FILE. */

import { writeFileSync } from 'node:fs'
import type { Device } from '../../../src/device/device.js'
import { openDevice } from '../../../src/device/node/select.js'
import { unetDimension, unetLayout } from '../../../src/networks/unet/spec.js'
import { unetNetwork } from '../../../src/networks/unet/unet.js'
import { ProgramBuilder } from '../../../src/program/program.js'
import { smallUnet } from '../../../test/small-unet.js'

const [file] = process.argv.slice(2)
const net = {
  ...smallUnet,
  channels: 3,
  width: 32,
  height: 16,
  breadth: 16,
  headChannels: 16,
  attention: [8],
  groups: 8,
}
const B = 3
const ALLOWED = 1e-4
const wave = (length: number, frequency: number, size = 1): Float32Array =>
  Float32Array.from({ length }, (_, i) => size * Math.sin(frequency * (i + 1) + 0.01 * (i % 1000) ** 2))

async function gradientOn(device: Device): Promise<Float32Array> {
  const [D, P] = [unetDimension(net), unetLayout(net).parameterLength]
  const builder = new ProgramBuilder()
  const start = unetNetwork(net).initialise(1, 1)
  // no layer begins as zero
  const moved = wave(P, 0.7, 0.03).map((value, i) => value + start[i])
  const buffers = {
    parameters: moved,
    x: wave(B * D, 1.3),
    target: wave(B * D, 2.1),
    gradient: new Float32Array(P),
    row_loss: new Float32Array(B),
  }
  const made = Object.entries(buffers).map(([name, values]) => {
    const buffer = device.createBuffer(values.length)
    buffer.write(values)
    const shape = name === 'x' || name === 'target' ? [B, D] : [values.length]
    return [name, buffer, builder.tensor(buffer, shape)] as const
  })
  const tensors = Object.fromEntries(made.map(([name, , tensor]) => [name, tensor]))
  unetNetwork(net).addGradient(
    builder,
    {
      ...(tensors as Record<'parameters' | 'x' | 'target' | 'gradient' | 'row_loss', (typeof made)[number][2]>),
      t: builder.constant([0.2, 0.5, 0.9]),
    },
    1,
    { draws: null, recompute: false, microBatches: 1 },
  )
  const executable = await device.compile(builder.build())
  await executable.run()
  const gradient = (await made.find(([name]) => name === 'gradient')![1].read()) as Float32Array
  executable.dispose()
  for (const [, buffer] of made) buffer.dispose()
  return gradient
}

const [native, webgpu] = [await openDevice('native'), await openDevice('webgpu', { fast: true })]
const [expected, own] = [await gradientOn(native), await gradientOn(webgpu)]
const errors = unetLayout(net).parameters.map(({ name, offset, shape }) => {
  const length = shape.reduce((product, extent) => product * extent, 1)
  let [squares, differences] = [0, 0]
  for (let i = offset; i < offset + length; i++) {
    squares += expected[i] ** 2
    differences += (expected[i] - own[i]) ** 2
  }
  return { name, error: Math.sqrt(differences / Math.max(squares, Number.MIN_VALUE)) }
})
errors.sort((a, b) => b.error - a.error)
writeFileSync(file, `${JSON.stringify(errors, null, 1)}\n`)
const [worst] = errors
process.exitCode = worst.error <= ALLOWED ? 0 : 1
process.stdout.write(
  `${errors.length} parameters, the worst is ${worst.name}, off by ${worst.error.toExponential(1)}\n`,
)
await webgpu.dispose()
await native.dispose()
