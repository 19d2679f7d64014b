/**
 * Distributions that rows can be drawn from without end. A `Sampler` only draws; a `Density` also knows its log density
 * exactly, so a trained model can be held against the truth: its entropy is the floor of the negative log-likelihood,
 * and mean(log p − log q) over the same points is the divergence KL(p‖q).
 */

import { InvalidArgumentError, invalid } from '../errors.js'
import { streams } from '../random/stream.js'

/** What rows can be drawn from without end. */
export interface Sampler {
  /** The number of values in a row. */
  readonly dimension: number
  /**
   * n independent rows, [n, dimension] in row-major order. Row i depends on (seed, stream, i) alone.
   *
   * @param seed whole number from 0 to 2^53 − 1
   * @param stream which independent sequence of the seed; default 0
   */
  sample(n: number, seed: number, stream?: number): Float32Array
}

/** How an entropy is estimated, where there is no closed form. */
export interface EntropyOptions {
  /** Fresh points for an estimate; default 400 000. */
  n?: number
  /** Seed of these points; default 0. */
  seed?: number
}

/** In nats. The standard error is 0 where the entropy is known in closed form. */
export interface Entropy {
  /** −E log p */
  mean: number
  /** of the mean */
  standardError: number
}

/** A sampler whose log density is known: a trained model can be held against the truth. */
export interface Density extends Sampler {
  /** log p of each row of x, [n, dimension], in nats; −Infinity outside the support. */
  logDensity(x: Float32Array): Float64Array
  /** −E log p in nats: in closed form, else estimated on fresh points. */
  entropy(options?: EntropyOptions): Entropy
  /** Variances along the principal axes, [dimension], of a Gaussian; others leave it out. */
  principalVariances?(): number[]
}

/** Whether the log density of a sampler is known. */
export const isDensity = (sampler: Sampler): sampler is Density => 'logDensity' in sampler

/** The number of rows in x; throws InvalidArgumentError where x holds no whole number of rows. */
export function rowCount(x: Float32Array, dimension: number): number {
  if (x.length % dimension !== 0) {
    throw new InvalidArgumentError(`x must hold rows of ${dimension} values, but has ${x.length} values.`)
  }
  return x.length / dimension
}

/** Throws InvalidArgumentError unless n is a number of rows: a whole number of at least 1. */
export function checkRows(n: number): void {
  if (!Number.isSafeInteger(n) || n < 1) throw invalid('n', 'a whole number of rows, at least 1', n)
}

/** The entropy −E log p, estimated by the mean over fresh points of the density itself. */
export function estimateEntropy(density: Density, { n = 400_000, seed = 0 }: EntropyOptions = {}): Entropy {
  checkRows(n)
  const logDensity = density.logDensity(density.sample(n, seed, streams.entropy))
  let mean = 0
  let squares = 0
  for (let i = 0; i < n; i++) {
    const difference = -logDensity[i] - mean
    mean += difference / (i + 1)
    squares += difference * (-logDensity[i] - mean)
  }
  return { mean, standardError: Math.sqrt(squares / Math.max(n - 1, 1) / n) }
}
