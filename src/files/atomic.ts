/**
 * Writing one file so that a reader finds the old content or the new, whenever the writer is killed: the content goes to
 * a temporary name in the same folder and is synced, the name is changed over, and the folder is synced so that the
 * change itself survives a loss of power. A temporary name says which process of which machine made it; those of processes
 * that are no more are removed by the next who writes a file of the same name.
 */

import { createHash, randomBytes } from 'node:crypto'
import { readlinkSync, type Stats } from 'node:fs'
import { lstat, open, readdir, readlink, realpath, rm } from 'node:fs/promises'
import { hostname } from 'node:os'
import { basename, dirname, join, resolve } from 'node:path'
import type { ContentInTime } from './content.js'
import { renameOver } from './rename.js'

export type { Content } from './content.js'

/** The most that is handed to one system call; Linux takes at most 2 GiB. */
const chunkBytes = 1 << 28

/** Names of files that were being written when their writer was killed: host, process and a random number are the digits. */
const temporaryName = /^\..+\.([0-9a-f]{6})([0-9a-f]{8})[0-9a-f]{6}\.tmp$/

/** Letters of a temporary name behind its stem: digits and ending. */
const TEMPORARY_TAIL = 24
/** Letters of a name that its temporary one keeps: any name that a folder can hold has a temporary one. */
const KEPT_LETTERS = 40

const digits = (value: number, count: number): string => value.toString(16).padStart(count, '0')
/** The machine, and on Linux the space of processes (a container has its own): where a number of a process means something. */
const host = createHash('sha256').update(`${hostname()} ${spaceOfProcesses()}`).digest('hex').slice(0, 6)

const temporaryStem = (path: string): string => `.${[...basename(path)].slice(0, KEPT_LETTERS).join('')}.`

/** A full name beside a file for what is to become it. Resolved: on Windows C:a.csv lies where drive C stands, and C:\\ is its root. */
export const newTemporary = (path: string): string =>
  resolve(dirname(path), `${temporaryStem(path)}${host}${digits(process.pid, 8)}${randomBytes(3).toString('hex')}.tmp`)

/** What the system counts its processes in; '' where it does not say. */
export function spaceOfProcesses(): string {
  try {
    return readlinkSync('/proc/self/ns/pid')
  } catch {
    return ''
  }
}

/** Whether a process of this machine is there; one that may not be signalled is. */
export function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch (error) {
    return (error as NodeJS.ErrnoException).code !== 'ESRCH'
  }
}

/** Writers elsewhere cannot be asked whether they live; none of their files is so long under its temporary name. */
const ABANDONED_MS = 3_600_000

/** Files of this process that could not be removed when their time was over, as the disk did nothing any more. */
const left = new Set<string>()

/** Removes a temporary file. What the disk refuses to remove now, `isAbandoned` knows from now on. */
export async function removeTemporary(path: string): Promise<void> {
  const at = resolve(path)
  await rm(at, { force: true }).then(
    () => left.delete(at),
    () => left.add(at),
  )
}

/** Whether a name in a folder is a temporary one whose writer is no more, or has given it up. */
export async function isAbandoned(folder: string, name: string): Promise<boolean> {
  if (left.has(resolve(folder, name))) return true
  const [, madeOn, pid] = temporaryName.exec(name) ?? []
  if (madeOn === undefined) return false
  if (madeOn === host) return !isAlive(Number.parseInt(pid, 16))
  const found = await lstat(join(folder, name)).catch(() => null)
  return found !== null && Date.now() - found.mtimeMs > ABANDONED_MS
}

/** Removes what writers of the same file left when they were killed. What cannot be removed stays. */
async function removeAbandoned(path: string): Promise<void> {
  const [folder, stem] = [dirname(path), temporaryStem(path)]
  for (const name of await readdir(folder).catch(() => [])) {
    const isOfFile = name.startsWith(stem) && name.length === stem.length + TEMPORARY_TAIL
    if (isOfFile && (await isAbandoned(folder, name))) await removeTemporary(join(folder, name))
  }
}

/** The file that a path stands for: what a symbolic link leads to, also where that is not there yet. */
async function behindLinks(path: string): Promise<string> {
  const MOST_LINKS = 40
  let at = path
  for (let i = 0; i < MOST_LINKS; i++) {
    const found = await lstat(at).catch(() => null)
    if (!found?.isSymbolicLink()) return at
    at = resolve(await realpath(dirname(at)), await readlink(at))
  }
  throw Object.assign(new Error(`${path}: too many symbolic links`), { code: 'ELOOP', path })
}

/** What is asked of an open file. Node's own type would be one that public types reach, and they need none of Node's. */
export interface OpenFile {
  write(bytes: Uint8Array, offset: number, length: number): Promise<{ readonly bytesWritten: number }>
  chmod(mode: number): Promise<void>
  chown(uid: number, gid: number): Promise<void>
  stat(): Promise<{ readonly uid: number; readonly gid: number }>
}

/** What a file that is written over hands on: permissions, and the owner where we may give it. */
async function handOn(old: Stats | null, file: OpenFile): Promise<void> {
  if (!old) return
  await file.chmod(old.mode & 0o7777)
  const { uid, gid } = await file.stat()
  if (uid !== old.uid || gid !== old.gid) await file.chown(old.uid, old.gid).catch(() => {})
}

/** Writes `content` to an open file and returns the bytes written; `onChunk` sees each piece as it goes. */
export async function writeContent(
  file: OpenFile,
  content: ContentInTime,
  onChunk?: (chunk: Uint8Array) => void,
): Promise<number> {
  const parts = typeof content === 'string' || content instanceof Uint8Array ? [content] : content
  let total = 0
  for await (const part of parts) {
    const bytes = typeof part === 'string' ? Buffer.from(part) : part
    for (let start = 0; start < bytes.length; ) {
      const chunk = bytes.subarray(start, start + chunkBytes)
      const { bytesWritten } = await file.write(chunk, 0, chunk.length)
      onChunk?.(chunk.subarray(0, bytesWritten))
      start += bytesWritten
      total += bytesWritten
    }
  }
  return total
}

/** Makes changes of names in a folder durable. Windows has no such call and needs none. */
export async function syncFolder(path: string): Promise<void> {
  if (process.platform === 'win32') return
  const folder = await open(path, 'r')
  try {
    await folder.sync()
  } finally {
    await folder.close()
  }
}

/** Creates a file that must not be there yet, writes and syncs it; on failure it is removed again. */
export async function writeNewFile(
  path: string,
  content: ContentInTime,
  onChunk?: (chunk: Uint8Array) => void,
  prepare?: (file: OpenFile) => Promise<void>,
): Promise<number> {
  const file = await open(path, 'wx')
  try {
    await prepare?.(file)
    const bytes = await writeContent(file, content, onChunk)
    await file.sync()
    await file.close()
    return bytes
  } catch (error) {
    await file.close().catch(() => {})
    await removeTemporary(path)
    throw error
  }
}

/** What a path stands for and what is there now. Rejects where that is no regular file. */
async function regularTarget(path: string): Promise<{ target: string; old: Stats | null }> {
  const target = await behindLinks(path)
  const old = await lstat(target).catch(() => null)
  if (old && !old.isFile()) {
    throw Object.assign(new Error(`${path} is no regular file`), {
      code: old.isDirectory() ? 'EISDIR' : 'EINVAL',
      path,
    })
  }
  return { target, old }
}

/**
 * Writes a file atomically, over an old one where there is one, whose permissions it keeps; a symbolic link stays one, and the
 * file that it leads to is written. Rejects with the system's error (ENOSPC, EACCES …); the old content is then still there.
 */
export async function writeFileAtomic(path: string, content: ContentInTime): Promise<void> {
  const { target, old } = await regularTarget(path)
  await removeAbandoned(target)
  const temporary = newTemporary(target)
  await writeNewFile(temporary, content, undefined, (file) => handOn(old, file))
  try {
    await renameOver(temporary, target)
  } catch (error) {
    await removeTemporary(temporary)
    throw error
  }
  await syncFolder(dirname(target))
}

/** Where what grows beside a file is to be, so that it can be put in its place; rejects as writeFileAtomic does. */
export const growsBeside = async (path: string): Promise<string> => (await regularTarget(path)).target

/** Puts a finished file, which is synced, in the place of another, whose permissions it takes. */
export async function putInPlace(finished: string, target: string): Promise<void> {
  const { old } = await regularTarget(target)
  const file = await open(finished, 'r+')
  try {
    await handOn(old, file)
  } finally {
    await file.close()
  }
  await renameOver(finished, target)
  await syncFolder(dirname(target))
}
