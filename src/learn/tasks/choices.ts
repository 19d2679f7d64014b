/**
 * Variational flow matching of mixed columns (Eijkelboom et al. 2024; for tables Guzmán-Cordero et al. 2025): of a category the
 * network learns the level in which the path ends, by cross-entropy, and of a number the velocity, by least squares: the mean of
 * the end in another unit. A number is learnt where there is one. The path's end is the row of the pool, whatever noise the left
 * end of a later sub-flow has. networks/choices/choices.ts makes the velocity of it.
 */

import { size } from '../../kernels/contract.js'
import { drawBatch, PATH_COLUMNS } from '../../kernels/draw_batch.js'
import { draw, seedWords, uniform } from '../../kernels/draws.js'
import { segmentLoss } from '../../kernels/segment_loss.js'
import type { SegmentTables } from '../../kernels/segments.js'
import { addMasked, besideMasks, segmentTensors, withGiven } from '../../networks/choices/choices.js'
import type { ProgramBuilder, ProgramTensor } from '../../program/program.js'
import type { StepContext, Task } from '../task.js'
import { type FlowMatching, flowMatching } from './flow-matching.js'
import { addScaled, drawnBy } from './of-time.js'

/** Draws of masks are of streams of their own, beyond those of fits and of validation. */
const MASKS = 2 ** 21
/** Masks that are drawn from: as many, or as many as there is room for. */
const [MOST_MASKS, MASK_VALUES] = [8192, 2 ** 20]
/** Share of the masks without anything given: whole rows are what samples are. */
const NOTHING_GIVEN = 0.4

/** Masks [M, D] of rows, 1 where a number is given: in each row another share of the columns, from none to all. */
function masksOf({ columns }: SegmentTables, seed: number): Float32Array {
  const D = columns.length
  const count = Math.max(1, Math.min(MOST_MASKS, Math.floor(MASK_VALUES / D)))
  const masks = new Float32Array(count * D)
  const words = { ...seedWords(seed), stream: MASKS }
  for (let row = 0; row < count; row++) {
    const [nothing, share] = draw(words, 'row', row, 0, 0).map(uniform)
    if (nothing < NOTHING_GIVEN) continue
    for (let d = 0; d < D; d++) {
      if (uniform(draw(words, 'row', row, 1, columns[d])[0]) < share) masks[row * D + d] = 1
    }
  }
  return masks
}

/** D numbers. */
const numbersAlone = (D: number): SegmentTables => ({
  starts: Array.from({ length: D + 1 }, (_, d) => d),
  scale: new Array<number>(D).fill(1),
  centre: new Array<number>(D).fill(0),
  gates: new Array<number>(D).fill(D),
  columns: Array.from({ length: D }, (_, d) => d),
})

/**
 * @param settings of the path between the data and noise, and of t
 * @param known how the columns of a row lie together; null: not known yet, and all are taken for numbers
 */
export function choices(settings: FlowMatching, known: SegmentTables | null): Task {
  const velocity = flowMatching(settings)
  const { timesPerPair, sampling, masks } = settings
  return {
    readsRight: velocity.readsRight,
    madeCondition: (D) => (masks === undefined ? 0 : D),
    // the network before its loss
    passes: 1,
    tables: {
      ...velocity.tables,
      end: Float32Array.of(1, 0, 0, 0, 1, 0, 0, 0),
      ...(masks !== undefined && known && { masks: masksOf(known, masks) }),
    },
    addStep(builder, on) {
      const { network, pool, batch: B } = on
      const { dimension: D } = network
      const segments = known ?? numbersAlone(D)
      // the rows of the pool that the batch is of: the same draws without noise
      const end = drawRows(builder, on, builder.tensor(pool.left, [pool.rows, D]), { sampling, timesPerPair })
      const given = masks === undefined ? undefined : drawMasks(builder, on)
      velocity.addStep(builder, {
        ...on,
        // masks are no condition of the pool's rows
        ...(given && { network: { ...network, condition: network.condition - D } }),
        inputs: 'f32',
        regress({ target: rates, ...drawn }) {
          const inputs = given
            ? {
                ...drawn,
                x: withGiven(builder, drawn.x, given, end),
                condition: besideMasks(builder, given, drawn.condition),
              }
            : drawn
          const [out, delta, rowLoss] = [builder.temporary([B, D]), builder.temporary([B, D]), builder.temporary([B])]
          on.evaluate({ ...inputs, out })
          builder.add(
            segmentLoss,
            {
              x: out,
              target: end,
              rates,
              ...segmentTensors(builder, segments),
              gates: builder.constant(segments.gates),
              delta,
              row_loss: rowLoss,
            },
            {},
          )
          // of what is given nothing is learnt
          const learnt = given ? addMasked(builder, delta, -1, given, delta) : delta
          // of which the gradient of the mean squared error ‖out − target‖²/(B·D) at out is delta
          const half = builder.constant(new Float32Array(B).fill((B * D) / 2))
          on.regress({ ...inputs, target: addScaled(builder, out, -1, half, learnt), rowLoss })
        },
      })
    },
  }

  /** Masks [B, D] of a batch. */
  function drawMasks(builder: ProgramBuilder, on: StepContext): ProgramTensor {
    const { masks: table } = on.tables
    const { dimension: D } = on.network
    if (!table) return builder.constant(new Float32Array(on.batch * D), [on.batch, D])
    const pool = builder.view(table, [size(table.shape) / D, D])
    return drawRows(builder, { ...on, stream: on.stream + MASKS }, pool, { sampling: 'replacement', timesPerPair: 1 })
  }

  /** Rows [B, D] of a pool, as a batch draws them. */
  function drawRows(
    builder: ProgramBuilder,
    { tables, state, batch: B, seed, stream }: StepContext,
    pool: ProgramTensor,
    drawn: Pick<FlowMatching, 'sampling' | 'timesPerPair'>,
  ): ProgramTensor {
    const D = pool.shape[1]
    const x = builder.temporary([B, D])
    builder.add(
      drawBatch,
      {
        pool,
        state,
        path_table: builder.view(tables.end, [2, PATH_COLUMNS]),
        x,
        t: builder.temporary([B]),
        target: builder.temporary([B, D]),
      },
      { ...drawnBy({ seed, stream }), ...drawn, pairing: 'none' },
    )
    return x
  }
}
