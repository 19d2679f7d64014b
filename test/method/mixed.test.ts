/**
 * Training in mixed precision: its gradient beside the exact one, a loss scale that finds its size by itself, and a run that
 * is bit-identical when it goes on from a checkpoint.
 */

import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { Device } from '../../src/device/device.js'
import { openReference } from '../../src/device/reference/device.js'
import { forgetful } from '../../src/device/webgpu/findings.js'
import { openWebgpu } from '../../src/device/webgpu/node/index.js'
import { type ActivationName, activations } from '../../src/kernels/activations.js'
import type { DType } from '../../src/kernels/contract.js'
import { convert } from '../../src/kernels/convert.js'
import { seedWords } from '../../src/kernels/draws.js'
import { FIRST_LOSS_EXPONENT, STATE_LENGTH, stateWords } from '../../src/kernels/state.js'
import { freshState, type TrainingState } from '../../src/learn/fit.js'
import { expectMixed } from '../../src/learn/precision.js'
import { mlpNetwork } from '../../src/networks/mlp/mlp.js'
import type { MlpSpec } from '../../src/networks/mlp/spec.js'
import { ProgramBuilder } from '../../src/program/program.js'
import { poolOf, type SubFlow, subFlow, trainSubFlow } from '../training.js'
import { adapterWith } from '../webgpu/adapter.js'

const name = await adapterWith('shader-f16')

const spec = (activation: ActivationName, over: Partial<MlpSpec> = {}): MlpSpec => ({
  kind: 'mlp',
  dimension: 3,
  condition: 0,
  hidden: [24, 33],
  activation,
  beta: 1,
  time: 'every',
  frequencies: [1.5],
  ...over,
})

/** Gradient and mean loss of one batch, in mixed precision at a loss scale of 2^exponent, or exact where that is null. */
async function gradientOf(device: Device, net: MlpSpec, exponent: number | null) {
  const [B, D] = [41, net.dimension]
  const field = mlpNetwork(net)
  const builder = new ProgramBuilder()
  const filled = (length: number, value: (i: number) => number) => {
    const buffer = device.createBuffer(length)
    buffer.write(Float32Array.from({ length }, (_, i) => value(i)))
    return buffer
  }
  const parameters = device.createBuffer(field.parameterLength)
  parameters.write(field.initialise(3, 1))
  const [gradient, rowLoss] = [device.createBuffer(field.parameterLength), device.createBuffer(B)]
  const state = device.createBuffer(STATE_LENGTH, 'u32')
  const words = new Uint32Array(STATE_LENGTH)
  words[stateWords.lossExponent] = exponent ?? 0
  state.write(words)
  const operands = {
    parameters: builder.tensor(parameters),
    x: builder.tensor(
      filled(B * D, (i) => Math.sin(3 * i + 1)),
      [B, D],
    ),
    t: builder.tensor(filled(B, (i) => (i + 0.5) / B)),
    target: builder.tensor(
      filled(B * D, (i) => Math.cos(2 * i)),
      [B, D],
    ),
    gradient: builder.tensor(gradient),
    row_loss: builder.tensor(rowLoss),
  }
  const mode = { draws: { ...seedWords(1), stream: 1 }, recompute: false, microBatches: 1 }
  if (exponent === null) field.addGradient(builder, operands, 0.7, mode)
  else {
    const half = builder.temporary([field.parameterLength], 'f16')
    builder.add(convert, { x: operands.parameters, y: half }, { to: 'f16' })
    field.addMixedGradient!(builder, { ...operands, half, state: builder.tensor(state) }, 0.7, mode)
  }
  const executable = await device.compile(builder.build())
  await executable.run()
  const [values, losses] = await Promise.all([gradient.read(), rowLoss.read()])
  executable.dispose()
  return { gradient: [...values], loss: [...losses].reduce((sum, loss) => sum + loss / B, 0) }
}

const distance = (a: ArrayLike<number>, b: ArrayLike<number>): number =>
  Math.hypot(...Array.from(a, (value, i) => value - b[i])) / Math.hypot(...Array.from(b))

const settings = subFlow({ steps: 60, batch: 64, precision: 'mixed' })
const net = spec('silu', { dimension: 2, frequencies: [] })
const rows = 300
const pool = Float32Array.from({ length: 2 * rows }, (_, i) => Math.sin(0.37 * i * i))

async function train(device: Device, over: Partial<SubFlow> = {}, begin: Partial<TrainingState> = {}) {
  const field = mlpNetwork(net)
  const buffer = device.createBuffer(pool.length)
  buffer.write(pool)
  const checkpoints: TrainingState[] = []
  const losses: number[] = []
  const asked = { ...settings, ...over }
  const fresh = freshState(field.initialise(5, 1), asked.optimizer, asked.precision)
  const { state } = await trainSubFlow(device, field, poolOf(buffer, rows), { ...fresh, ...begin }, asked, {
    checkpointEvery: 25,
    onCheckpoint: async (checkpoint) => {
      checkpoints.push(checkpoint)
    },
    onLosses: (_, values) => losses.push(...values),
  })
  buffer.dispose()
  return { state, checkpoints, losses }
}

describe.skipIf(!name)(`mixed precision on ${name}`, { timeout: 600_000 }, () => {
  const reference = openReference()
  let device: Device
  beforeAll(async () => {
    device = await openWebgpu({ adapter: name })
  })
  afterAll(() => device?.dispose())

  test.each(['silu', 'softplus'] as const)('the gradient of a %s net is exact to three digits', async (activation) => {
    const exact = await gradientOf(reference, spec(activation), null)
    const mixed = await gradientOf(device, spec(activation), 12)
    expect(distance(mixed.gradient, exact.gradient)).toBeLessThan(3e-3)
    expect(Math.abs(mixed.loss / exact.loss - 1)).toBeLessThan(1e-3)
    // it was float16 that it went through
    expect(distance(mixed.gradient, exact.gradient)).toBeGreaterThan(1e-5)
  })

  test('every activation has an expansion that computes the gradient', async () => {
    for (const activation of Object.keys(activations) as ActivationName[]) {
      const [exact, mixed] = [
        await gradientOf(reference, spec(activation), null),
        await gradientOf(reference, spec(activation), 12),
      ]
      // a rounded input may fall on the other side of relu's kink
      const allowed = activation === 'relu' ? 0.05 : 3e-3
      expect(distance(mixed.gradient, exact.gradient), activation).toBeLessThan(allowed)
    }
  })

  test('it trains as float32 does, and from a checkpoint bit-identically', async () => {
    const mixed = await train(device)
    expect(mixed.state.lossExponent).toBeGreaterThan(8)
    const single = await train(device, { precision: 'float32' })
    expect(single.state).toMatchObject({ lossExponent: 0, goodSteps: 0 })
    const mean = (values: readonly number[]) => values.slice(-20).reduce((sum, value) => sum + value / 20, 0)
    expect(Math.abs(mean(mixed.losses) / mean(single.losses) - 1)).toBeLessThan(0.01)
    expect(mixed.losses).not.toEqual(single.losses)

    const { state } = await train(device, {}, mixed.checkpoints[0])
    expect(state).toEqual(mixed.state)
  })

  test('without checks it trains to what it does with them, and the program is proved first', async () => {
    const fast = await openWebgpu({ adapter: name, fast: true, findings: forgetful() })
    const [proved, checked] = [await train(fast, { steps: 10 }), await train(device, { steps: 10 })]
    expect(distance(proved.state.parameters, checked.state.parameters)).toBeLessThan(1e-5)
    expect(fast.memory().buffers).toBe(0)
    await fast.dispose()
  })

  test('a loss scale that is too large halves until the gradient is finite; the steps are counted', async () => {
    const { state, losses } = await train(device, { steps: 12 }, { lossExponent: 24 })
    expect(losses.every(Number.isFinite)).toBe(true)
    expect(state.skipped).toBeGreaterThan(0)
    expect(state.lossExponent).toBe(24 - state.skipped)
    expect(state.skippedInARow).toBe(0)
    expect(state.goodSteps).toBeGreaterThan(0)
    expect(state.goodSteps).toBeLessThanOrEqual(12 - state.skipped)
    expect(state.parameters.every(Number.isFinite)).toBe(true)
  })

  test('a fresh state begins with the first loss scale', () => {
    expect(freshState(new Float32Array(1), settings.optimizer, 'mixed').lossExponent).toBe(FIRST_LOSS_EXPONENT)
  })
})

test('where it cannot be had, the error says what is needed and what to take', async () => {
  const field = mlpNetwork(net)
  const { dtypes, info } = openReference()
  expect(() => expectMixed({ dtypes, info: { ...info, kind: 'native' } }, field)).toThrow(
    /webgpu.*shader-f16.*native.*train.precision: float32/,
  )
  const gpu = { ...info, kind: 'webgpu', type: 'hardware' } as const
  const old = { ...gpu, details: { driver: 'NVIDIA 470' } }
  expect(() => expectMixed({ dtypes, info: old }, field)).toThrow(/NVIDIA 470.*update.*docs\/gpu-servers.md/)
  const able = new Set<DType>([...dtypes, 'f16'])
  expect(() => expectMixed({ dtypes: able, info: gpu }, field)).not.toThrow()
  const { addMixedGradient: _, ...without } = field
  expect(() => expectMixed({ dtypes: able, info: gpu }, without)).toThrow(/this kind of model/)
})
