/**
 * Ends the backward pass: the gradient's sum of squares in G blocks (block g covers the elements from g·⌈P/G⌉), the
 * step's loss (the mean of row_loss) into the ring at step mod R, and the step counter. If the loss is not finite the
 * state is halted and the counter stays, so that the parameters remain those before this step.
 */

import { expectShape, extents, type Kernel, traffic } from './contract.js'
import { HALTED_LOSS, STATE_LENGTH, stateWords } from './state.js'

/** Blocks for a gradient of P elements: about 4096 elements each, at most 256 (adam adds them up in every group). */
export const normBlocks = (P: number): number => Math.min(256, Math.ceil(P / 4096))

export const gradientNorm: Kernel = {
  kind: 'kernel',
  name: 'gradient_norm',
  operands: {
    gradient: { access: 'read' }, // [P]
    row_loss: { access: 'read' }, // [B]
    state: { access: 'readwrite', dtype: 'u32' }, // [8]
    partials: { access: 'write' }, // [G]
    loss_ring: { access: 'readwrite' }, // [R]
  },
  check(shapes) {
    const [P] = extents('gradient_norm', 'gradient', shapes.gradient, 1)
    extents('gradient_norm', 'row_loss', shapes.row_loss, 1)
    extents('gradient_norm', 'loss_ring', shapes.loss_ring, 1)
    expectShape('gradient_norm', 'partials', shapes.partials, [normBlocks(P)])
    expectShape('gradient_norm', 'state', shapes.state, [STATE_LENGTH])
  },
  cost: (shapes) => ({ flops: 2 * shapes.gradient![0], bytes: traffic({ ...shapes, loss_ring: [1] }) }),
  reference(o) {
    const P = o.gradient.data.length
    const G = o.partials.data.length
    const block = Math.ceil(P / G)
    for (let g = 0; g < G; g++) {
      let sum = 0
      for (let p = g * block; p < Math.min((g + 1) * block, P); p++) sum += o.gradient.data[p] ** 2
      o.partials.data[g] = sum
    }
    const state = o.state.data
    if (state[stateWords.halted] !== 0) return
    let loss = 0
    for (const value of o.row_loss.data) loss += value / o.row_loss.data.length
    o.loss_ring.data[state[stateWords.step] % o.loss_ring.data.length] = loss
    if (Number.isFinite(loss)) state[stateWords.step] += 1
    else state[stateWords.halted] = HALTED_LOSS
  },
}
