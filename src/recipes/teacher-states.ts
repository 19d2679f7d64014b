/**
 * A teacher's states as a pool: noise is drawn and carried along the teacher's chain on the device, block by block, while a
 * student trains, and each block takes the place of the one before. What a block holds depends on the seed, the stream and its
 * number alone, so a resumed fit sees the same rows; nothing is kept on disk.
 */

import type { Device, DeviceBuffer } from '../device/device.js'
import { disposePool, type Pool, type PoolConditions, plainReading, type TeacherField } from '../learn/pool.js'
import type { Flow } from '../model/flow.js'
import { toldWidthOf } from '../model/transport.js'
import type { Evaluations, SolverSettings } from '../ode/solver.js'
import { RandomStream, streams } from '../random/stream.js'
import type { RecipeContext, RowStream } from './recipe.js'

/** Rows of noise that a stream has: their numbers are 32 bits. */
export const MOST_ROWS = 2 ** 32

export interface StateRows {
  /** chain times: pairs of a state at `to`, nearer to the noise, and the one at `from` on the same path */
  readonly from: number
  readonly to: number
  readonly n: number
  readonly solver: SolverSettings
  readonly seed: number
  readonly stream: number
  /** of a conditional teacher: what its rows are told, and its guidance; default: nothing, and none */
  readonly told?: ToldRows | null
  readonly guidance?: number
}

/** What rows [first, first + count) are told, [count, C]. */
export type ToldRows = (first: number, count: number) => Float32Array

/** Numbers of what a teacher is told, beside a second time. */
const toldWidth = ({ field, stages }: Flow): number => toldWidthOf({ field, jump: stages[0].jump })

/** Each row is told one of the conditions [M, C], drawn by its number. */
const drawnFrom = (told: PoolConditions | null | undefined, teacher: Flow, seed: number): ToldRows | null =>
  told ? (first, count) => toldRows(told, toldWidth(teacher), seed, first, count) : null

function toldRows(told: PoolConditions, C: number, seed: number, first: number, count: number): Float32Array {
  const random = new RandomStream(seed, streams.told)
  const rows = new Float32Array(count * C)
  for (let i = 0; i < count; i++) {
    const drawn = random.row((first + i) % MOST_ROWS).below(told.length / C)
    rows.set(told.subarray(drawn * C, (drawn + 1) * C), i * C)
  }
  return rows
}

/** A pool of n pairs, `right` at `to` and `left` at `from`, and what fills it with those from a number on. */
export async function openPairs(
  device: Device,
  teacher: Flow,
  { from, to, n, told = null, ...noise }: StateRows,
): Promise<{
  pool: Pool & { right: NonNullable<Pool['right']> }
  fill(first: number, signal?: AbortSignal, onRows?: (rows: number) => void): Promise<Evaluations>
  variants: Readonly<Record<string, string>>
  close(): void
}> {
  const D = teacher.field.dimension
  const whole = to === teacher.stages.length
  const { transport, rows } = await teacher.openStates(whole ? [from] : [to, from], { n, ...noise })
  const left = device.createBuffer(n * D)
  const right = device.createBuffer(n * D)
  const C = toldWidth(teacher)
  const condition = told ? device.createBuffer(n * C) : undefined
  const [atTo, atFrom] = transport.outputs.slice(-2)
  return {
    pool: { left, right, condition, rows: n, reading: plainReading },
    variants: transport.variants,
    async fill(first, signal, onRows) {
      let evaluations = 0
      let max = 0
      for (let done = 0; done < n; done += rows) {
        signal?.throwIfAborted()
        const count = Math.min(rows, n - done)
        if (told) {
          const own = told(first + done, count)
          transport.condition!.write(own)
          condition!.write(own, done * C)
        }
        const spent = await transport.block(first + done, count, signal)
        device.copy(atTo, 0, right, done * D, count * D)
        device.copy(atFrom, 0, left, done * D, count * D)
        evaluations += spent.mean * count
        max = Math.max(max, spent.max)
        onRows?.(done + count)
      }
      return { mean: evaluations / n, max }
    },
    close: () => transport.dispose(),
  }
}

/** The pairs of a piece as a stream of blocks. */
export async function streamStates(
  { device, teacher, told, signal }: RecipeContext,
  { from, to }: { readonly from: number; readonly to: number },
  { rows: n, ...noise }: { rows: number; solver: SolverSettings; seed: number; stream: number; guidance: number },
): Promise<RowStream> {
  const rows = drawnFrom(told, teacher!, noise.seed)
  const { pool, variants, fill, close } = await openPairs(device, teacher!, { from, to, n, told: rows, ...noise })
  return {
    pool,
    variants,
    fill: (block) => fill(block * n, signal),
    dispose() {
      close()
      disposePool(pool)
    },
  }
}

/** Rows that are learnt from a path: pairs of its states. */
const ROWS_OF_PATH = 16
/** Paths beside each other whose pairs are of the same two states. */
const ALIKE = 64

/**
 * Pairs of any two states of whole paths, as a stream of blocks: the states at the chain times of `borders`, which lie evenly at
 * the student's times 0 … 1. A path gives 16 rows at most, each of another draw of two states: first how far apart they are,
 * then where.
 */
export async function streamPaths(
  { device, teacher, told, signal }: RecipeContext,
  borders: readonly number[],
  { rows: n, ...noise }: { rows: number; solver: SolverSettings; seed: number; stream: number; guidance?: number },
): Promise<RowStream> {
  const D = teacher!.field.dimension
  const S = borders.length - 1
  const paths = Math.ceil(n / ROWS_OF_PATH)
  const { transport, rows } = await teacher!.openStates(borders.slice(0, -1).toReversed(), { n: paths, ...noise })
  const toldOf = drawnFrom(told, teacher!, noise.seed)
  // what a row is told, and behind it its second time
  const C = toldOf ? toldWidth(teacher!) : 0
  const columns = { left: D, right: D, condition: C + 1, time: 1, inverse: 1 } as const
  const { left, right, condition, time, inverse } = Object.fromEntries(
    Object.entries(columns).map(([name, width]) => [name, device.createBuffer(n * width)]),
  ) as Record<keyof typeof columns, DeviceBuffer>
  const random = new RandomStream(noise.seed, streams.pairs)
  const groups = Math.ceil(paths / ALIKE)
  return {
    pool: { left, right, condition, span: { time, inverse }, rows: n, reading: plainReading },
    variants: transport.variants,
    async fill(block) {
      const times = {
        condition: new Float32Array(n * (C + 1)),
        time: new Float32Array(n),
        inverse: new Float32Array(n),
      }
      let evaluations = 0
      for (let done = 0; done < paths; done += rows) {
        signal?.throwIfAborted()
        const count = Math.min(rows, paths - done)
        const own = toldOf?.(block * paths + done, count)
        if (own) transport.condition!.write(own)
        evaluations += (await transport.block(block * paths + done, count, signal)).mean * count
        for (let first = done; first < done + count; first += ALIKE) {
          for (let draw = 0; draw < ROWS_OF_PATH; draw++) {
            const at = draw * paths + first
            const many = Math.min(ALIKE, done + count - first, n - at)
            if (many <= 0) break
            random.row(((block * groups + Math.floor(first / ALIKE)) * ROWS_OF_PATH + draw) % 2 ** 32)
            const apart = 1 + random.below(S)
            const low = random.below(S + 1 - apart)
            const high = low + apart
            // outputs go from the noise to the data
            device.copy(transport.outputs[S - high], (first - done) * D, right, at * D, many * D)
            device.copy(transport.outputs[S - low], (first - done) * D, left, at * D, many * D)
            for (let i = 0; i < many; i++) {
              const path = first - done + i
              if (own) times.condition.set(own.subarray(path * C, (path + 1) * C), (at + i) * (C + 1))
              times.condition[(at + i) * (C + 1) + C] = low / S
            }
            times.time.fill(high / S, at, at + many)
            times.inverse.fill(S / apart, at, at + many)
          }
        }
      }
      condition.write(times.condition)
      time.write(times.time)
      inverse.write(times.inverse)
      return { mean: evaluations / n, max: evaluations / n }
    },
    dispose() {
      transport.dispose()
      for (const buffer of [left, right, condition, time, inverse]) buffer.dispose()
    },
  }
}

/** The teacher's velocities, on the device. */
function uploadTeacher(device: Device, { field, stages }: Flow): TeacherField<DeviceBuffer> {
  const P = field.parameterLength
  const parameters = device.createBuffer(stages.length * P)
  stages.forEach((stage, i) => {
    parameters.write(stage.parameters, i * P)
  })
  return { network: field, parameters, outputScales: stages.map(({ outputScale }) => outputScale) }
}

/** The teacher alone, and what it may be told, for who draws noise for himself. */
export async function streamTeacher({ device, teacher, told }: RecipeContext): Promise<RowStream> {
  const condition = told ? device.createBuffer(told.length) : undefined
  if (told) condition!.write(told)
  const pool = {
    left: device.createBuffer(teacher!.field.dimension),
    condition,
    teacher: uploadTeacher(device, teacher!),
    rows: told ? told.length / toldWidth(teacher!) : 1,
    reading: plainReading,
  }
  return {
    pool,
    variants: {},
    fill: async () => ({ mean: 0, max: 0 }),
    dispose: () => disposePool(pool),
  }
}

/** Times that a state at a piece's noise side is learnt from, each with another time of the piece. */
export const END_DRAWS = 16

/** States of the teacher at chain time `to`, as a stream of blocks, and the teacher itself. */
export async function streamEnds(
  { device, teacher, told, signal }: RecipeContext,
  to: number,
  { rows: n, ...noise }: { rows: number; solver: SolverSettings; seed: number; stream: number; guidance?: number },
): Promise<RowStream> {
  const D = teacher!.field.dimension
  const { transport, rows } = await teacher!.openStates([to], { n, ...noise })
  const toldOf = drawnFrom(told, teacher!, noise.seed)
  const C = toldWidth(teacher!)
  const pool = {
    left: device.createBuffer(n * D),
    condition: toldOf ? device.createBuffer(n * C) : undefined,
    teacher: uploadTeacher(device, teacher!),
    rows: n,
    reading: plainReading,
  }
  return {
    pool,
    variants: transport.variants,
    async fill(block) {
      let evaluations = 0
      for (let done = 0; done < n; done += rows) {
        signal?.throwIfAborted()
        const count = Math.min(rows, n - done)
        const own = toldOf?.(block * n + done, count)
        if (own) {
          transport.condition!.write(own)
          pool.condition!.write(own, done * C)
        }
        evaluations += (await transport.block(block * n + done, count, signal)).mean * count
        // after the noise, which is kept too
        device.copy(transport.outputs[1], 0, pool.left, done * D, count * D)
      }
      return { mean: evaluations / n, max: evaluations / n }
    },
    dispose() {
      transport.dispose()
      disposePool(pool)
    },
  }
}
