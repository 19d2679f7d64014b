/** What a call of a model may say, and what it gives. */

import type { RowValues } from '../data/tensor.js'
import type { SolverOverrides } from '../ode/solver.js'
import type { ConditionOptions } from './condition.js'

/** Rows in the model's own units, row-major. */
export interface Latents {
  /** one row after another */
  readonly values: Float32Array
  /** [n, …dims] */
  readonly shape: number[]
}

/** Rows in the units of the data, row-major. */
export interface Samples {
  /** one row after another; a Float64Array where float32 would merge values of the data, as it does with unix times (src/data/precision.ts) */
  readonly values: RowValues
  /** [n, …dims] */
  readonly shape: number[]
}

/** How a call carries rows: the solver's settings override those of the config. */
export interface CarryOptions extends SolverOverrides, ConditionOptions {
  /**
   * weight w of classifier-free guidance, v = v_∅ + w (v_c − v_∅), or one for each sub-flow from the data's side; 1 is no
   * guidance, 0 no condition. A guided evaluation counts two. Default 1
   */
  guidance?: number | readonly number[]
  /** aborting stops between blocks of rows, and rejects with signal.reason */
  signal?: AbortSignal
  /** rows done so far */
  onProgress?: (rows: number) => void
}

/** How samples are drawn. */
export interface SampleOptions extends CarryOptions {
  /** default: the seed of the config; sample i depends on the seed and i alone */
  seed?: number
  /** number of the first sample, so that ranges of one sequence can be drawn apart; default 0 */
  first?: number
}

/** How samples are drawn block by block. */
export interface SampleBlocksOptions extends SampleOptions {
  /** samples of a block; default: about 2²² values */
  block?: number
  /** how many of the n samples, from the first on, are left out because they are there already; default 0 */
  skip?: number
}

/** How likelihoods are computed. */
export interface LogProbOptions extends CarryOptions {
  /** default 'exact' */
  trace?: 'exact' | 'hutchinson'
  /** probes of Hutchinson's estimator for each row */
  probes?: number
  /** seed of the probes; default: the config's */
  seed?: number
  /** number of the first row, by which probes are drawn: so that rows can be scored in blocks; default 0 */
  first?: number
}

/** Which states along the chain are returned. */
export interface TrajectoryOptions extends CarryOptions {
  /**
   * Chain times to return: 0 is the data, N the noise, sub-flow n lies between n − 1 and n. Default: 0, 1, … N in the order
   * of travel.
   */
  times?: readonly number[]
  /** 'decode' (default) starts from noise at N, 'encode' from data at 0 */
  direction?: 'decode' | 'encode'
}
