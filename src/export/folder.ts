/**
 * The folder of a model in PyTorch's layout: `config.json` says what the model is and names all other files with their sizes and
 * SHA-256, `subflow-1.safetensors` … hold its networks, `model.py` loads them. It can be read again. What is read comes from
 * somewhere else, so every part of it is checked. Where files are read from is the caller's: a disk (disk.ts), or what a browser
 * has.
 */

import * as z from 'zod'
import { type RowKind, rowKindNames } from '../data/kinds.js'
import type { Scaler } from '../data/scaler.js'
import { type Encoding, encodingSchema, openEncoding } from '../data/tables/encoding.js'
import { CheckpointError } from '../errors.js'
import { decodeSafetensors, type Safetensors } from '../files/safetensors.js'
import type { Condition } from '../model/condition.js'
import { conditionSchema } from '../model/condition-schema.js'

export const configName = 'config.json'

/** Of config.json; a greater one is refused. */
export const FORMAT = 1
/** Bytes of a config.json, at most. */
const MOST_CONFIG = 1 << 26

export const subFlowName = (number: number): string => `subflow-${number + 1}.safetensors`

const record = z.record(z.string(), z.unknown())
const path = z.string().regex(/^[A-Za-z0-9][\w.-]*(?:\/[A-Za-z0-9][\w.-]*)*$/)
export const folderSchema = z.looseObject({
  library_name: z.literal('local-flow-matching'),
  format: z.int().min(1),
  row_shape: z.array(z.int().min(1)).min(1).max(8),
  row_kind: z.enum(rowKindNames),
  columns: z.array(z.string()).nullable(),
  scaler: z.object({ mean: z.array(z.number()), std: z.array(z.number().positive()) }).nullable(),
  /** what the model is told of its rows; folders of models that are told nothing need not say so */
  condition: conditionSchema.nullable().default(null),
  /** of a table of mixed columns, how its rows are numbers */
  encoding: encodingSchema.nullable().default(null),
  sub_flows: z
    .array(z.looseObject({ file: path }))
    .min(1)
    .max(1000),
  /** the options of training, as they were written */
  options: record,
  files: z.array(z.object({ path, size: z.int().min(0), sha256: z.string().regex(/^[0-9a-f]{64}$/) })).max(10_000),
})

/**
 * Reads a file of a folder by its path there: its bytes, null where it has more than `most`, undefined where it is not there.
 * Rejects where it cannot be read.
 */
export type ReadFile = (path: string, most: number) => Promise<Uint8Array<ArrayBuffer> | null | undefined>

/** What is in an exported folder. */
export interface FolderContents {
  /** the options of training, as they were written */
  readonly raw: object
  readonly rowShape: readonly number[]
  readonly rowKind: RowKind
  readonly columns: readonly string[] | null
  readonly scaler: Scaler | null
  readonly condition: Condition | null
  readonly encoding: Encoding | null
  /** the tensors of each sub-flow, under PyTorch's names */
  readonly subFlows: readonly Safetensors['tensors'][]
}

/**
 * Reads an exported folder. All files that config.json names and that are there are held against their hashes; what is not
 * needed (graphs, Python) may be missing.
 * @param folder what it is called in messages
 * @throws CheckpointError where the folder holds no such model, it is of a newer version, or a file is not what was written
 */
export async function readFolder(read: ReadFile, folder: string): Promise<FolderContents> {
  const at = (path: string): string => `${folder.replace(/[/\\]$/, '')}/${path}`
  const damaged = (what: string): CheckpointError => new CheckpointError(`${at(configName)} is damaged: ${what}.`)
  const config = await readConfig(read, folder, at(configName))
  const { columns, scaler, condition, encoding } = config
  const width = config.row_shape.reduce((product, extent) => product * extent, 1)
  if (scaler && (scaler.mean.length !== width || scaler.std.length !== width)) {
    throw damaged(`its scaler is not one of rows of ${width} values`)
  }
  if (encoding && openEncoding(encoding).width !== width) {
    throw damaged(`the encoding of its table is not one of rows of ${width} values`)
  }
  if (columns && columns.length !== width) throw damaged(`it names ${columns.length} columns of ${width}`)
  const needed = new Map<string, Uint8Array>()
  const names = new Set(config.sub_flows.map(({ file }) => file))
  for (const entry of config.files) {
    const bytes = await read(entry.path, entry.size)
    if (bytes === undefined && !names.has(entry.path)) continue
    if (bytes === undefined) throw new CheckpointError(`${at(entry.path)} cannot be read: there is no such file.`)
    await expectWritten(bytes, entry, at(entry.path))
    if (bytes && names.has(entry.path)) needed.set(entry.path, bytes)
  }
  const subFlows = config.sub_flows.map(({ file }) => {
    const bytes = needed.get(file)
    if (!bytes) throw damaged(`it does not list ${file}, which it names as a sub-flow`)
    return decodeSafetensors(bytes, at(file)).tensors
  })
  return {
    raw: config.options,
    rowShape: config.row_shape,
    rowKind: config.row_kind,
    columns,
    scaler,
    condition,
    encoding,
    subFlows,
  }
}

async function readConfig(read: ReadFile, folder: string, name: string): Promise<z.output<typeof folderSchema>> {
  const bytes = await read(configName, MOST_CONFIG)
  if (bytes === undefined) throw new CheckpointError(`${name} cannot be read: there is no such file.`)
  if (!bytes) throw new CheckpointError(`${name} is damaged: it has more than ${MOST_CONFIG} bytes.`)
  let json: unknown
  try {
    json = JSON.parse(new TextDecoder().decode(bytes))
  } catch {
    throw new CheckpointError(`${name} is damaged: it is no JSON.`)
  }
  const { library_name: library, format } = (json ?? {}) as Record<string, unknown>
  if (library !== 'local-flow-matching') {
    throw new CheckpointError(
      `${folder} holds no model of local-flow-matching: its ${configName} is of something else.`,
    )
  }
  if (typeof format === 'number' && format > FORMAT) {
    throw new CheckpointError(
      `${folder} was written by a newer version of local-flow-matching (format ${format}; this one reads up to ${FORMAT}). ` +
        'Install a newer version to read it.',
    )
  }
  const result = folderSchema.safeParse(json)
  if (result.success) return result.data
  const [issue] = result.error.issues
  throw new CheckpointError(`${name} is damaged: ${issue.path.join('.') || 'it'}: ${issue.message}.`)
}

/**
 * Throws CheckpointError for bytes that are not those that were written.
 * @param bytes null: more than were written
 */
export async function expectWritten(
  bytes: Uint8Array<ArrayBuffer> | null,
  { size, sha256 }: { readonly size: number; readonly sha256: string },
  path: string,
): Promise<void> {
  if (bytes?.length !== size) {
    throw new CheckpointError(`${path} is damaged: it has ${bytes?.length ?? 'more'} bytes, but ${size} were written.`)
  }
  const digest = new Uint8Array(await crypto.subtle.digest('SHA-256', bytes))
  if ([...digest].map((byte) => byte.toString(16).padStart(2, '0')).join('') !== sha256) {
    throw new CheckpointError(`${path} is damaged: its content is not what was written (the SHA-256 differs).`)
  }
}
