/**
 * What the MLP composites share: the description of the network, and where its parameters lie in one flat tensor.
 *
 * v(x, t, condition) = scale·(W_L h_L + b_L), h_{i+1} = act(W_i h_i + b_i + t·w_i), h_0 = input_features(x, condition). The time
 * enters as a column of its own (w_i): in the first layer only (`time: first`), or in every layer. So may the condition, by weights
 * U_i of its own in every hidden layer behind the first: h_{i+1} = act(W_i h_i + b_i + t·w_i + U_i condition). Each weight, bias and
 * time column starts at a multiple of 64 elements; the gaps between them are zero and stay zero.
 */

import { type ActivationName, activations } from '../../kernels/activations.js'
import { expectShape, extents, type Shapes } from '../../kernels/contract.js'
import { aligned, type ProgramBuilder, type ProgramTensor } from '../../program/program.js'

export interface MlpSpec {
  readonly kind: 'mlp'
  /** D */
  readonly dimension: number
  /** C, columns of the condition; 0 without one */
  readonly condition: number
  /** whether the last column of the condition is a second time. Default false */
  readonly secondTime?: boolean
  /** whether the condition enters every hidden layer, not the first alone. Default false */
  readonly everyCondition?: boolean
  /** widths of the hidden layers, at least one */
  readonly hidden: readonly number[]
  readonly activation: ActivationName
  /** softplus's sharpness; 1 for the others */
  readonly beta: number
  readonly time: 'first' | 'every'
  /** Fourier features of x beside the raw input, radians for one unit of x; empty: none */
  readonly frequencies: readonly number[]
}

export interface MlpLayer {
  /** K, without the time column */
  readonly inputs: number
  /** N */
  readonly outputs: number
  /** offsets into the flat parameters */
  readonly weight: number
  readonly bias: number
  /** null where this layer does not see the time */
  readonly timeWeight: number | null
  /** [N, C]; null where this layer does not see the condition, or among its inputs */
  readonly conditionWeight: number | null
}

export interface MlpAttributes {
  readonly net: MlpSpec
  /** multiplies the last layer's output; 1 without output scaling */
  readonly scale: number
}

/** D + C + 2·F·D */
export const inputWidth = (net: MlpSpec): number =>
  net.dimension + net.condition + 2 * net.frequencies.length * net.dimension

/** Whether hidden layers behind the first see the condition too. */
export const isTold = ({ condition, everyCondition = false }: MlpSpec): boolean => everyCondition && condition > 0

/** Columns of the condition beside a layer's inputs. */
const toldColumns = (net: MlpSpec, { conditionWeight }: MlpLayer): number =>
  conditionWeight === null ? 0 : net.condition

export function mlpLayers(net: MlpSpec): MlpLayer[] {
  const widths = [inputWidth(net), ...net.hidden, net.dimension]
  let offset = 0
  const take = (elements: number): number => {
    const start = offset
    offset += aligned(elements)
    return start
  }
  const told = (i: number): boolean => isTold(net) && i > 0 && i < net.hidden.length
  return widths.slice(1).map((outputs, i) => {
    const inputs = widths[i]
    const timed = i === 0 || net.time === 'every'
    return {
      inputs,
      outputs,
      weight: take(inputs * outputs),
      bias: take(outputs),
      timeWeight: timed ? take(outputs) : null,
      conditionWeight: told(i) ? take(outputs * net.condition) : null,
    }
  })
}

/** P: elements of the flat parameter tensor, gaps included. */
export function mlpParameterLength(net: MlpSpec): number {
  const layers = mlpLayers(net)
  const { outputs, bias, timeWeight } = layers[layers.length - 1]
  return (timeWeight ?? bias) + aligned(outputs)
}

/** Trainable parameters, without the gaps: what a report calls the size of the network. */
export const mlpParameterCount = (net: MlpSpec): number =>
  mlpLayers(net).reduce(
    (sum, l) => sum + l.outputs * (l.inputs + 1 + (l.timeWeight === null ? 0 : 1) + toldColumns(net, l)),
    0,
  )

/** 2·Σ K·N: floating-point operations of the products of one row of a forward pass. */
export const mlpRowFlops = (net: MlpSpec): number =>
  mlpLayers(net).reduce((sum, l) => sum + 2 * (l.inputs + toldColumns(net, l)) * l.outputs, 0)

/** Checks parameters [P], x [B, D], t [B] or [1] and condition [B, C] against the network; returns B. */
export function checkMlpInputs(composite: string, shapes: Shapes, net: MlpSpec): number {
  const [B] = extents(composite, 'x', shapes.x, 2)
  expectShape(composite, 'x', shapes.x, [B, net.dimension])
  expectShape(composite, 'parameters', shapes.parameters, [mlpParameterLength(net)])
  expectShape(composite, 't', shapes.t, [shapes.t?.[0] === 1 ? 1 : B])
  if (net.condition > 0) expectShape(composite, 'condition', shapes.condition, [B, net.condition])
  return B
}

/** The windows of one layer's parameters (or gradients: the layout is the same). */
export function layerTensors(
  builder: ProgramBuilder,
  flat: ProgramTensor,
  layer: MlpLayer,
): {
  readonly weight: ProgramTensor
  readonly bias: ProgramTensor
  readonly timeWeight: ProgramTensor | undefined
  /** [N, C] for C columns of a condition */
  readonly conditionWeight: (C: number) => ProgramTensor
} {
  return {
    weight: builder.view(flat, [layer.outputs, layer.inputs], layer.weight),
    bias: builder.view(flat, [layer.outputs], layer.bias),
    timeWeight: layer.timeWeight === null ? undefined : builder.view(flat, [layer.outputs], layer.timeWeight),
    conditionWeight: (C) => builder.view(flat, [layer.outputs, C], layer.conditionWeight!),
  }
}

/** Whether the derivative of the network's activation needs the pre-activation to be kept. */
export const keepsPreActivation = (net: MlpSpec): boolean => activations[net.activation].derivativeOf === 'input'
