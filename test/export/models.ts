/** Models with parameters out of nowhere: what an export has to agree with is the library, not the data. */

import { openDevice } from '../../src/device/node/select.js'
import type { ExportedCondition, ExportedModel, ExportOptions } from '../../src/export/exporter.js'
import { draw, normals, seedWords } from '../../src/kernels/draws.js'
import { velocityOfChoices } from '../../src/model/choices.js'
import { type ConditionOptions, conditionWidth } from '../../src/model/condition.js'
import { Flow, type FlowModel } from '../../src/model/flow.js'
import type { Network } from '../../src/networks/network.js'
import { modelSchema, networkFor, resolveModel } from '../../src/networks/registry.js'
import { overridden, type SolverSettings } from '../../src/ode/solver.js'
import { ProgramBuilder } from '../../src/program/program.js'
import { anglesOf } from '../../src/recipes/angles.js'
import { engine } from '../cli/lfm.js'

/** n standard normals of a seed. */
export function noise(n: number, seed = 1): Float32Array {
  const words = { ...seedWords(seed), stream: 0 }
  return Float32Array.from({ length: n }, (_, i) => normals(draw(words, 'latent', i >> 2, 0, 0))[i & 3])
}

/** Every parameter away from 0, those of normalisations near 1: a last layer that starts at zero would hide all before it. */
export function parametersOf(network: Network, seed: number): Float32Array {
  const tensors = network.toTensors(network.initialise(seed, 0), '')
  return network.fromTensors(
    new Map(
      tensors.map((tensor, i) => {
        const drawn = noise(tensor.values.length, seed + 7 * i)
        const inputs = tensor.shape.slice(1).reduce((product, extent) => product * extent, 1)
        const spread = tensor.shape.length === 1 ? 0.2 : 1 / Math.sqrt(inputs)
        const values = tensor.values.map((value, k) => (value === 1 ? 1 : 0) + spread * drawn[k])
        return [tensor.name, { ...tensor, values }]
      }),
    ),
    '',
  )
}

export const rk4: SolverSettings = { solver: 'rk4', steps: 2, rtol: 1e-5, atol: 1e-5 }

/** A model of a section `model` as it is written, with as many stages as gammas. */
export function modelOf(
  written: object,
  rowShape: readonly number[],
  {
    gammas = [0.2, null],
    sample = rk4,
    scaler = null,
    condition = null,
  }: Partial<{
    gammas: (number | null)[]
    sample: SolverSettings
    scaler: FlowModel['scaler']
    condition: ExportedCondition | null
  }> = {},
): ExportedModel {
  const section = resolveModel(modelSchema.parse(written))
  const network = networkFor(section, rowShape, { condition: conditionWidth(condition) })
  const angles = anglesOf(gammas.map((gamma) => ({ gamma, path: 'trig' as const })))
  return {
    network,
    section,
    raw: { model: written, flow: { gammas } },
    rowKind: rowShape.length === 3 ? 'pictures' : 'points',
    columns: null,
    data: null,
    metrics: [],
    version: '0.0.0',
    rowShape,
    scaler,
    condition,
    settings: { sample, evaluate: { ...sample, steps: 9, trace: 'exact', probes: 1 }, seed: 3 },
    stages: gammas.map((gamma, i) => ({
      parameters: parametersOf(network, 5 + i),
      outputScale: i === 0 ? 1 : 1.25,
      gamma,
      angle: angles[i],
    })),
  }
}

/** Sequences of eight steps of three channels, through a UNet along the steps. */
export const sequenceModel = (condition: ExportedCondition | null): ExportedModel =>
  modelOf({ kind: 'unet1d', width: 8, multipliers: [1, 2], groups: 4 }, [8, 3], {
    gammas: [null],
    sample: { ...rk4, solver: 'midpoint', steps: 2 },
    condition,
    scaler: {
      mean: Array.from({ length: 24 }, (_, i) => (i % 3) - 1),
      std: Array.from({ length: 24 }, (_, i) => 1 + (i % 3) / 2),
    },
  })

export const rowLength = (shape: readonly number[]): number => shape.reduce((product, extent) => product * extent, 1)

/** The library's v(x, t, cond), x [B, D], t [B], cond [B, C]. */
export async function velocity(
  { network: own, segments }: Pick<FlowModel, 'network' | 'segments'>,
  { parameters, outputScale, angle }: FlowModel['stages'][number],
  x: Float32Array,
  t: Float32Array,
  cond?: Float32Array,
): Promise<Float32Array> {
  const network = segments && angle ? velocityOfChoices(own, segments, angle) : own
  const device = await openDevice(engine)
  const filled = (values: Float32Array) => {
    const buffer = device.createBuffer(values.length)
    buffer.write(values)
    return buffer
  }
  const shape = [t.length, network.dimension]
  const out = device.createBuffer(x.length)
  const builder = new ProgramBuilder()
  network.addVelocity(
    builder,
    {
      parameters: builder.tensor(filled(parameters)),
      x: builder.tensor(filled(x), shape),
      t: builder.tensor(filled(t)),
      condition: cond && builder.tensor(filled(cond), [t.length, network.condition]),
      out: builder.tensor(out, shape),
    },
    outputScale,
  )
  await (await device.compile(builder.build())).run()
  const values = (await out.read()) as Float32Array
  await device.dispose()
  return Float32Array.from(values)
}

/** The greatest difference, in units of the wanted value's size where that is above 1. */
export function farthest(got: Float32Array, wanted: Float32Array): number {
  if (got.length !== wanted.length) throw new Error(`${got.length} values, not ${wanted.length}`)
  return got.reduce(
    (most, value, i) => Math.max(most, Math.abs(value - wanted[i]) / Math.max(1, Math.abs(wanted[i]))),
    0,
  )
}

/** What a model may be told: columns of very different scales, or classes with gaps between them. */
export const columns: ExportedCondition = {
  kind: 'columns',
  names: ['wind', 'depth'],
  scaler: { mean: [300, -0.01], std: [40, 0.002] },
  dropout: 0.1,
}
export const classes: ExportedCondition = { kind: 'classes', classes: [3, 5, 8], dropout: 0.1 }

/** What the library makes of the same noise. */
export async function decoded(
  model: FlowModel,
  z: Float32Array,
  options: ExportOptions = {},
  told: ConditionOptions = {},
): Promise<Float32Array> {
  const device = await openDevice(engine)
  const flow = new Flow(model, device, async () => device)
  const { licence: _, ...overrides } = options
  const { values } = await flow.decode(
    { values: z, shape: [z.length / rowLength(model.rowShape), ...model.rowShape] },
    // decode has the solver of likelihoods by default, a sampler that of samples; students have none
    flow.isFlow
      ? { ...told, guidance: options.guidance, solver: overridden(model.settings.sample, overrides) }
      : { ...told, ...overrides },
  )
  await flow.dispose()
  await device.dispose()
  return Float32Array.from(values)
}

/** A model whose networks give logits: a number, three levels, a number, two levels. */
export function choicesModel(condition: ExportedCondition | null = null): ExportedModel {
  const segments = {
    starts: [0, 1, 4, 5, 7],
    scale: [1, 2, 2, 2, 1, 2, 2],
    centre: [0, 0.5, 0.3, 0.2, 0, 0.6, 0.4],
    gates: [7, 7, 7, 7],
    columns: [0, 1, 1, 1, 2, 3, 3],
  }
  const model = modelOf({ hidden: [9, 7], activation: 'silu' }, [7], { gammas: [0.3, null], condition })
  return { ...model, segments, stages: model.stages.map((stage) => ({ ...stage, outputScale: 1 })) }
}

/** Students: maps of one evaluation each, with a second time or without, or an average velocity that takes three. */
export function studentOf(kind: 'map' | 'terminal' | 'average'): ExportedModel {
  const model = modelOf({ hidden: [9, 7], activation: 'silu' }, [3])
  if (kind === 'map') {
    return { ...model, stages: model.stages.map((stage) => ({ ...stage, angle: null, jump: { kind, time: 1 } })) }
  }
  const network = networkFor(model.section, [3], { secondTime: true })
  const own = (seed: number) => ({ parameters: parametersOf(network, seed), outputScale: 1, gamma: null, angle: null })
  if (kind === 'terminal') {
    const jumpOf = (time: number) => ({ kind: 'map', time, secondTime: 0 }) as const
    return { ...model, network, stages: [0.4, 1].map((time, i) => ({ ...own(4 + i), jump: jumpOf(time) })) }
  }
  const stage = { ...own(4), jump: { kind } }
  return { ...model, network, stages: [stage], jumps: 3 }
}
