/**
 * The loss of a predicted end point of rows of mixed columns (segments.ts), x [B, D] the network's output and target [B, D] the
 * rows that the paths end in: ½ (x − target)² of a number, and the cross-entropy −Σ_k p_k log softmax(x)_k of a category, with
 * p = target/scale + centre; both are −log of a likelihood but for a constant. row_loss[b] = (1/S) Σ_s w_s·loss_s [B], and
 * delta = ∂(mean of row_loss)/∂x: w (x − target)/(B·S) of a number, w (Σp·softmax(x) − p)/(B·S) of a category [B, D].
 *
 * `rates` [B, D] are targets of numbers in place of their ends: the velocities of the paths, where a network predicts those.
 *
 * `gates` [S], whole numbers as floats, say by which column's p segment s is weighed, D meaning w = 1: a number is learnt where its state is a value, and
 * not where it is missing.
 */

import { expectShape, extents, type Kernel, traffic } from './contract.js'
import { expectSegments, logSumExp, segmentOperands, segmentsOf } from './segments.js'

export const segmentLoss: Kernel = {
  kind: 'kernel',
  name: 'segment_loss',
  operands: {
    x: { access: 'read' }, // [B, D]
    target: { access: 'read' }, // [B, D]
    rates: { access: 'read', optional: true }, // [B, D]
    ...segmentOperands,
    gates: { access: 'read' }, // [S]
    delta: { access: 'write' }, // [B, D]
    row_loss: { access: 'write' }, // [B]
  },
  check(shapes) {
    const [B, D] = extents('segment_loss', 'x', shapes.x, 2)
    expectShape('segment_loss', 'target', shapes.target, [B, D])
    if (shapes.rates) expectShape('segment_loss', 'rates', shapes.rates, [B, D])
    const S = expectSegments('segment_loss', shapes, D)
    expectShape('segment_loss', 'gates', shapes.gates, [S])
    expectShape('segment_loss', 'delta', shapes.delta, [B, D])
    expectShape('segment_loss', 'row_loss', shapes.row_loss, [B])
  },
  cost: (shapes) => ({ flops: 10 * shapes.x![0] * shapes.x![1], bytes: traffic(shapes) }),
  reference(o) {
    const [B, D] = o.x.shape
    const segments = segmentsOf(o.starts, D)
    const S = segments.length
    const probability = (b: number, d: number): number =>
      o.target.data[b * D + d] / o.encoding.data[d] + o.encoding.data[D + d]
    for (let b = 0; b < B; b++) {
      let sum = 0
      segments.forEach(({ first, end }, s) => {
        const weight = o.gates.data[s] < D ? probability(b, o.gates.data[s]) : 1
        if (end - first === 1) {
          const residual = o.x.data[b * D + first] - (o.rates ?? o.target).data[b * D + first]
          sum += (weight * residual * residual) / 2
          o.delta.data[b * D + first] = (weight * residual) / (B * S)
          return
        }
        const whole = logSumExp(o.x.data, b * D + first, b * D + end)
        let mass = 0
        for (let d = first; d < end; d++) mass += probability(b, d)
        for (let d = first; d < end; d++) {
          const log = o.x.data[b * D + d] - whole
          const p = probability(b, d)
          sum -= weight * p * log
          o.delta.data[b * D + d] = (weight * (mass * Math.exp(log) - p)) / (B * S)
        }
      })
      o.row_loss.data[b] = sum / S
    }
  },
}
