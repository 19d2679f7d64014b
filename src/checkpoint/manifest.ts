/**
 * The manifest of a run: what it is, where training stands, and the files of its checkpoint. How one is written and found on a disk
 * is in run-folder.ts; this file needs no disk.
 */

import * as z from 'zod'
import { CheckpointError } from '../errors.js'

/** Version of the manifest's and the files' layout; a folder with a greater one is refused. */
export const formatVersion = 2

export const manifestName = 'manifest.json'

/** Bytes of a manifest, at most. */
export const longestManifest = 1 << 26
/** Files of a checkpoint, at most. */
const mostFiles = 10_000

export const logicalName = /^[A-Za-z0-9][\w-]*(?:\.[\w-]+)*\.[a-z0-9]+$/
/** stem, 16 random hex digits, mark, extension: the names that writeCheckpoint gives, and the only ones it removes. */
export const storedName = /^[A-Za-z0-9][\w.-]*\.[0-9a-f]{16}\.ck\.[a-z0-9]+$/

const fileEntry = z.object({
  /** Logical name. */
  name: z.string().regex(logicalName),
  /** Name in the folder. */
  file: z.string().regex(storedName),
  size: z.int().min(0),
  sha256: z.string().regex(/^[0-9a-f]{64}$/),
})

/** Anything with keys; typed as object so that interfaces can be put in. */
const record = z.custom<object>((value) => typeof value === 'object' && value !== null && !Array.isArray(value))

const manifestSchema = z.object({
  formatVersion: z.int().min(1),
  packageVersion: z.string(),
  /** When the run was begun and when this checkpoint was written, ISO 8601. */
  created: z.string(),
  updated: z.string(),
  /** The config as it was written, overrides put in, and with everything filled in; resolve `raw` to use it. */
  config: z.object({ raw: record, resolved: record }),
  seed: z.int().min(0),
  /** The device that computed: its kind, adapter, CPU target. */
  device: record,
  /** Kernel variants that were chosen, by the kind of device; a run resumed on that kind uses these. */
  variants: z.record(z.string(), z.record(z.string(), z.string())),
  /** Where training stands: `step` steps of sub-flow `subFlow` (from 1, any network that is fitted) are done. */
  progress: z.object({ subFlow: z.int().min(1), step: z.int().min(0), phase: z.enum(['train', 'push', 'done']) }),
  files: z.array(fileEntry).max(mostFiles),
  evaluation: record.optional(),
  timings: record.optional(),
  extra: record.optional(),
})

export type RunManifest = z.output<typeof manifestSchema>
export type FileEntry = z.output<typeof fileEntry>

/** Everything in a manifest that the caller decides. */
export type ManifestContent = Omit<RunManifest, 'formatVersion' | 'updated' | 'files'>

/** A manifest of format 1 as one of format 2: its variants were those of the one device it was trained on last. */
function upgraded(json: unknown): unknown {
  const { variants, device, ...rest } = json as { variants?: unknown; device?: { kind?: unknown } }
  const kind = device?.kind
  return { ...rest, device, formatVersion: 2, variants: typeof kind === 'string' ? { [kind]: variants } : {} }
}

/**
 * A manifest, checked.
 * @param run what the run is called in messages, and `path` the manifest itself
 * @throws CheckpointError where it is damaged, or of a newer version
 */
export function parseManifest(text: string, run: string, path: string): RunManifest {
  let json: unknown
  try {
    json = JSON.parse(text)
  } catch {
    throw new CheckpointError(`${path} is damaged: it is no JSON.`)
  }
  const version = (json as { formatVersion?: unknown } | null)?.formatVersion
  if (typeof version === 'number' && version > formatVersion) {
    throw new CheckpointError(
      `${run} was written by a newer version of local-flow-matching (format ${version}; this one reads up to ` +
        `${formatVersion}). Install a newer version to read it.`,
    )
  }
  const result = manifestSchema.safeParse(version === 1 ? upgraded(json) : json)
  if (!result.success) {
    const [issue] = result.error.issues
    throw new CheckpointError(`${path} is damaged: ${issue.path.join('.') || 'it'}: ${issue.message}.`)
  }
  const names = new Set<string>()
  const twice = result.data.files.find(({ name }) => names.size === names.add(name).size)
  if (twice) throw new CheckpointError(`${path} is damaged: it names ${twice.name} twice.`)
  return result.data
}
