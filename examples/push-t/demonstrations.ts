/**
 * Demonstrations of Push-T: episodes of the expert, made once and kept in a file. While it acts its hand trembles, so that what it
 * does about small errors is in the data too; what is kept is what it meant to do. A share of the episodes begins near the goal, where
 * most of the exact work is done.
 */

import { mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs'
import { dirname } from 'node:path'
import { Expert } from './expert.js'
import type { Point, Pose } from './geometry.js'
import { coverage, episodeSteps, goal, PushT, type State, start, uniforms } from './world.js'

/** A state and the target that the expert chose in it. */
export interface Act extends State {
  readonly target: Point
}
export type Episode = readonly Act[]

/** covered share at which the expert is content: beyond what is asked, so that those who learn from it may err */
const content = 0.975
/** share of the episodes that begin near the goal */
const near = 0.3

/** A start whose block is near the goal. */
export function startNear(seed: number): State {
  const random = uniforms(seed)
  const offset = (most: number): number => most * (2 * random() - 1)
  const block: Pose = { x: goal.x + offset(40), y: goal.y + offset(40), angle: goal.angle + offset(0.6) }
  return { agent: [50 + 400 * random(), 50 + 400 * random()], block }
}

/** An episode of the expert until it is content, or the time is over. */
export function demonstrate(seed: number): Episode {
  const random = uniforms(2 ** 20 + seed)
  const world = new PushT(random() < near ? startNear(seed) : start(seed))
  const expert = new Expert(seed)
  const tremor = 5 * random()
  const acts: Act[] = []
  while (acts.length < episodeSteps && coverage(world.block) <= content) {
    const { agent, block } = world
    const target = expert.act({ agent, block })
    acts.push({ agent, block, target })
    const turn = 2 * Math.PI * random()
    const far = tremor * Math.sqrt(-2 * Math.log(random()))
    world.step([target[0] + far * Math.cos(turn), target[1] + far * Math.sin(turn)])
  }
  return acts
}

const columns = 8

/** Episodes of a file that `demonstrations` wrote; null where there is none. */
function kept(path: string): Act[][] | null {
  let bytes: Buffer
  try {
    bytes = readFileSync(path)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null
    throw error
  }
  const episodes: Act[][] = []
  const numbers = new Float64Array(Math.floor(bytes.length / 8))
  Buffer.from(numbers.buffer).set(bytes.subarray(0, numbers.byteLength))
  const isWhole = bytes.length > 0 && bytes.length % (8 * columns) === 0 && numbers.every(Number.isFinite)
  if (!isWhole) throw new Error(`${path} is damaged, or holds no demonstrations: remove it, and they are made anew.`)
  for (let i = 0; i < numbers.length; i += columns) {
    const [episode, ax, ay, x, y, angle, tx, ty] = numbers.subarray(i, i + columns)
    episodes[episode] ??= []
    episodes[episode].push({ agent: [ax, ay], block: { x, y, angle }, target: [tx, ty] })
  }
  return episodes
}

/** The first n episodes of the expert: from the file, which is made where it is not there or holds fewer. */
export function demonstrations(n: number, path: string): Episode[] {
  const before = kept(path)
  if (before && before.length >= n) return before.slice(0, n)
  const episodes = Array.from({ length: n }, (_, seed) => demonstrate(seed))
  const rows = episodes.flatMap((acts, episode) =>
    acts.flatMap(({ agent, block, target }) => [episode, ...agent, block.x, block.y, block.angle, ...target]),
  )
  mkdirSync(dirname(path), { recursive: true })
  writeFileSync(`${path}.tmp`, new Uint8Array(Float64Array.from(rows).buffer))
  renameSync(`${path}.tmp`, path)
  return episodes
}
