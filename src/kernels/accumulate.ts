/** total ← total + part, P elements each: adds up the gradients of micro-batches. */

import { expectShape, extents, type Kernel, traffic } from './contract.js'

export const accumulate: Kernel = {
  kind: 'kernel',
  name: 'accumulate',
  operands: {
    part: { access: 'read' }, // [P]
    total: { access: 'readwrite' }, // [P]
  },
  check(shapes) {
    const [P] = extents('accumulate', 'total', shapes.total, 1)
    expectShape('accumulate', 'part', shapes.part, [P])
  },
  cost: (shapes) => ({ flops: shapes.total![0], bytes: traffic(shapes) + 4 * shapes.total![0] }),
  reference(o) {
    for (let i = 0; i < o.total.data.length; i++) o.total.data[i] += o.part.data[i]
  },
}
