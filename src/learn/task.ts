/**
 * What a network learns: a *task* draws a batch on the device, with the targets for it. How it is learnt (gradients,
 * precision, optimizer, checkpoints) is the business of the fit (fit.ts), which knows nothing of flows.
 */

import type { DerivativeOperands, FieldOperands, Network } from '../networks/network.js'
import type { ProgramBuilder, ProgramTensor } from '../program/program.js'
import type { PoolBuffers } from './pool.js'

/** What a fit gives a task for the operations of one step. */
export interface StepContext {
  readonly network: Network
  readonly pool: PoolBuffers
  /** the task's own tables, by name */
  readonly tables: Readonly<Record<string, ProgramTensor>>
  /** B, rows of a batch */
  readonly batch: number
  /** of every draw; the stream tells fits apart */
  readonly seed: number
  readonly stream: number
  /** u32 [8], kernels/state.ts: draws depend on its step */
  readonly state: ProgramTensor
  /** format in which the network takes x */
  readonly inputs: 'f32' | 'f16'
  /** adds out [B, D] = scale·network(x, t, condition) as it is before the step, and its derivative in a direction; any number of times */
  differentiate(operands: Omit<DerivativeOperands, 'parameters'>): void
  /** adds out [B, D] = scale·network(x, t, condition) as it is before the step; any number of times */
  evaluate(operands: Omit<FieldOperands, 'parameters'> & { readonly out: ProgramTensor }): void
  /** adds the gradient of the mean squared error of scale·network(x, t, condition) against the target; once a step */
  regress(operands: RegressOperands): void
}

export interface RegressOperands {
  readonly x: ProgramTensor
  readonly t: ProgramTensor
  readonly condition?: ProgramTensor
  readonly target: ProgramTensor
  /** [B] what is reported as the loss of each row, in place of the squared error by scale² and dimension */
  readonly rowLoss?: ProgramTensor
}

export interface Task {
  /** values that its operations read, uploaded once a fit */
  readonly tables: Readonly<Record<string, Float32Array>>
  /** whether it reads the pool's column `right` [n, D]: what a row's path leads to, stored beside the row */
  readonly readsRight: boolean
  /** whether it reads the pool's `span` and `condition`, the times of the two; default false */
  readonly readsSpan?: boolean
  /**
   * columns of the network's condition that the task makes itself (a second time, masks), of a network for rows of D values: the
   * others are columns of the pool. Default 0; Infinity: all of them
   */
  madeCondition?(dimension: number): number
  /** how many of a teacher's stages it reads the velocities of; default 0 */
  readonly readsTeacher?: number
  /** forward passes of a row, of the network or a like one, beside those of the regression; default 0 */
  readonly passes?: number
  /** Adds the operations of one step: draws a batch and regresses on it. */
  addStep(builder: ProgramBuilder, on: StepContext): void
}
