/**
 * Networks in TensorFlow.js as its training step, RK4 step and velocity see them (tfjs-works.ts): the variables, and a
 * function of points and times. Points are rows [B, D] of an MLP, or pictures [B, H, W, C] of a UNet, tfjs's own layout.
 */

import type * as Core from '@tensorflow/tfjs-core'
import type { MlpShape } from '../shapes.js'
import { normals } from '../values.js'

export type Tf = typeof Core

export interface TfjsField {
  readonly parameters: readonly Core.Variable[]
  /** of B points, B first */
  shape(rows: number): number[]
  /** t has B elements and as many axes as x */
  velocity(x: Core.Tensor, t: Core.Tensor, training: boolean): Core.Tensor
}

export function mlpOf(tf: Tf, net: MlpShape): TfjsField {
  const parameters = makeParameters(tf, net)
  return {
    parameters,
    shape: (rows) => [rows, net.dimension],
    velocity: (x, t) => velocity(tf, net, parameters, x as Core.Tensor2D, t as Core.Tensor2D),
  }
}

/** Weight [K, N] and bias [N] of each layer, one after the other; the time is the first layer's first column. */
function makeParameters(tf: Tf, { dimension, width, layers }: MlpShape): Core.Variable[] {
  const widths = [dimension + 1, ...new Array<number>(layers).fill(width), dimension]
  return widths.slice(1).flatMap((outputs, i) => {
    const inputs = widths[i]
    const values = normals(inputs * outputs, 1 / Math.sqrt(3 * inputs))
    return [tf.variable(tf.tensor2d(values, [inputs, outputs])), tf.variable(tf.zeros([outputs]))]
  })
}

function velocity(
  tf: Tf,
  net: MlpShape,
  parameters: readonly Core.Variable[],
  x: Core.Tensor2D,
  t: Core.Tensor2D,
): Core.Tensor2D {
  let h: Core.Tensor2D = tf.concat2d([t, x], 1)
  for (let i = 0; i < parameters.length; i += 2) {
    const hidden = i < parameters.length - 2
    const fused = hidden && net.activation === 'relu'
    const z = tf.fused.matMul({
      a: h,
      b: parameters[i] as Core.Tensor as Core.Tensor2D,
      bias: parameters[i + 1],
      activation: fused ? 'relu' : 'linear',
    }) as Core.Tensor2D
    h = hidden && !fused ? activate(tf, net.activation, net.beta, z) : z
  }
  return h
}

export function activate<T extends Core.Tensor>(tf: Tf, name: string, beta: number, z: T): T {
  switch (name) {
    case 'relu':
      return tf.relu(z)
    case 'elu':
      return tf.elu(z)
    case 'softplus':
      return tf.div(tf.softplus(tf.mul(z, beta)), beta)
    case 'silu':
      return tf.mul(z, tf.sigmoid(z))
    case 'tanh':
      return tf.tanh(z)
    case 'gelu':
      return tf.mul(tf.mul(z, 0.5), tf.add(tf.erf(tf.mul(z, Math.SQRT1_2)), 1))
    default:
      throw new Error(`tfjs: no activation '${name}'`)
  }
}
