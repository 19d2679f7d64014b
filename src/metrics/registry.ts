/**
 * The distances between samples and rows of the data that runs are measured and compared by, a row each. Configs, tables and
 * test/metrics/registry.test.ts follow from it. A new one is a file beside this and a row here.
 */

import type { RowKind } from '../data/kinds.js'
import { energyDistance } from './energy.js'
import { fid } from './frechet.js'
import type { Rows } from './rows.js'
import { slicedWasserstein } from './sliced.js'
import { classifierTwoSample } from './two-sample.js'

export interface Distance {
  /** what tables and curves call it; smaller is nearer */
  readonly title: string
  readonly description: string
  /** kinds of rows that it is for: of points their values, of pictures their features */
  readonly of: readonly RowKind[]
  /** @param samples [n, d] @param reference [m, d], all finite */
  measure(samples: Rows, reference: Rows, d: number): number | Promise<number>
}

export const distances = {
  sliced: {
    title: 'sliced W2',
    description: 'the sliced Wasserstein distance of order 2',
    of: ['points'],
    measure: slicedWasserstein,
  },
  energy: {
    title: 'energy distance',
    description: 'the energy distance',
    of: ['points', 'pictures'],
    measure: energyDistance,
  },
  classifier: {
    title: 'two-sample accuracy',
    description: 'the accuracy of a classifier that tells samples from data, ½ where it cannot',
    of: ['points'],
    measure: async (samples, reference, d) => (await classifierTwoSample(samples, reference, d)).accuracy,
  },
  fid: {
    title: 'FID',
    description: 'the Fréchet distance of features',
    of: ['pictures'],
    measure: fid,
  },
} as const satisfies Record<string, Distance>

export type DistanceName = keyof typeof distances
export const distanceNames = Object.keys(distances) as [DistanceName, ...DistanceName[]]

/** What a kind of rows is measured by where nothing else is asked for. */
export const usualDistance = { points: 'sliced', pictures: 'fid' } as const satisfies Record<RowKind, DistanceName>
