/**
 * A run folder and its checkpoints. A checkpoint is a set of files that takes effect at once: each file is written under
 * a new name and synced; `manifest.json`, written last and atomically, names them with sizes and hashes; then files that
 * no manifest names any more are removed. Whenever the writer is killed, the manifest that is there names files that are
 * there. Files have a logical name (`pool.safetensors`), under which programs ask for them, and a name on disk
 * (`pool.1f0c….ck.safetensors`), which is new for each content. Who writes locks the folder (lockRun), and a checkpoint says
 * which one it follows: where another has come between, by whatever way, it is refused, so that a manifest never names files
 * of two runs.
 */

import { createHash, randomBytes } from 'node:crypto'
import { access, constants, open, readdir, rm, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { CheckpointError, InvalidArgumentError, show } from '../errors.js'
import { isAbandoned, syncFolder, writeFileAtomic, writeNewFile } from '../files/atomic.js'
import { makeFolder } from '../files/folders.js'
import { type Lock, lockFolder, lockProblem } from '../files/lock.js'
import { readAtMost } from '../files/reading.js'
import { reasonOf } from '../files/reasons.js'
import { decodeSafetensors, encodeSafetensors, type Safetensors, type StoredTensor } from '../files/safetensors.js'
import {
  type FileEntry,
  formatVersion,
  logicalName,
  longestManifest,
  type ManifestContent,
  manifestName,
  parseManifest,
  type RunManifest,
  storedName,
} from './manifest.js'

/** Bytes as they are, or tensors for a safetensors file. */
export type CheckpointContent =
  | Uint8Array
  | { tensors: Readonly<Record<string, StoredTensor>>; metadata?: Readonly<Record<string, string>> }

const describe = ({ progress, updated }: RunManifest): string =>
  progress.phase === 'done'
    ? `the finished run of ${updated}`
    : `the checkpoint at sub-flow ${progress.subFlow}, step ${progress.step}, of ${updated}`

/** The manifest as it is in the folder, checked; null where there is none. */
async function findManifest(dir: string): Promise<RunManifest | null> {
  const path = join(dir, manifestName)
  let bytes: Buffer | null
  try {
    bytes = await readAtMost(path, longestManifest)
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    if (code === 'ENOENT' || code === 'ENOTDIR') return null
    throw new CheckpointError(`${path} cannot be read: ${reasonOf(error)}.`)
  }
  if (!bytes) throw new CheckpointError(`${path} is damaged: it has more than ${longestManifest} bytes.`)
  return parseManifest(bytes.toString('utf8'), dir, path)
}

/**
 * The manifest of a run folder.
 *
 * @throws CheckpointError where the folder holds no run, the manifest is damaged, or it is of a newer version
 */
export async function readManifest(dir: string): Promise<RunManifest> {
  const manifest = await findManifest(dir)
  if (!manifest) throw new CheckpointError(`${dir} holds no run: there is no ${manifestName} in it.`)
  return manifest
}

/** The most that is read by one system call. */
const chunkBytes = 1 << 28

/**
 * One file of a checkpoint, by its logical name.
 *
 * @throws CheckpointError where the manifest does not name it, or it is missing, cut off or changed
 */
export async function readCheckpointFile(dir: string, manifest: RunManifest, name: string): Promise<Uint8Array> {
  const entry = manifest.files.find((file) => file.name === name)
  if (!entry) throw new CheckpointError(`The checkpoint in ${dir} has no file ${show(name)}.`)
  const path = join(dir, entry.file)
  const file = await open(path, 'r').catch((error) => {
    throw new CheckpointError(`${path} cannot be read: ${reasonOf(error)}.`)
  })
  try {
    const { size } = await file.stat()
    if (size !== entry.size) {
      throw new CheckpointError(`${path} is damaged: it has ${size} bytes, but ${entry.size} were written.`)
    }
    const bytes = new Uint8Array(size)
    const hash = createHash('sha256')
    for (let start = 0; start < size; ) {
      const { bytesRead } = await file.read(bytes, start, Math.min(chunkBytes, size - start), start)
      if (bytesRead === 0) throw new CheckpointError(`${path} is damaged: it ends after ${start} bytes.`)
      hash.update(bytes.subarray(start, start + bytesRead))
      start += bytesRead
    }
    if (hash.digest('hex') !== entry.sha256) {
      throw new CheckpointError(`${path} is damaged: its content is not what was written (the SHA-256 differs).`)
    }
    return bytes
  } finally {
    await file.close()
  }
}

/** The tensors of a safetensors file of a checkpoint. Throws CheckpointError as readCheckpointFile and decodeSafetensors do. */
export async function readCheckpointTensors(dir: string, manifest: RunManifest, name: string): Promise<Safetensors> {
  return decodeSafetensors(await readCheckpointFile(dir, manifest, name), `${name} in ${dir}`)
}

/** Removes what earlier checkpoints or killed writers left: files with names of ours that the manifest does not name. */
async function removeStale(dir: string, files: readonly FileEntry[]): Promise<void> {
  const named = new Set(files.map(({ file }) => file))
  for (const name of await readdir(dir)) {
    const isStale = storedName.test(name) ? !named.has(name) : await isAbandoned(dir, name)
    // What cannot be removed now is removed after the next checkpoint.
    if (isStale) await rm(join(dir, name), { force: true }).catch(() => {})
  }
}

async function writeFile(dir: string, name: string, content: CheckpointContent): Promise<FileEntry> {
  if (!logicalName.test(name)) throw new InvalidArgumentError(`${show(name)} is no name for a file of a checkpoint.`)
  const dot = name.lastIndexOf('.')
  const file = `${name.slice(0, dot)}.${randomBytes(8).toString('hex')}.ck${name.slice(dot)}`
  const parts = content instanceof Uint8Array ? content : encodeSafetensors(content.tensors, content.metadata)
  const hash = createHash('sha256')
  const size = await writeNewFile(join(dir, file), parts, (chunk) => hash.update(chunk))
  return { name, file, size, sha256: hash.digest('hex') }
}

/** Whether two manifests are of the same checkpoint: each has files or a time of its own. */
const isSame = (a: RunManifest | null, b: RunManifest | null): boolean => identityOf(a) === identityOf(b)
const identityOf = (manifest: RunManifest | null): string | null =>
  manifest && JSON.stringify([manifest.updated, manifest.seed, ...manifest.files.map(({ file }) => file)])

/**
 * Writes a checkpoint; when the promise resolves it is the folder's, until then the one before it is.
 *
 * @param files contents by logical name; a name ends in an extension and has letters, digits, '_', '-' and '.'
 * @param keep logical names of files that are carried over from the checkpoint before, as they are
 * @param follows the checkpoint that this one takes the place of; where the folder holds another one by now nothing is
 *   written. Left out: whatever is there
 * @throws CheckpointError where something cannot be written (no space left …), naming what was kept, where a file to keep is
 *   not there, and where another has written to the folder meanwhile
 */
export async function writeCheckpoint(
  dir: string,
  {
    files,
    keep = [],
    manifest,
    follows,
  }: {
    files: Readonly<Record<string, CheckpointContent>>
    keep?: readonly string[]
    manifest: ManifestContent
    follows?: RunManifest | null
  },
): Promise<RunManifest> {
  const previous = keep.length > 0 || follows !== undefined ? await findManifest(dir) : null
  const expectSame = (there: RunManifest | null): void => {
    if (follows === undefined || isSame(there, follows)) return
    throw new CheckpointError(
      `Another process has written to ${dir} meanwhile (${there ? describe(there) : 'there is no checkpoint any more'}), so ` +
        'nothing is written there: files of two runs would be mixed. Train into another folder.',
    )
  }
  expectSame(previous)
  const entries: FileEntry[] = keep.map((name) => {
    const entry = previous?.files.find((file) => file.name === name)
    if (!entry) throw new CheckpointError(`${dir} has no file ${show(name)} to carry over to the next checkpoint.`)
    return entry
  })
  const written: FileEntry[] = []
  try {
    makeFolder(dir)
    for (const [name, content] of Object.entries(files)) {
      if (keep.includes(name)) throw new InvalidArgumentError(`${name} is both written and carried over.`)
      written.push(await writeFile(dir, name, content))
    }
    await syncFolder(dir)
    const complete: RunManifest = {
      ...manifest,
      formatVersion,
      updated: new Date().toISOString(),
      files: [...entries, ...written],
    }
    if (follows !== undefined) expectSame(await findManifest(dir))
    await writeFileAtomic(join(dir, manifestName), `${JSON.stringify(complete, null, 2)}\n`)
    await removeStale(dir, complete.files)
    return complete
  } catch (error) {
    const current = await findManifest(dir).catch(() => null)
    const isNamed = (file: string): boolean => current?.files.some((entry) => entry.file === file) ?? false
    for (const { file } of written) {
      if (!isNamed(file)) await rm(join(dir, file), { force: true }).catch(() => {})
    }
    if (error instanceof CheckpointError || error instanceof InvalidArgumentError) throw error
    const kept = current ? `Kept: ${describe(current)}.` : 'There was no checkpoint before it.'
    throw new CheckpointError(`A checkpoint cannot be written to ${dir}: ${reasonOf(error)}. ${kept}`)
  }
}

/** What messages call the ways into a folder that holds a run. */
export interface FolderWords {
  /** null: there is no such way */
  readonly resume: string | null
  readonly force: string
}

export const commandWords: FolderWords = { resume: '--resume', force: '--force' }
export const programWords: FolderWords = { resume: 'resume: true', force: 'force: true' }

/**
 * The run that a folder holds, for training into it; nothing is changed. Returns the manifest to go on from, or null for a
 * new run.
 *
 * @param resume go on with the run in the folder
 * @param force a run in the folder is replaced: it stays until the first checkpoint of the new one is there
 * @param words how messages name these two; default: the command line's
 * @throws CheckpointError where the folder already holds a run (and neither is given), and where there is none to resume
 */
export async function findRun(
  dir: string,
  {
    resume = false,
    force = false,
    words = commandWords,
  }: { resume?: boolean; force?: boolean; words?: FolderWords } = {},
): Promise<RunManifest | null> {
  if (resume && force) {
    throw new InvalidArgumentError(`${words.resume} and ${words.force} exclude each other; give one of them.`)
  }
  if (resume) {
    const manifest = await findManifest(dir)
    if (!manifest) throw new CheckpointError(`${dir} holds no run to resume; leave out ${words.resume} to start one.`)
    return manifest
  }
  const present = await stat(join(dir, manifestName)).then(
    () => true,
    () => false,
  )
  if (present && !force) {
    const ways = words.resume ? `Go on with it by ${words.resume}, replace it by` : 'Replace it by'
    throw new CheckpointError(`${dir} already holds a run. ${ways} ${words.force}, or choose another folder.`)
  }
  return null
}

/**
 * Locks a run folder that is there for writing; see files/lock.ts.
 *
 * @param onTakeOver told where the lock of a process that is no more was there
 * @throws CheckpointError where another process is at work in it, named with its machine
 */
export async function lockRun(dir: string, onTakeOver?: (message: string) => void): Promise<Lock> {
  const lock = await lockFolder(dir).catch((error) => {
    throw new CheckpointError(`${dir} cannot be written to: ${lockProblem(error)}.`)
  })
  const { tookOver } = lock
  if (tookOver) {
    onTakeOver?.(`The lock of process ${tookOver.pid} on ${tookOver.host}, which is no more, was taken over in ${dir}.`)
  }
  return lock
}

/** Makes a folder for a run, where it is not there yet. Throws CheckpointError where it cannot be made or written to. */
export async function makeRunFolder(dir: string): Promise<void> {
  try {
    makeFolder(dir)
    await access(dir, constants.W_OK)
  } catch (error) {
    throw new CheckpointError(`${dir} cannot be used as a run folder: ${reasonOf(error)}.`)
  }
}
