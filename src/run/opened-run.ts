/**
 * A run that is opened: what its manifest says, checked, and the flow in its files. Where the files are read from is the
 * caller's: a folder (run.ts), or whatever a browser has.
 */

import * as z from 'zod'
import { manifestName, type RunManifest } from '../checkpoint/manifest.js'
import { type ResolvedOptions, resolveOptions } from '../config/resolve.js'
import { kindOfShape, type RowKind, rowKindNames } from '../data/kinds.js'
import { encodingSchema, openEncoding } from '../data/tables/encoding.js'
import { CheckpointError } from '../errors.js'
import type { Safetensors } from '../files/safetensors.js'
import { conditionSchema } from '../model/condition-schema.js'
import type { NamedTensor, Network } from '../networks/network.js'
import { type RecipePlan, stageNetworks, type TrainedNetwork } from '../recipes/recipe.js'
import { fittedNetwork, recipeOf, recipeSettings, stagesOf } from '../recipes/settings.js'
import { asResolved } from './changed-defaults.js'
import type { FlowContents } from './flow-contents.js'
import { reportFacts } from './report-facts.js'

/** Reads a safetensors file of a run by its logical name. */
export type ReadTensors = (name: string) => Promise<Safetensors>

/** What carries rows through a stage: a flow that is integrated, or a jump (model/transport.ts). */
const stageKinds = ['flow', 'map', 'average'] as const
type StageKind = (typeof stageKinds)[number]

const wholeNumber = z.int().min(0)
const aboveZero = z.number().positive()
const extraSchema = z.object({
  /** […dims] of one row */
  rowShape: z.array(z.int().min(1)).min(1),
  /** what a row is; runs of format 1 do not say it */
  rowKind: z.enum(rowKindNames).optional(),
  scaler: z.object({ mean: z.array(z.number()), std: z.array(aboveZero) }).nullable(),
  /** names of the columns, where there are any */
  columns: z.array(z.string()).nullable(),
  /** of a table of mixed columns, how its rows are numbers */
  encoding: encodingSchema.optional(),
  /** what the model is told of its rows; left out: nothing */
  condition: conditionSchema.optional(),
  /** where the config was read, for the files it names; null for a run saved by a program */
  configPath: z.string().nullable(),
  /** SHA-256 of the training rows; null for a run saved by a program */
  dataSha256: z.string().nullable(),
  /** rows of a window, where the training rows were more than memory held; left out: all of them */
  window: z.int().min(1).optional(),
  /** what the model's stages are, from the data's side; left out: flows, as in runs before there were students */
  stages: z.array(z.enum(stageKinds)).optional(),
  /** SHA-256 of a student's teacher; null where it was trained on data, or saved by a program */
  teacherSha256: z.string().nullable().default(null),
  /** output scales of the finished sub-flows, and of the current one */
  scales: z.array(aboveZero),
  scale: aboveZero,
  /** steps of the current sub-flow that were skipped, in all and in a row */
  skipped: wholeNumber,
  skippedInARow: wholeNumber,
  /** loss scale of the current sub-flow: its binary logarithm, and the steps since it changed */
  lossExponent: wholeNumber.default(0),
  goodSteps: wholeNumber.default(0),
  /** what sessions that resumed the run changed, a sentence each */
  changes: z.array(z.string()).optional(),
  report: reportFacts.optional(),
})

/** What a run's manifest holds besides the checkpoint's own fields. */
export type RunExtra = z.output<typeof extraSchema>

export const subFlowFile = (n: number): string => `subflow-${n}.safetensors`

/** What the stages of a config's model are. */
export const stageKindsOf = (options: ResolvedOptions): StageKind[] =>
  stagesOf(options).map(({ jump }) => jump?.kind ?? 'flow')

/** The fits of a config, and which of them are the model. */
export const planOf = (options: ResolvedOptions): RecipePlan => recipeOf(options).plan(recipeSettings(options))

/** An opened run folder. */
export interface Run {
  readonly folder: string
  readonly manifest: RunManifest
  readonly options: ResolvedOptions
  /** the options as they were written, without the data */
  readonly raw: object
  readonly extra: RunExtra
  /** what its fits are of */
  readonly field: Network
}

/** What a row of a run is. */
export const rowKindOf = ({ extra }: Pick<Run, 'extra'>): RowKind => extra.rowKind ?? kindOfShape(extra.rowShape)

/** A run whose manifest was read; what the manifest says is checked. Throws CheckpointError. */
export function runOf(manifest: RunManifest, folder: string): Run {
  const damaged = (what: string): CheckpointError =>
    new CheckpointError(`${folder.replace(/\/$/, '')}/${manifestName} is damaged: ${what}.`)
  const read = extraSchema.safeParse(manifest.extra)
  if (!read.success) {
    const [{ path, message }] = read.error.issues
    throw damaged(`${['extra', ...path].join('.')}: ${message}`)
  }
  const extra = read.data
  const { data: _, ...raw } = manifest.config.raw as Record<string, unknown>
  const options = resolveOptions(asResolved(raw, manifest), `the config in ${folder}`)
  const dimension = extra.rowShape.reduce((product, extent) => product * extent, 1)
  const { scaler, columns, scales } = extra
  if (scaler && (scaler.mean.length !== dimension || scaler.std.length !== dimension)) {
    throw damaged(`its scaler is not one of rows of ${dimension} values`)
  }
  if (extra.encoding && openEncoding(extra.encoding).width !== dimension) {
    throw damaged(`the encoding of its table is not one of rows of ${dimension} values`)
  }
  if (columns && columns.length !== dimension) throw damaged(`it names ${columns.length} columns of ${dimension}`)
  const { steps } = options.train
  const { subFlow: fit, step, phase } = manifest.progress
  if (fit > steps.length || step > steps[fit - 1]) {
    throw damaged(`it stands at step ${step} of sub-flow ${fit}, which its config does not have`)
  }
  const finished = phase === 'done' ? steps.length : fit - 1
  if (extra.stages && extra.stages.join() !== stageKindsOf(options).join()) {
    throw damaged(`its stages are ${extra.stages.join(', ')}, but its config makes ${stageKindsOf(options).join(', ')}`)
  }
  if (scales.length !== finished) throw damaged(`it has ${scales.length} output scales of ${finished}`)
  return { folder, manifest, options, raw, extra, field: fittedNetwork(options, extra.rowShape, extra.condition) }
}

/** Sub-flow n is in a file of its own. */
export async function readFinished(
  { folder, field, extra }: Run,
  count: number,
  read: ReadTensors,
): Promise<TrainedNetwork[]> {
  const finished: TrainedNetwork[] = []
  for (let n = 1; n <= count; n++) {
    const tensors = asNamed((await read(subFlowFile(n))).tensors)
    expectRoom(folder, field, tensors)
    const parameters = field.fromTensors(tensors, `subflow.${n}.`)
    finished.push({ parameters, outputScale: extra.scales[n - 1] })
  }
  return finished
}

/** Numbers more than a file holds that a network may have before it is refused unread: 16 MiB, which anyone can spare. */
const SLACK = 2 ** 22

/** Throws CheckpointError before memory is taken for a network that a manifest only claims. */
export function expectRoom(
  folder: string,
  { parameterCount }: Network,
  tensors: ReadonlyMap<string, NamedTensor>,
): void {
  let there = 0
  for (const { values } of tensors.values()) there += values.length
  if (parameterCount <= there + SLACK) return
  throw new CheckpointError(
    `A file of ${folder} holds ${there} numbers, but a network of its config has ${parameterCount}: they are of two models.`,
  )
}

export function asNamed(tensors: Safetensors['tensors']): Map<string, NamedTensor> {
  const named = new Map<string, NamedTensor>()
  for (const [name, { values, shape }] of tensors) {
    if (!(values instanceof Float32Array)) throw new CheckpointError(`The tensor ${name} must be F32.`)
    named.set(name, { name, shape, values })
  }
  return named
}

/** The trained flow of a finished run. Throws CheckpointError where it is not finished, or damaged. */
export async function flowOf(run: Run, read: ReadTensors): Promise<FlowContents> {
  const { manifest, options, raw, extra, folder } = run
  if (manifest.progress.phase !== 'done') {
    throw new CheckpointError(
      `The run in ${folder} is not finished: it stands at step ${manifest.progress.step} of sub-flow ` +
        `${manifest.progress.subFlow} of ${options.train.steps.length}. Go on with it by lfm train --resume, in a program by resume: true.`,
    )
  }
  const { part } = options.flow
  if (part) {
    throw new CheckpointError(
      `${folder} holds sub-flow ${part.number} of ${part.of} alone, which is no model. Join all of them by lfm train --join.`,
    )
  }
  const plan = planOf(options)
  const networks = await readFinished(run, plan.fits.length, read)
  return {
    options,
    raw,
    rowShape: extra.rowShape,
    rowKind: rowKindOf(run),
    scaler: extra.scaler,
    encoding: extra.encoding ?? null,
    condition: extra.condition ?? null,
    subFlows: stageNetworks(plan, run.field, networks),
    ...(plan.told && { fitted: networks }),
  }
}
