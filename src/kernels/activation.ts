/** An activation by itself, elementwise: y = act(x), x and y of the same shape. Layers fuse it; this is for comparison. */

import { activations } from './activations.js'
import { expectShape, type Kernel, size, traffic } from './contract.js'
import { type ActivationAttributes, checkActivation } from './linear.js'

export const activation: Kernel<ActivationAttributes> = {
  kind: 'kernel',
  name: 'activation',
  operands: {
    x: { access: 'read' },
    y: { access: 'write' },
  },
  check(shapes, a) {
    expectShape('activation', 'y', shapes.y, shapes.x ?? [])
    checkActivation('activation', a)
  },
  cost: (shapes) => ({ flops: size(shapes.x!), bytes: traffic(shapes) }),
  reference(o, a) {
    const { value } = activations[a.activation]
    for (let i = 0; i < o.x.data.length; i++) o.y.data[i] = value(o.x.data[i], a.beta)
  },
}
