/**
 * What a program says to a training beside its settings, is told meanwhile, and gets back: types alone, so that the public ones
 * reach neither files nor pictures.
 */

import type { Progress } from '../recipes/run-recipe.js'

/** A place that a training can be taken up from. */
export interface Checkpoint {
  /** the run folder that holds it; null where nothing is written */
  readonly out: string | null
  /** from 1 */
  readonly subFlow: number
  /** steps of this sub-flow that were taken */
  readonly step: number
  /** what comes next: more steps, a push of the data, or nothing */
  readonly phase: 'train' | 'push' | 'done'
}

/** A validation loss: that of the parameters which become the model, on rows that are not learnt from. */
export interface ValidationLoss {
  /** from 1 */
  readonly subFlow: number
  /** steps of this sub-flow that were taken */
  readonly step: number
  /** with the same rows, noise and times each time */
  readonly loss: number
  /** whether no loss before was less */
  readonly best: boolean
  /** whether the sub-flow stops here (train.patience) */
  readonly stops: boolean
}

/** Validation losses of a sub-flow. */
export interface ValidationCurve {
  /** steps after which it was measured, ascending */
  readonly steps: readonly number[]
  /** the losses there */
  readonly losses: readonly number[]
}

/** Where a training writes, and who is told of it. The same for `LocalFlow.train` and `run`. */
export interface TrainingCalls {
  /**
   * A run folder to train into, with checkpoints, losses, pictures and a report, as `lfm train --out` makes it. Default: nothing
   * is written
   */
  out?: string
  /** a folder for TensorBoard (`tensorboard --logdir`): losses and learning rates while they come. Default: none is written */
  tensorboard?: string
  /** go on with the run that `out` holds, which was begun with the same rows; docs/programs.md says what may change */
  resume?: boolean
  /** replace the run that `out` holds, once this one has its first checkpoint */
  force?: boolean
  /** aborting saves a checkpoint where there is a folder, and rejects with signal.reason */
  signal?: AbortSignal
  /** called about four times a second while steps are taken, and for each block of rows that is pushed */
  onProgress?: (progress: Progress) => void
  /** called at every validation loss (train.validateEvery), where there are validation rows */
  onValidation?: (validation: ValidationLoss) => void
  /** called at every checkpoint (train.checkpointEvery, ends of sub-flows and of pushes); training waits for what it returns */
  onCheckpoint?: (checkpoint: Checkpoint) => unknown
  /** told what a reader should know of data and device, a sentence each. Default: a line on stderr */
  onWarning?: (sentence: string) => void
}

/** What a training leaves behind beside its model. */
export interface TrainingRecord {
  /** loss of every step, for each sub-flow */
  readonly losses: readonly Float32Array[]
  /** validation losses of each sub-flow; without a point where there are no validation rows */
  readonly validation: readonly ValidationCurve[]
  /** steps that were taken, in all sessions of the run */
  readonly steps: number
  /** steps of this session that were skipped, since their gradient was not finite */
  readonly skipped: number
  /** wall time of steps, in all sessions of the run */
  readonly seconds: number
  /** wall time of pushes, in all sessions of the run */
  readonly pushSeconds: number
  /** the run folder; null where nothing was written */
  readonly out: string | null
  /** path of the report; null where nothing was written */
  readonly report: string | null
  /** where a run that was resumed stood */
  readonly resumedFrom: {
    /** from 1 */
    readonly subFlow: number
    /** steps of it that were taken */
    readonly step: number
  } | null
}
