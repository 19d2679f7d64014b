/** A training step as the library builds it, on memory that the caller brings. */

import type { DeviceBuffer } from '../../src/device/device.js'
import { stepTable } from '../../src/kernels/adam.js'
import { STATE_LENGTH } from '../../src/kernels/state.js'
import { optimizerTable } from '../../src/learn/optimizer.js'
import { type Precision, trainingProgram } from '../../src/learn/step.js'
import { mlpNetwork } from '../../src/networks/mlp/mlp.js'
import { type MlpSpec, mlpParameterLength } from '../../src/networks/mlp/spec.js'
import type { Program, StorageBuffer } from '../../src/program/program.js'
import { optimizer, poolOf, subFlow, taskOf } from '../training.js'

const POOL_ROWS = 2000

const rule = { ...optimizer, lr: 1e-3, ema: 0.9 }

export interface Step<B extends StorageBuffer> {
  readonly program: Program
  readonly buffers: Readonly<
    Record<'pool' | 'parameters' | 'gradient' | 'm' | 'v' | 'average' | 'ring' | 'table' | 'state', B>
  >
  /** values that they start with; the others are zeros */
  readonly values: Readonly<Record<string, Float32Array>>
}

export function stepOf<B extends StorageBuffer>(
  net: MlpSpec,
  batch: number,
  make: (length: number, dtype?: 'f32' | 'u32' | 'f16') => B,
  precision: Precision = 'float32',
  steps = 8,
): Step<B> {
  const P = mlpParameterLength(net)
  const field = mlpNetwork(net)
  const table = optimizerTable(steps, rule)
  const buffers = {
    pool: make(POOL_ROWS * net.dimension),
    parameters: make(P),
    gradient: make(P),
    m: make(P),
    v: make(P),
    average: make(P),
    ring: make(steps),
    table: make(steps * stepTable.columns),
    state: make(STATE_LENGTH, 'u32'),
  }
  const settings = subFlow({ steps, batch, gamma: 0.25, optimizer: rule, precision, seed: 7 })
  const { pool, ...rest } = buffers as unknown as Record<keyof Step<B>['buffers'], DeviceBuffer>
  const half = precision === 'mixed' ? make(P, 'f16') : null
  const program = trainingProgram(field, taskOf(settings), poolOf(pool, POOL_ROWS), 1, settings, {
    ...rest,
    half,
    tables: {},
  }).build()
  const values = {
    pool: Float32Array.from({ length: POOL_ROWS * net.dimension }, (_, i) => Math.sin(1 + i * i)),
    parameters: field.initialise(7, 1),
    average: field.initialise(7, 1),
    table,
  }
  return { program, buffers, values }
}
