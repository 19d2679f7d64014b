/**
 * A policy for Push-T: from what was seen in the last two steps to the next sixteen targets, of which eight are followed before it
 * looks again (receding horizon; Chi et al. 2023). Everything is seen from the block: a corner of it is then always at the same place,
 * and what is left to learn does not depend on how the block lies in the world.
 */

import type { LocalFlow, SampleOptions } from 'local-flow-matching'
import type { Episode } from './demonstrations.js'
import { type Point, type Pose, toBody, toWorld } from './geometry.js'
import { centre, episodeSteps, goal, PushT, type State } from './world.js'

/** steps that are seen, predicted and followed */
export const [seen, predicted, followed] = [2, 16, 8]
/** numbers of an observation */
export const observed = 11
/** numbers that a network is told of an observation: it, and waves of its places and of the angle, by which small steps are large */
const wavelengths = [200, 100, 50, 25]
/** numbers of a chunk of targets */
export const chunk = 2 * predicted

/** from the middle of the T's outline, for distances of a few units */
const scale = 100

/**
 * What is seen, [11], in the block's frame: the disc now and a step before, where the goal is and how it is turned, and how the block
 * has moved since.
 */
export function observe(now: State, before: State): number[] {
  const centreAt = (pose: Pose): Point => toBody(now.block, toWorld(pose, centre))
  const turnTo = ({ angle }: Pose): number => angle - now.block.angle
  const place = (point: Point): Point => [(point[0] - centre[0]) / scale, (point[1] - centre[1]) / scale]
  return [
    ...place(toBody(now.block, now.agent)),
    ...place(toBody(now.block, before.agent)),
    ...place(centreAt(goal)),
    Math.cos(turnTo(goal)),
    Math.sin(turnTo(goal)),
    ...place(centreAt(before.block)),
    Math.sin(turnTo(before.block)),
  ]
}

/** What a network is told of an observation: it, and waves of its places and its angle. */
export function embed(observation: readonly number[]): number[] {
  const [u, v, , , gu, gv, cosine, sine] = observation
  const waves = [u, v, gu, gv].flatMap((x) =>
    wavelengths.flatMap((length) => {
      const phase = (2 * Math.PI * scale * x) / length
      return [Math.sin(phase), Math.cos(phase)]
    }),
  )
  const angle = Math.atan2(sine, cosine)
  const turns = [2, 4, 8].flatMap((k) => [Math.sin(k * angle), Math.cos(k * angle)])
  return [...observation, ...waves, ...turns]
}

/** Targets relative to the disc, in the block's frame at the time of the observation; the last stands for those after the end. */
function targetsFrom(episode: Episode, at: number): number[] {
  const { agent, block } = episode[at]
  const [u, v] = toBody(block, agent)
  return Array.from({ length: predicted }, (_, k) => {
    const [x, y] = toBody(block, episode[Math.min(at + k, episode.length - 1)].target)
    return [x - u, y - v]
  }).flat()
}

/** What a policy learns from: for each step of each episode an observation and a chunk of actions in [−1, 1]. */
export interface Lessons {
  readonly observations: number[][]
  readonly actions: number[][]
  /** [32]: the actions are so many times what the targets are */
  readonly unit: readonly number[]
}

export function lessons(episodes: readonly Episode[]): Lessons {
  const steps = episodes.flatMap((episode) => episode.map((_, at) => ({ episode, at })))
  const observations = steps.map(({ episode, at }) => observe(episode[at], episode[Math.max(at - 1, 0)]))
  const targets = steps.map(({ episode, at }) => targetsFrom(episode, at))
  const unit = Array.from({ length: chunk }, (_, k) =>
    targets.reduce((most, row) => Math.max(most, Math.abs(row[k])), 1),
  )
  return { observations, actions: targets.map((row) => row.map((value, k) => value / unit[k])), unit }
}

/** Chunks of actions for observations: [n, 32] in [−1, 1]. */
export type Policy = (observations: readonly number[][], call: number) => Promise<ArrayLike<number>>

/** numbers of samples that a call has for itself: no more episodes go on at the same time */
const callSamples = 2 ** 16

/** Samples of a flow; every call has noise of its own. */
export const flowPolicy =
  (
    flow: LocalFlow,
    { evaluations, seed = 0, solver }: Pick<SampleOptions, 'evaluations' | 'seed' | 'solver'> = {},
  ): Policy =>
  async (observations, call) => {
    const first = call * callSamples
    const cond = observations.map(embed)
    return (await flow.sample(observations.length, { cond, evaluations, seed, solver, first })).values
  }

/** What came of an episode. */
export interface Outcome {
  readonly success: boolean
  readonly most: number
  readonly last: number
  readonly steps: number
  /** the states, the first before any step */
  readonly states: readonly State[]
}

/** Episodes from these starts, all at the same time, so that a call of the policy is of all that are not done. */
export async function episodes(policy: Policy, unit: readonly number[], starts: readonly State[]): Promise<Outcome[]> {
  const runs = starts.map((begin) => {
    const world = new PushT(begin)
    return { world, states: [world.state], most: 0, last: 0, done: false }
  })
  for (let call = 0; call * followed < episodeSteps; call++) {
    const going = runs.filter(({ done }) => !done)
    if (going.length === 0) break
    const looks = going.map(({ states }) => [states.at(-1)!, states.at(-2) ?? states[0]] as const)
    const chunks = await policy(
      looks.map(([now, before]) => observe(now, before)),
      call,
    )
    going.forEach((run, i) => {
      const [{ agent, block }] = looks[i]
      const [u, v] = toBody(block, agent)
      const steps = Math.min(followed, episodeSteps - call * followed)
      for (let k = 0; k < steps && !run.done; k++) {
        const at = i * chunk + 2 * k
        const target: Point = [u + chunks[at] * unit[2 * k], v + chunks[at + 1] * unit[2 * k + 1]]
        const { reward, done } = run.world.step(toWorld(block, target))
        run.states.push(run.world.state)
        run.most = Math.max(run.most, reward)
        run.last = reward
        run.done = done
      }
    })
  }
  return runs.map(({ done, most, last, states }) => ({ success: done, most, last, steps: states.length - 1, states }))
}

/** The chunk of the demonstration that was most like what is seen. */
export function nearestNeighbour({ observations, actions }: Lessons): Policy {
  const deviation = Array.from({ length: observed }, (_, d) => {
    const mean = observations.reduce((sum, row) => sum + row[d], 0) / observations.length
    return Math.sqrt(observations.reduce((sum, row) => sum + (row[d] - mean) ** 2, 0) / observations.length) || 1
  })
  return async (looks) =>
    looks.flatMap((look) => {
      let [nearest, at] = [Number.POSITIVE_INFINITY, 0]
      observations.forEach((row, i) => {
        let sum = 0
        for (let d = 0; d < observed && sum < nearest; d++) sum += ((row[d] - look[d]) / deviation[d]) ** 2
        if (sum < nearest) [nearest, at] = [sum, i]
      })
      return actions[at]
    })
}
