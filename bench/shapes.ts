/**
 * The networks that are measured: B rows of a batch, D data dimension, H width, L hidden layers. rose is the paper's 2-D
 * model; miniboone, gas and bsds300 have the sizes that are usual for those tables in the density-estimation literature.
 * Two are UNets on pictures of 32 × 32: digits is grey and small enough for a processor, cifar10 is the paper's
 * (examples/cifar10.yaml).
 */

import type { ActivationName } from '../src/kernels/activations.js'
import { mlpNetwork, padded } from '../src/networks/mlp/mlp.js'
import type { MlpSpec } from '../src/networks/mlp/spec.js'
import type { Network } from '../src/networks/network.js'
import type { UnetSpec } from '../src/networks/unet/spec.js'
import { unetNetwork } from '../src/networks/unet/unet.js'

export interface MlpShape {
  readonly kind: 'mlp'
  readonly name: string
  /** B of a training step */
  readonly batch: number
  /** D */
  readonly dimension: number
  /** H */
  readonly width: number
  /** L */
  readonly layers: number
  readonly activation: ActivationName
  readonly beta: number
}

export interface PictureShape {
  readonly kind: 'unet'
  readonly name: string
  /** B of a training step on a GPU, and of integration */
  readonly batch: number
  /** B where a processor computes, so that a row of the table ends within minutes */
  readonly processorBatch: number
  readonly spec: UnetSpec
}

export type NetShape = MlpShape | PictureShape

const mlp = (
  name: string,
  batch: number,
  dimension: number,
  width: number,
  layers: number,
  activation: ActivationName,
  beta = 1,
): MlpShape => ({ kind: 'mlp', name, batch, dimension, width, layers, activation, beta })

export const shapes: readonly MlpShape[] = [
  mlp('rose', 10_000, 2, 256, 3, 'softplus', 20),
  mlp('rose-1k', 1000, 2, 256, 3, 'softplus', 20),
  mlp('miniboone', 1000, 43, 362, 4, 'relu'),
  mlp('gas', 50_000, 8, 362, 5, 'relu'),
  mlp('bsds300', 1000, 63, 512, 4, 'elu'),
  mlp('tiny', 256, 2, 64, 3, 'silu'),
]

/** What the two UNets have in common: 32 × 32, attention at 16 × 16, plain changes of size, the time as a shift. */
const common = {
  kind: 'unet',
  height: 32,
  breadth: 32,
  condition: 0,
  attention: [16],
  headChannels: 32,
  groups: 32,
  scaleShift: false,
  residualResampling: false,
} as const

export const pictureShapes: readonly PictureShape[] = [
  {
    kind: 'unet',
    name: 'digits',
    batch: 64,
    processorBatch: 64,
    spec: { ...common, channels: 1, width: 32, multipliers: [1, 2, 2], depth: 1, dropout: 0 },
  },
  {
    kind: 'unet',
    name: 'cifar10',
    batch: 256,
    processorBatch: 8,
    spec: { ...common, channels: 3, width: 128, multipliers: [1, 2, 2, 2], depth: 2, dropout: 0.1 },
  },
]

/** The MLP as the library describes it. */
export const specOf = ({ dimension, width, layers, activation, beta }: Omit<MlpShape, 'kind'>): MlpSpec => ({
  kind: 'mlp',
  dimension,
  condition: 0,
  hidden: new Array(layers).fill(width),
  activation,
  beta,
  time: 'first',
  frequencies: [],
})

/** As the library makes it. */
export function fieldOf(net: NetShape): Network {
  if (net.kind === 'unet') return unetNetwork(net.spec)
  const spec = specOf(net)
  return mlpNetwork(spec, padded(spec))
}
