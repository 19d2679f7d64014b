/** What a head for mixed columns knows of a table's encoding: which of its numbers are the levels of a choice, and how they are scaled. */

import type { OpenEncoding } from './encoding.js'

/** D numbers of a row in S segments: one of length 1 is a number, a longer one the levels of a choice. */
export interface ChoiceTables {
  /** [S + 1], the first column of each segment, and D */
  readonly starts: number[]
  /** [D] level k is scale_k·([it is k] − centre_k); 1 of numbers */
  readonly scale: number[]
  /** [D]; 0 of numbers */
  readonly centre: number[]
  /** [S] the column of the level that says that a segment has a value; D: it always has */
  readonly gates: number[]
  /** [D] the column of the table that each number is of */
  readonly columns: number[]
}

/** The digits of a code are numbers each. */
export function choiceTables({
  segments,
  width,
  places,
}: Pick<OpenEncoding, 'segments' | 'width' | 'places'>): ChoiceTables {
  const columns = places.flatMap((place, j) => new Array<number>(place.width).fill(j))
  const tables: ChoiceTables = { starts: [], scale: [], centre: [], gates: [], columns }
  for (const { at, width: own, levels, state } of segments) {
    const parts = levels ? [at] : Array.from({ length: own }, (_, i) => at + i)
    tables.starts.push(...parts)
    tables.gates.push(...parts.map(() => state ?? width))
    for (let k = 0; k < own; k++) {
      tables.scale.push(levels?.scale ?? 1)
      tables.centre.push(levels?.shares[k] ?? 0)
    }
  }
  tables.starts.push(width)
  return tables
}
