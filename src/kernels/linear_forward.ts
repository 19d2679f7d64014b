/**
 * A linear layer with its activation: y = scale·act(x Wᵀ + bias + t·time_weight), x [B, K], W [N, K] (PyTorch's layout),
 * y [B, N]. The time enters as a rank-one term, so that x needs no extra column; t is [B], or [1] for all rows. If z is
 * given, the pre-activation is stored too (silu and gelu need it in the backward pass).
 */

import { activations } from './activations.js'
import { expectShape, type Kernel, traffic } from './contract.js'
import { type ActivationAttributes, checkActivation, layerShapes, preActivation } from './linear.js'

export interface LinearForwardAttributes extends ActivationAttributes {
  /** multiplies the result: 1 in hidden layers, the output scale in a velocity field's last layer */
  readonly scale: number
}

export const linearForward: Kernel<LinearForwardAttributes> = {
  kind: 'kernel',
  name: 'linear_forward',
  operands: {
    x: { access: 'read', dtype: 'float' },
    weight: { access: 'read', dtype: 'float' },
    bias: { access: 'read' },
    t: { access: 'read', optional: true },
    time_weight: { access: 'read', optional: true },
    y: { access: 'write', dtype: 'float' },
    z: { access: 'write', dtype: 'float', optional: true },
  },
  check(shapes, a) {
    const { B, N } = layerShapes('linear_forward', shapes)
    expectShape('linear_forward', 'y', shapes.y, [B, N])
    if (shapes.z) expectShape('linear_forward', 'z', shapes.z, [B, N])
    checkActivation('linear_forward', a)
  },
  cost: (shapes) => ({ flops: 2 * shapes.x![0] * shapes.x![1] * shapes.y![1], bytes: traffic(shapes) }),
  reference(o, a) {
    const [B, N] = o.y.shape
    const { value } = activations[a.activation]
    for (let b = 0; b < B; b++) {
      for (let n = 0; n < N; n++) {
        const z = preActivation(o, b, n)
        if (o.z) o.z.data[b * N + n] = z
        o.y.data[b * N + n] = a.scale * value(z, a.beta)
      }
    }
  },
}
