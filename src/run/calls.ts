/** A training as a program asks for it, of `LocalFlow.train` and `run` alike. */

import { basename } from 'node:path'
import { programWords } from '../checkpoint/index.js'
import type { Device } from '../device/device.js'
import { warnOnStderr } from '../device/node/select.js'
import { invalid } from '../errors.js'
import type { FlowContents } from './flow-contents.js'
import { type TrainRequest, trainRun } from './train-run.js'
import type { TrainingCalls, TrainingRecord } from './training-calls.js'

/** Trains as a program asks. The device is the caller's. */
export async function trainAsCalled(
  request: Omit<TrainRequest, 'folder' | 'tensorboard' | 'onDeviceWarning'>,
  { out, tensorboard, onWarning, ...calls }: TrainingCalls,
): Promise<{ contents: FlowContents; device: Device; training: TrainingRecord }> {
  const { resume, force, signal, onProgress, onValidation, onCheckpoint } = calls
  if (!out && (resume || force)) throw invalid('out', 'a run folder, where resume or force is given', out)
  signal?.throwIfAborted()
  const folder = out
    ? { path: out, resume, force, title: basename(out), reproduce: [], goOn: programWords.resume! }
    : null
  const run = await trainRun(
    { ...request, folder, tensorboard, onDeviceWarning: onWarning },
    { signal, onProgress, onValidation, onCheckpoint, onWarning: onWarning ?? warnOnStderr },
  )
  const { contents, device, trained, timings, losses, validation, report, resumedFrom } = run
  if (signal?.aborted) {
    await device.dispose()
    throw signal.reason
  }
  const training: TrainingRecord = {
    losses,
    validation,
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
