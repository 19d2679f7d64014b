/**
 * The gradient of a small UNet on the WebGPU device, in float32 and in mixed precision, beside the native engine's, parameter by
 * parameter in norm: FILE.
 */

import { writeFileSync } from 'node:fs'
import type { Device } from '../../../src/device/device.js'
import { openDevice } from '../../../src/device/node/select.js'
import { convert } from '../../../src/kernels/convert.js'
import { STATE_LENGTH, stateWords } from '../../../src/kernels/state.js'
import type { Precision } from '../../../src/learn/step.js'
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
/** Of a parameter's gradient; float16 has eleven bits. */
const allowed = { float32: 1e-4, mixed: 2e-2 } as const
const LOSS_EXPONENT = 12
const wave = (length: number, frequency: number, size = 1): Float32Array =>
  Float32Array.from({ length }, (_, i) => size * Math.sin(frequency * (i + 1) + 0.01 * (i % 1000) ** 2))

async function gradientOn(device: Device, precision: Precision = 'float32'): Promise<Float32Array> {
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
  const operands = {
    ...(tensors as Record<'parameters' | 'x' | 'target' | 'gradient' | 'row_loss', (typeof made)[number][2]>),
    t: builder.constant([0.2, 0.5, 0.9]),
  }
  const mode = { draws: null, recompute: false, microBatches: 1 }
  const state = device.createBuffer(STATE_LENGTH, 'u32')
  state.write(Uint32Array.from({ length: STATE_LENGTH }, (_, i) => (i === stateWords.lossExponent ? LOSS_EXPONENT : 0)))
  if (precision === 'mixed') {
    const half = builder.temporary([P], 'f16')
    builder.add(convert, { x: operands.parameters, y: half }, { to: 'f16' })
    unetNetwork(net).addMixedGradient!(builder, { ...operands, half, state: builder.tensor(state) }, 1, mode)
  } else unetNetwork(net).addGradient(builder, operands, 1, mode)
  const executable = await device.compile(builder.build())
  await executable.run()
  const gradient = (await made.find(([name]) => name === 'gradient')![1].read()) as Float32Array
  executable.dispose()
  for (const [, buffer] of made) buffer.dispose()
  state.dispose()
  return gradient
}

/** How far each parameter's gradient is off, the worst first. */
function errorsOf(own: Float32Array, expected: Float32Array): { name: string; error: number }[] {
  const errors = unetLayout(net).parameters.map(({ name, offset, shape }) => {
    const length = shape.reduce((product, extent) => product * extent, 1)
    let [squares, differences] = [0, 0]
    for (let i = offset; i < offset + length; i++) {
      squares += expected[i] ** 2
      differences += (expected[i] - own[i]) ** 2
    }
    return { name, error: Math.sqrt(differences / Math.max(squares, Number.MIN_VALUE)) }
  })
  return errors.sort((a, b) => b.error - a.error)
}

const [native, webgpu] = [await openDevice('native'), await openDevice('webgpu', { fast: true })]
const expected = await gradientOn(native)
const found: Record<string, object> = {}
for (const precision of ['float32', 'mixed'] as const) {
  if (precision === 'mixed' && !webgpu.dtypes.has('f16')) continue
  const errors = errorsOf(await gradientOn(webgpu, precision), expected)
  const [{ name, error }] = errors
  found[precision] = errors
  writeFileSync(file, `${JSON.stringify(found, null, 1)}\n`)
  // also where it is no number
  if (!(error <= allowed[precision])) process.exitCode = 1
  process.stdout.write(
    `${precision}: ${errors.length} parameters, the worst is ${name}, off by ${error.toExponential(1)}\n`,
  )
}
await webgpu.dispose()
await native.dispose()
