/** A plain matrix product: y = op(a) op(b), op the identity or the transpose; y [M, N], op(a) [M, K], op(b) [K, N]. */

import { expectShape, extents, type Kernel, traffic } from './contract.js'

export interface MatMulAttributes {
  readonly transposeA: boolean
  readonly transposeB: boolean
}

const inner = (shapes: Readonly<Record<string, readonly number[] | undefined>>, a: MatMulAttributes): number =>
  shapes.a![a.transposeA ? 0 : 1]

export const matMul: Kernel<MatMulAttributes> = {
  kind: 'kernel',
  name: 'mat_mul',
  operands: {
    a: { access: 'read' },
    b: { access: 'read' },
    y: { access: 'write' },
  },
  check(shapes, a) {
    const [M, N] = extents('mat_mul', 'y', shapes.y, 2)
    extents('mat_mul', 'a', shapes.a, 2)
    const K = inner(shapes, a)
    expectShape('mat_mul', 'a', shapes.a, a.transposeA ? [K, M] : [M, K])
    expectShape('mat_mul', 'b', shapes.b, a.transposeB ? [N, K] : [K, N])
  },
  cost: (shapes, a) => ({ flops: 2 * shapes.y![0] * shapes.y![1] * inner(shapes, a), bytes: traffic(shapes) }),
  reference(o, a) {
    const [M, N] = o.y.shape
    const K = o.a.shape[a.transposeA ? 0 : 1]
    for (let m = 0; m < M; m++) {
      for (let n = 0; n < N; n++) {
        let sum = 0
        for (let k = 0; k < K; k++) {
          sum += o.a.data[a.transposeA ? k * M + m : m * K + k] * o.b.data[a.transposeB ? n * K + k : k * N + n]
        }
        o.y.data[m * N + n] = sum
      }
    }
  },
}
