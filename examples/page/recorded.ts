/** The recording that the page carries: one seed, computed where the page was built. */

import { type Files, packStates, unpackStates } from './pack.js'
import { borderTimes, lineOf, type Path, smoothTimes } from './path.js'
import { evaluationChoices, FIRST_SEED, type Source } from './source.js'

/** Points of a recording. */
export const RECORDED_POINTS = 3000

/**
 * Writes what a source shows at first into files, `recording/…`.
 * @param data rows that the page shows beside samples
 * @param score log-likelihoods of points under the chain
 */
export async function record(
  source: Source,
  data: Float32Array,
  score: (points: Float32Array) => Promise<Float32Array>,
): Promise<Map<string, Uint8Array<ArrayBuffer>>> {
  const smooth = await source.smooth(FIRST_SEED)
  const scores = Float32Array.from(await score(smooth.states[smooth.states.length - 1]))
  const of = async (make: (evaluations: number) => Promise<Float32Array>): Promise<Float32Array[]> => {
    const lists: Float32Array[] = []
    for (const evaluations of evaluationChoices) lists.push(await make(evaluations))
    return lists
  }
  return new Map([
    ['recording/smooth', packStates(smooth.states)],
    ['recording/chain', packStates(await of(async (E) => (await source.sampled(FIRST_SEED, E)).states.at(-1)!))],
    ['recording/plain', packStates(await of((E) => source.plain(FIRST_SEED, E)))],
    ['recording/student', packStates([await source.student(FIRST_SEED)])],
    ['recording/scores', new Uint8Array(scores.buffer)],
    ['recording/data', packStates([data])],
  ])
}

/** Rows of the data that the page carries. */
export const dataOf = (files: Files): Float32Array => unpackStates(files.get('recording/data')!, 1)[0]

export function recordedSource(files: Files, N: number): Source {
  const lists = (name: string, n: number): Float32Array[] => unpackStates(files.get(`recording/${name}`)!, n)
  const times = smoothTimes(N)
  const smooth: Path = { times, states: lists('smooth', times.length) }
  const [chain, plain] = [lists('chain', evaluationChoices.length), lists('plain', evaluationChoices.length)]
  const [student] = lists('student', 1)
  const scores = new Float32Array(files.get('recording/scores')!.slice().buffer)
  const ends = smooth.states[times.length - 1]
  const choice = (evaluations: number): number => (evaluationChoices as readonly number[]).indexOf(evaluations)
  return {
    live: false,
    points: student.length / 2,
    N,
    smooth: async () => smooth,
    sampled: async (_, evaluations) => {
      const [start, end] = [borderTimes(N)[0], 0]
      return { times: [start, end], states: [smooth.states[0], chain[choice(evaluations)]] }
    },
    plain: async (_, evaluations) => plain[choice(evaluations)],
    student: async () => student,
    async score([x, y]) {
      const nearest = nearestOf(ends, x, y)
      return { logProb: scores[nearest], line: lineOf(smooth, nearest) }
    },
  }
}

/** Number of the point nearest to a place. */
export function nearestOf(points: Float32Array, x: number, y: number): number {
  let [nearest, least] = [0, Infinity]
  for (let i = 0; i < points.length / 2; i++) {
    const distance = (points[2 * i] - x) ** 2 + (points[2 * i + 1] - y) ** 2
    if (distance < least) [nearest, least] = [i, distance]
  }
  return nearest
}
