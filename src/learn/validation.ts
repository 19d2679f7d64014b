/**
 * The validation loss of a fit: its loss on rows that it does not learn from, measured along the training. Each measurement has
 * the same rows, noise and times, so that two of them differ by the parameters alone; and forward passes alone, in float32, of
 * the parameters that become the model (their moving average where one is kept). Training stops where so many measurements in
 * a row were no better than the best before; then the parameters of the best one are the model.
 */

import type { Device, DeviceBuffer, Executable } from '../device/device.js'
import { flowLoss } from '../kernels/flow_loss.js'
import { gradientNorm, normBlocks } from '../kernels/gradient_norm.js'
import { STATE_LENGTH } from '../kernels/state.js'
import type { Network } from '../networks/network.js'
import { ProgramBuilder, type StorageBuffer } from '../program/program.js'
import type { PoolBuffers } from './pool.js'
import { LOSS_RING, readRing } from './step-runs.js'
import type { Task } from './task.js'

/** What a fit is told to validate on, and how often. */
export interface ValidationSettings {
  /** rows, as the fit's pool has them */
  readonly pool: PoolBuffers
  readonly timesPerPair: number
  /** steps between two measurements */
  readonly every: number
  /** measurements without a better one after which the fit stops; 0: it never does, and the last parameters are the model */
  readonly patience: number
}

/** What was measured of a fit so far; a checkpoint holds it. */
export interface ValidationState {
  /** steps after which it was measured, ascending */
  readonly steps: readonly number[]
  /** losses there, float32 */
  readonly losses: readonly number[]
  /** parameters of the least loss, flat [P]; null where they are not kept */
  readonly best: Float32Array | null
}

export const noValidation: ValidationState = { steps: [], losses: [], best: null }

/** Draws (a row at a time with noise) of one measurement: at least FEWEST where there are fewer rows, at most MOST. */
const [FEWEST, MOST] = [4096, 8192]
/** Streams of the draws: those of training are the numbers of fits. */
const STREAMS = 2 ** 20

/** Place of the least loss; −1 where nothing was measured. NaN is no loss. */
export function bestOf(losses: readonly number[]): number {
  let best = -1
  losses.forEach((loss, i) => {
    if (!Number.isNaN(loss) && (best < 0 || loss < losses[best])) best = i
  })
  return best
}

/** Whether a fit has been patient for long enough. */
export const isExhausted = ({ losses }: Pick<ValidationState, 'losses'>, patience: number): boolean =>
  patience > 0 && losses.length - 1 - bestOf(losses) >= patience

/** Batches of one measurement. */
export function batchesOf(rows: number, { batch, timesPerPair }: { batch: number; timesPerPair: number }) {
  const drawn = Math.min(MOST / timesPerPair, rows)
  const inPass = Math.max(1, Math.ceil((drawn * timesPerPair) / batch))
  const pairs = Math.max(1, Math.floor(drawn / inPass))
  const passes = Math.max(1, Math.ceil(FEWEST / (inPass * pairs * timesPerPair)))
  return { rows: pairs * timesPerPair, count: Math.min(LOSS_RING, inPass * passes) }
}

/** Measures the loss of parameters on a device. */
export interface Validator {
  /** mean loss of all batches; NaN where one is not finite */
  measure(): Promise<number>
  dispose(): void
}

/** What a measurement draws with: rows of a step's micro-batch, and whose stream. */
interface ValidatedFit {
  readonly batch: number
  readonly timesPerPair: number
  readonly seed: number
  readonly number: number
}

/** The program of one batch of a measurement. */
export function validationProgram(
  network: Network,
  task: Task,
  pool: PoolBuffers,
  outputScale: number,
  fit: ValidatedFit,
  on: {
    readonly parameters: StorageBuffer
    readonly ring: StorageBuffer
    readonly state: StorageBuffer
    readonly tables: Readonly<Record<string, StorageBuffer>>
  },
): ProgramBuilder {
  const { rows: batch } = batchesOf(pool.rows, fit)
  const D = network.dimension
  const builder = new ProgramBuilder()
  const tables = Object.fromEntries(Object.entries(on.tables).map(([name, table]) => [name, builder.tensor(table)]))
  const stateWords = builder.tensor(on.state)
  const rowLoss = builder.temporary([batch])
  task.addStep(builder, {
    network,
    pool,
    tables,
    batch,
    seed: fit.seed,
    stream: STREAMS + fit.number,
    state: stateWords,
    inputs: 'f32',
    differentiate: (operands) =>
      network.addDerivative(builder, { parameters: builder.tensor(on.parameters), ...operands }, outputScale),
    evaluate: (operands) =>
      network.addVelocity(builder, { parameters: builder.tensor(on.parameters), ...operands }, outputScale),
    regress({ target, rowLoss: reported, ...inputs }) {
      const [v, delta] = [builder.temporary([batch, D]), builder.temporary([batch, D])]
      network.addVelocity(builder, { parameters: builder.tensor(on.parameters), ...inputs, out: v }, outputScale)
      builder.add(flowLoss, { v, target, delta, row_loss: rowLoss }, { scale: outputScale, firstRow: 0 })
      const partials = builder.temporary([normBlocks(batch * D)])
      const gradient = builder.view(delta, [batch * D])
      builder.add(
        gradientNorm,
        { gradient, row_loss: reported ?? rowLoss, state: stateWords, partials, loss_ring: builder.tensor(on.ring) },
        {},
      )
    },
  })
  return builder
}

/** @param parameters [P], on the device: what is measured is what they are then */
export async function openValidator(
  device: Device,
  network: Network,
  task: Task,
  pool: PoolBuffers,
  outputScale: number,
  fit: ValidatedFit,
  parameters: DeviceBuffer,
): Promise<Validator> {
  const { count } = batchesOf(pool.rows, fit)
  const buffers: DeviceBuffer[] = []
  const make = (length: number, dtype: 'f32' | 'u32' = 'f32'): DeviceBuffer => {
    const made = device.createBuffer(length, dtype)
    buffers.push(made)
    return made
  }
  const [ring, state] = [make(LOSS_RING), make(STATE_LENGTH, 'u32')]
  const tables = Object.fromEntries(
    Object.entries(task.tables).map(([name, values]) => {
      const table = make(values.length)
      table.write(values)
      return [name, table]
    }),
  )
  const builder = validationProgram(network, task, pool, outputScale, fit, { parameters, ring, state, tables })
  let executable: Executable
  try {
    executable = await device.compile(builder.build())
  } catch (error) {
    for (const buffer of buffers) buffer.dispose()
    throw error
  }
  return {
    async measure() {
      // from step 0 on: the same draws as always
      state.write(new Uint32Array(STATE_LENGTH))
      const [, losses, words] = await Promise.all([executable.run(count), readRing(ring, 0, count), state.read()])
      if (words[0] < count) return Number.NaN
      return Math.fround(losses.reduce((sum, loss) => sum + loss / count, 0))
    },
    dispose() {
      executable.dispose()
      for (const buffer of buffers) buffer.dispose()
    },
  }
}
