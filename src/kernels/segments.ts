/**
 * Rows of mixed columns: D numbers in S segments, one after another. A segment of one number is a *number*, which the network
 * predicts as it is; a longer one is a *category* of so many levels, of which the network predicts logits. In the rows of the
 * data level k of a category is the number scale_k·([it is k] − centre_k), so that probabilities p stand for scale·(p − centre) and
 * numbers of a row for the probabilities number/scale + centre.
 *
 * Operands of every kernel on them: `encoding` [2, D], scale and centre of each column (those of numbers are not read), and
 * `starts` [S + 1], the first column of each segment and D: whole numbers, as floats, so that programs hold them as constants.
 */

import { expectShape, extents, type ReferenceTensor, type Shapes } from './contract.js'

/** How D columns lie together, as plain data. */
export interface SegmentTables {
  /** [S + 1], the first column of each segment and D */
  readonly starts: readonly number[]
  /** [D] */
  readonly scale: readonly number[]
  /** [D] */
  readonly centre: readonly number[]
  /** [S], the column by whose probability each segment is weighed in a loss (segment_loss.ts); D: none */
  readonly gates: readonly number[]
  /** [D], the column of the table that each number is of: those of one are given together, or not */
  readonly columns: readonly number[]
}

export const segmentOperands = {
  encoding: { access: 'read' }, // [2, D]
  starts: { access: 'read' }, // [S + 1]
} as const

/** Asserts the shapes of `encoding` and `starts` for D columns; returns S. */
export function expectSegments(kernel: string, shapes: Shapes, D: number): number {
  expectShape(kernel, 'encoding', shapes.encoding, [2, D])
  const [bounds] = extents(kernel, 'starts', shapes.starts, 1)
  const S = Math.max(1, bounds - 1)
  expectShape(kernel, 'starts', shapes.starts, [S + 1])
  return S
}

/** First column and end of each segment; nothing beyond D, whatever `starts` holds. */
export function segmentsOf({ data }: ReferenceTensor, D: number): { first: number; end: number }[] {
  const column = (number: number): number => (number > 0 ? Math.min(D, Math.floor(number)) : 0)
  return Array.from({ length: data.length - 1 }, (_, s) => ({ first: column(data[s]), end: column(data[s + 1]) }))
}

/** log Σ exp of some numbers of a row. */
export function logSumExp(data: ArrayLike<number>, first: number, end: number): number {
  let top = Number.NEGATIVE_INFINITY
  for (let i = first; i < end; i++) top = Math.max(top, data[i])
  let sum = 0
  for (let i = first; i < end; i++) sum += Math.exp(data[i] - top)
  return top + Math.log(sum)
}
