/**
 * A lock on a folder: a file in it that names its owner (process, machine, since when). Whoever finds one whose owner is no
 * more takes it over and is told whose it was; an owner that is there is named in the error. Whether an owner is there can be
 * asked of a process of this machine alone; an owner elsewhere (another machine, another container) shows that it lives by
 * renewing the file, and counts as gone when it has not for some minutes.
 *
 * Taking over is itself done under a lock, named after the lock that is taken over: of several who find the same one, one wins.
 */

import { randomBytes } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { link, open, readdir, readFile, rm, stat, utimes } from 'node:fs/promises'
import { hostname } from 'node:os'
import { basename, dirname, resolve } from 'node:path'
import { isAbandoned, isAlive, newTemporary, removeTemporary, spaceOfProcesses, syncFolder } from './atomic.js'
import { reasonOf } from './reasons.js'
import { renameOver } from './rename.js'

export interface LockOwner {
  /** different for each lock that was ever taken */
  readonly id: string
  readonly pid: number
  readonly host: string
  /** what the system counts its processes in: a container has its own; '' where it does not say */
  readonly space: string
  /** when the process began, in the system's own count: a number of a process is given again; '' where it does not say */
  readonly began: string
  /** ISO 8601 */
  readonly since: string
}

export class LockedError extends Error {
  constructor(
    readonly owner: LockOwner,
    readonly path: string,
  ) {
    super(`locked by process ${owner.pid} on ${owner.host} since ${owner.since} (${path})`)
  }
}

export interface Lock {
  /** the owner that was no more, where there was one */
  readonly tookOver: LockOwner | null
  /** Whether the lock is still ours: it may have been taken over where we did not renew it in time. */
  isHeld(): Promise<boolean>
  release(): Promise<void>
}

const NAME = '.lock'
/** Between two renewals, and without any an owner elsewhere is gone: minutes that a suspended machine may sleep through. */
const RENEWED_MS = 20_000
const GONE_MS = 5 * 60_000

/** When a process began; '' where the system does not say, or the process is not there. */
function beginningOf(pid: number): string {
  try {
    // behind the name of the program, which may hold anything, from the third field on: the 22nd is the start
    const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').replace(/^.*\)/s, '').trim().split(' ')
    return `${readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim()} ${fields[19]}`
  } catch {
    return ''
  }
}

const ownerNow = (): LockOwner => ({
  id: randomBytes(8).toString('hex'),
  pid: process.pid,
  host: hostname(),
  space: spaceOfProcesses(),
  began: beginningOf(process.pid),
  since: new Date().toISOString(),
})

async function readOwner(path: string): Promise<LockOwner | null> {
  let text: string
  try {
    text = await readFile(path, 'utf8')
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null
    throw error
  }
  try {
    const { id, pid, host, space, began, since } = JSON.parse(text) as LockOwner
    if (/^[0-9a-f]{16}$/.test(id) && Number.isSafeInteger(pid) && pid > 0) {
      return { id, pid, host: String(host), space: String(space), began: String(began), since: String(since) }
    }
  } catch {
    // below
  }
  throw new Error(`${path} is no lock of local-flow-matching: remove it where nothing is at work in the folder`)
}

/** Files of this process's locks that could not be removed when their time was over, as no disk did what it was asked for. */
const left = new Set<string>()
const leftAs = (path: string, { id }: LockOwner): string => `${path} of ${id}`

async function remove(path: string, owner: LockOwner): Promise<void> {
  await rm(path, { force: true }).then(
    () => left.delete(leftAs(path, owner)),
    () => left.add(leftAs(path, owner)),
  )
}

/** @param now a file that was written just now: the clocks of two machines may differ, that of a file system does not */
async function isGone(owner: LockOwner, path: string, now: string): Promise<boolean> {
  if (left.has(leftAs(path, owner))) return true
  if (owner.host === hostname() && owner.space === spaceOfProcesses()) {
    return !isAlive(owner.pid) || (owner.began !== '' && owner.began !== beginningOf(owner.pid))
  }
  const [renewed, written] = await Promise.all([stat(path).catch(() => null), stat(now)])
  return renewed !== null && written.mtimeMs - renewed.mtimeMs > GONE_MS
}

/** Puts a file that is written under its name, where none is there. */
async function place(temporary: string, path: string): Promise<boolean> {
  try {
    await link(temporary, path)
    return true
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    if (code === 'EEXIST') return false
    // EISDIR: Windows' «invalid function», of exFAT, under the name that Node has for it
    if (!['EPERM', 'ENOTSUP', 'ENOSYS', 'EMLINK', 'EISDIR'].includes(code ?? '')) throw error
  }
  // file systems without links
  try {
    const file = await open(path, 'wx')
    await file.writeFile(await readFile(temporary))
    await file.close()
    return true
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false
    throw error
  }
}

async function take(path: string, owner: LockOwner): Promise<LockOwner | null> {
  // its name says whose it is: it may be empty when its writer is killed
  const temporary = newTemporary(path)
  const file = await open(temporary, 'wx')
  try {
    await file.writeFile(`${JSON.stringify(owner)}\n`)
    await file.close()
    for (;;) {
      if (await place(temporary, path)) return null
      const other = await readOwner(path)
      // it was released between the two looks
      if (!other) continue
      if (!(await isGone(other, path, temporary))) throw new LockedError(other, path)
      const right = `${path}.${other.id}`
      await take(right, owner)
      try {
        // whoever has the right is the only one who changes this lock; another may have used it before
        if ((await readOwner(path))?.id !== other.id) continue
        await renameOver(temporary, path)
        return left.delete(leftAs(path, other)) ? null : other
      } finally {
        await remove(right, owner)
      }
    }
  } finally {
    await file.close().catch(() => {})
    await removeTemporary(temporary)
  }
}

/** Removes what those leave beside a lock who are killed, or find no room on the disk, while they take it. */
async function sweep(path: string): Promise<void> {
  const [folder, own] = [dirname(path), basename(path)]
  for (const name of await readdir(folder)) {
    const at = resolve(folder, name)
    const isTemporary = name.startsWith(`.${own}.`) && name.endsWith('.tmp')
    if (isTemporary && (await isAbandoned(folder, name))) await removeTemporary(at)
    if (!name.startsWith(`${own}.`) || !/^(\.[0-9a-f]{16})+$/.test(name.slice(own.length))) continue
    const owner = await readOwner(at).catch(() => null)
    if (owner && (await isGone(owner, at, path))) await remove(at, owner)
  }
}

/** Takes the lock at a path, and renews it until it is released. */
async function hold(path: string, swept: () => Promise<void>): Promise<Lock> {
  const owner = ownerNow()
  const isHeld = async (): Promise<boolean> => (await readOwner(path).catch(() => null))?.id === owner.id
  const letGo = async (): Promise<void> => {
    if (await isHeld()) await remove(path, owner)
  }
  let tookOver: LockOwner | null
  try {
    tookOver = await take(path, owner)
    await swept()
  } catch (error) {
    // the disk failed when the lock was there already
    await letGo()
    throw error
  }
  const renew = setInterval(() => {
    const now = new Date()
    utimes(path, now, now).catch(() => {})
  }, RENEWED_MS)
  renew.unref()
  return {
    tookOver,
    isHeld,
    async release() {
      clearInterval(renew)
      await letGo()
    },
  }
}

/** Who is at work in a folder; null where nobody is, or who was is no more. Nothing is taken over. */
export async function ownerAtWork(folder: string): Promise<LockOwner | null> {
  const path = resolve(folder, NAME)
  const owner = await readOwner(path)
  if (!owner) return null
  const now = newTemporary(path)
  try {
    await (await open(now, 'wx')).close()
    return (await isGone(owner, path, now)) ? null : owner
  } finally {
    await removeTemporary(now)
  }
}

/**
 * Locks a folder that is there.
 *
 * @throws LockedError where another owner is at work in it, in this process or elsewhere; the system's error
 */
export async function lockFolder(folder: string): Promise<Lock> {
  const path = resolve(folder, NAME)
  return hold(path, async () => {
    await sweep(path)
    await syncFolder(folder)
  })
}

/** Locks one file of a folder, by a lock beside it, as lockFolder does a whole one. */
export const lockFile = (file: string): Promise<Lock> => {
  const path = `${resolve(file)}${NAME}`
  return hold(path, () => sweep(path))
}

/** Why a folder could not be locked, in words. */
export const lockProblem = (error: unknown): string =>
  error instanceof LockedError
    ? `process ${error.owner.pid} on ${error.owner.host} is at work in it since ${error.owner.since}. Wait for it, end it, or ` +
      `choose another folder. Should that process be no more, remove ${error.path}`
    : reasonOf(error)
