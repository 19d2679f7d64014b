/**
 * The UNet on every device: the gradient of every parameter, velocity, integration and divergence against the float64
 * reference; then Local Flows on small pictures that learn, sample, score and carry points in the shape of the data.
 */

import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, expect, test } from 'vitest'
import { resolveOptions } from '../../src/config/index.js'
import type { Device, DeviceBuffer } from '../../src/device/device.js'
import { openReference } from '../../src/device/reference/device.js'
import { type UnetSpec, unetDimension, unetLayout } from '../../src/networks/unet/spec.js'
import { unetNetwork } from '../../src/networks/unet/unet.js'
import { addIntegration } from '../../src/ode/integrate.js'
import { methods } from '../../src/ode/methods.js'
import { localSteps } from '../../src/ode/steps.js'
import { ProgramBuilder, type ProgramTensor } from '../../src/program/program.js'
import { LocalFlow } from '../../src/run/local-flow.js'
import { trainFlow } from '../../src/run/training.js'
import { describeOn } from '../devices.js'
import { smallUnet } from '../small-unet.js'

const engines = ['native', 'webgpu'] as const

const nets: Record<string, UnetSpec> = {
  plain: { ...smallUnet, dropout: 0.2 },
  'scale and shift by the time and a condition, residual resampling': {
    ...smallUnet,
    ...{ scaleShift: true, condition: 3, residualResampling: true, depth: 2 },
  },
  'of sequences, told of a condition': {
    ...smallUnet,
    ...{ kind: 'unet1d', height: 1, breadth: 16, channels: 3, kernel: 5, attention: [] },
    ...{ multipliers: [1, 2, 4], scaleShift: true, condition: 5 },
  },
}

const B = 4
const wave = (length: number, frequency: number, size = 1): Float32Array =>
  Float32Array.from({ length }, (_, i) => size * Math.sin(frequency * (i + 1) + 0.01 * i * i))

/** Starting parameters, moved so that no layer is zero. */
function parametersOf(net: UnetSpec): Float32Array {
  const flat = unetNetwork(net).initialise(1, 1)
  unetLayout(net).parameters.forEach(({ offset, shape, start }, number) => {
    const length = shape.reduce((product, extent) => product * extent, 1)
    wave(length, 0.7 + 0.1 * number, typeof start === 'number' ? 0.1 : 0.2 / Math.sqrt(start.fanIn)).forEach((v, i) => {
      flat[offset + i] += v
    })
  })
  return flat
}

type Results = Record<string, Float32Array>

/** Builds a program with named results, runs it once, and reads them. */
async function runOn(
  device: Device,
  build: (
    builder: ProgramBuilder,
    given: (values: Float32Array, shape?: number[]) => ProgramTensor,
    result: Result,
  ) => void,
): Promise<Results> {
  const builder = new ProgramBuilder()
  const buffers: DeviceBuffer[] = []
  const results = new Map<string, DeviceBuffer>()
  const make = (length: number): DeviceBuffer => {
    const buffer = device.createBuffer(Math.ceil(length / 64) * 64)
    buffers.push(buffer)
    return buffer
  }
  const given = (values: Float32Array, shape: number[] = [values.length]): ProgramTensor => {
    const buffer = make(values.length)
    buffer.write(values)
    return builder.tensor(buffer, shape)
  }
  const result = (name: string, shape: number[]): ProgramTensor => {
    const buffer = make(shape.reduce((product, extent) => product * extent, 1))
    results.set(name, buffer)
    return builder.tensor(buffer, shape)
  }
  build(builder, given, result)
  const executable = await device.compile(builder.build())
  await executable.run()
  const read: Results = {}
  for (const [name, buffer] of results) read[name] = (await buffer.read()) as Float32Array
  executable.dispose()
  for (const buffer of buffers) buffer.dispose()
  return read
}
/** The condition, for a network that takes one. */
const told = (net: UnetSpec, given: (values: Float32Array, shape: number[]) => ProgramTensor) =>
  net.condition > 0 ? { condition: given(wave(B * net.condition, 0.9), [B, net.condition]) } : {}

type Result = (name: string, shape: number[]) => ProgramTensor

const programs: Record<string, (net: UnetSpec) => Parameters<typeof runOn>[1]> = {
  gradient: (net) => (builder, given, result) => {
    const [D, P] = [unetDimension(net), unetLayout(net).parameterLength]
    unetNetwork(net).addGradient(
      builder,
      {
        parameters: given(parametersOf(net)),
        ...told(net, given),
        x: given(wave(B * D, 1.3), [B, D]),
        t: given(Float32Array.from({ length: B }, (_, i) => (i + 0.5) / B)),
        target: given(wave(B * D, 2.1), [B, D]),
        gradient: result('gradient', [P]),
        row_loss: result('row_loss', [B]),
      },
      1,
      { draws: null, recompute: false, microBatches: 1 },
    )
  },
  velocity: (net) => (builder, given, result) => {
    const D = unetDimension(net)
    const x = given(wave(B * D, 1.3), [B, D])
    const t = builder.constant([0.3])
    const operands = { parameters: given(parametersOf(net)), ...told(net, given), x, t, out: result('v', [B, D]) }
    unetNetwork(net).addVelocity(builder, operands, 0.7)
  },
  integration: (net) => (builder, given, result) => {
    const D = unetDimension(net)
    const y = given(wave(B * D, 1.3), [B, D])
    const operands = { parameters: given(parametersOf(net)), ...told(net, given), y, out: result('y', [B, D]) }
    addIntegration(builder, unetNetwork(net), operands, [1], localSteps(methods.rk4, 1, 0.5, 1))
  },
  divergence: (net) => (builder, given, result) => {
    const D = unetDimension(net)
    unetNetwork(net).addDivergence(
      builder,
      {
        parameters: given(parametersOf(net)),
        ...told(net, given),
        x: given(wave(B * D, 1.3), [B, D]),
        t: given(Float32Array.from({ length: B }, (_, i) => (i + 0.5) / B)),
        probes: given(wave(2 * B * D, 5.1).map(Math.sign), [2 * B, D]),
        out: result('v', [B, D]),
        divergence: result('divergence', [B]),
      },
      1,
    )
  },
}

const expected = new Map<string, Promise<Results>>()
function reference(name: string, label: string): Promise<Results> {
  const key = `${name} ${label}`
  let known = expected.get(key)
  if (!known) {
    const device = openReference()
    known = runOn(device, programs[name](nets[label])).finally(() => device.dispose())
    expected.set(key, known)
  }
  return known
}

const relative = (got: Float32Array, want: Float32Array, from = 0, length = want.length): number => {
  let difference = 0
  let norm = 0
  for (let i = from; i < from + length; i++) {
    difference += (got[i] - want[i]) ** 2
    norm += want[i] ** 2
  }
  return Math.sqrt(difference / norm)
}

await describeOn(engines, 'the UNet', (device) => {
  for (const [label, net] of Object.entries(nets)) {
    test(`${label}: the gradient of every parameter is the reference's`, async () => {
      const want = await reference('gradient', label)
      const got = await runOn(device(), programs.gradient(net))
      expect(relative(got.row_loss, want.row_loss)).toBeLessThan(1e-5)
      for (const { name, offset, shape } of unetLayout(net).parameters) {
        const length = shape.reduce((product, extent) => product * extent, 1)
        expect(relative(got.gradient, want.gradient, offset, length), name).toBeLessThan(1e-4)
      }
    })

    test.each(['velocity', 'integration', 'divergence'])(`${label}: %s is the reference's`, async (name) => {
      const want = await reference(name, label)
      const got = await runOn(device(), programs[name](net))
      for (const [result, values] of Object.entries(want)) {
        expect(relative(got[result], values), result).toBeLessThan(result === 'divergence' ? 1e-4 : 2e-5)
      }
    })
  }
})

const byWinograd = Object.fromEntries(
  (['conv2d', 'conv2d_backward_input', 'conv2d_backward_weight'] as const).map((name) => [name, 'winograd']),
)
await describeOn(
  ['native'],
  'the UNet with all its 3 × 3 convolutions by Winograd',
  (device) => {
    test.each(Object.entries(nets))('%s: the gradient of every parameter is the reference’s', async (label, net) => {
      const want = await reference('gradient', label)
      const got = await runOn(device(), programs.gradient(net))
      for (const { name, offset, shape } of unetLayout(net).parameters) {
        const length = shape.reduce((product, extent) => product * extent, 1)
        expect(relative(got.gradient, want.gradient, offset, length), name).toBeLessThan(1e-4)
      }
    })
  },
  { variants: byWinograd },
)

/** 8 × 8 pictures in bytes: a bright bar, upright or lying, at one of eight places, on a dark ground. */
function bars(n: number): { values: Uint8Array; shape: number[] } {
  const values = new Uint8Array(n * 64).fill(20)
  for (let i = 0; i < n; i++) {
    const [upright, place] = [i % 2 === 0, (i >> 1) % 8]
    for (let k = 0; k < 8; k++) values[i * 64 + (upright ? k * 8 + place : place * 8 + k)] = 235
  }
  return { values, shape: [n, 1, 8, 8] }
}

const options = {
  model: { kind: 'unet', width: 16, multipliers: [1, 2], attention: [], headChannels: 16, groups: 8, dropout: 0.05 },
  flow: { gammas: [0.3, null] },
  train: { batch: 32, steps: 150, lr: 0.002, ema: 0.98, clip: 1, warmup: 10 },
  ode: { solver: 'rk4', steps: 4 },
  seed: 3,
} as const

const folder = mkdtempSync(join(tmpdir(), 'lfm-unet-'))
afterAll(() => rmSync(folder, { recursive: true, force: true }))

await describeOn(engines, 'a Local Flow on pictures', (device, kind) => {
  test('learns, samples, scores and is saved', async () => {
    const losses: number[][] = [[], []]
    const raw = { ...options, device: kind }
    const { parts } = await trainFlow(device(), bars(256), null, resolveOptions(raw), raw, {
      onLosses: (subFlow, _, values) => losses[subFlow - 1].push(...values),
    })
    const flow = new LocalFlow(parts, device())
    const mean = (values: number[]): number => values.reduce((sum, value) => sum + value, 0) / values.length
    // a zero field has the loss of its targets: about 1 + the pictures' mean square in the free sub-flow
    expect(mean(losses[1].slice(0, 5))).toBeGreaterThan(1.2)
    expect(mean(losses[1].slice(-20))).toBeLessThan(0.6)

    const { values, shape } = await flow.sample(6, { seed: 1 })
    expect(shape).toEqual([6, 1, 8, 8])
    expect((await flow.sample(3, { seed: 1 })).values).toEqual(values.slice(0, 3 * 64))
    const data = bars(4)
    const z = await flow.encode(data)
    expect(z.shape).toEqual(data.shape)
    const back = await flow.decode(z)
    expect(Math.max(...back.values.map((v, i) => Math.abs(v - (data.values[i] - 127.5) / 127.5)))).toBeLessThan(0.1)
    const scores = await flow.logProb(data, { probes: 2 })
    expect(scores.every(Number.isFinite)).toBe(true)
    // noise of the same spread is less likely under the model than its data
    const noise = { values: wave(4 * 64, 3.3), shape: data.shape }
    expect(Math.max(...(await flow.logProb(noise, { probes: 2 })))).toBeLessThan(Math.min(...scores))

    await flow.save(join(folder, kind))
    const loaded = await LocalFlow.load(join(folder, kind), { device: kind })
    expect((await loaded.sample(6, { seed: 1 })).values).toEqual(values)
    await loaded.dispose()
    await flow.dispose()
  })

  test('parts of a batch and recomputation train the same network', async () => {
    const train = async (extra: object): Promise<Float32Array> => {
      const raw = { ...options, train: { ...options.train, steps: 5, ...extra }, flow: { gammas: [null] } }
      const { parts } = await trainFlow(device(), bars(64), null, resolveOptions(raw), raw)
      return parts.subFlows[0].parameters
    }
    const whole = await train({})
    expect(relative(await train({ microBatches: 4, recompute: true }), whole)).toBeLessThan(1e-3)
  })

  test('float32 pictures stay as they are; flat rows are refused by the key', async () => {
    const x = { values: wave(32 * 64, 0.3), shape: [32, 1, 8, 8] }
    const raw = { ...options, train: { batch: 16, steps: 2 }, flow: { gammas: [null] } }
    const { parts } = await trainFlow(device(), x, null, resolveOptions(raw), raw)
    const flow = new LocalFlow(parts, device())
    expect((await flow.sample(2)).shape).toEqual([2, 1, 8, 8])
    await flow.dispose()
    await expect(trainFlow(device(), { ...x, shape: [32, 64] }, null, resolveOptions(raw), raw)).rejects.toThrow(
      /model\.kind unet is for pictures.*\[64\]/s,
    )
  })
})
