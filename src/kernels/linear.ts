/** What the linear kernels share: the shapes of a layer and the attributes of its activation. */

import { InvalidArgumentError } from '../errors.js'
import { type ActivationName, activations } from './activations.js'
import { expectBoth, expectShape, extents, type ReferenceTensor, type Shapes } from './contract.js'

export interface ActivationAttributes {
  readonly activation: ActivationName
  /** softplus's sharpness; 1 for the others */
  readonly beta: number
}

export function checkActivation(kernel: string, a: ActivationAttributes): void {
  if (!(a.activation in activations)) {
    throw new InvalidArgumentError(
      `${kernel}: activation must be one of ${Object.keys(activations).join(', ')}, but is '${a.activation}'.`,
    )
  }
  if (!(a.beta > 0)) throw new InvalidArgumentError(`${kernel}: beta must be positive, but is ${a.beta}.`)
}

/** Checks x [B, K], weight [N, K], bias [N] and the optional pair t [B] or [1], time_weight [N]; returns B, K, N. */
export function layerShapes(kernel: string, shapes: Shapes): { B: number; K: number; N: number } {
  const [B, K] = extents(kernel, 'x', shapes.x, 2)
  const [N] = extents(kernel, 'weight', shapes.weight, 2)
  expectShape(kernel, 'weight', shapes.weight, [N, K])
  expectShape(kernel, 'bias', shapes.bias, [N])
  expectBoth(kernel, 't', 'time_weight', shapes)
  if (shapes.t) {
    expectShape(kernel, 't', shapes.t, [shapes.t[0] === 1 ? 1 : B])
    expectShape(kernel, 'time_weight', shapes.time_weight, [N])
  }
  return { B, K, N }
}

/** Σ_k x[b, k] weight[n, k] + bias[n] + t[b] time_weight[n] */
export function preActivation(o: Record<string, ReferenceTensor>, b: number, n: number): number {
  const K = o.x.shape[1]
  let sum = o.bias.data[n]
  if (o.t) sum += o.t.data[o.t.shape[0] === 1 ? 0 : b] * o.time_weight.data[n]
  for (let k = 0; k < K; k++) sum += o.x.data[b * K + k] * o.weight.data[n * K + k]
  return sum
}
