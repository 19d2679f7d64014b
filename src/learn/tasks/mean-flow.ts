/**
 * Average velocities from data, without a teacher (MeanFlow, Geng et al. 2025). u(x_t, t, s) is the mean of the velocity v of the
 * marginal flow along its path from s to t ≥ s, so that x_s = x_t − (t − s)·u. Differentiated in t along the path, with s fixed,
 *
 *     u = v − (t − s)·(∂u/∂x·v + ∂u/∂t)
 *
 * where v may be replaced by dI/dt of a pair, of which it is the mean: u is learnt by least squares towards the right side, held
 * fixed, with the weight (ℓ + 10⁻³)^−¾ of each row, ℓ its squared error by dimension. The derivative is one in the direction
 * (dI/dt, 1, 0) of the inputs (x, t, s). t has the distribution of flow matching; s = t in a share of the rows, which learn the
 * velocity itself, else it is uniform on (0, t).
 */

import { adaptiveTarget } from '../../kernels/adaptive_target.js'
import type { Task } from '../task.js'
import { type FlowMatching, flowMatching } from './flow-matching.js'
import { addOfTime, addScaled, besideTold, tableOfTime } from './of-time.js'

/** Share of the rows with s = t. */
export const SAME_TIMES = 0.5
/** of the weight */
const OFFSET = 1e-3
/** Draws of s are of a stream of their own, beyond those of fits and of validation. */
const SECOND_TIMES = 2 ** 21

/** @param settings of the path between the data and noise, and of t */
export function meanFlow(settings: FlowMatching): Task {
  const velocity = flowMatching(settings)
  return {
    readsRight: velocity.readsRight,
    madeCondition: () => 1,
    // the network with its tangent
    passes: 2,
    tables: {
      ...velocity.tables,
      // s/t by a uniform number
      earlier: tableOfTime((u) => [Math.min(1, u / (1 - SAME_TIMES)), 0]),
    },
    addStep(builder, on) {
      const { network, batch: B } = on
      const { dimension: D } = network
      velocity.addStep(builder, {
        ...on,
        // the second time is no condition of the rows
        network: { ...network, condition: network.condition - 1 },
        inputs: 'f32',
        regress({ x, t, condition: told, target: along }) {
          const second = { ...on, stream: on.stream + SECOND_TIMES }
          const { first } = addOfTime(builder, second, on.tables.earlier)
          const earlier = builder.view(first, [B, 1])
          const s = addScaled(builder, builder.constant(new Float32Array(B), [B, 1]), 1, t, earlier)
          const condition = besideTold(builder, told, s)
          const between = addScaled(builder, builder.view(t, [B, 1]), -1, t, earlier)
          const [u, derivative] = [builder.temporary([B, D]), builder.temporary([B, D])]
          const dt = builder.constant(new Float32Array(B).fill(1))
          on.differentiate({ x, t, condition, dx: along, dt, out: u, derivative })
          const target = addScaled(builder, along, -1, builder.view(between, [B]), derivative)
          const [weighted, rowLoss] = [builder.temporary([B, D]), builder.temporary([B])]
          builder.add(adaptiveTarget, { v: u, target, out: weighted, row_loss: rowLoss }, { offset: OFFSET })
          on.regress({ x, t, condition, target: weighted, rowLoss })
        },
      })
    },
  }
}
