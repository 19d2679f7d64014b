/**
 * An expert for Push-T that knows the physics: of all places where the disc can touch the block it takes the one that brings the
 * block towards the goal at the greatest rate, way and push counted, goes there round the block, and pushes. It decides anew in every
 * step. How far the block is from the goal is E² = |d|² + I φ², d from centre of mass to centre of mass and φ between the angles; a
 * push with impulse λ along a normal n with lever r changes the pose by (λ n, λ r/I), so that E² falls by at most
 * (d·n + φ r)² / (1 + r²/I), at λ = (d·n + φ r)/(1 + r²/I).
 *
 * Episodes differ in taste: which faces are liked, and whether ways round the block are rather walked with the clock or against it.
 */

import { distanceTo, type Point, type Pose, type Rectangle, toBody, toWorld } from './geometry.js'
import { centre, goal, inertia, parts, radius, type State, size, uniforms } from './world.js'

/** A place of the outline, in the block's frame. */
interface Contact {
  readonly point: Point
  /** unit normal out of the block */
  readonly out: Point
  readonly face: number
  /** where the disc stands before it pushes */
  readonly before: Point
}

/** Faces of the T in its own frame: from, to, and the normal out of it. */
const faces: readonly (readonly [from: Point, to: Point, out: Point])[] = [
  [
    [-60, 0],
    [60, 0],
    [0, -1],
  ],
  [
    [60, 0],
    [60, 30],
    [1, 0],
  ],
  [
    [60, 30],
    [15, 30],
    [0, 1],
  ],
  [
    [15, 30],
    [15, 120],
    [1, 0],
  ],
  [
    [15, 120],
    [-15, 120],
    [0, 1],
  ],
  [
    [-15, 120],
    [-15, 30],
    [-1, 0],
  ],
  [
    [-15, 30],
    [-60, 30],
    [0, 1],
  ],
  [
    [-60, 30],
    [-60, 0],
    [-1, 0],
  ],
]
/** between two contacts of a face, and between a corner and the first */
const [spacing, inset] = [5, 4]
/** what the disc keeps between itself and the block on its way */
const clearance = 5
/** pixels of a step: on the way, and pushing */
const [walk, pushed] = [22, 10]
/** steps that a change of contact costs beside its way */
const change = 4
/** no target is further ahead of the disc */
const ahead = { walk: 60, push: 45 }

const along = ([x0, y0]: Point, [x1, y1]: Point, t: number): Point => [x0 + t * (x1 - x0), y0 + t * (y1 - y0)]
const length = ([x0, y0]: Point, [x1, y1]: Point): number => Math.hypot(x1 - x0, y1 - y0)
const clearOf = (point: Point): number => Math.min(...parts.map((part) => distanceTo(part, point)))

const contacts: readonly Contact[] = faces.flatMap(([from, to, out], face) => {
  const n = Math.floor((length(from, to) - 2 * inset) / spacing)
  return Array.from({ length: n + 1 }, (_, i): Contact => {
    const point = along(from, to, 0.5 + ((i - n / 2) * spacing) / length(from, to))
    const before: Point = [point[0] + (radius + clearance) * out[0], point[1] + (radius + clearance) * out[1]]
    return { point, out, face, before }
  }).filter(({ before }) => clearOf(before) >= radius + clearance - 1e-9)
})

/** Corners that ways bend at, with room for the disc. */
const room = radius + clearance + 0.5
const bends: readonly Point[] = [
  [-60 - room, -room],
  [60 + room, -room],
  [60 + room, 30 + room],
  [15 + room, 120 + room],
  [-15 - room, 120 + room],
  [-60 - room, 30 + room],
]

/** Least distance of a way from a rectangle, no less than it is where that is above `enough`. */
function distanceOfWay(rectangle: Rectangle, from: Point, to: Point): number {
  // the distance is convex along the way: a ternary search
  let [low, high] = [0, 1]
  for (let i = 0; i < 12; i++) {
    const [a, b] = [low + (high - low) / 3, high - (high - low) / 3]
    if (distanceTo(rectangle, along(from, to, a)) <= distanceTo(rectangle, along(from, to, b))) high = b
    else low = a
  }
  return distanceTo(rectangle, along(from, to, (low + high) / 2))
}
/** whether a disc that touches the block at most at its start gets there without touching it */
const isFree = (from: Point, to: Point): boolean =>
  parts.every((part) => distanceOfWay(part, from, to) >= Math.min(radius + clearance, distanceTo(part, from)) - 0.5)

const bendsFree = bends.map((from) => bends.map((to) => isFree(from, to)))
const contactFree = bends.map((from) => contacts.map(({ before }) => isFree(from, before)))

/** How the block is off the goal: its centre of mass, its angle in (−π, π], and E. */
export function offGoal(block: Pose): { dx: number; dy: number; turn: number; E: number } {
  const [[x, y], [gx, gy]] = [toWorld(block, centre), toWorld(goal, centre)]
  const turn = Math.atan2(Math.sin(goal.angle - block.angle), Math.cos(goal.angle - block.angle))
  const [dx, dy] = [gx - x, gy - y]
  return { dx, dy, turn, E: Math.sqrt(dx ** 2 + dy ** 2 + inertia * turn ** 2) }
}

export class Expert {
  readonly #liking: readonly number[]
  /** factors on ways that turn with the angle's sign, and against it */
  readonly #bias: readonly [number, number]

  /** @param seed of the episode's taste */
  constructor(seed: number) {
    const random = uniforms(seed)
    this.#liking = faces.map(() => 0.7 + 0.6 * random())
    this.#bias = random() < 0.5 ? [0.7, 1.3] : [1.3, 0.7]
  }

  /** The target of the next step. */
  act({ agent, block }: State): Point {
    const { dx, dy, turn, E } = offGoal(block)
    const [c, s] = [Math.cos(block.angle), Math.sin(block.angle)]
    // the way that the centre of mass has to go, in the block's frame
    const [du, dv] = [c * dx + s * dy, -s * dx + c * dy]
    const at = toBody(block, agent)
    const isInside = (point: Point): boolean => toWorld(block, point).every((x) => x > 4 && x < size - 4)
    const { lengths, next } = this.#ways(at, isInside)

    let best = { rate: Number.NEGATIVE_INFINITY, index: 0, depth: 0, via: null as Point | null }
    contacts.forEach(({ point, out, face, before }, index) => {
      const arm = -(point[0] - centre[0]) * out[1] + (point[1] - centre[1]) * out[0]
      const gain = -du * out[0] - dv * out[1] + turn * arm
      if (gain <= 0 || !isInside(before)) return
      const share = 1 + arm ** 2 / inertia
      const after = Math.sqrt(Math.max(E ** 2 - gain ** 2 / share, 0))
      let [way, via] = [Number.POSITIVE_INFINITY, null as Point | null]
      if (this.#isBefore(at, contacts[index], E)) way = 0
      else {
        if (isFree(at, before)) way = this.#cost(at, before)
        for (let i = 0; i < bends.length; i++) {
          if (!contactFree[i][index]) continue
          const other = lengths[i] + this.#cost(bends[i], before)
          if (other < way) [way, via] = [other, bends[next[i]]]
        }
      }
      const steps = way / walk + gain / pushed + (way > 0 ? change : 0) + 2
      const rate = ((E - after) * this.#liking[face]) / steps
      if (rate > best.rate) best = { rate, index, depth: gain, via }
    })
    const contact = contacts[best.index]
    if (this.#isBefore(at, contact, E)) {
      const depth = radius - Math.min(best.depth, ahead.push)
      const { point, out } = contact
      return toWorld(block, [point[0] + depth * out[0], point[1] + depth * out[1]])
    }
    const towards = best.via ?? contact.before
    const far = length(at, towards)
    return toWorld(block, far > ahead.walk ? along(at, towards, ahead.walk / far) : towards)
  }

  /** Whether the disc need only go ahead to push there: the nearer the goal is, the more exactly. */
  #isBefore(at: Point, { point, out }: Contact, E: number): boolean {
    const [du, dv] = [at[0] - point[0], at[1] - point[1]]
    const distance = du * out[0] + dv * out[1]
    const aside = Math.abs(du * out[1] - dv * out[0])
    return distance > radius - 2 && distance < radius + clearance + 4 && aside < Math.min(Math.max(E / 5, 3), 9)
  }

  /** Length of a straight way as the taste sees it. */
  #cost(from: Point, to: Point): number {
    const turns = (from[0] - centre[0]) * (to[1] - from[1]) - (from[1] - centre[1]) * (to[0] - from[0])
    return length(from, to) * this.#bias[turns > 0 ? 0 : 1]
  }

  /** Shortest ways from the disc to each bend, and the first bend of each. */
  #ways(at: Point, isInside: (point: Point) => boolean): { lengths: number[]; next: number[] } {
    const allowed = bends.map(isInside)
    const lengths = bends.map((bend, i) =>
      allowed[i] && isFree(at, bend) ? this.#cost(at, bend) : Number.POSITIVE_INFINITY,
    )
    const next = bends.map((_, i) => i)
    for (let round = 1; round < bends.length; round++) {
      for (let from = 0; from < bends.length; from++) {
        for (let to = 0; to < bends.length; to++) {
          if (!allowed[to] || !bendsFree[from][to]) continue
          const other = lengths[from] + this.#cost(bends[from], bends[to])
          if (other < lengths[to]) [lengths[to], next[to]] = [other, next[from]]
        }
      }
    }
    return { lengths, next }
  }
}
