/**
 * Points on their way through a chain. A *path* is the states of all points at chain times, which fall from N (noise) to 0 (the
 * data); sub-flow n lies between n − 1 and n.
 */

export interface Path {
  /** falling, from N to 0 */
  readonly times: readonly number[]
  /** of each time, [points, 2] */
  readonly states: readonly Float32Array[]
}

/** How many parts a sub-flow's time is cut into where a path is to look smooth. */
const PARTS = 8

/** Chain times of a smooth path through N sub-flows. */
export const smoothTimes = (N: number): number[] => Array.from({ length: N * PARTS + 1 }, (_, i) => N - i / PARTS)

/** Chain times of the borders between N sub-flows. */
export const borderTimes = (N: number): number[] => Array.from({ length: N + 1 }, (_, i) => N - i)

/** Which times lie around a time: states k and k + 1, and how far it is from the first to the second. */
function around(times: readonly number[], time: number): { k: number; share: number } {
  const next = times.findIndex((other) => other <= time)
  const k = Math.max(0, (next < 0 ? times.length - 1 : next) - 1)
  const share = (times[k] - time) / (times[k] - times[k + 1])
  return { k, share: Math.min(1, Math.max(0, share)) }
}

/** Where the points are at a time, written into `into`; between two states they go straight. */
export function statesAt({ times, states }: Path, time: number, into: Float32Array): Float32Array {
  const { k, share } = around(times, time)
  const [from, to] = [states[k], states[k + 1]]
  for (let i = 0; i < into.length; i++) into[i] = from[i] + share * (to[i] - from[i])
  return into
}

/**
 * A smooth path moved so that it meets the states that a sampler of few evaluations has at its own times: in between, the
 * distance between the two changes evenly.
 */
export function movedTo(smooth: Path, sampler: Path): Path {
  const there = new Float32Array(smooth.states[0].length)
  const distances = sampler.times.map((time, k) => {
    statesAt(smooth, time, there)
    return sampler.states[k].map((x, i) => x - there[i])
  })
  const distance: Path = { times: sampler.times, states: distances }
  const states = smooth.times.map((time, k) => {
    statesAt(distance, time, there)
    return smooth.states[k].map((x, i) => x + there[i])
  })
  return { times: smooth.times, states }
}

/** One point's positions along a path. */
export const lineOf = ({ states }: Path, point: number): [number, number][] =>
  states.map((state) => [state[2 * point], state[2 * point + 1]])
