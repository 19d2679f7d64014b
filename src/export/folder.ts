/**
 * The folder of a model in PyTorch's layout: `config.json` says what the model is and names all other files with their sizes and
 * SHA-256, `subflow-1.safetensors` … hold its networks, `model.py` loads them. It can be read again. What is read comes from
 * somewhere else, so every part of it is checked.
 */

import { createHash } from 'node:crypto'
import { join } from 'node:path'
import { z } from 'zod'
import { type RowKind, rowKindNames } from '../data/kinds.js'
import type { Scaler } from '../data/scaler.js'
import { CheckpointError } from '../errors.js'
import { readAtMost } from '../files/reading.js'
import { reasonOf } from '../files/reasons.js'
import { decodeSafetensors, type Safetensors } from '../files/safetensors.js'
import type { ExportedFile, ExportedModel } from './exporter.js'
import type { StageEvaluation } from './sampler.js'

export const configName = 'config.json'

/** Of config.json; a greater one is refused. */
const FORMAT = 1
/** Bytes of a config.json, at most. */
const MOST_CONFIG = 1 << 26

export const subFlowName = (number: number): string => `subflow-${number + 1}.safetensors`

const record = z.record(z.string(), z.unknown())
const path = z.string().regex(/^[A-Za-z0-9][\w.-]*(?:\/[A-Za-z0-9][\w.-]*)*$/)
const schema = z.looseObject({
  library_name: z.literal('local-flow-matching'),
  format: z.int().min(1),
  row_shape: z.array(z.int().min(1)).min(1).max(8),
  row_kind: z.enum(rowKindNames),
  columns: z.array(z.string()).nullable(),
  scaler: z.object({ mean: z.array(z.number()), std: z.array(z.number().positive()) }).nullable(),
  sub_flows: z
    .array(z.looseObject({ file: path }))
    .min(1)
    .max(1000),
  /** the options of training, as they were written */
  options: record,
  files: z.array(z.object({ path, size: z.int().min(0), sha256: z.string().regex(/^[0-9a-f]{64}$/) })).max(10_000),
})

const sizeAndHash = (content: ExportedFile['content']): { size: number; sha256: string } => {
  const hash = createHash('sha256')
  let size = 0
  for (const piece of typeof content === 'string' || content instanceof Uint8Array ? [content] : content) {
    const bytes = typeof piece === 'string' ? new TextEncoder().encode(piece) : piece
    hash.update(bytes)
    size += bytes.length
  }
  return { size, sha256: hash.digest('hex') }
}

/** config.json of a model whose other files are given. */
export function configFile(
  model: ExportedModel,
  sampler: { solver: string; evaluations: readonly StageEvaluation[] },
  licence: string,
  files: readonly ExportedFile[],
): ExportedFile {
  const { stages, rowShape, rowKind, scaler, columns, section, raw, version } = model
  const config: z.output<typeof schema> = {
    library_name: 'local-flow-matching',
    format: FORMAT,
    version,
    licence,
    model: section,
    row_shape: [...rowShape],
    row_kind: rowKind,
    columns: columns && [...columns],
    scaler,
    sub_flows: stages.map(({ gamma }, i) => ({ file: subFlowName(i), gamma })),
    sampler,
    options: raw as Record<string, unknown>,
    files: files.map(({ path, content }) => ({ path, ...sizeAndHash(content) })),
  }
  return { path: configName, content: `${JSON.stringify(config, null, 2)}\n` }
}

export interface ReadFolder {
  /** the options of training, as they were written */
  readonly raw: object
  readonly rowShape: readonly number[]
  readonly rowKind: RowKind
  readonly columns: readonly string[] | null
  readonly scaler: Scaler | null
  /** the tensors of each sub-flow, under PyTorch's names */
  readonly subFlows: readonly Safetensors['tensors'][]
}

/**
 * Reads an exported folder. All files that config.json names and that are there are held against their hashes; what is not
 * needed (graphs, Python) may be missing.
 * @throws CheckpointError where the folder holds no such model, it is of a newer version, or a file is not what was written
 */
export async function readFolder(folder: string): Promise<ReadFolder> {
  const config = await readConfig(folder)
  const { columns, scaler } = config
  const width = config.row_shape.reduce((product, extent) => product * extent, 1)
  const damaged = (what: string): CheckpointError =>
    new CheckpointError(`${join(folder, configName)} is damaged: ${what}.`)
  if (scaler && (scaler.mean.length !== width || scaler.std.length !== width)) {
    throw damaged(`its scaler is not one of rows of ${width} values`)
  }
  if (columns && columns.length !== width) throw damaged(`it names ${columns.length} columns of ${width}`)
  const needed = new Map<string, Uint8Array>()
  const names = new Set(config.sub_flows.map(({ file }) => file))
  for (const { path, ...expected } of config.files) {
    const bytes = await readListed(join(folder, ...path.split('/')), expected, names.has(path))
    if (bytes && names.has(path)) needed.set(path, bytes)
  }
  const subFlows = config.sub_flows.map(({ file }) => {
    const bytes = needed.get(file)
    if (!bytes) throw damaged(`it does not list ${file}, which it names as a sub-flow`)
    return decodeSafetensors(bytes, join(folder, file)).tensors
  })
  return { raw: config.options, rowShape: config.row_shape, rowKind: config.row_kind, columns, scaler, subFlows }
}

async function readConfig(folder: string): Promise<z.output<typeof schema>> {
  const name = join(folder, configName)
  const bytes = await readAtMost(name, MOST_CONFIG).catch((error) => {
    throw new CheckpointError(`${name} cannot be read: ${reasonOf(error)}.`)
  })
  if (!bytes) throw new CheckpointError(`${name} is damaged: it has more than ${MOST_CONFIG} bytes.`)
  let json: unknown
  try {
    json = JSON.parse(bytes.toString('utf8'))
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
  const result = schema.safeParse(json)
  if (result.success) return result.data
  const [issue] = result.error.issues
  throw new CheckpointError(`${name} is damaged: ${issue.path.join('.') || 'it'}: ${issue.message}.`)
}

/** The bytes of a file that is what was written; null where it is not there and need not be. */
async function readListed(
  path: string,
  { size, sha256 }: { size: number; sha256: string },
  isNeeded: boolean,
): Promise<Uint8Array | null> {
  const bytes = await readAtMost(path, size).catch((error) => {
    if (!isNeeded && (error as NodeJS.ErrnoException).code === 'ENOENT') return undefined
    throw new CheckpointError(`${path} cannot be read: ${reasonOf(error)}.`)
  })
  if (bytes === undefined) return null
  if (!bytes || bytes.length !== size) {
    throw new CheckpointError(`${path} is damaged: it has ${bytes?.length ?? 'more'} bytes, but ${size} were written.`)
  }
  if (createHash('sha256').update(bytes).digest('hex') !== sha256) {
    throw new CheckpointError(`${path} is damaged: its content is not what was written (the SHA-256 differs).`)
  }
  return bytes
}
