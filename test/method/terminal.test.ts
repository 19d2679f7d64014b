/**
 * Maps learnt from the teacher's velocity alone, on Gaussians, whose field and flow map are known in closed form: of a single flow
 * and of a chain, the exact map is the fixed point of the task, other maps are not, and training comes to it.
 */

import { describe, expect, test } from 'vitest'
import { openReference } from '../../src/device/reference/device.js'
import { stageCombine } from '../../src/kernels/stage_combine.js'
import { fitNetwork, freshState } from '../../src/learn/fit.js'
import { plainReading } from '../../src/learn/pool.js'
import { terminalVelocity } from '../../src/learn/tasks/terminal.js'
import { mlpNetwork } from '../../src/networks/mlp/mlp.js'
import { ProgramBuilder } from '../../src/program/program.js'
import { anglesOf } from '../../src/recipes/angles.js'
import { type Piece, partsOf, piecesOf } from '../../src/recipes/pieces.js'
import { CLOSED_FORM_PARAMETERS, closedFormNetwork } from '../closed-form-networks.js'
import { optimizer } from '../training.js'

/** Data N(m, v) in one dimension; each stage goes from N(m, v) along an arc of the angle θ towards N(0, 1). */
interface GaussianStage {
  readonly m: number
  readonly v: number
  readonly theta: number
}

const chainOf = (gammas: readonly (number | null)[]): GaussianStage[] => {
  let [m, v] = [1.5, 0.2]
  return gammas.map((gamma) => {
    const a = gamma === null ? 0 : Math.exp(-gamma)
    const stage = { m, v, theta: Math.acos(a) }
    ;[m, v] = [a * m, a * a * v + 1 - a * a]
    return stage
  })
}

const meanAt = ({ m, theta }: GaussianStage, t: number): number => Math.cos(theta * t) * m
const varianceAt = ({ v, theta }: GaussianStage, t: number): number =>
  Math.cos(theta * t) ** 2 * v + Math.sin(theta * t) ** 2

/** The optimal velocity (docs/method.md): the mean's and the spread's own motion. */
function velocityAt(stage: GaussianStage, x: number, t: number): number {
  const { m, v, theta } = stage
  const [cos, sin] = [Math.cos(theta * t), Math.sin(theta * t)]
  return -theta * sin * m + ((theta * sin * cos * (1 - v)) / varianceAt(stage, t)) * (x - cos * m)
}

/** The flow's map within a stage, from time t to s. */
const carried = (stage: GaussianStage, x: number, t: number, s: number): number =>
  meanAt(stage, s) + Math.sqrt(varianceAt(stage, s) / varianceAt(stage, t)) * (x - meanAt(stage, t))

/** X_s of a piece's time s, from x at its noise side. */
function mapOf(stages: readonly GaussianStage[], parts: ReturnType<typeof partsOf>, x: number, s: number): number {
  let at = x
  for (const part of [...parts].reverse()) {
    if (s >= part.to) break
    const inside = Math.max(s, part.from)
    const end = part.start + ((part.end - part.start) * (inside - part.from)) / (part.to - part.from)
    at = carried(stages[part.stage], at, part.end, end)
  }
  return at
}

/** A network whose parameters are m, v and θ, and whose velocity is that of such a stage. */
const field = closedFormNetwork(({ parameters: [m, v, theta], x, t }) => velocityAt({ m, v, theta }, x, t), 0)
const P = CLOSED_FORM_PARAMETERS

/** One whose average velocity is that of a map X_s. */
const averageOf = (map: (x: number, s: number) => number) =>
  closedFormNetwork(({ x, s }) => (x - map(x, s)) / (1 - s), 1)

const kinds = [
  { of: 'a single flow', gammas: [null], into: 1 },
  { of: 'half of a single flow', gammas: [null], into: 2 },
  { of: 'a chain of three', gammas: [0.1, 0.4, null], into: 1 },
  { of: 'a half of such a chain', gammas: [0.1, 0.4, null], into: 2 },
] as const

const pieceOf = ({ gammas, into }: (typeof kinds)[number]) => {
  const chain = anglesOf(gammas.map((gamma) => ({ gamma, path: 'arc' as const })))
  const piece: Piece = piecesOf({ kind: 'terminal', chain, into })[0]
  return { parts: partsOf(piece, chain), time: piece.to - Math.ceil(piece.to) + 1, fromNoise: into === 1 }
}

/** The teacher's stages on a device, and right ends where they are no noise. */
function poolOn(device: ReturnType<typeof openReference>, stages: readonly GaussianStage[], B: number) {
  const parameters = device.createBuffer(stages.length * P)
  stages.forEach(({ m, v, theta }, i) => {
    parameters.write(Float32Array.of(m, v, theta), i * P)
  })
  const left = device.createBuffer(B)
  left.write(Float32Array.from({ length: B }, (_, i) => 1.5 * Math.sin(1.7 * i)))
  const outputScales = stages.map(() => 1)
  return { left, rows: B, reading: plainReading, teacher: { network: field, parameters, outputScales } }
}

describe('a map that is learnt from the velocity alone', () => {
  test.each(kinds)('has the exact map as its fixed point, and no other one: $of', async (kind) => {
    const stages = chainOf(kind.gammas)
    const piece = pieceOf(kind)
    const exact = (x: number, s: number): number => mapOf(stages, piece.parts, x, s)
    const lossOf = async (map: typeof exact): Promise<number> => {
      const device = openReference()
      const B = 256
      const task = terminalVelocity(piece)
      expect(task.readsTeacher).toBe(1 + piece.parts.at(-1)!.stage)
      const tables = Object.entries(task.tables).map(([name, values]) => {
        const buffer = device.createBuffer(values.length)
        buffer.write(values)
        return [name, buffer] as const
      })
      const builder = new ProgramBuilder()
      const [target, u] = [device.createBuffer(B), device.createBuffer(B)]
      const network = averageOf(map)
      const none = builder.constant(new Float32Array(B), [1, B])
      const keep = (y: never, out: typeof target): void =>
        builder.add(stageCombine, { y, stages: none, out: builder.tensor(out, [B, 1]) }, { coefficients: [0] })
      const parameters = builder.tensor(device.createBuffer(P))
      task.addStep(builder, {
        network,
        pool: poolOn(device, stages, B),
        tables: Object.fromEntries(tables.map(([name, buffer]) => [name, builder.tensor(buffer)])),
        batch: B,
        seed: 4,
        stream: 1,
        state: builder.tensor(device.createBuffer(8, 'u32')),
        inputs: 'f32',
        evaluate() {},
        differentiate(on) {
          network.addDerivative(builder, { parameters, ...on }, 1)
          keep(on.out as never, u)
        },
        regress: (on) => keep(on.target as never, target),
      })
      const executable = await device.compile(builder.build())
      await executable.run()
      const [wanted, found] = (await Promise.all([target.read(), u.read()])) as Float32Array[]
      await device.dispose()
      return Math.sqrt(wanted.reduce((sum, value, i) => sum + (value - found[i]) ** 2 / B, 0))
    }
    // a table's knots aside, of which one cell has the border of two stages in it
    expect(await lossOf(exact)).toBeLessThan(1e-3)
    // Euler's step, the map of another time, and one whose average velocity has a multiple of 1 − s too much
    const last = piece.parts.at(-1)!
    const euler = velocityAt(stages[last.stage], 0.4, last.end)
    expect(await lossOf((x, s) => x - (1 - s) * euler)).toBeGreaterThan(0.1)
    expect(await lossOf((x, s) => exact(x, s * s))).toBeGreaterThan(0.1)
    expect(await lossOf((x, s) => exact(x, s) - 0.3 * (1 - s) ** 2)).toBeGreaterThan(0.1)
  })

  test.each([kinds[0], kinds[3]])('comes to the exact map by training: $of', async (kind) => {
    const stages = chainOf(kind.gammas)
    const piece = pieceOf(kind)
    const device = openReference()
    const [B, steps] = [48, 500]
    const spec = { kind: 'mlp', dimension: 1, condition: 1, hidden: [16, 16], activation: 'silu', beta: 1 } as const
    const network = mlpNetwork({ ...spec, time: 'first', frequencies: [] })
    const fit = {
      name: 'student',
      number: 1,
      steps,
      batch: B,
      seed: 3,
      optimizer: { ...optimizer, lr: 0.02, ema: 0.97, schedule: { kind: 'cosine' } },
    } as const
    const start = freshState(network.initialise(3, 1), fit.optimizer)
    const pool = poolOn(device, stages, B)
    const run = fitNetwork(device, network, terminalVelocity(piece), pool, start, 1, fit, { checkpointEvery: 0 })
    let step = await run.next()
    while (!step.done) step = await run.next()

    const parameters = device.createBuffer(network.parameterLength)
    parameters.write(step.value.state.average!)
    const ends = Array.from({ length: 33 }, (_, i) => -2 + i / 8).filter((x) => piece.fromNoise || Math.abs(x) <= 1.5)
    const n = ends.length
    const out = device.createBuffer(n)
    const builder = new ProgramBuilder()
    network.addVelocity(
      builder,
      {
        parameters: builder.tensor(parameters),
        x: builder.constant(ends, [n, 1]),
        t: builder.constant([piece.time]),
        condition: builder.constant(new Float32Array(n), [n, 1]),
        out: builder.tensor(out, [n, 1]),
      },
      1,
    )
    const executable = await device.compile(builder.build())
    await executable.run()
    const u = (await out.read()) as Float32Array
    await device.dispose()
    const errors = ends.map((x, i) => Math.abs(x - u[i] - mapOf(stages, piece.parts, x, 0)))
    expect(Math.max(...errors)).toBeLessThan(0.06)
  })
})
