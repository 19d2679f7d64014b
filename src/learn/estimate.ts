/**
 * What training will cost, before it begins: parameters, floating-point operations, and the memory of a training step. The
 * memory is that of the step's own program, lowered as for a device: buffers that stay, and the slots that temporaries share
 * by their lifetimes. Scratch memory inside kernels is not counted.
 */

import { type Device, type DeviceInfo, memoryOf } from '../device/device.js'
import { ConfigError } from '../errors.js'
import { stepTable } from '../kernels/adam.js'
import { MOST_POOL_PIECES, poolWords } from '../kernels/pool.js'
import { STATE_LENGTH } from '../kernels/state.js'
import type { Network, NetworkSpec } from '../networks/network.js'
import { type Model, networkOf, traitsOf } from '../networks/registry.js'
import type { StorageBuffer } from '../program/program.js'
import type { TeacherField } from './pool.js'
import { type FitSettings, trainingProgram } from './step.js'
import { LOSS_RING } from './step-runs.js'
import type { Task } from './task.js'
import { partStride } from './team.js'
import { validationProgram } from './validation.js'

export interface TrainingEstimate {
  /** trainable parameters of one sub-flow */
  readonly parameters: number
  /** products of one row's forward pass, and of a training step, multiply-add counted as two */
  readonly rowFlops: number
  readonly stepFlops: number
  readonly memory: {
    /** bytes that stay through a sub-flow's training: parameters, moments, average, gradient, table, losses */
    readonly optimizer: number
    /** bytes of the training rows on the device; 0 where their number is not known */
    readonly pool: number
    /** bytes of the temporaries' shared slots and of constants */
    readonly activations: number
    /** bytes of the rows that are validated on, and of what a measurement computes; 0 where there are none */
    readonly validation: number
    /** the largest single buffer, bytes, the training rows aside */
    readonly largest: number
    /** the same for each kind: parameters, the table of learning rates, what a step computes */
    readonly buffers: { readonly parameters: number; readonly table: number; readonly activations: number }
    /** all of it */
    readonly peak: number
  }
}

export interface EstimatedRows {
  /** n; null where the data are not there */
  readonly count: number | null
  readonly pixels: boolean
  /** rows that are validated on, 1 or more, and draws of a row that stay together; left out: none */
  readonly validation?: { readonly rows: number; readonly timesPerPair: number }
}

const sum = (values: readonly number[]): number => values.reduce((total, value) => total + value, 0)

/** What training with these settings takes on a device; null: on any GPU. */
export function estimateTraining(
  field: Network,
  task: Task,
  settings: FitSettings,
  { count, pixels, validation }: EstimatedRows,
  device: Pick<Device, 'memoryFor'> | null,
): TrainingEstimate {
  const buffers: StorageBuffer[] = []
  const buffer = (length: number, dtype: StorageBuffer['dtype'] = 'f32') => {
    const made: StorageBuffer = { dtype, length }
    buffers.push(made)
    return made
  }
  const P = field.parameterLength
  const { microBatches = 1, parts = 1 } = settings
  const on = {
    parameters: buffer(P),
    m: buffer(P),
    v: buffer(P),
    average: settings.optimizer.ema > 0 ? buffer(P) : null,
    half: settings.precision === 'mixed' ? buffer(P, 'f16') : null,
    gradient: buffer(P),
    part: microBatches > 1 ? buffer(P) : null,
    parts: parts > 1 ? { gradients: buffer(parts * partStride(P)), losses: buffer(settings.batch) } : null,
    ring: buffer(LOSS_RING),
    table: buffer(settings.steps * stepTable.columns),
    tables: Object.fromEntries(Object.entries(task.tables).map(([name, { length }]) => [name, buffer(length)])),
    state: buffer(STATE_LENGTH, 'u32'),
  }
  const optimizer = sum(buffers.map(({ dtype, length }) => (dtype === 'f16' ? 2 : 4) * length))
  // without data, as many rows as a batch needs make the program
  const rows = count ?? settings.batch
  const reading = { values: pixels ? 'pixels' : 'floats', mirror: 0 } as const
  const C = Math.max(0, field.condition - (task.madeCondition?.(field.dimension) ?? 0))
  const poolOf = (rows: number): { left: StorageBuffer; right?: StorageBuffer; condition?: StorageBuffer } => ({
    left: { dtype: pixels ? 'u32' : 'f32', length: rows * poolWords(field.dimension, reading.values) },
    ...(task.readsRight && { right: { dtype: 'f32', length: rows * field.dimension } }),
    ...(C > 0 && { condition: { dtype: 'f32', length: rows * C } }),
  })
  const { left, right, condition } = poolOf(rows)
  const measuring = ({ rows, timesPerPair }: NonNullable<EstimatedRows['validation']>): number => {
    const unseen = poolOf(rows)
    const fit = { ...settings, batch: settings.batch / microBatches, timesPerPair }
    const program = validationProgram(field, task, { ...unseen, rows, reading }, 1, fit, on).build()
    const { slots, constants } = device?.memoryFor(program) ?? memoryOf(program)
    const columns = Object.values(unseen).map(({ length }) => length)
    return 4 * (sum(columns) + LOSS_RING + STATE_LENGTH) + sum(slots) + constants
  }
  const column: StorageBuffer = { dtype: 'f32', length: rows }
  const spanned: StorageBuffer = { dtype: 'f32', length: rows * field.condition }
  const times = task.readsSpan ? { condition: spanned, span: { time: column, inverse: column } } : {}
  const teacher = task.readsTeacher ? standIn(field, task.readsTeacher) : undefined
  const pool = { left, right, condition, ...times, teacher, rows, reading }
  const program = trainingProgram(field, task, pool, 1, settings, on)
  const { slots, constants } = device?.memoryFor(program.build()) ?? memoryOf(program.build())
  const activations = sum(slots) + constants
  const validationBytes = validation ? measuring(validation) : 0
  const buffersOf = {
    parameters: 4 * P,
    table: 4 * on.table.length,
    activations: Math.max(0, ...slots),
  }
  const told = task.readsSpan ? (2 + field.condition) * rows : (condition?.length ?? 0)
  const columns = left.length + (right?.length ?? 0) + told + (teacher?.parameters.length ?? 0)
  const poolBytes = count === null ? 0 : 4 * columns
  return {
    parameters: field.parameterCount,
    rowFlops: field.rowFlops,
    stepFlops: field.stepFlops(settings.batch) + (task.passes ?? 0) * settings.batch * field.rowFlops,
    memory: {
      optimizer,
      pool: poolBytes,
      activations,
      validation: validationBytes,
      largest: Math.max(buffersOf.parameters, buffersOf.table, buffersOf.activations),
      buffers: buffersOf,
      peak: optimizer + poolBytes + activations + validationBytes,
    },
  }
}

/** A teacher as large as the student, which has its layers. */
function standIn(field: Network, stages: number): TeacherField {
  // it has no second time
  const network = networkOf({ ...field.spec, condition: field.condition - 1, secondTime: false } as NetworkSpec)
  return {
    network,
    parameters: { dtype: 'f32', length: stages * network.parameterLength },
    outputScales: new Array<number>(stages).fill(1),
  }
}

/** Bytes of a pool that a device binds, in as many parts as it may have; Infinity where it does not say. */
export function mostPoolBytes({ details }: Pick<DeviceInfo, 'details'>): number {
  const { maxBufferSize, maxStorageBufferBindingSize: bound } = details
  return Math.min(
    typeof maxBufferSize === 'number' ? maxBufferSize : Infinity,
    typeof bound === 'number' ? MOST_POOL_PIECES * bound : Infinity,
  )
}

const UNITS = ['bytes', 'KiB', 'MiB', 'GiB', 'TiB']

/** 1536 → '1.5 KiB' */
export function bytesText(bytes: number): string {
  const power = Math.min(UNITS.length - 1, Math.floor(Math.log2(Math.max(bytes, 1)) / 10))
  const value = bytes / 1024 ** power
  return `${power === 0 ? value : value.toFixed(value < 10 ? 2 : value < 100 ? 1 : 0)} ${UNITS[power]}`
}

/** The settings that remedies name. */
export interface PlannedSettings {
  readonly model: Model
  readonly train: {
    readonly batch: number
    readonly steps: readonly number[]
    readonly microBatches: number
    readonly recompute: boolean
  }
}

/**
 * @param available bytes that this process may have, for what computes on the processor
 * @throws ConfigError where a training step needs more memory than a device has: than the machine, for all that compute on the
 * processor, or than a buffer may have on an adapter.
 */
export function checkMemory(
  { memory }: TrainingEstimate,
  { train, model }: PlannedSettings,
  { type, name, details }: Pick<DeviceInfo, 'type' | 'name' | 'details'>,
  available: number,
): void {
  const remedies = [
    'a smaller train.batch',
    ...(traitsOf(model).savesMemory
      ? [`train.microBatches: ${2 * train.microBatches}`, ...(train.recompute ? [] : ['train.recompute: true'])]
      : []),
  ]
  const remedy = `Take ${remedies.join(', or ')}.`
  if (type !== 'hardware' && memory.peak > available) {
    throw new ConfigError(
      `train.batch ${train.batch} needs ${bytesText(memory.peak)} (${bytesText(memory.activations)} of them for what a ` +
        `step computes), but this machine has ${bytesText(available)}. ${remedy}`,
    )
  }
  const { parameters, table, activations } = memory.buffers
  const width = traitsOf(model).sizeKey
  const steps = Math.max(...train.steps)
  const needs: readonly (readonly [what: string, bytes: number, remedy: string])[] = [
    [`${width} makes a network that`, parameters, `Take a smaller ${width}.`],
    [`train.batch ${train.batch}`, activations, remedy],
    [`train.steps ${steps}`, table, 'Take fewer train.steps, and more sub-flows in their place.'],
    ['data.train', memory.pool, 'Take fewer rows (data.train), or another device.'],
  ]
  for (const [what, bytes, remedy] of needs) {
    for (const limit of ['maxBufferSize', 'maxStorageBufferBindingSize']) {
      const most = details[limit]
      // a device splits the training rows where it can bind no more at a time
      const parts = bytes === memory.pool && limit === 'maxStorageBufferBindingSize' ? MOST_POOL_PIECES : 1
      if (typeof most !== 'number' || bytes <= parts * most) continue
      throw new ConfigError(
        `${what} needs a buffer of ${bytesText(bytes)}, but '${name}' allows ${bytesText(most)} (${limit}). ${remedy}`,
      )
    }
  }
}
