/**
 * Gradient of a linear layer's input, carried through the activation of the layer before it:
 * dx = (dy W) ⊙ act'(saved), dy [B, N], W [N, K], saved and dx [B, K]. `saved` is the earlier layer's output or
 * pre-activation, whichever that activation's derivative is a function of.
 */

import { activations } from './activations.js'
import { expectShape, extents, type Kernel, traffic } from './contract.js'
import { type ActivationAttributes, checkActivation } from './linear.js'

export const linearBackwardInput: Kernel<ActivationAttributes> = {
  kind: 'kernel',
  name: 'linear_backward_input',
  operands: {
    dy: { access: 'read', dtype: 'float' },
    weight: { access: 'read', dtype: 'float' },
    saved: { access: 'read', dtype: 'float' },
    dx: { access: 'write', dtype: 'float' },
  },
  check(shapes, a) {
    const [B, N] = extents('linear_backward_input', 'dy', shapes.dy, 2)
    const [, K] = extents('linear_backward_input', 'weight', shapes.weight, 2)
    expectShape('linear_backward_input', 'weight', shapes.weight, [N, K])
    expectShape('linear_backward_input', 'saved', shapes.saved, [B, K])
    expectShape('linear_backward_input', 'dx', shapes.dx, [B, K])
    checkActivation('linear_backward_input', a)
  },
  cost: (shapes) => ({ flops: 2 * shapes.dy![0] * shapes.dy![1] * shapes.dx![1], bytes: traffic(shapes) }),
  reference(o, a) {
    const [B, N] = o.dy.shape
    const K = o.weight.shape[1]
    const { derivative } = activations[a.activation]
    for (let b = 0; b < B; b++) {
      for (let k = 0; k < K; k++) {
        let sum = 0
        for (let n = 0; n < N; n++) sum += o.dy.data[b * N + n] * o.weight.data[n * K + k]
        o.dx.data[b * K + k] = sum * derivative(o.saved.data[b * K + k], a.beta)
      }
    }
  },
}
