/** The files that samples of a run can be written to block by block, and how large their blocks are. */

import { type BlockFormat, blockFormats } from '../data/block-formats.js'
import { type Run, rowKindOf } from '../run/run.js'

/** Formats of a run's samples. */
export const formatsOf = (run: Run): readonly BlockFormat[] =>
  run.extra.encoding ? ['csv', 'parquet'] : rowKindOf(run) === 'pictures' ? ['npy'] : blockFormats

/** Rows of a row group, or of a part, and the values that they have at most. */
const [PART_ROWS, PART_VALUES] = [2 ** 17, 2 ** 22]

/** Rows of a row group or a part where nothing else is said. @param width numbers of a row */
export const usualPartRows = (width: number): number => Math.min(PART_ROWS, Math.ceil(PART_VALUES / width))
