/**
 * What is trained, as data: groups of settings, each a list of what `lfm train bench/quality/reference.yaml` is told by `--set`
 * beyond picture and seed. All have the same budget: 12 000 steps of 2000 rows in all.
 *
 * `reference` repeats the paper's comparison on the test part. `search` is everything that was tried, on the validation
 * part of one seed. `best` are the settings that the search chose, on both parts.
 */

import type { Part } from './results.js'
import { search } from './search.js'
import { beta, finer, four, octaves, plain, push, rate3, rate6, type Setting, trig, width } from './words.js'

export interface Group {
  readonly title: string
  readonly parts: readonly Part[]
  readonly seeds: readonly number[]
  readonly settings: readonly Setting[]
  /** what was tried: its table is of settings and what they gave, and not of costs */
  readonly search?: boolean
}

/** The same method with one network, with networks of its width for each sub-flow, and with its parameters shared by all of them. */
export interface Comparison {
  readonly label: string
  readonly group: string
  readonly plain: string
  readonly equalWidth: string
  readonly equalParameters: string
}

export const comparisons: readonly Comparison[] = [
  {
    label: 'reference setting, linear',
    group: 'reference',
    plain: 'plain-linear',
    equalWidth: 'six-linear',
    equalParameters: 'six-linear-103',
  },
  {
    label: 'with Fourier features',
    group: 'reference',
    plain: 'plain-fourier',
    equalWidth: 'six-fourier',
    equalParameters: 'six-fourier-100',
  },
  { label: 'chosen settings', group: 'best', plain: 'plain-256', equalWidth: 'four-256', equalParameters: 'four-100' },
]

const seeds = [1103, 7, 42]
const chosenOctaves = { rose: [octaves(4)], tree: [octaves(5)] }

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
      { name: 'plain-fourier', label: 'plain flow matching, Fourier features', set: [plain, octaves(6), finer] },
      { name: 'six-fourier', label: 'Local Flow, six, Fourier features', set: [octaves(6)] },
      {
        name: 'six-fourier-100',
        label: 'Local Flow, six of width 100, Fourier features',
        set: [octaves(6), width(100)],
      },
    ],
  },
  search: { title: 'What was tried', parts: ['validation'], seeds: seeds.slice(0, 1), settings: search, search: true },
  best: {
    title: 'The settings that the search chose',
    parts: ['validation', 'test'],
    seeds,
    settings: [
      { name: 'four-256', label: 'Local Flow, four', set: [push, ...four, ...rate3], also: chosenOctaves },
      {
        name: 'plain-256',
        label: 'plain flow matching, trig, leaned to the data',
        set: [plain, trig, octaves(5), ...rate3, beta(0.5, 1), finer],
      },
      {
        name: 'four-100',
        label: 'Local Flow, four of width 100',
        set: [push, width(100), ...four, ...rate6],
        also: chosenOctaves,
      },
    ],
  },
}
