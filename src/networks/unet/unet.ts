/**
 * The UNet velocity field: builds programs from the UNet composites, starts parameters, and translates between the device's
 * flat layout and files. Files have the names and shapes of guided-diffusion's modules, so that its checkpoints' weights
 * load as they are: a convolution is [N, C, kh, kw] there (attention's projections [N, C, 1]), [kh, kw, C, N] on a device.
 */

import { CheckpointError } from '../../errors.js'
import { draw, seedWords, uniform } from '../../kernels/draws.js'
import type { ProgramBuilder, ProgramTensor } from '../../program/program.js'
import { addCentralDifference } from '../central-difference.js'
import type { GradientOperands, NamedTensor, Network, TrainingMode } from '../network.js'
import {
  allModules,
  type UnetParameter,
  type UnetSpec,
  unetDimension,
  unetLayout,
  unetParameterCount,
  unetRowFlops,
  unetStepFlops,
} from './spec.js'
import { unetBackward } from './unet_backward.js'
import { unetDivergence } from './unet_divergence.js'
import { checkUnetInputs, unetForward } from './unet_forward.js'

export function unetNetwork(net: UnetSpec): Network {
  const layout = unetLayout(net)
  const { parameters, parameterLength } = layout
  const addGradient = (
    builder: ProgramBuilder,
    { state, part, half, ...others }: GradientOperands & { half?: ProgramTensor },
    scale: number,
    { draws, recompute, microBatches }: TrainingMode,
  ): void => {
    const drops = net.dropout > 0 ? draws : null
    builder.add(
      unetBackward,
      { ...others, half, state: drops || half ? state : undefined, part: microBatches > 1 ? part : undefined },
      { net, scale, draws: drops, recompute, microBatches },
    )
  }
  const addVelocity: Network['addVelocity'] = (builder, operands, scale) =>
    builder.add(unetForward, { ...operands }, { net, scale, inputCoefficients: [], outputCoefficients: [] })
  return {
    spec: net,
    dimension: unetDimension(net),
    condition: net.condition,
    parameterLength,
    // a level's joined tensor, or qkv
    widest: Math.max(...allModules(layout).map(({ H, W, C, kind }) => H * W * C * (kind === 'attention' ? 3 : 1))),
    parameterCount: unetParameterCount(net),
    rowFlops: unetRowFlops(net),
    initialise(seed, stream) {
      const flat = new Float32Array(parameterLength)
      const key = { ...seedWords(seed), stream }
      parameters.forEach((parameter, number) => {
        start(flat, parameter, (i) => draw(key, 'weight', i >> 2, number, 0)[i & 3])
      })
      return flat
    },
    ...(net.secondTime && { secondTime: { tensor: 'time_embed.0.weight', first: net.width + net.condition - 1 } }),
    addGradient,
    addMixedGradient: addGradient,
    addVelocity,
    addDerivative: (builder, operands, scale) => addCentralDifference(builder, { addVelocity }, operands, scale),
    addDivergence: (builder, operands, scale) => builder.add(unetDivergence, { ...operands }, { net, scale }),
    addCombined: (builder, operands, { stages, input, base, output }, scale) =>
      builder.add(
        unetForward,
        { ...operands, stages, base },
        { net, scale, inputCoefficients: input, outputCoefficients: output },
      ),
    checkInputs: (composite, shapes) => checkUnetInputs(composite, shapes, net),
    toTensors: (flat, prefix) =>
      parameters.map((parameter) => ({
        name: prefix + parameter.name,
        shape: parameter.shape,
        values: toFile(flat, parameter),
      })),
    fromTensors(tensors, prefix) {
      const flat = new Float32Array(parameterLength)
      for (const parameter of parameters) fromFile(flat, parameter, find(tensors, prefix + parameter.name, parameter))
      return flat
    },
    stepFlops: (B) => unetStepFlops(net, B),
  }
}

const lengthOf = ({ shape }: UnetParameter): number => shape.reduce((product, extent) => product * extent, 1)

/** Uniform on ±1/√(inputs of the layer), PyTorch's default; normalisations start at 1 and 0, and what was named at 0 at 0. */
function start(flat: Float32Array, parameter: UnetParameter, word: (i: number) => number): void {
  const length = lengthOf(parameter)
  const { start: how } = parameter
  if (typeof how === 'number') {
    flat.fill(how, parameter.offset, parameter.offset + length)
    return
  }
  const bound = 1 / Math.sqrt(how.fanIn)
  const values = Float32Array.from({ length }, (_, i) => bound * (2 * uniform(word(i)) - 1))
  fromFile(flat, parameter, values)
}

/** Place in the flat layout of element i of a file's tensor. */
function placeOf({ shape, offset, convolution }: UnetParameter): (i: number) => number {
  if (!convolution) return (i) => offset + i
  const [N, C, ...kernel] = shape
  const taps = kernel.reduce((product, extent) => product * extent, 1)
  return (i) => {
    const tap = i % taps
    const c = Math.floor(i / taps) % C
    const n = Math.floor(i / (taps * C))
    return offset + (tap * C + c) * N + n
  }
}

function toFile(flat: Float32Array, parameter: UnetParameter): Float32Array {
  const place = placeOf(parameter)
  return Float32Array.from({ length: lengthOf(parameter) }, (_, i) => flat[place(i)])
}

function fromFile(flat: Float32Array, parameter: UnetParameter, values: Float32Array): void {
  const place = placeOf(parameter)
  values.forEach((value, i) => {
    flat[place(i)] = value
  })
}

function find(tensors: ReadonlyMap<string, NamedTensor>, name: string, { shape }: UnetParameter): Float32Array {
  const tensor = tensors.get(name)
  if (tensor && tensor.shape.join() === shape.join()) return tensor.values
  throw new CheckpointError(
    `The checkpoint is of another architecture: ${name} should have the shape [${shape.join(', ')}], but ` +
      `${tensor ? `has [${tensor.shape.join(', ')}]` : 'is not there'}. Load it with the model settings it was trained with.`,
  )
}
