/** Push-T: its geometry in closed form, its contacts, the expert. */

import { rmSync, truncateSync } from 'node:fs'
import { join } from 'node:path'
import { crc32, inflateSync } from 'node:zlib'
import { describe, expect, test } from 'vitest'
import { demonstrate, demonstrations, startNear } from '../../examples/push-t/demonstrations.js'
import { Expert } from '../../examples/push-t/expert.js'
import {
  area,
  commonArea,
  corners,
  distanceTo,
  type Point,
  type Pose,
  toBody,
  toWorld,
} from '../../examples/push-t/geometry.js'
import { animated } from '../../examples/push-t/picture.js'
import {
  chunk,
  embed,
  episodes,
  flowPolicy,
  followed,
  lessons,
  nearestNeighbour,
  observe,
  type Policy,
  predicted,
} from '../../examples/push-t/policy.js'
import {
  bar,
  centre,
  coverage,
  goal,
  inertia,
  PushT,
  parts,
  radius,
  type State,
  start,
  stem,
  tArea,
  uniforms,
  walls,
} from '../../examples/push-t/world.js'
import { LocalFlow } from '../../src/index.js'
import { engine, workFolder } from '../cli/lfm.js'

const upright: Pose = { x: 256, y: 200, angle: 0 }
const far: Point = [20, 20]

/** Depth to which the disc is in the block. */
const overlap = ({ agent, block }: State): number =>
  radius - Math.min(...parts.map((part) => distanceTo(part, toBody(block, agent))))

/** Pushes the block from a place of its own frame for a second; how its centre has moved and it has turned. */
function pushed(block: Pose, from: Point, to: Point) {
  const world = new PushT({ agent: toWorld(block, from), block })
  for (let i = 0; i < 10; i++) {
    world.step(toWorld(block, to))
    expect(overlap(world.state)).toBeLessThan(1e-6)
  }
  const [[x0, y0], [x1, y1]] = [toWorld(block, centre), toWorld(world.block, centre)]
  return { dx: x1 - x0, dy: y1 - y0, turn: world.block.angle - block.angle, agent: world.agent }
}

describe('areas', () => {
  test('of the T and its parts', () => {
    expect([bar, stem].map((part) => area(corners(part)))).toEqual([3600, 2700])
    expect(tArea).toBe(6300)
  })

  test('that two rectangles share: nothing, a corner, an octagon, all', () => {
    const square = { left: -1, right: 1, top: -1, bottom: 1 }
    const moved = (dx: number, dy: number, angle: number): Point[] =>
      corners(square).map((corner) => toWorld({ x: dx, y: dy, angle }, corner))
    expect(commonArea(moved(2.5, 0, 0), square)).toBe(0)
    expect(commonArea(moved(1.5, 1.25, 0), square)).toBeCloseTo(0.5 * 0.75, 12)
    // two squares of side 2 turned by 45° share a regular octagon
    expect(commonArea(moved(0, 0, Math.PI / 4), square)).toBeCloseTo(8 * (Math.SQRT2 - 1), 12)
    expect(commonArea(moved(0, 0, Math.PI / 2), square)).toBeCloseTo(4, 12)
    expect(
      commonArea(
        moved(0, 0, 0).map(([x, y]) => [x / 4, y / 4]),
        square,
      ),
    ).toBeCloseTo(0.25, 12)
  })

  test('covered of the goal: all of it, and less by a shift along its own axes in closed form', () => {
    expect(coverage(goal)).toBeCloseTo(1, 12)
    expect(coverage({ ...goal, angle: goal.angle + 2 * Math.PI })).toBeCloseTo(1, 12)
    const shifted = (u: number, v: number): number => {
      const [x, y] = toWorld(goal, [u, v])
      return coverage({ ...goal, x, y })
    }
    // along the bar by u: the bar loses 30u and the stem 90u; along the stem by v ≤ 30 the whole T loses its width, 120v
    for (const u of [1, 5, 12]) expect(shifted(u, 0)).toBeCloseTo(1 - (120 * u) / tArea, 10)
    for (const v of [1, 5, 12]) expect(shifted(0, v)).toBeCloseTo(1 - (120 * v) / tArea, 10)
    expect(coverage({ x: 60, y: 60, angle: 0 })).toBe(0)
  })
})

describe('contact', () => {
  test('a push through the middle moves the block straight, by as much as the disc goes on', () => {
    const { dx, dy, turn } = pushed(upright, [0, -20], [0, 5])
    expect(turn).toBeCloseTo(0, 9)
    expect(dx).toBeCloseTo(0, 9)
    expect(dy).toBeGreaterThan(15)
    expect(dy).toBeLessThan(20 + 1e-6)
  })

  test('a push beside the middle turns it, the sooner the longer the lever', () => {
    const [right, left, less] = [40, -40, 20].map((u) => pushed(upright, [u, -20], [u, -8]))
    expect(right.turn).toBeGreaterThan(0.02)
    expect(left.turn).toBeCloseTo(-right.turn, 9)
    expect(less.turn).toBeGreaterThan(0)
    expect(less.turn).toBeLessThan(right.turn)
    expect(less.dy).toBeGreaterThan(right.dy)
  })

  test('the block gives way by the least displacement: λ n at its centre and λ r/I of angle', () => {
    const [lever, depth] = [40, 1e-3]
    const world = new PushT({ agent: toWorld(upright, [lever, depth - radius]), block: upright })
    const impulse = depth / (1 + lever ** 2 / inertia)
    const [[, y0], [, y1]] = [toWorld(upright, centre), toWorld(world.block, centre)]
    expect(y1 - y0).toBeCloseTo(impulse, 6)
    expect(world.block.angle).toBeCloseTo((impulse * lever) / inertia, 7)
  })

  test('in the corner between bar and stem the disc touches both, and neither is entered', () => {
    const { dx, dy, turn } = pushed(upright, [38, 53], [20, 35])
    expect(Math.hypot(dx, dy) + Math.abs(turn)).toBeGreaterThan(1)
  })

  test('nothing moves that is not pushed', () => {
    const world = new PushT({ agent: far, block: upright })
    for (let i = 0; i < 20; i++) world.step([30, 400])
    expect(world.block.x).toBeCloseTo(upright.x, 9)
    expect(world.block.y).toBeCloseTo(upright.y, 9)
    expect(world.block.angle).toBe(0)
  })
})

describe('the disc', () => {
  test('follows x″ = 100 (target − x) − 20 x′ by ten steps of a hundredth, velocity first', () => {
    const world = new PushT({ agent: [100, 100], block: { x: 400, y: 350, angle: 0 } })
    world.step([150, 100])
    // by hand: v ← v + (100 (150 − x) − 20 v)/100, x ← x + v/100
    let [x, v] = [100, 0]
    for (let i = 0; i < 10; i++) {
      v += (100 * (150 - x) - 20 * v) / 100
      x += v / 100
    }
    expect(world.agent[0]).toBeCloseTo(x, 12)
    expect(world.agent[1]).toBe(100)
  })

  test('goes to the edge for targets beyond the space, and refuses what is no number', () => {
    const worlds = [[900, -50] as const, [512, 0] as const].map((target) => {
      const world = new PushT({ agent: [100, 100], block: { x: 256, y: 300, angle: 0 } })
      world.step(target)
      return world.agent
    })
    expect(worlds[0]).toEqual(worlds[1])
    expect(() => new PushT({ agent: [100, 100], block: upright }).step([Number.NaN, 3])).toThrow(/finite.*NaN/)
  })
})

test('walls hold the block; the disc that presses it against one is stopped', () => {
  const world = new PushT({ agent: [256, 250], block: { x: 256, y: 400, angle: Math.PI } })
  for (let i = 0; i < 60; i++) {
    world.step([256, 500])
    expect(overlap(world.state)).toBeLessThan(1e-6)
  }
  for (const part of parts) {
    for (const corner of corners(part)) {
      for (const x of toWorld(world.block, corner)) {
        expect(x).toBeGreaterThan(walls.near - 1e-6)
        expect(x).toBeLessThan(walls.far + 1e-6)
      }
    }
  }
  // the bar lies on the wall
  expect(world.block.y).toBeCloseTo(walls.far, 5)
  expect(world.agent[1]).toBeCloseTo(walls.far - 120 - radius, 4)
})

test('the same start and actions give the same states to the bit, and no disc is ever in the block', () => {
  const play = (seed: number): State => {
    const random = uniforms(seed)
    const world = new PushT(start(seed))
    for (let i = 0; i < 100; i++) {
      // about the block, so that there is much contact
      const { x, y } = world.block
      world.step([x + 200 * (random() - 0.5), y + 200 * (random() - 0.5)])
      expect(overlap(world.state)).toBeLessThan(1e-5)
    }
    return world.state
  }
  for (const seed of [1, 2, 3]) expect(play(seed)).toEqual(play(seed))
  expect(play(1)).not.toEqual(play(2))
})

describe('the expert', () => {
  /** Steps until the goal is covered enough; infinite where it never is. */
  const solved = (seed: number): number => {
    const [world, expert] = [new PushT(start(seed)), new Expert(seed)]
    for (let step = 1; step <= 300; step++) if (world.step(expert.act(world.state)).done) return step
    return Number.POSITIVE_INFINITY
  }

  test('solves nine starts of ten', () => {
    const steps = Array.from({ length: 12 }, (_, seed) => solved(1000 + seed))
    expect(steps.filter(Number.isFinite).length).toBeGreaterThanOrEqual(11)
  })

  test('goes round the block on either side, by its taste', () => {
    // the disc stands between block and goal, and has to get behind the block
    const block: Pose = { x: 256, y: 60, angle: 0 }
    const sides = Array.from({ length: 12 }, (_, seed) => {
      const [world, expert] = [new PushT({ agent: [256, 230], block }), new Expert(seed)]
      for (let step = 0; step < 8; step++) world.step(expert.act(world.state))
      return Math.sign(world.agent[0] - 256)
    })
    expect(new Set(sides)).toEqual(new Set([-1, 1]))
  })
})

test('demonstrations are kept, read again as they were, and refused where the file is damaged', () => {
  const path = join(workFolder(), 'demonstrations.bin')
  const made = demonstrations(2, path)
  expect(made).toEqual([demonstrate(0), demonstrate(1)])
  expect(demonstrations(2, path)).toEqual(made)
  expect(demonstrations(1, path)).toEqual(made.slice(0, 1))
  truncateSync(path, 100)
  expect(() => demonstrations(2, path)).toThrow(/demonstrations\.bin is damaged.*remove it/)
  rmSync(path)
})

test('an animated picture has a frame for each state, with the block where it is', () => {
  const states: State[] = [0, 100].map((x) => ({ agent: [100, 400], block: { x: 150 + x, y: 150, angle: 0 } }))
  const bytes = animated(states, 64)
  const pieces: [type: string, data: Buffer][] = []
  for (let at = 8; at < bytes.length; at += 12 + bytes.readUInt32BE(at)) {
    const end = at + 8 + bytes.readUInt32BE(at)
    expect(bytes.readUInt32BE(end)).toBe(crc32(bytes.subarray(at + 4, end)))
    pieces.push([bytes.toString('latin1', at + 4, at + 8), bytes.subarray(at + 8, end)])
  }
  expect(pieces.map(([type]) => type)).toEqual(['IHDR', 'acTL', 'fcTL', 'IDAT', 'fcTL', 'fdAT', 'IEND'])
  const frames = [pieces[3][1], pieces[5][1].subarray(4)].map((data) => inflateSync(data))
  // the pixel that the middle of the bar is in, of lines of 1 + 3·64 bytes
  const at = (x: number, y: number): number => Math.floor(y / 8) * 193 + 1 + 3 * Math.floor(x / 8)
  frames.forEach((lines, i) => {
    expect(lines).toHaveLength(64 * 193)
    expect([...lines.subarray(at(150 + 100 * i, 165), at(150 + 100 * i, 165) + 3)]).toEqual([96, 110, 130])
    expect([...lines.subarray(at(30, 480), at(30, 480) + 3)]).toEqual([255, 255, 255])
  })
})

describe('a policy', () => {
  const demonstrated = Array.from({ length: 40 }, (_, seed) => demonstrate(seed))
  const taught = lessons(demonstrated)

  test('sees the same wherever block, disc and goal lie alike, and is told actions in [−1, 1]', () => {
    const [before, now] = [demonstrated[0][4], demonstrated[0][5]]
    const seen = observe(now, before)
    // the goal is fixed: what is seen tells where the block is in the world
    const [u, v, , , gu, gv, c, s] = seen
    const agent = toWorld(now.block, [100 * u + centre[0], 100 * v + centre[1]])
    expect(agent[0]).toBeCloseTo(now.agent[0], 9)
    expect(agent[1]).toBeCloseTo(now.agent[1], 9)
    const target = toWorld(now.block, [100 * gu + centre[0], 100 * gv + centre[1]])
    const goalCentre = toWorld(goal, centre)
    expect(target[0]).toBeCloseTo(goalCentre[0], 9)
    expect(target[1]).toBeCloseTo(goalCentre[1], 9)
    expect(Math.cos(goal.angle - now.block.angle)).toBeCloseTo(c, 9)
    expect(Math.sin(goal.angle - now.block.angle)).toBeCloseTo(s, 9)
    expect(embed(seen)).toHaveLength(49)
    expect(embed(seen).slice(0, seen.length)).toEqual(seen)
    expect(taught.actions.every((row) => row.length === chunk)).toBe(true)
    const largest = Array.from({ length: chunk }, (_, k) =>
      taught.actions.reduce((most, row) => Math.max(most, Math.abs(row[k])), 0),
    )
    expect(largest).toEqual(new Array(chunk).fill(1))
  })

  test('that answers with what was demonstrated moves the disc as the demonstration did', async () => {
    // an episode whose hand did not tremble: the expert, step by step
    const begin = start(7)
    const [world, expert] = [new PushT(begin), new Expert(7)]
    const acts = Array.from({ length: predicted + followed }, () => {
      const { state } = world
      const target = expert.act(state)
      world.step(target)
      return { ...state, target }
    })
    const own = lessons([acts])
    const [{ states }] = await episodes(async (_, call) => own.actions[call === 0 ? 0 : followed], own.unit, [begin])
    for (const step of [1, 5, 12, 2 * followed]) {
      expect(states[step].agent[0]).toBeCloseTo(acts[step].agent[0], 6)
      expect(states[step].block.angle).toBeCloseTo(acts[step].block.angle, 6)
    }
  })

  test('of the nearest demonstration brings blocks home that lie near, which chunks of other moments do not', async () => {
    const starts = Array.from({ length: 12 }, (_, i) => startNear(5000 + i))
    const nearest = nearestNeighbour(taught)
    const other: Policy = (looks, call) =>
      nearest(
        looks.map((_, i) => taught.observations[(997 * i + 31 * call) % taught.observations.length]),
        call,
      )
    const [home, away] = [await episodes(nearest, taught.unit, starts), await episodes(other, taught.unit, starts)]
    const successes = (outcomes: typeof home): number => outcomes.filter(({ success }) => success).length
    expect(successes(home)).toBeGreaterThanOrEqual(4)
    expect(successes(away)).toBe(0)
    for (const { success, most, last, steps, states } of home) {
      expect(states).toHaveLength(steps + 1)
      if (success) expect([most, last]).toEqual([1, 1])
      else expect(steps).toBe(300)
    }
  })

  test('of a flow answers what is seen, in demonstrations that it has not learnt', async () => {
    await using flow = await LocalFlow.train(taught.actions, {
      cond: taught.observations.map(embed),
      model: { hidden: [128, 128], activation: 'silu' },
      flow: { recipe: 'plain' },
      train: { steps: 600, batch: 256, ema: 0.99, conditionDropout: 0 },
      device: engine,
      seed: 1,
    })
    const unseen = lessons([demonstrate(900), demonstrate(901)])
    const targets = unseen.actions.map((row) => row.map((value, k) => value * unseen.unit[k]))
    const policy = flowPolicy(flow, { evaluations: 2 })
    /** root mean square of the differences from what the expert did, in pixels, of the targets that are followed */
    const differences = async (looks: readonly number[][]): Promise<number> => {
      const answers = await policy(looks, 0)
      let sum = 0
      targets.forEach((row, i) => {
        for (let k = 0; k < 2 * followed; k++) sum += (answers[i * chunk + k] * taught.unit[k] - row[k]) ** 2
      })
      return Math.sqrt(sum / (targets.length * 2 * followed))
    }
    const own = await differences(unseen.observations)
    const half = unseen.observations.length >> 1
    const others = await differences([...unseen.observations.slice(half), ...unseen.observations.slice(0, half)])
    expect(own).toBeLessThan(0.7 * others)
    // the same call answers the same, another has other noise
    expect(await policy(unseen.observations.slice(0, 1), 3)).toEqual(await policy(unseen.observations.slice(0, 1), 3))
    expect(await policy(unseen.observations.slice(0, 1), 3)).not.toEqual(
      await policy(unseen.observations.slice(0, 1), 4),
    )
  })
})
