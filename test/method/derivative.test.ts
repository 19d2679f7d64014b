/**
 * The derivative of a velocity along a direction in x, t and the condition (the second time of average velocities): by forward mode
 * against finite differences in float64, on every device against the reference, and the central difference of a UNet against one
 * with a finer step in float64.
 */

import { describe, expect, test } from 'vitest'
import type { Device } from '../../src/device/device.js'
import { openReference } from '../../src/device/reference/device.js'
import type { ActivationName } from '../../src/kernels/activations.js'
import { size } from '../../src/kernels/contract.js'
import { mlpNetwork } from '../../src/networks/mlp/mlp.js'
import type { Network } from '../../src/networks/network.js'
import { unetNetwork } from '../../src/networks/unet/unet.js'
import { ProgramBuilder, type ProgramTensor, type StorageBuffer } from '../../src/program/program.js'
import { describeOn } from '../devices.js'
import { float64Program, type Memory } from '../float64.js'
import { smallUnet } from '../small-unet.js'

const B = 13
const SCALE = 0.7

/** Smooth ones: of relu a kink may lie between two points. */
const nets = (['softplus', 'silu', 'gelu', 'tanh'] as ActivationName[]).map((activation, i) =>
  mlpNetwork({
    kind: 'mlp',
    dimension: 2 + (i % 2),
    condition: i === 3 ? 3 : 1,
    hidden: i % 2 === 0 ? [7, 33] : [20],
    activation,
    beta: activation === 'softplus' ? 5 : 1,
    time: i % 2 === 0 ? 'every' : 'first',
    frequencies: i < 2 ? [0.8, 2.1] : [],
  }),
)

type Inputs = Record<'x' | 't' | 'condition', readonly number[]>
const parts = ['x', 't', 'condition'] as const

const inputsOf = ({ dimension: D, condition: C }: Network): { at: Inputs; along: Inputs } => {
  const wave = (length: number, step: number) => Array.from({ length }, (_, i) => Math.sin(step * (i + 1)))
  return {
    at: { x: wave(B * D, 3), t: wave(B, 0.9).map((v) => (v + 1) / 2), condition: wave(B * C, 5) },
    along: { x: wave(B * D, 2.2), t: wave(B, 1.7), condition: wave(B * C, 1.3) },
  }
}

const shapesOf = ({ dimension: D, condition: C }: Network) =>
  ({ x: [B, D], t: [B], condition: [B, C], out: [B, D], derivative: [B, D] }) as const

/** The program of a derivative along the directions that are given, or of the velocity alone where none are. */
function programOf<Buffer extends StorageBuffer>(
  network: Network,
  directions: readonly string[],
  make: (length: number) => Buffer,
) {
  const builder = new ProgramBuilder()
  const shapes = shapesOf(network)
  const names = ['x', 't', 'condition', 'out', ...(directions.length ? ['derivative'] : [])] as (keyof typeof shapes)[]
  const buffers = new Map<string, Buffer>()
  const tensor = (name: string, shape: readonly number[]): ProgramTensor => {
    const buffer = make(Math.ceil(size(shape) / 64) * 64)
    buffers.set(name, buffer)
    return builder.tensor(buffer, shape)
  }
  const parameters = tensor('parameters', [network.parameterLength])
  const operands = Object.fromEntries(names.map((name) => [name, tensor(name, shapes[name])])) as never
  const along = directions.map((name) => [`d${name}`, tensor(`d${name}`, shapes[name as 'x'])])
  if (directions.length === 0) network.addVelocity(builder, { parameters, ...(operands as object) } as never, SCALE)
  else
    network.addDerivative(
      builder,
      { parameters, ...(operands as object), ...Object.fromEntries(along) } as never,
      SCALE,
    )
  return { program: builder.build(), buffers }
}

/** In float64: the derivative, and the difference of two velocities that are 2h apart in the direction. */
function inFloat64(network: Network, directions: readonly (typeof parts)[number][], h: number) {
  const { at, along } = inputsOf(network)
  const run = (asked: readonly string[], inputs: Inputs): Map<string, Memory> => {
    const memory = new Map<StorageBuffer, Memory>()
    const { program, buffers } = programOf(network, asked, (length) => {
      const buffer = { dtype: 'f32', length } as const
      memory.set(buffer, new Float64Array(length))
      return buffer
    })
    const named = new Map([...buffers].map(([name, buffer]) => [name, memory.get(buffer)!]))
    named.get('parameters')!.set(start(network))
    for (const name of parts) named.get(name)!.set(inputs[name])
    for (const name of asked) named.get(`d${name}`)!.set(along[name as 'x'])
    float64Program(program, memory)()
    return named
  }
  const shifted = (step: number): Inputs => {
    const moved = directions.map((name) => [name, at[name].map((value, i) => value + step * along[name][i])])
    return { ...at, ...Object.fromEntries(moved) }
  }
  const velocity = (inputs: Inputs): number[] => Array.from(run([], inputs).get('out')!)
  const [up, down] = [velocity(shifted(h)), velocity(shifted(-h))]
  const length = B * network.dimension
  const found = run(directions, at)
  return {
    derivative: Array.from(found.get('derivative')!).slice(0, length),
    difference: up.map((value, i) => (value - down[i]) / (2 * h)).slice(0, length),
    out: Array.from(found.get('out')!).slice(0, length),
    velocity: velocity(at).slice(0, length),
  }
}

/** A UNet's last convolution starts at zero. */
const start = (network: Network): Float32Array => {
  const initial = network.initialise(5, 1)
  return network.spec.kind === 'unet' ? initial.map((value, i) => value || 0.1 * Math.sin(i)) : initial
}

const largest = (a: ArrayLike<number>, b: ArrayLike<number>): number =>
  Array.from(a).reduce((most, value, i) => Math.max(most, Math.abs(value - b[i])), 0)

const activationOf = (network: Network): string => (network.spec as { activation?: string }).activation ?? 'a unet'

describe('the derivative of a velocity', () => {
  test.each(
    nets.flatMap((network) =>
      [['t'], ['condition'], ['x', 't'], parts].map((along) => ({ network, along, of: activationOf(network) })),
    ),
  )('along $along is that of finite differences: $of', ({ network, along }) => {
    const { derivative, difference, out, velocity } = inFloat64(network, along as (typeof parts)[number][], 1e-5)
    expect(Math.max(...difference.map(Math.abs))).toBeGreaterThan(0.01)
    expect(largest(derivative, difference)).toBeLessThan(1e-7)
    expect(out).toEqual(velocity)
  })

  test('of a UNet is a central difference, right to the square of its step', () => {
    const network = unetNetwork({ ...smallUnet, condition: 1, secondTime: true })
    const { derivative, difference, out, velocity } = inFloat64(network, ['x', 't', 'condition'], 1e-4)
    const most = Math.max(...difference.map(Math.abs))
    expect(most).toBeGreaterThan(0.1)
    expect(largest(derivative, difference) / most).toBeLessThan(0.02)
    expect(out).toEqual(velocity)
  })
})

await describeOn(['webgpu', 'native', 'reference'], 'the derivative of a velocity', (device) => {
  const onDevice = async (on: Device, network: Network, directions: readonly string[]) => {
    const { at, along } = inputsOf(network)
    const { program, buffers } = programOf(network, directions, (length) => on.createBuffer(length))
    buffers.get('parameters')!.write(start(network))
    for (const name of parts) buffers.get(name)!.write(Float32Array.from(at[name]))
    for (const name of directions) buffers.get(`d${name}`)!.write(Float32Array.from(along[name as 'x']))
    const executable = await on.compile(program)
    await executable.run()
    const [derivative, out] = await Promise.all(['derivative', 'out'].map((name) => buffers.get(name)!.read()))
    executable.dispose()
    for (const buffer of buffers.values()) buffer.dispose()
    return { derivative: derivative as Float32Array, out: out as Float32Array }
  }

  test.each(
    [...nets.slice(0, 2), unetNetwork({ ...smallUnet, condition: 1, secondTime: true })].map((network) => ({
      network,
      of: activationOf(network),
    })),
  )('is that of the reference: $of', async ({ network }) => {
    // of a UNet float32's rounding is divided by the step
    const close = activationOf(network) === 'a unet' ? 2e-3 : 2e-5
    const ours = await onDevice(openReference(), network, parts)
    const theirs = await onDevice(device(), network, parts)
    expect(largest(theirs.derivative, ours.derivative)).toBeLessThan(close)
    expect(largest(theirs.out, ours.out)).toBeLessThan(2e-5)
  })
})
