/**
 * The bench's works in TensorFlow.js, written as its users would write them: gradients by `variableGrads`, products and
 * convolutions with fused bias and relu, `train.adam`; with a batch drawn, clipping by the global norm and a moving average of the
 * parameters, since our step has them.
 */

import type * as Core from '@tensorflow/tfjs-core'
import type { NetWork, Work } from '../cases.js'
import type { KernelWork } from '../kernel-works.js'
import { optimizer, POOL_PICTURES, POOL_ROWS, READ_BACK } from '../ours.js'
import { fieldOf, type NetShape } from '../shapes.js'
import { bytes, normals } from '../values.js'
import { activate, mlpOf, type Tf, type TfjsField } from './tfjs-field.js'
import { unetOf } from './tfjs-unet.js'

export interface Opened {
  /** does the work once; the result tells when it is done */
  readonly once: () => Core.Tensor
  readonly tensors: readonly Core.Tensor[]
  /** keeps moments of its own */
  readonly optimizer?: Core.Optimizer
  /** repetitions between two values that are read back; left out: none before the last */
  readonly readBack?: number
}

export function openWork(tf: Tf, work: Work): Opened {
  if (work.kind === 'kernel') return openKernel(tf, work)
  const field =
    work.net.kind === 'unet' ? unetOf(tf, work.net.spec, fieldOf(work.net).initialise(1103, 1)) : mlpOf(tf, work.net)
  if (work.kind === 'step') return openStep(tf, work, field)
  const shape = field.shape(work.rows)
  const x = tf.tensor(normals(size(shape)), shape)
  const v = (y: Core.Tensor, t: number): Core.Tensor => field.velocity(y, tf.fill(timesOf(shape), t), false)
  return {
    tensors: [x, ...field.parameters],
    once: work.kind === 'forward' ? () => v(x, 0.5) : () => rk4(tf, v, x, 0.125),
  }
}

const size = (shape: readonly number[]): number => shape.reduce((product, extent) => product * extent, 1)

/** Extents of B times with as many axes as points of this shape. */
const timesOf = (shape: readonly number[]): number[] => shape.map((extent, axis) => (axis === 0 ? extent : 1))

function rk4(tf: Tf, v: (y: Core.Tensor, t: number) => Core.Tensor, x: Core.Tensor, h: number): Core.Tensor {
  const after = (k: Core.Tensor, step: number): Core.Tensor => tf.add(x, tf.mul(k, step))
  const k1 = v(x, 0)
  const k2 = v(after(k1, h / 2), h / 2)
  const k3 = v(after(k2, h / 2), h / 2)
  const k4 = v(after(k3, h), h)
  return tf.add(x, tf.mul(tf.addN([k1, tf.mul(k2, 2), tf.mul(k3, 2), k4]), h / 6))
}

export interface Batch {
  readonly x: Core.Tensor
  readonly t: Core.Tensor
  readonly target: Core.Tensor
}

/** Where the parameters go and what is kept of them. */
export interface Training {
  readonly adam: Core.AdamOptimizer
  readonly averages: readonly Core.Variable[]
}

export function training(tf: Tf, { parameters }: TfjsField, rate: number = optimizer.lr): Training {
  const { betas, eps } = optimizer
  return {
    adam: tf.train.adam(rate, betas[0], betas[1], eps),
    averages: parameters.map((parameter) => tf.variable(parameter.clone(), false)),
  }
}

/** Forward, loss, backward, clipping, Adam, average; the loss before them. */
export function learn(tf: Tf, field: TfjsField, { adam, averages }: Training, { x, t, target }: Batch): Core.Scalar {
  const { clip, ema } = optimizer
  const { value, grads } = tf.variableGrads(
    () => tf.mean(tf.squaredDifference(field.velocity(x, t, true), target)) as Core.Scalar,
    [...field.parameters],
  )
  const names = Object.keys(grads)
  // one sum after the other: addN of more than seven asks for more bindings than its WebGPU backend has
  const squares = names.map((name) => tf.sum(tf.square(grads[name])))
  const norm = tf.sqrt(squares.reduce((sum, square) => tf.add(sum, square)))
  const factor = tf.minimum(1, tf.div(clip, tf.add(norm, 1e-12)))
  for (const name of names) grads[name] = tf.mul(grads[name], factor)
  adam.applyGradients(names.map((name) => ({ name, tensor: grads[name] })))
  for (const [i, average] of averages.entries()) {
    average.assign(tf.add(tf.mul(average, ema), tf.mul(field.parameters[i], 1 - ema)))
  }
  return value
}

function openStep(tf: Tf, { net, rows }: NetWork, field: TfjsField): Opened {
  const { pool, draw } = poolOf(tf, net, field)
  const state = training(tf, field)
  const shape = field.shape(rows)
  const [decay, spread] = [Math.exp(-0.25), Math.sqrt(-Math.expm1(-0.5))]
  return {
    tensors: [pool, ...state.averages, ...field.parameters],
    optimizer: state.adam,
    readBack: READ_BACK,
    once() {
      const left = draw(rows)
      const right = tf.add(tf.mul(left, decay), tf.mul(tf.randomNormal(shape), spread))
      const t = tf.randomUniform(timesOf(shape))
      const target = tf.sub(right, left)
      return learn(tf, field, state, { x: tf.add(left, tf.mul(t, target)), t, target })
    },
  }
}

/** Points as they are; pictures as bytes (tfjs has no type that is smaller than int32), scaled to [−1, 1] when drawn. */
function poolOf(tf: Tf, net: NetShape, field: TfjsField): { pool: Core.Tensor; draw(rows: number): Core.Tensor } {
  const n = net.kind === 'unet' ? POOL_PICTURES : POOL_ROWS
  const shape = field.shape(n)
  const pick = (pool: Core.Tensor, rows: number): Core.Tensor =>
    tf.gather(pool, tf.randomUniform([rows], 0, n, 'int32'))
  if (net.kind !== 'unet') {
    const pool = tf.tensor(normals(size(shape)), shape)
    return { pool, draw: (rows) => pick(pool, rows) }
  }
  const pool = tf.tensor(Int32Array.from(bytes(size(shape))), shape, 'int32')
  return { pool, draw: (rows) => tf.div(tf.sub(tf.cast(pick(pool, rows), 'float32'), 127.5), 127.5) }
}

export const kernelsDone = [
  'mat_mul',
  'activation',
  'adam',
  'conv2d',
  'conv2d_backward_input',
  'conv2d_backward_weight',
]

function openKernel(tf: Tf, { kernel, operands, attributes }: KernelWork): Opened {
  const filled = (shape: readonly number[]): Core.Tensor =>
    tf.tensor(normals(shape.reduce((product, extent) => product * extent, 1)), [...shape])
  switch (kernel) {
    case 'mat_mul': {
      const [a, b] = [filled(operands.a), filled(operands.b)]
      return {
        tensors: [a, b],
        once: () => tf.matMul(a, b, attributes.transposeA === true, attributes.transposeB === true),
      }
    }
    case 'activation': {
      const x = filled(operands.x)
      return {
        tensors: [x],
        once: () => activate(tf, attributes.activation as string, attributes.beta as number, x),
      }
    }
    case 'adam': {
      const parameter = tf.variable(filled(operands.parameters))
      const average = tf.variable(parameter.clone(), false)
      const gradient = filled(operands.gradient)
      const { lr, betas, eps, ema } = optimizer
      const adam = tf.train.adam(lr, betas[0], betas[1], eps)
      return {
        tensors: [parameter, average, gradient],
        optimizer: adam,
        once() {
          adam.applyGradients([{ name: parameter.name, tensor: tf.mul(gradient, 0.5) }])
          average.assign(tf.add(tf.mul(average, ema), tf.mul(parameter, 1 - ema)))
          return parameter.clone()
        },
      }
    }
    case 'conv2d': {
      const [x, filter] = [filled(operands.x), filled(operands.weight)] as Core.Tensor4D[]
      const bias = filled(operands.bias)
      return { tensors: [x, filter, bias], once: () => tf.fused.conv2d({ x, filter, strides: 1, pad: 1, bias }) }
    }
    case 'conv2d_backward_input': {
      const [dy, filter] = [filled(operands.dy), filled(operands.weight)] as Core.Tensor4D[]
      const shape = [...operands.dx] as [number, number, number, number]
      return { tensors: [dy, filter], once: () => tf.conv2dTranspose(dy, filter, shape, 1, 1) }
    }
    case 'conv2d_backward_weight': {
      const [x, dy] = [filled(operands.x), filled(operands.dy)] as Core.Tensor4D[]
      const filterShape = [...operands.dweight] as [number, number, number, number]
      const attributes = { strides: 1, pad: 1, dataFormat: 'NHWC', filterShape }
      return {
        tensors: [x, dy],
        once() {
          const dfilter: Core.Tensor = tf.engine().runKernel('Conv2DBackpropFilter', { x, dy }, attributes)
          tf.sum(dy, [0, 1, 2])
          return dfilter
        },
      }
    }
    default:
      throw new Error(`tfjs: no kernel '${kernel}'`)
  }
}
