/**
 * A teacher's states as a pool: noise is drawn and carried along the teacher's chain on the device, block by block, while a
 * student trains, and each block takes the place of the one before. What a block holds depends on the seed, the stream and its
 * number alone, so a resumed fit sees the same rows; nothing is kept on disk.
 */

import type { Device } from '../device/device.js'
import { type Pool, plainReading } from '../learn/pool.js'
import type { Flow } from '../model/flow.js'
import type { Evaluations, SolverSettings } from '../ode/solver.js'
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
}

/** A pool of n pairs, `right` at `to` and `left` at `from`, and what fills it with those from a number on. */
export async function openPairs(
  device: Device,
  teacher: Flow,
  { from, to, n, ...noise }: StateRows,
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
  const [atTo, atFrom] = transport.outputs.slice(-2)
  return {
    pool: { left, right, rows: n, reading: plainReading },
    variants: transport.variants,
    async fill(first, signal, onRows) {
      let evaluations = 0
      let max = 0
      for (let done = 0; done < n; done += rows) {
        signal?.throwIfAborted()
        const count = Math.min(rows, n - done)
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
  { device, teacher, signal }: RecipeContext,
  { from, to }: { readonly from: number; readonly to: number },
  { rows: n, ...noise }: { rows: number; solver: SolverSettings; seed: number; stream: number },
): Promise<RowStream> {
  const { pool, variants, fill, close } = await openPairs(device, teacher!, { from, to, n, ...noise })
  return {
    pool,
    variants,
    fill: (block) => fill(block * n, signal),
    dispose() {
      close()
      pool.left.dispose()
      pool.right.dispose()
    },
  }
}
