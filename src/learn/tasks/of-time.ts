/** Numbers of each row that follow from its time alone, as columns [B] that a step computes with. */

import { adaptiveStage } from '../../kernels/adaptive_stage.js'
import { size } from '../../kernels/contract.js'
import { cleanLeft, drawBatch, PATH_COLUMNS } from '../../kernels/draw_batch.js'
import { seedWords } from '../../kernels/draws.js'
import { inputFeatures } from '../../kernels/input_features.js'
import type { ProgramBuilder, ProgramTensor } from '../../program/program.js'
import type { StepContext } from '../task.js'

/** Knots of a table, between which it is linear. */
const KNOTS = 4097

/** Two functions of a time on [0, 1]. */
export type OfTime = (time: number) => readonly [number, number]

/** The table of two functions, as a task's table. */
export function tableOfTime(at: OfTime): Float32Array {
  const table = new Float32Array(KNOTS * PATH_COLUMNS)
  for (let k = 0; k < KNOTS; k++) {
    const [first, second] = at(k / (KNOTS - 1))
    table.set([first, 0, second, 0], k * PATH_COLUMNS)
  }
  return table
}

/** What every draw of a step has in common: the same row has the same time in all of them. */
export const drawnBy = ({ seed, stream }: Pick<StepContext, 'seed' | 'stream'>) =>
  ({
    ...seedWords(seed),
    ...cleanLeft,
    stream,
    decay: 0,
    spread: 1,
    path: 'table',
    timesPerPair: 1,
    drop: 0,
    values: 'floats',
    mirror: 0,
  }) as const

/** Times of rows, uniform, and a table's two functions of them: columns [B]. */
export function addOfTime(
  builder: ProgramBuilder,
  on: Pick<StepContext, 'seed' | 'stream' | 'batch' | 'state'>,
  table: ProgramTensor,
): { t: ProgramTensor; first: ProgramTensor; second: ProgramTensor } {
  const B = on.batch
  const t = builder.temporary([B])
  const [first, second] = [builder.temporary([B, 1]), builder.temporary([B, 1])]
  // a path from the number 1, without an end that it leads to
  builder.add(
    drawBatch,
    {
      pool: builder.constant([1], [1, 1]),
      state: on.state,
      path_table: builder.view(table, [KNOTS, PATH_COLUMNS]),
      x: first,
      t,
      target: second,
    },
    { ...drawnBy(on), pairing: 'none', sampling: 'replacement' },
  )
  return { t, first: builder.view(first, [B]), second: builder.view(second, [B]) }
}

/** y + factor·h ⊙ values: y and values [B, D], h [B] a factor of each row. */
export function addScaled(
  builder: ProgramBuilder,
  y: ProgramTensor,
  factor: number,
  h: ProgramTensor,
  values: ProgramTensor,
): ProgramTensor {
  const out = builder.temporary(y.shape)
  builder.add(
    adaptiveStage,
    {
      y,
      stages: builder.view(values, [1, size(values.shape)]),
      t: h,
      h,
      out,
      stage_time: builder.temporary(h.shape),
    },
    { coefficients: [factor], node: 0 },
  )
  return out
}

/** What rows are told [B, C], where they are, and behind it a second time [B, 1]. */
export function besideTold(
  builder: ProgramBuilder,
  told: ProgramTensor | undefined,
  second: ProgramTensor,
): ProgramTensor {
  if (!told) return second
  const [B, C] = told.shape
  const y = builder.temporary([B, C + 1])
  builder.add(inputFeatures, { x: told, condition: second, y }, {})
  return y
}
