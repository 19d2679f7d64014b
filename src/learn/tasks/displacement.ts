/**
 * Tasks of students that are no flows: the pool holds pairs of states of a teacher's paths, `right` nearer to the noise and `left`
 * nearer to the data, and the network learns what lies between them.
 */

import { cleanLeft, drawBatch, PATH_COLUMNS } from '../../kernels/draw_batch.js'
import { seedWords } from '../../kernels/draws.js'
import type { StepContext, Task } from '../task.js'

/** Path tables that do not depend on the time: (A, B, A′, B′) of x and of the target. */
const constantPath = (...row: [number, number, number, number]): Float32Array => Float32Array.of(...row, ...row)

/** Every pair of a pool is drawn once in an epoch, so that none is seen twice where the pool is made anew as often. */
const drawn = ({ seed, stream }: StepContext) =>
  ({
    ...seedWords(seed),
    ...cleanLeft,
    stream,
    decay: 0,
    spread: 1,
    pairing: 'stored',
    path: 'table',
    sampling: 'epochs',
    timesPerPair: 1,
    values: 'floats',
    mirror: 0,
  }) as const

/**
 * The displacement of a piece (distillation of Local Flow Matching, Xu et al. 2024): u(x_in, time) ≈ x_in − x_out, so that
 * T(x) = −u(x, time) minimises ‖x_in + T(x_in) − x_out‖²/D. The time is the same in every row.
 */
export const displacement = ({ time }: { readonly time: number }): Task => ({
  readsRight: true,
  tables: { quantiles: Float32Array.of(time, time), path: constantPath(0, 1, -1, 1) },
  addStep(builder, on) {
    const { network, pool, tables, batch: B, state, inputs } = on
    const { dimension: D } = network
    const [x, target, t] = [builder.temporary([B, D], inputs), builder.temporary([B, D]), builder.temporary([B])]
    builder.add(
      drawBatch,
      {
        pool: builder.tensor(pool.left, [pool.rows, D]),
        right: pool.right && builder.tensor(pool.right, [pool.rows, D]),
        state,
        quantiles: tables.quantiles,
        path_table: builder.view(tables.path, [2, PATH_COLUMNS]),
        x,
        t,
        target,
      },
      drawn(on),
    )
    on.regress({ x, t, target })
  },
})
