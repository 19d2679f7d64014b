/**
 * A UNet in mixed precision: the gradient of every parameter beside the exact one, a training that follows float32's, a loss scale
 * that finds its size by itself, and a run that is bit-identical when it goes on from a checkpoint.
 */

import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { Device, DeviceBuffer } from '../../src/device/device.js'
import { openReference } from '../../src/device/reference/device.js'
import { openWebgpu } from '../../src/device/webgpu/node/index.js'
import { convert } from '../../src/kernels/convert.js'
import { seedWords } from '../../src/kernels/draws.js'
import { STATE_LENGTH, stateWords } from '../../src/kernels/state.js'
import { freshState, type TrainingState } from '../../src/learn/fit.js'
import { type UnetSpec, unetDimension, unetLayout } from '../../src/networks/unet/spec.js'
import { unetNetwork } from '../../src/networks/unet/unet.js'
import { ProgramBuilder } from '../../src/program/program.js'
import { smallUnet } from '../small-unet.js'
import { poolOf, type SubFlow, subFlow, trainSubFlow } from '../training.js'
import { adapterWith } from '../webgpu/adapter.js'

const name = await adapterWith('shader-f16')

const wave = (length: number, frequency: number, size = 1): Float32Array =>
  Float32Array.from({ length }, (_, i) => size * Math.sin(frequency * (i + 1) + 0.01 * i * i))

/** Starting parameters, moved so that no layer is zero. */
function parametersOf(net: UnetSpec): Float32Array {
  const flat = unetNetwork(net).initialise(1, 1)
  for (const [i, value] of wave(flat.length, 0.7, 0.03).entries()) flat[i] += value
  return flat
}

interface Asked {
  /** loss scale 2^exponent in mixed precision; null: float32 */
  readonly exponent: number | null
  readonly microBatches?: number
  readonly recompute?: boolean
  readonly B?: number
}

/** Gradient [P] of the loss of a batch. */
async function gradientOf(device: Device, net: UnetSpec, asked: Asked): Promise<Float32Array> {
  const { exponent, microBatches = 1, recompute = false, B = 4 } = asked
  const [D, P] = [unetDimension(net), unetLayout(net).parameterLength]
  const network = unetNetwork(net)
  const builder = new ProgramBuilder()
  const buffers: DeviceBuffer[] = []
  const given = (values: Float32Array | Uint32Array): DeviceBuffer => {
    const buffer = device.createBuffer(
      64 * Math.ceil(values.length / 64),
      values instanceof Uint32Array ? 'u32' : 'f32',
    )
    buffer.write(values)
    buffers.push(buffer)
    return buffer
  }
  const words = new Uint32Array(STATE_LENGTH)
  words[stateWords.lossExponent] = exponent ?? 0
  const [gradient, rowLoss] = [given(new Float32Array(P)), given(new Float32Array(B))]
  const operands = {
    parameters: builder.tensor(given(parametersOf(net)), [P]),
    x: builder.tensor(given(wave(B * D, 1.3)), [B, D]),
    t: builder.constant(Array.from({ length: B }, (_, i) => (i + 0.5) / B)),
    target: builder.tensor(given(wave(B * D, 2.1)), [B, D]),
    ...(net.condition > 0 && {
      condition: builder.tensor(given(wave(B * net.condition, 0.9)), [B, net.condition]),
    }),
    gradient: builder.tensor(gradient, [P]),
    row_loss: builder.tensor(rowLoss, [B]),
    part: builder.tensor(given(new Float32Array(P)), [P]),
    state: builder.tensor(given(words), [STATE_LENGTH]),
  }
  const mode = { draws: { ...seedWords(1), stream: 1 }, recompute, microBatches }
  if (exponent === null) network.addGradient(builder, operands, 0.7, mode)
  else {
    const half = builder.temporary([P], 'f16')
    builder.add(convert, { x: operands.parameters, y: half }, { to: 'f16' })
    network.addMixedGradient!(builder, { ...operands, half }, 0.7, mode)
  }
  const executable = await device.compile(builder.build())
  await executable.run()
  const values = (await gradient.read()) as Float32Array
  executable.dispose()
  for (const buffer of buffers) buffer.dispose()
  return values
}

function distance(got: Float32Array, want: Float32Array, first = 0, length = want.length): number {
  let [difference, norm] = [0, 0]
  for (let i = first; i < first + length; i++) {
    difference += (got[i] - want[i]) ** 2
    norm += want[i] ** 2
  }
  return Math.sqrt(difference / norm)
}

/** The parameter whose gradient is the furthest off, and by how much. */
const worst = (net: UnetSpec, got: Float32Array, want: Float32Array): { name: string; error: number } =>
  unetLayout(net)
    .parameters.map(({ name, offset, shape }) => {
      const length = shape.reduce((product, extent) => product * extent, 1)
      return { name, error: distance(got, want, offset, length) }
    })
    .reduce((a, b) => (b.error > a.error ? b : a))

const nets: Readonly<Record<string, UnetSpec>> = {
  plain: { ...smallUnet, dropout: 0.2 },
  'with scales and shifts, and residual resampling': { ...smallUnet, scaleShift: true, residualResampling: true },
  'of sequences, told of a condition': {
    ...smallUnet,
    ...{
      kind: 'unet1d',
      height: 1,
      breadth: 16,
      channels: 3,
      kernel: 5,
      attention: [],
      scaleShift: true,
      condition: 5,
    },
  },
}

const settings = subFlow({ steps: 36, batch: 16, precision: 'mixed' })
const net: UnetSpec = { ...smallUnet, channels: 1 }
const rows = 64
const D = unetDimension(net)

async function train(device: Device, over: Partial<SubFlow> = {}, begin: Partial<TrainingState> = {}) {
  const network = unetNetwork(net)
  const buffer = device.createBuffer(rows * D)
  // bars, upright or lying
  buffer.write(
    Float32Array.from({ length: rows * D }, (_, i) => {
      const [row, y, x] = [Math.floor(i / D), Math.floor((i % D) / 8), i % 8]
      return (row % 2 ? y : x) === (row >> 1) % 8 ? 0.8 : -0.8
    }),
  )
  const checkpoints: TrainingState[] = []
  const losses: number[] = []
  const asked = { ...settings, ...over }
  const fresh = freshState(network.initialise(5, 1), asked.optimizer, asked.precision)
  const { state } = await trainSubFlow(device, network, poolOf(buffer, rows), { ...fresh, ...begin }, asked, {
    checkpointEvery: 20,
    onCheckpoint: async (checkpoint) => {
      checkpoints.push(checkpoint)
    },
    onLosses: (_, values) => losses.push(...values),
  })
  buffer.dispose()
  return { state, checkpoints, losses }
}

describe.skipIf(!name)(`mixed precision of UNets on ${name}`, { timeout: 1_200_000 }, () => {
  const reference = openReference()
  let device: Device
  beforeAll(async () => {
    device = await openWebgpu({ adapter: name })
  })
  afterAll(() => device?.dispose())

  test.each(Object.entries(nets))('%s: the gradient of every parameter is exact to two digits', async (_, net) => {
    const exact = await gradientOf(reference, net, { exponent: null })
    const mixed = await gradientOf(device, net, { exponent: 12 })
    const same = await gradientOf(reference, net, { exponent: 12 })
    expect(distance(mixed, exact)).toBeLessThan(3e-3)
    const { name, error } = worst(net, mixed, exact)
    expect(error, name).toBeLessThan(1e-2)
    // it was float16 that it went through, and the reference rounds as much
    expect(distance(mixed, exact)).toBeGreaterThan(1e-4)
    expect(distance(same, exact)).toBeGreaterThan(1e-4)
    expect(distance(mixed, same)).toBeLessThan(1e-3)
  })

  test('parts of a batch and recomputation are the same gradient', async () => {
    const whole = await gradientOf(device, nets.plain, { exponent: 12, B: 16 })
    const parts = await gradientOf(device, nets.plain, { exponent: 12, B: 16, microBatches: 2, recompute: true })
    expect(distance(parts, whole)).toBeLessThan(1e-3)
  })

  test('it trains as float32 does, and from a checkpoint bit-identically', async () => {
    const mixed = await train(device)
    const single = await train(device, { precision: 'float32' })
    expect(single.state).toMatchObject({ lossExponent: 0, goodSteps: 0 })
    const mean = (values: readonly number[]) => values.slice(-10).reduce((sum, value) => sum + value / 10, 0)
    expect(mean(single.losses)).toBeLessThan(0.6 * single.losses[0])
    expect(Math.abs(mean(mixed.losses) / mean(single.losses) - 1)).toBeLessThan(0.02)
    expect(mixed.losses).not.toEqual(single.losses)

    const { state } = await train(device, {}, mixed.checkpoints[0])
    expect(state).toEqual(mixed.state)
  })

  test('a loss scale that is too large halves until the gradient is finite; the steps are counted', async () => {
    // a last layer that is far too large makes gradients of this size; normalisations keep that of the pictures from them
    const parameters = parametersOf(net)
    const { weight, C, N } = unetLayout(net).last
    for (let i = weight; i < weight + 9 * C * N; i++) parameters[i] *= 10
    const { state, losses } = await train(device, { steps: 12 }, { lossExponent: 24, parameters })
    expect(losses.every(Number.isFinite)).toBe(true)
    expect(state.skipped).toBeGreaterThan(0)
    expect(state.lossExponent).toBe(24 - state.skipped)
    expect(state.skippedInARow).toBe(0)
    expect(state.parameters.every(Number.isFinite)).toBe(true)
  })
})
