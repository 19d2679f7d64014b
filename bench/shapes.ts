/**
 * The networks that are measured: B rows of a batch, D data dimension, H width, L hidden layers. rose is the paper's 2-D
 * model; miniboone, gas and bsds300 have the sizes that are usual for those tables in the density-estimation literature.
 */

import type { MlpSpec } from '../src/composites/mlp.js'
import type { ActivationName } from '../src/kernels/activations.js'

export interface NetShape {
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

const shape = (
  name: string,
  batch: number,
  dimension: number,
  width: number,
  layers: number,
  activation: ActivationName,
  beta = 1,
): NetShape => ({ name, batch, dimension, width, layers, activation, beta })

export const shapes: readonly NetShape[] = [
  shape('rose', 10_000, 2, 256, 3, 'softplus', 20),
  shape('rose-1k', 1000, 2, 256, 3, 'softplus', 20),
  shape('miniboone', 1000, 43, 362, 4, 'relu'),
  shape('gas', 50_000, 8, 362, 5, 'relu'),
  shape('bsds300', 1000, 63, 512, 4, 'elu'),
  shape('tiny', 256, 2, 64, 3, 'silu'),
]

/** The network as the library describes it. */
export const specOf = ({ dimension, width, layers, activation, beta }: NetShape): MlpSpec => ({
  kind: 'mlp',
  dimension,
  condition: 0,
  hidden: new Array(layers).fill(width),
  activation,
  beta,
  time: 'first',
  frequencies: [],
})
