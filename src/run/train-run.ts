/**
 * A training from what was asked for to a trained flow: the one way that `lfm train`, `run` and `LocalFlow.train` share, with the
 * same checks in the same order. Nothing is written before everything that can be wrong is known to be right.
 */

import { stat } from 'node:fs/promises'
import {
  type FolderWords,
  findRun,
  lockRun,
  makeRunFolder,
  programWords,
  type RunManifest,
} from '../checkpoint/index.js'
import type { ResolvedOptions } from '../config/index.js'
import { scalerOf } from '../data/scaler.js'
import type { DataConfig } from '../data/schema.js'
import { type LoadedData, trainingRows } from '../data/source.js'
import { factsLines } from '../data/tables/report.js'
import type { Tensor } from '../data/tensor.js'
import type { Device } from '../device/device.js'
import { openDevice } from '../device/node/select.js'
import { CheckpointError, DataError, LocalFlowError, TrainingError } from '../errors.js'
import type { Lock } from '../files/lock.js'
import { missingForFigures } from '../files/native-parts.js'
import { stringify } from '../files/yaml.js'
import { conditionedData } from './conditioning.js'
import { studentCondition, toldByData } from './distilling.js'
import { joinParts } from './parts.js'
import { rowsSha256 } from './recording.js'
import { type Resumption, resumeWith } from './resuming.js'
import { openRun, type Run, type RunIdentity, readState } from './run.js'
import { Session, type SessionHooks, type SessionResult, type SessionTeacher } from './session.js'
import { expectSmall, type StoredRun, storedInMemory, storeTraining } from './stored.js'
import { adapterOf, sharedAdapters, withThreadsOf } from './team/open.js'
import { checkBatch } from './training.js'

/** A run folder to train into. */
export interface TrainFolder {
  readonly path: string
  /** go on with the run that it holds */
  readonly resume?: boolean
  /** replace the run that it holds */
  readonly force?: boolean
  readonly title: string
  readonly reproduce: readonly string[]
  /** how messages name the options above; default: a program's */
  readonly words?: FolderWords
  /** what goes on with the run, for the message of an error that ended it */
  readonly goOn: string
}

export interface TrainRequest {
  /** what was written, for the manifest: a config, or a program's options */
  readonly raw: object
  readonly options: ResolvedOptions
  /** reads the rows, once everything before them is right */
  readonly load: () => Promise<LoadedData>
  /** the run that students learn from; the rows are then what the report shows, and nothing is learnt from them */
  readonly teacher?: Omit<SessionTeacher, 'told'> & { readonly sha256: string }
  /** the resolved section `data`, which a run that is resumed must have too; null: rows of a program */
  readonly data: DataConfig | null
  /** where the config was read, for the files that it names; null: not from a file */
  readonly configPath: string | null
  /** take the sub-flows that were trained alone into this folder (parts.ts) as what is trained; how messages call that */
  readonly join?: string
  /** null: nothing is written */
  readonly folder: TrainFolder | null
  /** a folder that TensorBoard reads, for losses while they come; default: none */
  readonly tensorboard?: string
  readonly fast?: boolean
  readonly profile?: boolean
  /** warnings of the device's choice; default: a line on stderr */
  readonly onDeviceWarning?: (sentence: string) => void
}

export interface TrainHooks extends SessionHooks {
  /** what a reader should know of data, device and folder, a sentence each */
  readonly onWarning: (sentence: string) => void
  /** what is going on, a sentence each */
  readonly onNote?: (sentence: string) => void
  /** rows that are larger than memory and are in their file, of all */
  readonly onStoring?: (rows: number, of: number) => void
  /** training ends by an error, or was aborted; the checkpoint that the folder has then */
  readonly onFailure?: (saved: RunManifest | null) => void
}

export interface TrainedRun extends SessionResult {
  /** open; the caller disposes of it */
  readonly device: Device
  readonly data: LoadedData
  /** where a run that was resumed stood */
  readonly resumedFrom: RunManifest['progress'] | null
}

/** Trains. Throws what is wrong with options, data, device and folder, and says what is kept of a training that failed. */
export async function trainRun(request: TrainRequest, hooks: TrainHooks): Promise<TrainedRun> {
  const { folder } = request
  if (!folder) return trainInto(request, hooks, async () => {})
  // a folder that is there is locked before its run is looked at; a new one is made once everything else is right
  let lock = await lockIfThere(folder.path, hooks.onWarning)
  try {
    return await trainInto(request, hooks, async () => {
      await makeRunFolder(folder.path)
      if (lock) return
      lock = await lockRun(folder.path, hooks.onWarning)
      // another may have begun there meanwhile
      await findRun(folder.path, { force: folder.force, words: folder.words ?? programWords })
    })
  } finally {
    await lock?.release()
  }
}

/** The lock of a run folder; null where there is no such folder yet. */
async function lockIfThere(folder: string, onWarning: (sentence: string) => void): Promise<Lock | null> {
  const there = await stat(folder).then(
    (found) => found.isDirectory(),
    () => false,
  )
  return there ? lockRun(folder, onWarning) : null
}

/** @param holdFolder makes the run folder where it is not there, and sees to it that nobody else writes to it */
async function trainInto(
  request: TrainRequest,
  hooks: TrainHooks,
  holdFolder: () => Promise<void>,
): Promise<TrainedRun> {
  const { folder, configPath, teacher } = request
  const { onWarning, onNote } = hooks
  const { resume, force, words = programWords } = folder ?? {}
  const manifest = folder && (await findRun(folder.path, { resume, force, words }))
  const run = manifest && (await openRun(folder.path, manifest))
  const { options, raw, change }: Resumption = run
    ? resumeWith(run, request.options, request.raw, request.data)
    : { options: request.options, raw: request.raw, change: null }

  if (run && teacher && run.extra.teacherSha256 !== teacher.sha256) {
    throw new CheckpointError(
      `The teacher in ${teacher.folder} is not the one that the run in ${run.folder} was begun with: its parameters are others. ` +
        'Resume it with the old teacher, or distil into another folder.',
    )
  }
  const loaded = await request.load()
  loaded.remarks.forEach(onWarning)
  for (const line of loaded.table ? factsLines(loaded.table.columns) : []) onNote?.(line)
  const [, ...rowShape] = loaded.train.shape
  if (!teacher) checkBatch(options, trainingRows(loaded))
  const conditioned = teacher ? null : conditionedData(loaded, options)
  const told = teacher ? toldByData(teacher.contents.condition ?? null, loaded) : null
  const large = teacher ? null : (loaded.large ?? null)
  if (large) expectSmall(options)
  // of rows that are stored the hash is known when they are
  const known = teacher
    ? { data: loaded, sha256: null }
    : large
      ? null
      : sameRows(loaded, run, conditioned?.given ?? null)
  const data = known?.data ?? loaded
  const longer =
    run?.manifest.progress.phase === 'done' && options.train.steps.at(-1)! > run.options.train.steps.at(-1)!
  const joined = request.join ? await joinParts(folder!.path, raw, options, request.join) : null
  const expectJoined = (sha256: string | null): void => {
    if (!joined?.dataSha256.some((hash) => hash !== sha256)) return
    throw new DataError(
      `The training rows (${loaded.description}) are not those that the sub-flows in ${folder!.path} were trained on. Join them ` +
        'with these, or train the sub-flows anew.',
    )
  }
  if (known) expectJoined(known.sha256)
  const start = joined?.state ?? (run && (await readState(run, longer)))
  if (change) onNote?.(change)
  const device = await withThreadsOf(options.device.workers ?? 1, () =>
    openDevice(options.device.kind, {
      variants: options.device.variants,
      remembered: manifest?.variants,
      adapter: adapterOf(options, 0),
      fast: request.fast ?? options.device.fast,
      profile: request.profile,
      onWarning: request.onDeviceWarning,
    }),
  )
  const shared = sharedAdapters(options, device)
  if (shared) onNote?.(shared)
  let session: Session | null = null
  let rows: StoredRun | null = null
  try {
    await holdFolder()
    let dataSha256 = known?.sha256 ?? null
    if (large) {
      const window = run ? (run.extra.window ?? large.rows) : null
      const made = await storeTraining(large, {
        options,
        folder: folder?.path,
        window,
        device,
        signal: hooks.signal,
        onNote,
        onRows: hooks.onStoring,
      })
      rows = made
      dataSha256 = made.sha256
      expectSame(dataSha256, loaded, run)
      expectJoined(dataSha256)
    } else if (run?.extra.window) rows = storedInMemory(data, run.extra.window)
    const identity: RunIdentity = {
      created: manifest?.created ?? new Date().toISOString(),
      raw,
      options,
      rowShape,
      rowKind: data.rowKind,
      scaler: data.scaler,
      columns: data.columns,
      encoding: data.table?.encoding ?? null,
      condition: teacher
        ? studentCondition(teacher.contents.condition ?? null, options)
        : (conditioned?.condition ?? null),
      configPath,
      dataSha256,
      window: rows?.stored.window,
      teacherSha256: teacher?.sha256 ?? null,
      device: device.info,
      changes: [...(run?.extra.changes ?? []), ...(change ? [change] : [])],
    }
    const { part } = options.flow
    const undrawn = part
      ? `This is sub-flow ${part.number} of ${part.of} alone.`
      : folder && ((await missingForFigures())?.message ?? null)
    if (undrawn && !part) onWarning(`The report will have no pictures. ${undrawn}`)
    const into = folder && { ...folder, force: force ?? false, config: stringify(raw), undrawn }
    session = new Session(
      device,
      data,
      teacher ? { ...teacher, told } : null,
      conditioned,
      rows?.stored ?? null,
      identity,
      into,
      manifest,
      start,
      {
        ...hooks,
        onValidation: (validation) => {
          hooks.onValidation?.(validation)
          const { subFlow, step, stops } = validation
          if (stops) {
            onNote?.(
              `Sub-flow ${subFlow} stops after ${step} steps: no validation loss since is better than the best one's.`,
            )
          }
        },
        onTrained: () => {
          hooks.onTrained?.()
          if (folder && !undrawn) onNote?.('Drawing the pictures of the report.')
        },
      },
      request.tensorboard ?? null,
    )
    if (joined) onNote?.(`Joining the ${options.train.steps.length} sub-flows in ${folder!.path}.`)
    else if (start) {
      const { fit: subFlow, training } = start.chain
      const N = options.train.steps.length
      onNote?.(
        subFlow > N
          ? `${folder!.path} is already trained; only its pictures and report are made again.`
          : `Going on from step ${training?.step ?? 0} of ${teacher ? 'student' : 'sub-flow'} ${subFlow} of ${N}.`,
      )
    }
    const result = await session.run()
    return { ...result, device, data, resumedFrom: manifest?.progress ?? null }
  } catch (error) {
    await device.dispose()
    const saved = session?.saved ?? manifest
    hooks.onFailure?.(saved)
    if (folder && error instanceof LocalFlowError && !(error instanceof CheckpointError)) {
      error.message += ` ${whatIsKept(folder, saved, error instanceof TrainingError)}`
    }
    throw error
  } finally {
    await rows?.close()
  }
}

/**
 * The rows, if they are those that a run was begun with. Runs of versions that read all numbers as float32 have the hash of
 * these: they go on with them.
 */
function sameRows(
  data: LoadedData,
  run: Run | null,
  conditions: ArrayBufferView | null,
): { data: LoadedData; sha256: string } {
  const sha256 = rowsSha256(data.train, conditions)
  const before = run?.extra.dataSha256
  if (!before || before === sha256) return { data, sha256 }
  if (data.train.values instanceof Float64Array) {
    const rounded = (x: Tensor): Tensor => ({ values: Float32Array.from(x.values), shape: x.shape })
    const train = rounded(data.train)
    if (rowsSha256(train, conditions) === before) {
      const part = (x: Tensor | null): Tensor | null => x && rounded(x)
      const scaler = scalerOf(train, data.scaler !== null, data.columns)
      const parts = { train, validation: part(data.validation), test: part(data.test) }
      return { data: { ...data, ...parts, scaler }, sha256: before }
    }
  }
  throw otherRows(data, run)
}

const otherRows = ({ description }: LoadedData, { folder }: Run): DataError =>
  new DataError(
    `The training rows (${description}) are not those that the run in ${folder} was begun with: the data have ` +
      'changed. Resume it with the old data, or train into another folder.',
  )

/** Throws DataError where a run was begun with other rows. */
function expectSame(sha256: string, data: LoadedData, run: Run | null): void {
  const before = run?.extra.dataSha256
  if (run && before && before !== sha256) throw otherRows(data, run)
}

export const placeOf = ({ progress: { subFlow, step } }: RunManifest): string => `step ${step} of sub-flow ${subFlow}`

/** The last word of an error that ended a training: what is on disk, and what to do with it. */
function whatIsKept({ path, goOn }: TrainFolder, saved: RunManifest | null, diverged: boolean): string {
  if (!saved) return `Nothing was saved in ${path} yet.`
  if (saved.progress.phase === 'done') {
    return `Kept: the trained model in ${path}. Make its pictures and report with: ${goOn}`
  }
  const kept = `Kept: the checkpoint in ${path} at ${placeOf(saved)}.`
  if (diverged) return `${kept} Go on from it at a smaller train.lr, or with train.clip, by: ${goOn}`
  return `${kept} Go on with: ${goOn}`
}
