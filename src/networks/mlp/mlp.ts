/**
 * The MLP velocity field: [t, x, condition, Fourier features] → hidden layers → v. Builds programs from the MLP composites,
 * initialises parameters, and translates between the device's flat layout and files. In a file the time is the first column
 * of the weight of a layer that sees it, so that a PyTorch module with the input cat([t, x, …]) loads it as it is, and the condition
 * the last ones of a hidden layer behind the first: cat([t, h, condition]).
 */

import { CheckpointError } from '../../errors.js'
import { activations } from '../../kernels/activations.js'
import { draw, seedWords, uniform } from '../../kernels/draws.js'
import type { NamedTensor, Network } from '../network.js'
import { addMlpDerivative } from './derivative.js'
import { mlpBackward, mlpStepFlops } from './mlp_backward.js'
import { mlpBackwardMixed } from './mlp_backward_mixed.js'
import { mlpForward, takesPlainInput } from './mlp_forward.js'
import { mlpTangents } from './mlp_tangents.js'
import {
  checkMlpInputs,
  isTold,
  type MlpLayer,
  type MlpSpec,
  mlpLayers,
  mlpParameterCount,
  mlpParameterLength,
  mlpRowFlops,
} from './spec.js'

const columns = (layer: Placed): number => layer.inputs + (layer.timeWeight === null ? 0 : 1) + layer.told

/** A layer, and where it lies among the padded ones. */
interface Placed extends MlpLayer {
  /** from one output's weights to the next's */
  readonly pitch: number
  /** columns of the condition beside its inputs */
  readonly told: number
}

/**
 * The same network with hidden widths that are multiples of four, so that devices read and write four numbers at a time.
 * The added units have weights of zero, incoming and outgoing, and keep them: their values are act(0), so networks whose
 * activation is not zero there are not padded.
 */
export function padded(net: MlpSpec): MlpSpec {
  if (activations[net.activation].value(0, net.beta) !== 0) return net
  return { ...net, hidden: net.hidden.map((width) => 4 * Math.ceil(width / 4)) }
}

/** @param on the network's layout on a device, hidden layers padded or not; files and parameter counts do not depend on it */
export function mlpNetwork(net: MlpSpec, on: MlpSpec = net): Network {
  const onDevice = mlpLayers(on)
  const layers = mlpLayers(net).map((layer, i): Placed => {
    const { weight, bias, timeWeight, conditionWeight, inputs: pitch } = onDevice[i]
    const told = conditionWeight === null ? 0 : net.condition
    return { ...layer, weight, bias, timeWeight, conditionWeight, pitch, told }
  })
  const parameterLength = mlpParameterLength(on)
  return {
    spec: on,
    dimension: net.dimension,
    condition: net.condition,
    parameterLength,
    widest: Math.max(...onDevice.map((layer) => Math.max(layer.inputs, layer.outputs))),
    parameterCount: mlpParameterCount(net),
    rowFlops: mlpRowFlops(net),
    initialise(seed, stream) {
      const flat = new Float32Array(parameterLength)
      const words = seedWords(seed)
      layers.forEach((layer, index) => {
        const bound = 1 / Math.sqrt(columns(layer))
        const { inputs, outputs, pitch } = layer
        const fill = (offset: number, length: number, part: number, place = (i: number): number => i): void => {
          for (let i = 0; i < length; i++) {
            const word = draw({ ...words, stream }, 'weight', i >> 2, index, part)[i & 3]
            flat[offset + place(i)] = bound * (2 * uniform(word) - 1)
          }
        }
        fill(layer.weight, inputs * outputs, 0, (i) => Math.floor(i / inputs) * pitch + (i % inputs))
        fill(layer.bias, outputs, 1)
        if (layer.timeWeight !== null) fill(layer.timeWeight, outputs, 2)
        if (layer.conditionWeight !== null) fill(layer.conditionWeight, outputs * layer.told, 3)
      })
      return flat
    },
    // its layers are thin: the whole batch at once, and everything is kept
    addGradient: (builder, { state: _, part: __, ...operands }, scale) =>
      builder.add(mlpBackward, { ...operands }, { net: on, scale }),
    ...(!isTold(net) && {
      addMixedGradient: (builder, { part: _, ...operands }, scale) =>
        builder.add(mlpBackwardMixed, { ...operands }, { net: on, scale }),
    }),
    takesHalfInput: takesPlainInput(on),
    // in the first layer, beside x: the columns of a file are [t, x, what is told, second time, features]
    ...(net.secondTime && { secondTime: { tensor: 'layers.0.weight', first: net.dimension + net.condition } }),
    addVelocity: (builder, operands, scale) => builder.add(mlpForward, { ...operands }, { net: on, scale }),
    addDivergence: (builder, operands, scale) => builder.add(mlpTangents, { ...operands }, { net: on, scale }),
    addDerivative: (builder, operands, scale) => addMlpDerivative(builder, on, operands, scale),
    checkInputs: (composite, shapes) => checkMlpInputs(composite, shapes, on),
    toTensors: (flat, prefix) => layers.flatMap((layer, i) => layerToTensors(flat, layer, `${prefix}layers.${i}.`)),
    fromTensors(tensors, prefix) {
      const flat = new Float32Array(parameterLength)
      layers.forEach((layer, i) => {
        layerFromTensors(flat, layer, tensors, `${prefix}layers.${i}.`)
      })
      return flat
    },
    ...(net.condition > 0 && {
      told: (flat: Float32Array, condition: Float32Array) => {
        const without = mlpNetwork(
          { ...net, condition: 0, secondTime: false },
          { ...on, condition: 0, secondTime: false },
        )
        const tensors = layers.flatMap((layer, i) => {
          const own = layerToTensors(flat, layer, `layers.${i}.`)
          // the columns of the first layer are [t, x, condition, features]
          const first = i === 0 ? 1 + net.dimension : columns(layer) - layer.told
          return i === 0 || layer.told > 0 ? withoutCondition(own, first, condition) : own
        })
        return without.fromTensors(new Map(tensors.map((tensor) => [tensor.name, tensor])), '')
      },
    }),
    stepFlops: (B) => mlpStepFlops(net, B),
  }
}

/** A layer's weight without the columns of a condition, from `first` on, and its bias with what the condition adds: W c. */
function withoutCondition([weight, bias]: NamedTensor[], first: number, condition: Float32Array): NamedTensor[] {
  const [outputs, width] = weight.shape
  const kept = width - condition.length
  const values = new Float32Array(outputs * kept)
  const sums = bias.values.slice()
  for (let n = 0; n < outputs; n++) {
    const row = weight.values.subarray(n * width, (n + 1) * width)
    values.set(row.subarray(0, first), n * kept)
    values.set(row.subarray(first + condition.length), n * kept + first)
    sums[n] += condition.reduce((sum, c, i) => sum + c * row[first + i], 0)
  }
  return [
    { ...weight, shape: [outputs, kept], values },
    { ...bias, values: sums },
  ]
}

function layerToTensors(flat: Float32Array, layer: Placed, prefix: string): NamedTensor[] {
  const { inputs, outputs, timeWeight, conditionWeight, pitch, told } = layer
  const width = columns(layer)
  const weight = new Float32Array(outputs * width)
  for (let n = 0; n < outputs; n++) {
    const start = layer.weight + n * pitch
    weight.set(flat.subarray(start, start + inputs), (n + 1) * width - inputs - told)
    if (timeWeight !== null) weight[n * width] = flat[timeWeight + n]
    if (conditionWeight !== null) {
      weight.set(flat.subarray(conditionWeight + n * told, conditionWeight + (n + 1) * told), (n + 1) * width - told)
    }
  }
  return [
    { name: `${prefix}weight`, shape: [outputs, width], values: weight },
    { name: `${prefix}bias`, shape: [outputs], values: flat.slice(layer.bias, layer.bias + outputs) },
  ]
}

function layerFromTensors(
  flat: Float32Array,
  layer: Placed,
  tensors: ReadonlyMap<string, NamedTensor>,
  prefix: string,
): void {
  const { inputs, outputs, timeWeight, conditionWeight, pitch, told } = layer
  const width = columns(layer)
  const take = (name: string, shape: readonly number[]): Float32Array => {
    const tensor = tensors.get(prefix + name)
    if (!tensor || tensor.shape.join() !== shape.join()) {
      throw new CheckpointError(
        `The checkpoint is of another architecture: ${prefix}${name} should have the shape [${shape.join(', ')}], but ` +
          `${tensor ? `has [${tensor.shape.join(', ')}]` : 'is not there'}. Load it with the model settings it was trained with.`,
      )
    }
    return tensor.values
  }
  const weight = take('weight', [outputs, width])
  for (let n = 0; n < outputs; n++) {
    const end = (n + 1) * width
    flat.set(weight.subarray(end - inputs - told, end - told), layer.weight + n * pitch)
    if (timeWeight !== null) flat[timeWeight + n] = weight[n * width]
    if (conditionWeight !== null) flat.set(weight.subarray(end - told, end), conditionWeight + n * told)
  }
  flat.set(take('bias', [outputs]), layer.bias)
}
