/**
 * Tasks of students that are no flows: the pool holds pairs of states of a teacher's paths, `right` nearer to the noise and `left`
 * nearer to the data, and the network learns what lies between them.
 */

import { adaptiveStage } from '../../kernels/adaptive_stage.js'
import { cleanLeft, drawBatch, PATH_COLUMNS } from '../../kernels/draw_batch.js'
import { seedWords } from '../../kernels/draws.js'
import type { ProgramTensor } from '../../program/program.js'
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
    drop: 0,
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
    const { dimension: D, condition: C } = network
    const [x, target, t] = [builder.temporary([B, D], inputs), builder.temporary([B, D]), builder.temporary([B])]
    const condition = C > 0 ? builder.temporary([B, C]) : undefined
    builder.add(
      drawBatch,
      {
        pool: builder.tensor(pool.left, [pool.rows, D]),
        right: pool.right && builder.tensor(pool.right, [pool.rows, D]),
        pool_condition: pool.condition && builder.tensor(pool.condition, [pool.rows, C]),
        state,
        quantiles: tables.quantiles,
        path_table: builder.view(tables.path, [2, PATH_COLUMNS]),
        x,
        t,
        target,
        condition,
      },
      drawn(on),
    )
    on.regress({ x, t, condition, target })
  },
})

/**
 * The average velocity of a path between any two of its states: u(x_t, t, s) ≈ (x_t − x_s)/(t − s), the second time s as the
 * network's condition, behind what rows are told. The pool has these as its condition, t and 1/(t − s) as its span.
 */
export const averageVelocity: Task = {
  readsRight: true,
  readsSpan: true,
  tables: { displacement: constantPath(0, 1, -1, 1), ends: constantPath(1, 0, 0, 1) },
  addStep(builder, on) {
    const { network, pool, tables, batch: B, state } = on
    const { dimension: D, condition: C } = network
    if (!pool.right || !pool.span || !pool.condition) throw new TypeError('an average velocity needs a pool with times')
    const table = (path: ProgramTensor) => builder.view(path, [2, PATH_COLUMNS])
    const [x, apart] = [builder.temporary([B, D]), builder.temporary([B, D])]
    const condition = builder.temporary([B, C])
    builder.add(
      drawBatch,
      {
        pool: builder.tensor(pool.left, [pool.rows, D]),
        right: builder.tensor(pool.right, [pool.rows, D]),
        pool_condition: builder.tensor(pool.condition, [pool.rows, C]),
        state,
        path_table: table(tables.displacement),
        x,
        t: builder.temporary([B]),
        target: apart,
        condition,
      },
      drawn(on),
    )
    // of the same rows of the pool
    const [time, inverse] = [builder.temporary([B, 1]), builder.temporary([B, 1])]
    builder.add(
      drawBatch,
      {
        pool: builder.tensor(pool.span.time, [pool.rows, 1]),
        right: builder.tensor(pool.span.inverse, [pool.rows, 1]),
        state,
        path_table: table(tables.ends),
        x: time,
        t: builder.temporary([B]),
        target: inverse,
      },
      drawn(on),
    )
    const [t, target] = [builder.view(time, [B]), builder.temporary([B, D])]
    // 0 + (1/(t − s))·(x_t − x_s), a factor for each row
    builder.add(
      adaptiveStage,
      {
        y: builder.constant(new Float32Array(B * D), [B, D]),
        stages: builder.view(apart, [1, B * D]),
        t,
        h: builder.view(inverse, [B]),
        out: target,
        stage_time: builder.temporary([B]),
      },
      { coefficients: [1], node: 0 },
    )
    on.regress({ x, t, condition, target })
  },
}
