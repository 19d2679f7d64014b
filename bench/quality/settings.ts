/**
 * What is trained, as data: groups of settings, each a list of what `lfm train bench/quality/reference.yaml` is told by `--set`
 * beyond picture and seed. All have the same budget: 12 000 steps of 2000 rows in all.
 *
 * `reference` repeats the paper's comparison on the test part. `search` is everything that was tried, on the validation
 * part of one seed. `best` are the settings that the search chose, on both parts.
 */

import type { Part, Picture } from './results.js'

export interface Setting {
  /** of the run, as a filter names it */
  readonly name: string
  /** what it is, for the tables */
  readonly label: string
  readonly set: readonly string[]
  /** default: both */
  readonly pictures?: readonly Picture[]
}

export interface Group {
  readonly title: string
  readonly parts: readonly Part[]
  readonly seeds: readonly number[]
  readonly settings: readonly Setting[]
  /** what was tried: its table is of settings and what they gave, and not of costs */
  readonly search?: boolean
}

const seeds = [1103, 7, 42]

/** sin and cos of x·(π/4)·2^k for k below `count`: the longest has the width of the picture, 8, as its period. */
export const octaves = (count: number): string =>
  `model.fourier=[${Array.from({ length: count }, (_, k) => ((Math.PI / 4) * 2 ** k).toFixed(6)).join(', ')}]`

const plain = 'flow.plain=true'
const trig = 'flow.interpolant=trig'
const width = (columns: number): string => `model.hidden=[${columns}, ${columns}, ${columns}]`

export const groups: Readonly<Record<string, Group>> = {
  reference: {
    title: 'The reference setting',
    parts: ['test'],
    seeds,
    settings: [
      { name: 'plain-linear', label: 'plain flow matching, linear', set: [plain] },
      { name: 'six-linear', label: 'Local Flow, six, linear', set: [] },
      { name: 'plain-trig', label: 'plain flow matching, trig', set: [plain, trig] },
      { name: 'six-trig', label: 'Local Flow, six, trig', set: [trig] },
      { name: 'six-linear-103', label: 'Local Flow, six of width 103, linear', set: [width(103)] },
      { name: 'plain-fourier', label: 'plain flow matching, Fourier features', set: [plain, octaves(6)] },
      { name: 'six-fourier', label: 'Local Flow, six, Fourier features', set: [octaves(6)] },
      {
        name: 'six-fourier-100',
        label: 'Local Flow, six of width 100, Fourier features',
        set: [octaves(6), width(100)],
      },
    ],
  },
}
