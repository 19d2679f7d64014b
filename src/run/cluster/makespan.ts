/**
 * How long jobs take in all, from the seconds that each works: slots take the first job of the list that may begin, as a Slurm
 * array does. A job whose time limit is shorter than its work goes in pieces, each queued again after the last; a node may be
 * lost, which costs what was done since the last checkpoint, and the way back.
 */

import { invalid } from '../../errors.js'

/** What a cluster does with a job; all times in seconds. */
export interface ClusterTerms {
  /** from being called to working: loading the program and the data */
  readonly start: number
  /** a job's time, at which it has been ended; Infinity: none */
  readonly limit: number
  /** before the limit, at which a job saves and ends */
  readonly warned: number
  /** from being taken away to being called again: Slurm waits for two minutes */
  readonly delay: number
  /** between two losses of the node that a slot is on, in the mean; Infinity: none is lost */
  readonly lostEvery: number
  /** of work between two checkpoints */
  readonly checkpointEvery: number
}

export const usualTerms: ClusterTerms = {
  start: 2,
  limit: Number.POSITIVE_INFINITY,
  warned: 90,
  delay: 120,
  lostEvery: Number.POSITIVE_INFINITY,
  checkpointEvery: 600,
}

export interface Makespan {
  /** from the first call to the last end */
  readonly seconds: number
  /** in which slots are at work, in all */
  readonly busy: number
  /** times that a job was called, but for losses */
  readonly calls: number
}

/**
 * Seconds that some work takes in the mean where nodes are lost at random times, independent of what was before: a stretch of c
 * seconds between checkpoints takes (1/λ + r)(exp λc − 1), with λ losses a second and r seconds until it is taken up again
 * (Daly, A higher order estimate of the optimum checkpoint interval for restart dumps, 2006, with no time for a checkpoint).
 */
export function withLosses(work: number, { lostEvery, checkpointEvery, delay, start }: ClusterTerms): number {
  if (lostEvery === Number.POSITIVE_INFINITY) return work
  const stretch = (c: number): number => (lostEvery + delay + start) * Math.expm1(c / lostEvery)
  const whole = Math.floor(work / checkpointEvery)
  return whole * stretch(checkpointEvery) + stretch(work - whole * checkpointEvery)
}

/**
 * The time of a list of jobs on so many slots, each loss of a node at its mean cost.
 * @param work seconds that each job works
 * @throws InvalidArgumentError where the limit leaves no time to work
 */
export function makespan(work: readonly number[], slots: number, terms: ClusterTerms = usualTerms): Makespan {
  const { start, limit, warned, delay } = terms
  const most = limit - warned - start
  if (most <= 0) throw invalid('the limit of a job', `more than ${warned + start} seconds (warning and start)`, limit)
  const free = new Array<number>(slots).fill(0)
  const waiting = work.map((left, i) => ({ i, left, from: 0 }))
  let [seconds, busy, calls] = [0, 0, 0]
  while (waiting.length > 0) {
    const slot = free.indexOf(Math.min(...free))
    const now = Math.max(free[slot], Math.min(...waiting.map(({ from }) => from)))
    const [next] = waiting.filter(({ from }) => from <= now).sort((a, b) => a.i - b.i)
    const piece = Math.min(next.left, most)
    const taken = start + withLosses(piece, terms)
    free[slot] = now + taken
    seconds = Math.max(seconds, free[slot])
    busy += taken
    calls++
    next.left -= piece
    next.from = free[slot] + delay
    if (next.left <= 0) waiting.splice(waiting.indexOf(next), 1)
  }
  return { seconds, busy, calls }
}
