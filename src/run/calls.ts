/** What a program says to a training beside its settings, and what it gets back: of `LocalFlow.train` and `run` alike. */

import { basename } from 'node:path'
import { programWords } from '../checkpoint/index.js'
import type { Device } from '../device/device.js'
import { warnOnStderr } from '../device/node/select.js'
import { invalid } from '../errors.js'
import type { Progress } from '../recipes/run-recipe.js'
import type { FlowContents } from './flow-contents.js'
import type { Checkpoint } from './session.js'
import { type TrainRequest, trainRun } from './train-run.js'

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

/** Trains as a program asks. The device is the caller's. */
export async function trainAsCalled(
  request: Omit<TrainRequest, 'folder' | 'onDeviceWarning'>,
  { out, onWarning, ...calls }: TrainingCalls,
): Promise<{ contents: FlowContents; device: Device; training: TrainingRecord }> {
  const { resume, force, signal, onProgress, onCheckpoint } = calls
  if (!out && (resume || force)) throw invalid('out', 'a run folder, where resume or force is given', out)
  signal?.throwIfAborted()
  const folder = out
    ? { path: out, resume, force, title: basename(out), reproduce: [], goOn: programWords.resume! }
    : null
  const run = await trainRun(
    { ...request, folder, onDeviceWarning: onWarning },
    { signal, onProgress, onCheckpoint, onWarning: onWarning ?? warnOnStderr },
  )
  const { contents, device, trained, timings, losses, report, resumedFrom } = run
  if (signal?.aborted) {
    await device.dispose()
    throw signal.reason
  }
  const training: TrainingRecord = {
    losses,
    steps: timings.stepsTaken,
    skipped: trained.skipped,
    seconds: timings.seconds,
    pushSeconds: timings.pushSeconds,
    out: out ?? null,
    report,
    resumedFrom: resumedFrom && { subFlow: resumedFrom.subFlow, step: resumedFrom.step },
  }
  return { contents, device, training }
}
