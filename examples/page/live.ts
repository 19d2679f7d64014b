/** The models on a GPU. The same in Node, where the recording is made, and in the page: what it needs both have. */

import { draw, normals, seedWords } from '../../src/kernels/draws.js'
import type { Flow } from '../../src/model/flow.js'
import { borderTimes, type Path, smoothTimes } from './path.js'
import type { Source } from './source.js'

export interface Models {
  readonly chain: Flow
  readonly plain: Flow
  readonly student: Flow
}

/** The solver of samples: two-step Adams–Bashforth, even in the chain's angle. */
const sampler = { solver: 'ab2', clock: 'angle' } as const
/** That of smooth paths and likelihoods, which go through parts of sub-flows. */
const fine = { solver: 'midpoint', clock: 'local' } as const
/** Steps through a sub-flow of a smooth path: one for each of its parts. */
const FINE_STEPS = 8

/** The noise that samples of a seed begin from, [n, 2]. */
export const noiseOf = (seed: number, n: number): Float32Array => {
  const attributes = { ...seedWords(seed), stream: 0 }
  return Float32Array.from({ length: 2 * n }, (_, i) => normals(draw(attributes, 'latent', i >> 1, 0, 0))[i & 1])
}

/** A flow's samples on a smooth path from the noise of a seed. */
export async function smoothPath(flow: Flow, seed: number, n: number): Promise<Path> {
  const times = smoothTimes(flow.stages.length)
  return through(
    await flow.trajectory({ values: noiseOf(seed, n), shape: [n, 2] }, { times, ...fine, steps: FINE_STEPS }),
  )
}

const through = ({ times, states }: Awaited<ReturnType<Flow['trajectory']>>): Path => ({
  times,
  states: states.map(({ values }) => Float32Array.from(values)),
})

export function liveSource({ chain, plain, student }: Models, points: number): Source {
  const N = chain.stages.length
  const start = (seed: number) => ({ values: noiseOf(seed, points), shape: [points, 2] })
  return {
    live: true,
    points,
    N,
    smooth: (seed) => smoothPath(chain, seed, points),
    sampled: async (seed, evaluations) =>
      through(await chain.trajectory(start(seed), { times: borderTimes(N), ...sampler, evaluations })),
    plain: async (seed, evaluations) =>
      Float32Array.from((await plain.sample(points, { seed, ...sampler, evaluations })).values),
    student: async (seed) => Float32Array.from((await student.sample(points, { seed })).values),
    async score([x, y]) {
      const place = { values: Float32Array.of(x, y), shape: [1, 2] }
      const [logProb] = await chain.logProb(place)
      const { states } = await chain.trajectory(place, {
        direction: 'encode',
        times: smoothTimes(N),
        ...fine,
        steps: FINE_STEPS,
      })
      return { logProb, line: states.map(({ values }) => [values[0], values[1]] as const).reverse() }
    },
  }
}
