/**
 * Does a model give back its training rows? Each sample's nearest training row is compared with its nearest row of a held-out
 * set of the same size and distribution. A model that learnt the distribution is as often nearer to the one as to the other;
 * one that copies is nearer to its training rows (the comparison of Meehan, Chaudhuri and Dasgupta 2020, with the held-out set
 * in both places).
 */

import { permutation } from '../random/stream.js'
import { pick } from './floor.js'
import { nearestDistances } from './nearest.js'
import { type Rows, rowCount } from './rows.js'

/** How near samples are to the rows that were learnt from, beside rows that were not. */
export interface Memorising {
  /** Euclidean distance of each sample to the nearest training row, [samples] */
  toTraining: Float64Array
  /** and to the nearest held-out row */
  toHeldOut: Float64Array
  /** share of samples that are nearer to training rows, ties by halves: ½ where nothing is memorised, 1 where all is */
  nearerToTraining: number
  /** that share's distance from ½ in standard errors of fair coins, 1/(2 √samples) */
  z: number
  /** samples that are training rows, number for number */
  copies: number
  /** rows of either set that were searched: the larger set is thinned to the smaller one's size */
  rows: number
}

/**
 * Nearest-neighbour distances to training and to held-out rows, all [·, d]; for pictures, give features or bytes.
 *
 * @param seed of the thinning; default 0
 * @throws InvalidArgumentError for no rows or rows of another width, DataError for values that are not finite
 */
export async function memorising(
  samples: Rows,
  training: Rows,
  heldOut: Rows,
  d: number,
  { seed = 0 }: { seed?: number } = {},
): Promise<Memorising> {
  const n = rowCount('the samples', samples, d)
  const rows = Math.min(rowCount('the training rows', training, d), rowCount('the held-out rows', heldOut, d))
  const thinned = (set: Rows): Rows =>
    set.length === rows * d ? set : pick(set, permutation(set.length / d, seed).subarray(0, rows), d)
  const toTraining = await nearestDistances(samples, thinned(training), d)
  const toHeldOut = await nearestDistances(samples, thinned(heldOut), d)
  let nearer = 0
  let copies = 0
  for (let i = 0; i < n; i++) {
    nearer += toTraining[i] < toHeldOut[i] ? 1 : toTraining[i] === toHeldOut[i] ? 0.5 : 0
    if (toTraining[i] === 0) copies++
  }
  const nearerToTraining = nearer / n
  return { toTraining, toHeldOut, nearerToTraining, z: (nearerToTraining - 0.5) * 2 * Math.sqrt(n), copies, rows }
}
