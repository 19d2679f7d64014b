/** Models with parameters out of nowhere: what an export has to agree with is the library, not the data. */

import { openDevice } from '../../src/device/node/select.js'
import { draw, normals, seedWords } from '../../src/kernels/draws.js'
import type { FlowModel } from '../../src/model/flow.js'
import type { Network } from '../../src/networks/network.js'
import { modelSchema, networkFor, resolveModel } from '../../src/networks/registry.js'
import type { SolverSettings } from '../../src/ode/solver.js'
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
  }: Partial<{
    gammas: (number | null)[]
    sample: SolverSettings
    scaler: FlowModel['scaler']
  }> = {},
): FlowModel {
  const network = networkFor(resolveModel(modelSchema.parse(written)), rowShape)
  const angles = anglesOf(gammas.map((gamma) => ({ gamma, path: 'trig' as const })))
  return {
    network,
    rowShape,
    scaler,
    settings: { sample, evaluate: { ...sample, trace: 'exact', probes: 1 }, seed: 3 },
    stages: gammas.map((gamma, i) => ({
      parameters: parametersOf(network, 5 + i),
      outputScale: i === 0 ? 1 : 1.25,
      gamma,
      angle: angles[i],
    })),
  }
}

export const rowLength = (shape: readonly number[]): number => shape.reduce((product, extent) => product * extent, 1)

/** The library's v(x, t), x [B, D], t [B]. */
export async function velocity(
  { network }: Pick<FlowModel, 'network'>,
  { parameters, outputScale }: FlowModel['stages'][number],
  x: Float32Array,
  t: Float32Array,
): Promise<Float32Array> {
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
      out: builder.tensor(out, shape),
    },
    outputScale,
  )
  await (await device.compile(builder.build())).run()
  const values = (await out.read()) as Float32Array
  await device.dispose()
  return values
}
