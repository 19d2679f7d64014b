/**
 * Bytes that a training step cannot do without: parameters, gradient, moments, average, and of one batch what the backward
 * pass needs of the forward pass.
 */

import { size } from '../src/kernels/contract.js'
import { keepsPreActivation } from '../src/networks/mlp/spec.js'
import { keptShapes } from '../src/networks/unet/residual_block.js'
import { allModules, type UnetModule, type UnetSpec, unetLayout } from '../src/networks/unet/spec.js'
import type { NetWork } from './cases.js'
import { fieldOf, type MlpShape, specOf } from './shapes.js'

export function leastStepBytes({ net, rows }: NetWork): number {
  const activations = net.kind === 'unet' ? keptOfPicture(net.spec) : keptOfRow(net)
  return 4 * (5 * fieldOf(net).parameterLength + rows * activations)
}

const keptOfRow = (net: MlpShape): number => (keepsPreActivation(specOf(net)) ? 2 : 1) * net.layers * net.width

/** Values of one picture: every layer's output. */
function keptOfPicture(net: UnetSpec): number {
  const ofModule = (m: UnetModule): number => {
    switch (m.kind) {
      case 'residual': {
        const { a, h, b, statistics1, statistics2 } = keptShapes(1, { net, block: m })
        // the block's output has the shape of h
        return [a, h, b, h, statistics1, statistics2].reduce((sum, shape) => sum + size(shape), 0)
      }
      case 'attention':
        // normalised, q k v, what the heads mix, and the output
        return 6 * m.H * m.W * m.C
      case 'down':
        return (m.H * m.W * m.C) / 4
      case 'up':
        return 4 * m.H * m.W * m.C
    }
  }
  const plan = unetLayout(net)
  // the first convolution's output and the last normalisation's
  const ends = net.height * net.breadth * (plan.first.N + plan.last.C)
  return allModules(plan).reduce((sum, module) => sum + ofModule(module), ends)
}
