/**
 * TensorFlow.js on its CPU, WebAssembly and WebGPU backends (the last on Dawn, as ours). The training step is written as
 * its users would write it: gradients by `variableGrads`, products with fused bias and relu, `train.adam`; with a batch drawn,
 * clipping by the global norm and a moving average of the parameters, since our step has them. Its WebGPU backend runs
 * with the toggles of our device. Nothing is read back but the loss of every READ_BACK-th training step, as with ours, and
 * one number at the end of a run.
 */

import { createRequire } from 'node:module'
import type * as Core from '@tensorflow/tfjs-core'
import { toggleOptions, toggleSets } from '../../src/device/webgpu/toggles.js'
import type { Work } from '../cases.js'
import type { KernelWork } from '../kernel-works.js'
import type { Runner } from '../measure.js'
import { optimizer, POOL_ROWS, READ_BACK } from '../ours.js'
import type { MlpShape } from '../shapes.js'
import { normals } from '../values.js'
import { MissingPeer, type Peer } from './peer.js'

type Tf = typeof Core
export type Backend = 'cpu' | 'wasm' | 'webgpu'

const require = createRequire(import.meta.url)

const kernelsDone = ['mat_mul', 'activation', 'adam']

export async function openTfjs(backend: Backend, fast = false): Promise<Peer> {
  const tf = await import('@tensorflow/tfjs-core')
  tf.enableProdMode()
  const details = await register(backend, fast)
  if (!(await tf.setBackend(backend).catch(() => false))) {
    throw new MissingPeer(`tfjs could not start its ${backend} backend on this machine.`)
  }
  return {
    name: `tfjs-${backend}`,
    version: tf.version_core,
    details,
    does: (work) =>
      work.kind === 'kernel'
        ? kernelsDone.includes(work.kernel)
        : work.net.kind === 'mlp' && ['step', 'rk4'].includes(work.kind),
    async open(work) {
      // tfjs's file for Node leaves the gradients out; they enter a table that all copies of tfjs share. Their files are
      // modules without extensions in a package that says it has none, which only tsx's require takes
      if (work.kind === 'step') require('@tensorflow/tfjs-core/dist/register_all_gradients.js')
      await tf.setBackend(backend)
      return runner(tf, backend, open(tf, work))
    },
    async close() {
      tf.removeBackend(backend)
    },
  }
}

/** Loads the backend's package; returns what it runs on. */
async function register(backend: Backend, fast: boolean): Promise<string> {
  switch (backend) {
    case 'cpu':
      await import('@tensorflow/tfjs-backend-cpu')
      return 'plain JavaScript, one thread'
    case 'wasm':
      await import('@tensorflow/tfjs-backend-wasm')
      // its threads need a browser's workers: in Node the package itself switches them off
      return 'WebAssembly with SIMD, one thread'
    case 'webgpu': {
      const { create, globals } = await import('webgpu')
      Object.assign(globalThis, globals)
      const gpu = create(toggleOptions(toggleSets[fast ? 'fast' : 'safe']))
      const adapter = await gpu.requestAdapter()
      if (!adapter) throw new MissingPeer('there is no WebGPU adapter.')
      // the backend looks for the browser's global
      Object.defineProperty(globalThis, 'navigator', { value: { gpu }, configurable: true })
      await import('@tensorflow/tfjs-backend-webgpu')
      return adapter.info.description || adapter.info.vendor
    }
  }
}

interface Opened {
  /** does the work once; the result tells when it is done */
  readonly once: () => Core.Tensor
  readonly tensors: readonly Core.Tensor[]
  /** keeps moments of its own */
  readonly optimizer?: Core.Optimizer
  /** repetitions between two values that are read back; left out: none before the last */
  readonly readBack?: number
}

function runner(
  tf: Tf,
  backend: Backend,
  { once, tensors, optimizer: own, readBack = Number.POSITIVE_INFINITY }: Opened,
): Runner {
  return {
    async run(times) {
      await tf.setBackend(backend)
      let last: Core.Tensor | undefined
      for (let i = 0; i < times; i++) {
        last?.dispose()
        last = tf.tidy(once)
        if ((i + 1) % readBack === 0) await last.data()
      }
      // one element: enough to wait for the queue, and nothing to copy
      const element = tf.tidy(() => tf.slice(tf.reshape(last!, [-1]), 0, 1))
      const [value] = await element.data()
      tf.dispose([element, last!])
      // a kernel that its WebGPU backend could not run shows in the numbers only
      if (!Number.isFinite(value)) throw new Error(`tfjs-${backend} computed ${value}: what it did cannot be compared.`)
    },
    dispose() {
      tf.dispose([...tensors])
      own?.dispose()
    },
  }
}

function open(tf: Tf, work: Work): Opened {
  if (work.kind === 'kernel') return openKernel(tf, work)
  const { net, rows } = work
  if (net.kind !== 'mlp') throw new Error(`tfjs: no network '${net.name}'`)
  const parameters = makeParameters(tf, net)
  if (work.kind === 'step') return openStep(tf, net, rows, parameters)
  const x = tf.tensor2d(normals(rows * net.dimension), [rows, net.dimension])
  const h = 0.125
  return {
    tensors: [x, ...parameters],
    once() {
      const v = (y: Core.Tensor2D, t: number): Core.Tensor2D => velocity(tf, net, parameters, y, tf.fill([rows, 1], t))
      const after = (k: Core.Tensor2D, step: number): Core.Tensor2D => tf.add(x, tf.mul(k, step))
      const k1 = v(x, 0)
      const k2 = v(after(k1, h / 2), h / 2)
      const k3 = v(after(k2, h / 2), h / 2)
      const k4 = v(after(k3, h), h)
      return tf.add(x, tf.mul(tf.addN([k1, tf.mul(k2, 2), tf.mul(k3, 2), k4]), h / 6))
    },
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

function activate<T extends Core.Tensor>(tf: Tf, name: string, beta: number, z: T): T {
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

function openStep(tf: Tf, net: MlpShape, rows: number, parameters: readonly Core.Variable[]): Opened {
  const { dimension: D } = net
  const { lr, betas, eps, clip, ema } = optimizer
  const pool = tf.tensor2d(normals(POOL_ROWS * D), [POOL_ROWS, D])
  const averages = parameters.map((parameter) => tf.variable(parameter.clone(), false))
  const adam = tf.train.adam(lr, betas[0], betas[1], eps)
  const [decay, spread] = [Math.exp(-0.25), Math.sqrt(-Math.expm1(-0.5))]
  return {
    tensors: [pool, ...averages, ...parameters],
    optimizer: adam,
    readBack: READ_BACK,
    once() {
      const left = tf.gather(pool, tf.randomUniform([rows], 0, POOL_ROWS, 'int32')) as Core.Tensor2D
      const right = tf.add(tf.mul(left, decay), tf.mul(tf.randomNormal([rows, D]), spread)) as Core.Tensor2D
      const t = tf.randomUniform([rows, 1]) as Core.Tensor2D
      const target: Core.Tensor2D = tf.sub(right, left)
      const x: Core.Tensor2D = tf.add(left, tf.mul(t, target))
      const { value, grads } = tf.variableGrads(
        () => tf.mean(tf.squaredDifference(velocity(tf, net, parameters, x, t), target)) as Core.Scalar,
        [...parameters],
      )
      const names = Object.keys(grads)
      // one sum after the other: addN of more than seven asks for more bindings than its WebGPU backend has
      const squares = names.map((name) => tf.sum(tf.square(grads[name])))
      const norm = tf.sqrt(squares.reduce((sum, square) => tf.add(sum, square)))
      const factor = tf.minimum(1, tf.div(clip, tf.add(norm, 1e-12)))
      for (const name of names) grads[name] = tf.mul(grads[name], factor)
      adam.applyGradients(names.map((name) => ({ name, tensor: grads[name] })))
      for (const [i, average] of averages.entries()) {
        average.assign(tf.add(tf.mul(average, ema), tf.mul(parameters[i], 1 - ema)))
      }
      return value
    },
  }
}

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
    default:
      throw new Error(`tfjs: no kernel '${kernel}'`)
  }
}
