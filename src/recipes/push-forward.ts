/**
 * Pushes the whole training set through a trained sub-flow, t from 0 to 1, on the device: X_n = T_n(X_{n−1}) (Xu et al.
 * 2024), block by block. The source is kept until the last row has arrived, so an interrupted push can be repeated, with
 * bit-identical results. Where the pool is mirrored at random, a row's orientation depends on its index and the seed.
 */

import type { Device, DeviceBuffer } from '../device/device.js'
import { InvalidArgumentError } from '../errors.js'
import { seedWords } from '../kernels/draws.js'
import { loadRows } from '../kernels/load_rows.js'
import { poolWords } from '../kernels/pool.js'
import { type Pool, plainReading } from '../learn/pool.js'
import { blockRows, type Link, plannedEvaluations, Transport } from '../model/transport.js'
import type { SolverSettings } from '../ode/solver.js'
import { ProgramBuilder } from '../program/program.js'
import type { MadePool } from './recipe.js'

export interface PushOptions {
  readonly solver: SolverSettings
  /** seed, and stream (number of the sub-flow), of the rows' orientations */
  readonly seed: number
  readonly stream: number
  readonly signal?: AbortSignal
  readonly onProgress?: (rowsDone: number) => void
}

/** The image of a pool, as floats [n, D], without its conditions, which stay with the rows; the caller disposes of both. */
export async function pushForward(
  device: Device,
  link: Link,
  pool: Pool,
  { solver, seed, stream, signal, onProgress }: PushOptions,
): Promise<MadePool> {
  const n = pool.rows
  const { dimension: D, condition: C } = link.field
  const { condition } = pool
  if (C > 0 && !condition)
    throw new InvalidArgumentError(`A push through a network with ${C} conditions needs those of the rows.`)
  const legs = [{ link, start: 0, end: 1, keep: true }]
  const rows = blockRows(n, link.field, null, device.info, plannedEvaluations(solver, legs))
  const transport = await Transport.open(device, { legs, solver, trace: null, rows, source: { kind: 'input' } })
  const pushed = device.createBuffer(n * D)
  let source: Source | null = null
  try {
    source = await openSource(device, pool, transport.input, [rows, D], { ...seedWords(seed), stream })
    let evaluations = 0
    let most = 0
    for (let first = 0; first < n; first += rows) {
      signal?.throwIfAborted()
      const count = Math.min(rows, n - first)
      await source.load(first, count)
      if (transport.condition) device.copy(condition!, first * C, transport.condition, 0, count * C)
      const spent = await transport.block(first, count, signal)
      device.copy(transport.outputs[0], 0, pushed, first * D, count * D)
      evaluations += spent.mean * count
      most = Math.max(most, spent.max)
      onProgress?.(first + count)
    }
    return {
      pool: { left: pushed, rows: n, reading: plainReading },
      evaluations: { mean: evaluations / n, max: most },
      variants: transport.variants,
    }
  } catch (error) {
    pushed.dispose()
    throw error
  } finally {
    source?.dispose()
    transport.dispose()
  }
}

/** Where the blocks of a push come from. */
interface Source {
  load(first: number, count: number): Promise<void> | void
  dispose(): void
}

/** Brings rows of the pool into `input` [rows, D]: a copy where they are floats as they should be, else through load_rows. */
async function openSource(
  device: Device,
  { left: buffer, reading }: Pool,
  input: DeviceBuffer,
  [rows, D]: readonly [number, number],
  draws: { seedLow: number; seedHigh: number; stream: number },
): Promise<Source> {
  const words = poolWords(D, reading.values)
  if (reading.values === 'floats' && reading.mirror === 0) {
    return { load: (first, count) => device.copy(buffer, first * D, input, 0, count * D), dispose: () => undefined }
  }
  const block = device.createBuffer(rows * words, buffer.dtype)
  const number = device.createBuffer(1, 'u32')
  const builder = new ProgramBuilder()
  builder.add(
    loadRows,
    { pool: builder.tensor(block, [rows, words]), first: builder.tensor(number), y: builder.tensor(input, [rows, D]) },
    { ...draws, ...reading },
  )
  const executable = await device.compile(builder.build())
  return {
    load(first, count) {
      device.copy(buffer, first * words, block, 0, count * words)
      number.write(Uint32Array.of(first))
      return executable.run(1)
    },
    dispose() {
      executable.dispose()
      block.dispose()
      number.dispose()
    },
  }
}
