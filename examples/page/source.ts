/** Where the page's pictures come from: a recording, or the models on this browser's GPU. */

import type { Path } from './path.js'

/** Evaluations that can be chosen. Four is the least: a step through each sub-flow. */
export const evaluationChoices = [4, 6, 8, 12, 16, 24, 32, 64] as const

/** Evaluations of the student, always: one for each of its maps. */
export const STUDENT_EVALUATIONS = 4

/** What is shown at first, and all that a recording has. */
export const FIRST_SEED = 7

/** A place with its likelihood and its way between noise and data. */
export interface Scored {
  /** nats */
  readonly logProb: number
  readonly line: readonly (readonly [number, number])[]
}

export interface Source {
  /** whether another seed, and any place, can be asked for */
  readonly live: boolean
  /** how many points it shows */
  readonly points: number
  /** sub-flows of the chain */
  readonly N: number
  /** the chain's samples on a smooth path */
  smooth(seed: number): Promise<Path>
  /** the chain's samples at times that the sampler of so many evaluations has exactly, the data among them */
  sampled(seed: number, evaluations: number): Promise<Path>
  /** samples of plain flow matching, [points, 2] */
  plain(seed: number, evaluations: number): Promise<Float32Array>
  /** samples of the student, [points, 2] */
  student(seed: number): Promise<Float32Array>
  /** the log-likelihood of a place among the data under the chain, and its way to noise */
  score(place: readonly [number, number]): Promise<Scored>
}
