/**
 * Packed weights stay from run to run where few rows pass by them: what they cost in memory, and that whatever changes the weights
 * (a write, a copy, another program) is followed.
 */

import { expect, test } from 'vitest'
import type { Device, DeviceBuffer } from '../../src/device/device.js'
import { accumulate } from '../../src/kernels/accumulate.js'
import { conv2d, plainConvolution } from '../../src/kernels/conv2d.js'
import { linearForward } from '../../src/kernels/linear_forward.js'
import { type MlpSpec, mlpParameterLength } from '../../src/networks/mlp/spec.js'
import { addIntegration } from '../../src/ode/integrate.js'
import { methods } from '../../src/ode/methods.js'
import { localSteps } from '../../src/ode/steps.js'
import { ProgramBuilder, type ProgramTensor } from '../../src/program/program.js'
import { describeOn } from '../devices.js'

const [C, N, steps] = [32, 64, 8]
const weights = 5 * C * N
const wave = (length: number, frequency: number): Float32Array =>
  Float32Array.from({ length }, (_, i) => Math.sin(frequency * (i + 1)))

/** A convolution of sequences and a layer behind it, both by one buffer of weights; `rows` sequences. */
async function layersOf(
  device: Device,
  rows: number,
  also: (builder: ProgramBuilder, w: ProgramTensor) => void = () => {},
) {
  const buffers = [rows * steps * C, weights, N, rows * steps * N].map((length) => device.createBuffer(length))
  const [x, weight, bias, out] = buffers
  x.write(wave(rows * steps * C, 0.7))
  weight.write(wave(weights, 1.1))
  const builder = new ProgramBuilder()
  const h = builder.temporary([rows, 1, steps, N])
  builder.add(
    conv2d,
    {
      x: builder.tensor(x, [rows, 1, steps, C]),
      weight: builder.tensor(weight, [1, 5, C, N]),
      bias: builder.tensor(bias),
      y: h,
    },
    { ...plainConvolution, padding: 2 },
  )
  builder.add(
    linearForward,
    {
      x: builder.view(h, [rows * steps, N]),
      weight: builder.tensor(weight, [N, N]),
      bias: builder.tensor(bias),
      y: builder.tensor(out, [rows * steps, N]),
    },
    { activation: 'tanh', beta: 1, scale: 1 },
  )
  also(builder, builder.tensor(weight))
  const program = await device.compile(builder.build())
  const outputs = async (): Promise<Float32Array> => {
    await program.run()
    return (await out.read()) as Float32Array
  }
  /** so many replays that other work comes in between */
  const longRun = (): Promise<void> => program.run(500)
  const dispose = (): void => {
    program.dispose()
    for (const buffer of buffers) buffer.dispose()
  }
  return { weight, outputs, longRun, dispose }
}

await describeOn(['native'], 'weights', (device) => {
  test.each<[string, (weight: DeviceBuffer) => Promise<void> | void]>([
    ['a write', (weight) => weight.write(wave(weights, 2.3))],
    ['a write while a run is under way', (weight) => weight.write(wave(100, 2.3), 17)],
    [
      'a copy',
      (weight) => {
        const other = device().createBuffer(weights)
        other.write(wave(weights, 0.3))
        device().copy(other, 5, weight, 9, 300)
        other.dispose()
      },
    ],
    [
      'another program',
      async (weight) => {
        const part = device().createBuffer(weights)
        part.write(wave(weights, 0.3))
        const builder = new ProgramBuilder()
        builder.add(accumulate, { part: builder.tensor(part), total: builder.tensor(weight) }, {})
        const program = await device().compile(builder.build())
        await program.run()
        program.dispose()
        part.dispose()
      },
    ],
  ])('are seen after %s', async (how, change) => {
    const layers = await layersOf(device(), 2)
    const before = await layers.outputs()
    expect(await layers.outputs()).toEqual(before)
    const running = how.includes('under way') ? layers.longRun() : null
    await change(layers.weight)
    await running
    const after = await layers.outputs()
    expect(after).not.toEqual(before)
    const fresh = await layersOf(device(), 2)
    fresh.weight.write((await layers.weight.read()) as Float32Array)
    expect(after).toEqual(await fresh.outputs())
    layers.dispose()
    fresh.dispose()
  })

  /** Bytes that a program of so many rows needs. */
  const bytes = async (rows: number, also?: Parameters<typeof layersOf>[2]): Promise<number> => {
    const before = device().memory().bytes
    const layers = await layersOf(device(), rows, also)
    const after = device().memory().bytes
    const results = await layers.outputs()
    expect(results.every(Number.isFinite)).toBe(true)
    layers.dispose()
    await device().createBuffer(1).dispose()
    return after - before
  }

  test('are packed once where few rows pass by them and nothing in the program changes them', async () => {
    const kept = 4 * weights
    // a buffer that its own program writes is not kept, nor is one for many rows
    const written = await bytes(2, (builder, w) => {
      builder.add(accumulate, { part: builder.constant(new Float32Array(weights)), total: w }, {})
    })
    const few = await bytes(2)
    expect(few - (written - 4 * weights)).toBeGreaterThan(kept)
    const perSequence = (await bytes(602)) - (await bytes(601))
    expect((await bytes(601)) - few).toBeLessThan(599 * perSequence)
  })

  test('that a program changes itself are its new ones in the next run', async () => {
    const layers = await layersOf(device(), 2, (builder, w) => {
      builder.add(accumulate, { part: builder.constant(wave(weights, 0.4)), total: w }, {})
    })
    const first = await layers.outputs()
    const second = await layers.outputs()
    expect(second).not.toEqual(first)
    const fresh = await layersOf(device(), 2)
    fresh.weight.write(wave(weights, 1.1).map((value, i) => Math.fround(value + Math.fround(Math.sin(0.4 * (i + 1))))))
    expect(second).toEqual(await fresh.outputs())
    layers.dispose()
    fresh.dispose()
  })

  test('of the networks of an integration are followed, for few rows and for many', async () => {
    const spec: MlpSpec = {
      kind: 'mlp',
      dimension: 2,
      condition: 0,
      hidden: [40, 24],
      activation: 'silu',
      beta: 1,
      time: 'first',
      frequencies: [],
    }
    const P = mlpParameterLength(spec)
    const parameters = device().createBuffer(2 * P)
    parameters.write(wave(2 * P, 0.9))
    const evaluations = [0, 1].flatMap((network) =>
      localSteps(methods.euler, 0, 1, 2).map((evaluation) => ({ ...evaluation, network })),
    )
    const ends = [3, 200].map((rows) => {
      const [y, out] = [device().createBuffer(2 * rows), device().createBuffer(2 * rows)]
      y.write(wave(2 * rows, 0.7))
      const builder = new ProgramBuilder()
      const operands = {
        parameters: builder.tensor(parameters),
        y: builder.tensor(y, [rows, 2]),
        out: builder.tensor(out, [rows, 2]),
      }
      addIntegration(builder, { spec }, operands, [1, 0.5], evaluations)
      return { program: device().compile(builder.build()), y, out }
    })
    const first = async ({ program, out }: (typeof ends)[number]): Promise<unknown> => {
      await (await program).run()
      return out.read(0, 6)
    }
    const seen: unknown[] = []
    for (const frequency of [0.9, 0.4]) {
      parameters.write(wave(P, frequency), P)
      const [few, again, many] = [await first(ends[0]), await first(ends[0]), await first(ends[1])]
      expect(few).toEqual(many)
      expect(again).toEqual(many)
      seen.push(few)
    }
    expect(seen[1]).not.toEqual(seen[0])
    for (const { program, y, out } of ends) {
      ;(await program).dispose()
      y.dispose()
      out.dispose()
    }
    parameters.dispose()
  })
})
