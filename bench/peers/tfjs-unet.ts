/**
 * The UNet (src/networks/unet/spec.ts) in TensorFlow.js, as its users would write it: convolutions with fused bias, group
 * normalisation from moments, attention as two products around a softmax, nearest-neighbour enlargement in front of a
 * convolution, dropout in training. It walks the plan of the library's own network, so that both have the same layers,
 * and can be given its flat parameters; `test/bench/tfjs-unet.test.ts` holds the two against each other. Plain changes of
 * size and the time as a shift only.
 */

import type * as Core from '@tensorflow/tfjs-core'
import { plainNorm } from '../../src/kernels/group_norm.js'
import {
  type AttentionBlock,
  type ConvolutionLayer,
  isOfSequences,
  type LinearLayer,
  type NormLayer,
  type ResidualBlock,
  type UnetModule,
  type UnetSpec,
  unetLayout,
} from '../../src/networks/unet/spec.js'
import type { Tf, TfjsField } from './tfjs-field.js'

/** A convolution in front of which nothing changes, a normalisation, and so on: a function of pictures. */
type Layer = (x: Core.Tensor4D) => Core.Tensor4D

/** What every module of a pass sees beside its input. */
interface Around {
  /** [B, 4·width] */
  readonly embedded: Core.Tensor2D
  readonly training: boolean
}
type Module = (x: Core.Tensor4D, around: Around) => Core.Tensor4D

/** The network with the values of a flat parameter tensor in the library's layout. */
export function unetOf(tf: Tf, net: UnetSpec, flat: Float32Array): TfjsField {
  if (isOfSequences(net) || net.scaleShift || net.residualResampling) throw new Error('tfjs: plain UNets only')
  const plan = unetLayout(net)
  const parameters: Core.Variable[] = []

  const variable = (shape: number[], offset: number): Core.Variable => {
    const values = flat.slice(offset, offset + shape.reduce((product, extent) => product * extent, 1))
    const made = tf.variable(tf.tensor(values, shape))
    parameters.push(made)
    return made
  }

  const convolution = ({ weight, bias, kh, kw, C, N }: ConvolutionLayer, stride: 1 | 2 = 1): Layer => {
    const filter = variable([kh, kw, C, N], weight) as Core.Tensor as Core.Tensor4D
    const shift = variable([N], bias)
    return (x) => tf.fused.conv2d({ x, filter, strides: stride, pad: (kw - 1) / 2, bias: shift })
  }

  const norm = ({ gamma, beta, C }: NormLayer): Layer => {
    const [scale, shift] = [variable([C], gamma), variable([C], beta)]
    return (x) => {
      const [B, H, W] = x.shape
      const grouped = tf.reshape(x, [B, H * W, net.groups, C / net.groups])
      const { mean, variance } = tf.moments(grouped, [1, 3], true)
      const normal = tf.mul(tf.sub(grouped, mean), tf.rsqrt(tf.add(variance, plainNorm.epsilon)))
      return tf.add(tf.mul(tf.reshape(normal, x.shape), scale), shift)
    }
  }

  /** `rows` of the weight from the row `first` on. */
  const linear = (
    { weight, bias, inputs, outputs }: LinearLayer,
    first = 0,
    rows = outputs,
  ): ((x: Core.Tensor2D) => Core.Tensor2D) => {
    const w = variable([rows, inputs], weight + first * inputs) as Core.Tensor as Core.Tensor2D
    const b = variable([rows], bias + first)
    return (x) => tf.fused.matMul({ a: x, b: w, transposeB: true, bias: b }) as Core.Tensor2D
  }

  const silu = <T extends Core.Tensor>(x: T): T => tf.mul(x, tf.sigmoid(x))

  const residual = (block: ResidualBlock): Module => {
    const { N, embeddingFirst } = block
    const [norm1, conv1] = [norm(block.norm1), convolution(block.conv1)]
    const shift = linear(plan.embedding, embeddingFirst, N)
    const [norm2, conv2] = [norm(block.norm2), convolution(block.conv2)]
    const skip: Layer = block.skip ? convolution(block.skip) : (x) => x
    return (x, { embedded, training }) => {
      const e = tf.reshape(shift(embedded), [-1, 1, 1, N])
      const h = tf.add(conv1(silu(norm1(x))), e) as Core.Tensor4D
      const a = silu(norm2(h))
      const b = training && net.dropout > 0 ? (tf.dropout(a, net.dropout) as Core.Tensor4D) : a
      return tf.add(conv2(b), skip(x))
    }
  }

  const attention = (block: AttentionBlock): Module => {
    const { H, W, C, heads } = block
    const [first, qkv, proj] = [norm(block.norm), convolution(block.qkv), convolution(block.proj)]
    const d = C / heads
    return (x) => {
      const B = x.shape[0]
      // head after head, within a head q, k and v
      const parts = tf.transpose(tf.reshape(qkv(first(x)), [B, H * W, heads, 3 * d]), [0, 2, 1, 3])
      const [q, k, v] = tf.split(parts, 3, 3)
      const p = tf.softmax(tf.matMul(tf.mul(q, 1 / Math.sqrt(d)), k, false, true))
      const mixed = tf.transpose(tf.matMul(p, v), [0, 2, 1, 3])
      return tf.add(x, proj(tf.reshape(mixed, [B, H, W, C]) as Core.Tensor4D))
    }
  }

  /** Nearest neighbours. The gradient of resizeNearestNeighbor is wrong on its CPU backend for more than one picture. */
  const enlarged: Layer = (x) => {
    const [B, H, W, C] = x.shape
    const columns = tf.tile(tf.reshape(x, [B * H * W, 1, C]), [1, 2, 1])
    const rows = tf.tile(tf.reshape(columns, [B * H, 1, 2 * W * C]), [1, 2, 1])
    return tf.reshape(rows, [B, 2 * H, 2 * W, C])
  }

  const moduleOf = (module: UnetModule): Module => {
    switch (module.kind) {
      case 'residual':
        return residual(module)
      case 'attention':
        return attention(module)
      case 'down':
        return convolution(module.conv, 2)
      case 'up': {
        const conv = convolution(module.conv)
        return (x) => conv(enlarged(x))
      }
    }
  }
  const run = (modules: readonly Module[], x: Core.Tensor4D, around: Around): Core.Tensor4D =>
    modules.reduce((h, module) => module(h, around), x)

  const [time1, time2] = [linear(plan.time1), linear(plan.time2)]
  const first = convolution(plan.first)
  const encoder = plan.encoder.map(({ modules }) => modules.map(moduleOf))
  const middle = plan.middle.modules.map(moduleOf)
  const decoder = plan.decoder.map(({ modules }) => modules.map(moduleOf))
  const [lastNorm, last] = [norm(plan.lastNorm), convolution(plan.last)]

  const half = net.width / 2
  const frequencies = Float32Array.from({ length: half }, (_, k) => 10_000 ** (-k / half))

  return {
    parameters,
    shape: (rows) => [rows, net.height, net.breadth, net.channels],
    velocity(x, t, training) {
      const angles = tf.mul(tf.reshape(t, [-1, 1]), tf.tensor1d(frequencies))
      const sinusoids = tf.concat([tf.cos(angles), tf.sin(angles)], 1) as Core.Tensor2D
      const embedded = silu(time2(silu(time1(sinusoids))))
      const around: Around = { embedded, training }
      const skips = [first(x as Core.Tensor4D)]
      for (const modules of encoder) skips.push(run(modules, skips.at(-1)!, around))
      let h = run(middle, skips.at(-1)!, around)
      for (const modules of decoder) h = run(modules, tf.concat4d([h, skips.pop()!], 3), around)
      return last(silu(lastNorm(h)))
    },
  }
}
