/**
 * Push-T: a disc pushes a T-shaped block to its place. Sizes, controller, reward and starts are those of gym-pusht (Chi et al. 2023,
 * Diffusion Policy, arXiv 2303.04137; huggingface/gym-pusht), whose physics engine has a damping that leaves no velocity from one
 * sub-step to the next: the block moves only while it is pushed. What is left of the engine is then geometry. In each sub-step the disc
 * moves on, and the block gives way by the least displacement, in the norm m |dx|² + I dθ² at its centre of mass, that ends all overlap.
 * Contacts have no friction, as there: gym-pusht gives friction to bodies, but the engine reads that of shapes.
 *
 * Lengths in pixels of a space of 512 × 512, angles in radians, times in seconds.
 */

import { commonArea, corners, type Point, type Pose, type Rectangle, toBody, toWorld } from './geometry.js'

export const size = 512
/** of the disc, the agent */
export const radius = 15
/** The T in its own frame: the origin is in the middle of the bar's far edge, and the stem points along the second axis. */
export const bar: Rectangle = { left: -60, right: 60, top: 0, bottom: 30 }
export const stem: Rectangle = { left: -15, right: 15, top: 30, bottom: 120 }
export const parts = [bar, stem] as const
/** the T's area */
export const tArea = 120 * 30 + 30 * 90
/** where the block turns under a force through its middle: half-way between the middles of bar and stem, as in gym-pusht */
export const centre: Point = [0, 45]
/** moment of inertia for a mass of 1: twice that of the bar about the origin, as in gym-pusht */
export const inertia = 2 * ((120 ** 2 + 30 ** 2) / 12 + 15 ** 2)
export const goal: Pose = { x: 256, y: 256, angle: Math.PI / 4 }
/** the faces of the walls, along both axes */
export const walls = { near: 7, far: 504 } as const
/** covered share of the goal above which an episode is done, and which a reward of 1 stands for */
export const enough = 0.95
/** actions of an episode at most, ten a second */
export const episodeSteps = 300

const subSteps = 10
const dt = 0.01
const [stiffness, damping] = [100, 20]
/** overlap that is left, at most, unless the block is jammed between disc and wall */
const tolerance = 1e-7
const passes = 20

/** the corners that can touch a wall: the stem's near end lies inside the T's outline */
const outer: readonly Point[] = [...corners(bar), ...corners(stem).slice(2)]
/** no point of the T is further from its centre */
const reach = Math.max(...outer.map(([u, v]) => Math.hypot(u - centre[0], v - centre[1])))

/** What is known of an episode from outside: the disc's centre, and the block's pose. */
export interface State {
  readonly agent: Point
  readonly block: Pose
}

/** Covered share of the goal, 0 to 1: the overlap of the block and the goal in units of the T's area. */
export function coverage(block: Pose): number {
  let sum = 0
  for (const part of parts) {
    const polygon = corners(part).map((corner) => toBody(goal, toWorld(block, corner)))
    for (const other of parts) sum += commonArea(polygon, other)
  }
  return sum / tArea
}

/** Uniform draws on (0, 1) from a whole number (mulberry32). */
export function uniforms(seed: number): () => number {
  let state = Math.imul(seed + 1, 0x9e3779b1)
  return () => {
    state = (state + 0x6d2b79f5) | 0
    let t = Math.imul(state ^ (state >>> 15), 1 | state)
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t
    return (((t ^ (t >>> 14)) >>> 0) + 0.5) / 2 ** 32
  }
}

/** The start of an episode: agent on [50, 450)², block on [100, 400)², any angle. */
export function start(seed: number): State {
  const random = uniforms(seed)
  const between = (low: number, high: number): number => Math.floor(low + (high - low) * random())
  const agent: Point = [between(50, 450), between(50, 450)]
  return { agent, block: { x: between(100, 400), y: between(100, 400), angle: 2 * Math.PI * random() } }
}

/** One episode's world. It has no randomness: the same start and actions give the same states to the bit. */
export class PushT {
  // the block is kept by its centre of mass
  #x = 0
  #y = 0
  #angle = 0
  #cos = 1
  #sin = 0
  #agentX = 0
  #agentY = 0
  #vx = 0
  #vy = 0

  /** @param state where the disc and the block overlap, or the block and a wall, they are moved apart */
  constructor({ agent, block }: State) {
    ;[this.#agentX, this.#agentY] = agent
    ;[this.#x, this.#y] = toWorld(block, centre)
    this.#turn(block.angle)
    this.#separate()
  }

  get agent(): Point {
    return [this.#agentX, this.#agentY]
  }

  get block(): Pose {
    const [x, y] = toWorld({ x: this.#x, y: this.#y, angle: this.#angle }, [-centre[0], -centre[1]])
    return { x, y, angle: this.#angle }
  }

  get state(): State {
    return { agent: this.agent, block: this.block }
  }

  /**
   * A tenth of a second towards a target.
   * @param target where the disc's centre is drawn to; beyond the space, to its edge
   * @returns covered share of the goal, and the reward clip(covered/.95, 0, 1)
   * @throws RangeError for a target that is not finite
   */
  step([x, y]: Point): { coverage: number; reward: number; done: boolean } {
    if (!Number.isFinite(x) || !Number.isFinite(y)) {
      throw new RangeError(`A target has to be two finite numbers, but it is [${x}, ${y}].`)
    }
    const tx = Math.min(Math.max(x, 0), size)
    const ty = Math.min(Math.max(y, 0), size)
    for (let i = 0; i < subSteps; i++) {
      this.#vx += dt * (stiffness * (tx - this.#agentX) - damping * this.#vx)
      this.#vy += dt * (stiffness * (ty - this.#agentY) - damping * this.#vy)
      this.#agentX += dt * this.#vx
      this.#agentY += dt * this.#vy
      this.#separate()
    }
    const covered = coverage(this.block)
    return { coverage: covered, reward: Math.min(covered / enough, 1), done: covered > enough }
  }

  #turn(angle: number): void {
    this.#angle = angle
    this.#cos = Math.cos(angle)
    this.#sin = Math.sin(angle)
  }

  /** Ends overlaps: the block gives way to the disc and to walls; where it cannot give way to both, the wall stops the disc. */
  #separate(): void {
    for (let pass = 0; pass < passes; pass++) {
      const disc = this.#leaveDisc(true)
      const wall = this.#leaveWalls()
      if (Math.max(disc, wall) <= tolerance) return
    }
    // jammed: the walls hold it
    for (let pass = 0; pass < 5 * passes && this.#leaveWalls() > tolerance; pass++);
    for (let pass = 0; pass < passes && this.#leaveDisc(false) > tolerance; pass++);
  }

  /** Moves the block, or else the disc, out of their overlap; its depth before. */
  #leaveDisc(movesBlock: boolean): number {
    const [dx, dy] = [this.#agentX - this.#x, this.#agentY - this.#y]
    if (dx * dx + dy * dy > (reach + radius) ** 2) return 0
    let deepest = 0
    for (const { left, right, top, bottom } of parts) {
      const [ex, ey] = [this.#agentX - this.#x, this.#agentY - this.#y]
      const u = this.#cos * ex + this.#sin * ey + centre[0]
      const v = -this.#sin * ex + this.#cos * ey + centre[1]
      // the nearest point of the outline, the normal there into the block, and how deep the disc is in
      let pu = Math.min(Math.max(u, left), right)
      let pv = Math.min(Math.max(v, top), bottom)
      let [nu, nv] = [pu - u, pv - v]
      let depth = radius - Math.hypot(nu, nv)
      if (depth <= 0) continue
      if (depth < radius) {
        nu /= radius - depth
        nv /= radius - depth
      } else {
        // the disc's centre is inside: out by the nearest side
        const sides = [u - left, right - u, v - top, bottom - v]
        const side = sides.indexOf(Math.min(...sides))
        ;[nu, nv] = [
          [1, 0],
          [-1, 0],
          [0, 1],
          [0, -1],
        ][side]
        depth = radius + sides[side]
        pu -= nu * sides[side]
        pv -= nv * sides[side]
      }
      deepest = Math.max(deepest, depth)
      if (movesBlock) {
        this.#push(pu, pv, nu, nv, depth)
      } else {
        const [nx, ny] = [this.#cos * nu - this.#sin * nv, this.#sin * nu + this.#cos * nv]
        this.#agentX -= depth * nx
        this.#agentY -= depth * ny
        const inwards = Math.max(this.#vx * nx + this.#vy * ny, 0)
        this.#vx -= inwards * nx
        this.#vy -= inwards * ny
      }
    }
    return deepest
  }

  /** Moves the block out of the walls; the depth before. */
  #leaveWalls(): number {
    const nearest = Math.min(this.#x, this.#y) - walls.near
    const furthest = walls.far - Math.max(this.#x, this.#y)
    if (Math.min(nearest, furthest) > reach) return 0
    let deepest = 0
    for (const [u, v] of outer) {
      const x = this.#x + this.#cos * (u - centre[0]) - this.#sin * (v - centre[1])
      const y = this.#y + this.#sin * (u - centre[0]) + this.#cos * (v - centre[1])
      const across = Math.max(walls.near - x, x - walls.far)
      const along = Math.max(walls.near - y, y - walls.far)
      deepest = Math.max(deepest, across, along)
      const towardsX = x < size / 2 ? 1 : -1
      const towardsY = y < size / 2 ? 1 : -1
      if (across > 0) this.#push(u, v, this.#cos * towardsX, -this.#sin * towardsX, across)
      if (along > 0) this.#push(u, v, this.#sin * towardsY, this.#cos * towardsY, along)
    }
    return deepest
  }

  /** Moves the block so that its point (u, v) goes by depth along the normal (nu, nv), to first order. */
  #push(u: number, v: number, nu: number, nv: number, depth: number): void {
    const arm = (u - centre[0]) * nv - (v - centre[1]) * nu
    const impulse = depth / (1 + arm ** 2 / inertia)
    this.#x += impulse * (this.#cos * nu - this.#sin * nv)
    this.#y += impulse * (this.#sin * nu + this.#cos * nv)
    this.#turn(this.#angle + (impulse * arm) / inertia)
  }
}
