/**
 * What a network learns: a *task* draws a batch on the device and says what the network should give for it. How that is
 * learnt (gradients, precision, optimizer, checkpoints) is the fit's affair (fit.ts), which knows nothing of flows.
 */

import type { Network } from '../networks/network.js'
import type { ProgramBuilder, Tensor } from '../program/program.js'
import type { PoolBuffers } from './pool.js'

/** What a fit offers the operations of one step. */
export interface StepContext {
  readonly network: Network
  readonly pool: PoolBuffers
  /** the task's own tables, by name */
  readonly tables: Readonly<Record<string, Tensor>>
  /** B, rows of a batch */
  readonly batch: number
  /** of everything that is drawn; the stream keeps fits apart */
  readonly seed: number
  readonly stream: number
  /** u32 [8], kernels/state.ts: draws depend on its step */
  readonly state: Tensor
  /** format in which the network takes x */
  readonly inputs: 'f32' | 'f16'
  /** adds the gradient of the mean squared distance of scale·network(x, t, condition) from the target; once a step */
  regress(operands: { x: Tensor; t: Tensor; condition?: Tensor; target: Tensor }): void
}

export interface Task {
  /** values that its operations read, uploaded once a fit */
  readonly tables: Readonly<Record<string, Float32Array>>
  /** Adds the operations of one step: draws a batch and regresses on it. */
  addStep(builder: ProgramBuilder, on: StepContext): void
}
