/**
 * Composites on a device, fused and expanded, against the float64 reference device running the expansion: odd shapes, every
 * activation, time in the first or in every layer, condition, Fourier features, output scale, one time or one for each
 * row, probes, several steps. A case's operands lie in buffers with margins that must come back untouched.
 */

import { expect, test } from 'vitest'
import type { Device, DeviceBuffer, Executable } from '../../src/device/device.js'
import { openDevice } from '../../src/device/node/select.js'
import { type ActivationName, activationNames, activations } from '../../src/kernels/activations.js'
import { type Shape, size } from '../../src/kernels/contract.js'
import { mlpBackward } from '../../src/networks/mlp/mlp_backward.js'
import { mlpForward } from '../../src/networks/mlp/mlp_forward.js'
import { mlpTangents } from '../../src/networks/mlp/mlp_tangents.js'
import { inputWidth, type MlpSpec, mlpLayers, mlpParameterLength } from '../../src/networks/mlp/spec.js'
import { type Evaluation, tableOf } from '../../src/ode/evaluations.js'
import { integrate } from '../../src/ode/integrate.js'
import { methods } from '../../src/ode/methods.js'
import { localSteps } from '../../src/ode/steps.js'
import { ALIGNMENT, aligned, type Composite, ProgramBuilder, type ProgramTensor } from '../../src/program/program.js'
import { compare } from './harness.js'

export interface CompositeCase {
  readonly composite: string
  readonly label: string
  readonly net: MlpSpec
  readonly attributes: object
  /** shapes and values of what is read, shapes of what is written */
  readonly given: Readonly<Record<string, { shape: Shape; values: Float32Array }>>
  readonly written: Readonly<Record<string, Shape>>
  readonly tolerance: number
}

const composites: Readonly<Record<string, Composite<never>>> = {
  integrate: integrate as unknown as Composite<never>,
  mlp_backward: mlpBackward as unknown as Composite<never>,
  mlp_forward: mlpForward as unknown as Composite<never>,
  mlp_tangents: mlpTangents as unknown as Composite<never>,
}

const MARGIN = -987.25

/** Numbers in [−1, 1) that depend on the seed alone. */
function values(seed: number, shape: Shape, scale = 1): { shape: Shape; values: Float32Array } {
  let state = Math.imul(seed + 1, 2654435761) | 1
  const next = (): number => {
    state ^= state << 13
    state ^= state >>> 17
    state ^= state << 5
    return (state >>> 0) / 2 ** 31 - 1
  }
  return { shape, values: Float32Array.from({ length: size(shape) }, () => scale * next()) }
}

/** Weights of about unit gain in the network's layout, zero in the gaps. */
function parameters(seed: number, net: MlpSpec): { shape: Shape; values: Float32Array } {
  const flat = new Float32Array(mlpParameterLength(net))
  mlpLayers(net).forEach((layer, i) => {
    const { inputs, outputs } = layer
    flat.set(values(seed + 3 * i, [outputs, inputs], Math.sqrt(3 / inputs)).values, layer.weight)
    flat.set(values(seed + 3 * i + 1, [outputs], 0.5).values, layer.bias)
    if (layer.timeWeight !== null) flat.set(values(seed + 3 * i + 2, [outputs]).values, layer.timeWeight)
  })
  return { shape: [flat.length], values: flat }
}

export interface Spec {
  readonly B: number
  readonly D: number
  readonly C?: number
  readonly F?: number
  readonly hidden: readonly number[]
  readonly activation: ActivationName
  readonly beta?: number
  readonly every?: boolean
  /** tangents by probes; exact without */
  readonly T?: number
  readonly steps?: number
  readonly scale?: number
}

/** Some cases, and one more for each activation that they do not have. */
export const withEveryActivation = (some: readonly Spec[]): readonly Spec[] => [
  ...some,
  ...activationNames
    .filter((name) => some.every(({ activation }) => activation !== name))
    .map((activation) => ({ B: 29, D: 3, hidden: [11, 8], activation, T: 2 })),
]

const specs = withEveryActivation([
  { B: 1, D: 1, hidden: [1], activation: 'tanh' },
  { B: 3, D: 2, hidden: [3, 5], activation: 'silu', every: true, T: 2 },
  { B: 127, D: 2, hidden: [64, 64, 64], activation: 'softplus', beta: 20, steps: 2 },
  { B: 254, D: 3, C: 2, hidden: [31, 97], activation: 'gelu', every: true, scale: 2.5 },
  { B: 263, D: 2, F: 6, hidden: [33, 32, 17], activation: 'elu', T: 3, steps: 3 },
  { B: 61, D: 8, C: 1, F: 2, hidden: [45], activation: 'silu', scale: 0.4 },
  { B: 509, D: 43, hidden: [70, 38], activation: 'relu', T: 1 },
  { B: 1300, D: 5, hidden: [40, 16], activation: 'softplus', every: true },
  { B: 37, D: 70, hidden: [24, 24], activation: 'tanh', T: 2, scale: 1.5 },
  { B: 150, D: 3, hidden: [256, 520], activation: 'elu', beta: 1 },
  { B: 97, D: 4, hidden: [20, 2, 20], activation: 'identity', every: true, steps: 2 },
])

const plain = { factor: 1, own: 0, place: 1 }

/** Through sub-flows 2, 0 and 1: steps that carry, within a sub-flow and across a border, and steps of one and of two stages. */
const twoStep: readonly Evaluation[] = [
  { network: 2, time: 0.9, ...plain, share: 0.3, reach: 0, ends: true, carry: -0.1 },
  { network: 2, time: 0.6, ...plain, share: 0.25, reach: 0, ends: true, carry: -0.07 },
  { network: 0, time: 0.5, ...plain, factor: 1.2, share: 0.4, reach: 0, ends: true, carry: -0.12 },
  { network: 0, time: 0.2, ...plain, share: 0.35, reach: 0, ends: true, carry: 0.05 },
  { network: 1, time: 1, factor: 0.6, own: -0.3, place: 1.1, share: -0.2, reach: 0, ends: true, carry: 0 },
  { network: 1, time: 0.8, factor: 0.8, own: 0.2, place: 0.9, share: 0, reach: 0.15, ends: false, carry: 0 },
  { network: 1, time: 0.7, factor: 0.9, own: 0.4, place: 0.7, share: 0.3, reach: 0, ends: true, carry: 0 },
]

export function casesOf(spec: Spec, number: number): CompositeCase[] {
  const { B, D, C = 0, F = 0, hidden, activation, beta = 1, every = false, T = 0, steps = 1, scale = 1 } = spec
  const frequencies = Array.from({ length: F }, (_, i) => 0.7 * 1.6 ** i)
  const net: MlpSpec = {
    kind: 'mlp',
    dimension: D,
    condition: C,
    hidden,
    activation,
    beta,
    time: every ? 'every' : 'first',
    frequencies,
  }
  const seed = 100 * number
  const label =
    `B ${B}, ${inputWidth(net)} → ${[...hidden, D].join(' → ')}, ${activation}` +
    `${every ? ', time in every layer' : ''}${C ? `, C ${C}` : ''}${T ? `, T ${T}` : ''}`
  const positive = (shape: Shape) => ({ shape, values: values(seed + 51, shape).values.map((v) => (v + 1) / 2) })
  const common = {
    parameters: parameters(seed, net),
    ...(C ? { condition: values(seed + 50, [B, C]) } : {}),
  }
  const x = values(seed + 52, [B, D], 1.5)
  const probes: CompositeCase['given'] = T
    ? { probes: { shape: [T * B, D], values: values(seed + 53, [T * B, D]).values.map((v) => Math.sign(v)) } }
    : {}
  const one = (
    composite: string,
    tolerance: number,
    given: CompositeCase['given'],
    written: CompositeCase['written'],
    attributes: object = {},
    note = '',
  ): CompositeCase => ({
    composite,
    label: label + note,
    net,
    attributes: { net, scale, ...attributes },
    given: { ...common, ...given },
    written,
    tolerance,
  })
  const integration = (
    tolerance: number,
    evaluations: readonly Evaluation[],
    given: CompositeCase['given'],
    written: CompositeCase['written'],
    note = '',
    scales: readonly number[] = [scale],
  ): CompositeCase => {
    const table = { shape: [evaluations.length, 8], values: Float32Array.from(tableOf(evaluations)) }
    return one(
      'integrate',
      tolerance,
      { y: x, table, ...given },
      { out: [B, D], ...written },
      { scales, evaluations },
      note,
    )
  }
  const rk4Steps = localSteps(methods.rk4, 0.1, number % 2 ? 0.7 : -0.4, steps)
  const three = [0, 7, 14].map((more) => parameters(seed + more, net).values)
  const threeParameters = { shape: [3 * three[0].length], values: Float32Array.from(three.flatMap((p) => [...p])) }
  // without an activation's kink nothing amplifies rounding; relu's derivative may flip at a pre-activation near zero
  const loose = activation === 'relu' ? 1e-4 : 1e-5
  return [
    one('mlp_forward', 4e-6, { x, t: positive([B]) }, { out: [B, D] }),
    one('mlp_forward', 4e-6, { x, t: positive([1]) }, { out: [B, D] }, {}, ', one time'),
    one(
      'mlp_backward',
      loose,
      { x, t: positive([B]), target: values(seed + 54, [B, D]) },
      { gradient: [mlpParameterLength(net)], row_loss: [B] },
    ),
    one('mlp_tangents', loose, { x, t: positive([number % 2 ? B : 1]), ...probes }, { out: [B, D], divergence: [B] }),
    integration(1e-5, rk4Steps, {}, {}),
    integration(
      loose,
      rk4Steps,
      { log_det: values(seed + 55, [B, 1]), ...probes },
      { log_det_out: [B, 1] },
      ', log det',
    ),
    integration(
      1e-5,
      twoStep.slice(2, 4),
      { ahead: values(seed + 56, [B, D]) },
      { ahead_out: [B, D] },
      ', two-step between others',
    ),
    integration(
      loose,
      twoStep,
      {
        parameters: threeParameters,
        log_det: values(seed + 55, [B, 1]),
        ...probes,
      },
      { log_det_out: [B, 1] },
      ', three sub-flows, log det',
      [scale, 1, 0.7],
    ),
  ]
}

export const compositeCases: readonly CompositeCase[] = specs.flatMap(casesOf)

/** Runs a case on a device; the gaps of a gradient keep the margin's value. */
export async function runComposite(
  device: Device,
  one: CompositeCase,
): Promise<{ results: Record<string, Float32Array>; variant: string }> {
  const builder = new ProgramBuilder()
  const buffers: Record<string, DeviceBuffer> = {}
  const tensors: Record<string, ProgramTensor> = {}
  const make = (name: string, shape: Shape, content?: Float32Array): void => {
    const buffer = device.createBuffer(2 * ALIGNMENT + aligned(size(shape)))
    buffer.write(new Float32Array(buffer.length).fill(MARGIN))
    if (content) buffer.write(content, ALIGNMENT)
    buffers[name] = buffer
    tensors[name] = builder.tensor(buffer, shape, ALIGNMENT)
  }
  for (const [name, { shape, values: content }] of Object.entries(one.given)) make(name, shape, content)
  for (const [name, shape] of Object.entries(one.written)) make(name, shape)
  builder.add(composites[one.composite], tensors, one.attributes as never)
  let executable: Executable | undefined
  try {
    executable = await device.compile(builder.build())
    // twice: nothing may be left over from one replay that the next one adds to
    await executable.run(2)
    const results: Record<string, Float32Array> = {}
    for (const [name, shape] of Object.entries(one.written)) {
      const all = (await buffers[name].read()) as Float32Array
      const outside = all.findIndex((v, i) => (i < ALIGNMENT || i >= ALIGNMENT + size(shape)) && v !== MARGIN)
      expect(outside, `${name}: wrote outside the operand`).toBe(-1)
      results[name] = all.slice(ALIGNMENT, ALIGNMENT + size(shape))
    }
    return { results, variant: executable.variants[one.composite] }
  } finally {
    executable?.dispose()
    for (const buffer of Object.values(buffers)) buffer.dispose()
  }
}

const expected = new Map<CompositeCase, Record<string, Float32Array>>()

/** What the reference device makes of a case. */
export async function compositeReference(one: CompositeCase): Promise<Record<string, Float32Array>> {
  const known = expected.get(one)
  if (known) return known
  const device = await openDevice('reference')
  const { results } = await runComposite(device, one)
  await device.dispose()
  expected.set(one, results)
  return results
}

/** Registers the tests of the cases; the device must report `variant` for the composite. */
export function compositeParity(
  device: () => Device,
  variant: string,
  cases: readonly CompositeCase[] = compositeCases,
): void {
  for (const one of cases) {
    test(`${one.composite}: ${one.label}`, async () => {
      const want = await compositeReference(one)
      const { results, variant: chosen } = await runComposite(device(), one)
      expect(chosen).toBe(variant)
      for (const [name, result] of Object.entries(results)) {
        const { error, detail } = compare(name, result, want[name], one.tolerance)
        expect(error, `${name}, ${detail}`).toBeLessThanOrEqual(one.tolerance)
      }
    })
  }
  test('every activation has a case', () => {
    const used = new Set(cases.map((one) => one.net.activation))
    expect(Object.keys(activations).filter((name) => !used.has(name as ActivationName))).toEqual([])
  })
}
