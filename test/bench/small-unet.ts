/**
 * One small UNet with given parameters, pictures, times and target, to hold a peer's network against the library's: its
 * velocity, and the losses of two training steps on the same batch, of which the second shows the first one's update.
 */

import { optimizer } from '../../bench/ours.js'
import { normals } from '../../bench/values.js'
import type { DeviceBuffer } from '../../src/device/device.js'
import { openReference } from '../../src/device/reference/device.js'
import { adam, stepTable } from '../../src/kernels/adam.js'
import { gradientNorm, normBlocks } from '../../src/kernels/gradient_norm.js'
import { STATE_LENGTH } from '../../src/kernels/state.js'
import { optimizerTable } from '../../src/learn/optimizer.js'
import { wholeBatch } from '../../src/networks/network.js'
import { unetDimension, unetLayout } from '../../src/networks/unet/spec.js'
import { unetNetwork } from '../../src/networks/unet/unet.js'
import { ProgramBuilder, type ProgramTensor } from '../../src/program/program.js'
import { smallUnet } from '../small-unet.js'

export const net = smallUnet
export const RATE = 0.01
const B = 3
const D = unetDimension(net)

/** Starting parameters, moved so that no layer is zero; gaps of the layout stay zero. */
export function parameters(): Float32Array {
  const flat = unetNetwork(net).initialise(1103, 1)
  for (const { offset, shape } of unetLayout(net).parameters) {
    const length = shape.reduce((product, extent) => product * extent, 1)
    normals(length, 0.1).forEach((value, i) => {
      flat[offset + i] += value
    })
  }
  return flat
}

/** Rows [B, D] in the layout [C, H, W]. */
export const batch = {
  x: normals(B * D),
  t: Float32Array.of(0.1, 0.5, 0.9),
  target: normals(2 * B * D).subarray(B * D),
}

export interface Computed {
  /** [B, D] */
  readonly velocity: readonly number[]
  readonly losses: readonly number[]
}

/** On the reference device. */
export async function ours(): Promise<Computed> {
  const device = openReference()
  const field = unetNetwork(net)
  const settings = { ...optimizer, lr: RATE }
  const filled = (values: Float32Array | Uint32Array): DeviceBuffer => {
    const buffer = device.createBuffer(values.length, values instanceof Uint32Array ? 'u32' : 'f32')
    buffer.write(values)
    return buffer
  }
  const builder = new ProgramBuilder()
  const tensor = (values: Float32Array | Uint32Array, shape?: number[]): ProgramTensor =>
    builder.tensor(filled(values), shape)
  const P = field.parameterLength
  const table = optimizerTable(2, settings)
  const ring = device.createBuffer(64)
  const out = device.createBuffer(B * D)
  const shared = {
    parameters: tensor(parameters()),
    x: tensor(batch.x, [B, D]),
    t: tensor(batch.t),
  }
  const gradient = tensor(new Float32Array(P))
  const state = tensor(new Uint32Array(STATE_LENGTH))
  const partials = builder.temporary([normBlocks(P)])
  const rowLoss = builder.temporary([B])
  field.addVelocity(builder, { ...shared, out: builder.tensor(out, [B, D]) }, 1)
  field.addGradient(
    builder,
    { ...shared, target: tensor(batch.target, [B, D]), gradient, row_loss: rowLoss },
    1,
    wholeBatch,
  )
  builder.add(gradientNorm, { gradient, row_loss: rowLoss, state, partials, loss_ring: builder.tensor(ring) }, {})
  builder.add(
    adam,
    {
      parameters: shared.parameters,
      gradient,
      m: tensor(new Float32Array(P)),
      v: tensor(new Float32Array(P)),
      partials,
      table: tensor(table, [2, stepTable.columns]),
      state,
    },
    {
      beta1: settings.betas[0],
      beta2: settings.betas[1],
      epsilon: settings.eps,
      weightDecay: 0,
      decoupled: false,
      clip: settings.clip,
    },
  )
  const executable = await device.compile(builder.build())
  await executable.run()
  const velocity = [...((await out.read()) as Float32Array)]
  await executable.run()
  const losses = [...((await ring.read(0, 2)) as Float32Array)]
  await device.dispose()
  return { velocity, losses }
}

/** The largest difference of two lists of numbers. */
export const distance = (a: readonly number[], b: readonly number[]): number =>
  Math.max(...a.map((value, i) => Math.abs(value - b[i])))
