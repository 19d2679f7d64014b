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

/** Where a training writes, and who is told of it. The same for `LocalFlow.train` and `run`. */
export interface TrainingCalls {
  /**
   * A run folder to train into, with checkpoints, losses, pictures and a report, as `lfm train --out` makes it. Default: nothing
   * is written
   */
  out?: string
  /** go on with the run that `out` holds, which was begun with the same rows; docs/programs.md says what may change */
  resume?: boolean
  /** replace the run that `out` holds, once this one has its first checkpoint */
  force?: boolean
  /** aborting saves a checkpoint where there is a folder, and rejects with signal.reason */
  signal?: AbortSignal
  /** called about four times a second while steps are taken, and for each block of rows that is pushed */
  onProgress?: (progress: Progress) => void
  /** called at every checkpoint (train.checkpointEvery, ends of sub-flows and of pushes); training waits for what it returns */
  onCheckpoint?: (checkpoint: Checkpoint) => unknown
  /** told what a reader should know of data and device, a sentence each. Default: a line on stderr */
  onWarning?: (sentence: string) => void
}

/** What a training leaves behind beside its model. */
export interface TrainingRecord {
  /** loss of every step, for each sub-flow */
  readonly losses: readonly Float32Array[]
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
