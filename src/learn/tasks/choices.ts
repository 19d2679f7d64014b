/**
 * Variational flow matching of mixed columns (Eijkelboom et al. 2024; for tables Guzmán-Cordero et al. 2025): of a category the
 * network learns the level in which the path ends, by cross-entropy, and of a number the velocity, by least squares: the mean of
 * the end in another unit. A number is learnt where there is one. The path's end is the row of the pool, whatever noise the left
 * end of a later sub-flow has. networks/choices/choices.ts makes the velocity of it.
 */

import { drawBatch, PATH_COLUMNS } from '../../kernels/draw_batch.js'
import { seedWords } from '../../kernels/draws.js'
import { segmentLoss } from '../../kernels/segment_loss.js'
import type { SegmentTables } from '../../kernels/segments.js'
import { segmentTensors } from '../../networks/choices/choices.js'
import type { Task } from '../task.js'
import { type FlowMatching, flowMatching } from './flow-matching.js'
import { addScaled } from './of-time.js'

/** D numbers. */
const numbersAlone = (D: number): SegmentTables => ({
  starts: Array.from({ length: D + 1 }, (_, d) => d),
  scale: new Array<number>(D).fill(1),
  centre: new Array<number>(D).fill(0),
  gates: new Array<number>(D).fill(D),
})

/**
 * @param settings of the path between the data and noise, and of t
 * @param known how the columns of a row lie together; null: not known yet, and all are taken for numbers
 */
export function choices(settings: FlowMatching, known: SegmentTables | null): Task {
  const velocity = flowMatching(settings)
  const { timesPerPair, sampling } = settings
  return {
    readsRight: velocity.readsRight,
    // the network before its loss
    passes: 1,
    tables: { ...velocity.tables, end: Float32Array.of(1, 0, 0, 0, 1, 0, 0, 0) },
    addStep(builder, on) {
      const { network, pool, batch: B, state } = on
      const { dimension: D } = network
      const { seed, stream } = on
      const segments = known ?? numbersAlone(D)
      // the rows of the pool that the batch is of: the same draws without noise
      const end = builder.temporary([B, D])
      builder.add(
        drawBatch,
        {
          pool: builder.tensor(pool.left, [pool.rows, D]),
          state,
          path_table: builder.view(on.tables.end, [2, PATH_COLUMNS]),
          x: end,
          t: builder.temporary([B]),
          target: builder.temporary([B, D]),
        },
        {
          ...seedWords(seed),
          stream,
          sampling,
          timesPerPair,
          leftDecay: 1,
          leftSpread: 0,
          decay: 0,
          spread: 1,
          pairing: 'none',
          path: 'table',
          drop: 0,
          values: 'floats',
          mirror: 0,
        },
      )
      velocity.addStep(builder, {
        ...on,
        inputs: 'f32',
        regress({ target: rates, ...inputs }) {
          const [out, delta, rowLoss] = [builder.temporary([B, D]), builder.temporary([B, D]), builder.temporary([B])]
          on.evaluate({ ...inputs, out })
          const tensors = segmentTensors(builder, segments)
          builder.add(
            segmentLoss,
            {
              x: out,
              target: end,
              rates,
              ...tensors,
              gates: builder.constant(segments.gates),
              delta,
              row_loss: rowLoss,
            },
            {},
          )
          // of which the gradient of the mean squared error ‖out − target‖²/(B·D) at out is delta
          const half = builder.constant(new Float32Array(B).fill((B * D) / 2))
          on.regress({ ...inputs, target: addScaled(builder, out, -1, half, delta), rowLoss })
        },
      })
    },
  }
}
