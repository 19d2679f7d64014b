/**
 * What jobs say of themselves, in `jobs/N/` of the folder that they work for: a lock while one is at work, so that a job that was
 * begun a second time (its node was lost, or seemed to be) waits for the first; and a record of its tries, by which whoever
 * gathers the results knows what became of those that are missing.
 */

import { readFile } from 'node:fs/promises'
import { hostname } from 'node:os'
import { join } from 'node:path'
import { setTimeout as wait } from 'node:timers/promises'
import { CheckpointError } from '../../errors.js'
import { writeFileAtomic } from '../../files/atomic.js'
import { makeFolder } from '../../files/folders.js'
import { type Lock, LockedError, lockFolder, lockProblem, ownerAtWork } from '../../files/lock.js'
import { reasonOf } from '../../files/reasons.js'
import { jobsFolder } from './plan.js'

/** One run of a job. */
export interface Try {
  /** ISO 8601 */
  readonly began: string
  /** null while it is at work, and where it was killed */
  readonly ended: string | null
  readonly host: string
  /** what the cluster calls it; null outside one */
  readonly as: string | null
  /** exit code and last words; null as above, and without words */
  readonly code: number | null
  readonly message: string | null
}

export interface JobRecord {
  readonly tries: readonly Try[]
}

const jobFolder = (folder: string, number: number): string => join(jobsFolder(folder), String(number))
/** Where a cluster writes what a job prints. */
export const jobLog = (folder: string, number: number | string): string => join(jobsFolder(folder), `${number}.log`)

/** An empty record where there is none, or none that can be read: a record is for messages. */
export async function readRecord(folder: string, number: number): Promise<JobRecord> {
  try {
    const found = JSON.parse(await readFile(join(jobFolder(folder, number), 'record.json'), 'utf8'))
    if (Array.isArray(found?.tries)) return found
  } catch {
    // none
  }
  return { tries: [] }
}

/** Seconds between two looks at the lock of another try. */
const LOOK_SECONDS = 2

/** A try that has begun. */
export interface BegunTry {
  /** writes how it ended, and lets others begin */
  end(code: number, message: string | null): Promise<void>
}

/**
 * Begins a job once no other process is at work in it.
 *
 * @param note told what is waited for, and that the record could not be written
 * @throws CheckpointError where its folder cannot be made or locked; the signal's reason
 */
export async function beginTry(
  folder: string,
  number: number,
  { as, signal, note }: { as: string | null; signal: AbortSignal; note: (message: string) => void },
): Promise<BegunTry> {
  const at = jobFolder(folder, number)
  const lock = await lockWhenFree(at, signal, note)
  const began = { began: new Date().toISOString(), host: hostname(), as }
  const { tries } = await readRecord(folder, number)
  const write = (latest: Try): Promise<void> =>
    writeFileAtomic(join(at, 'record.json'), `${JSON.stringify({ tries: [...tries, latest] }, null, 2)}\n`).catch(
      (error) =>
        // the work itself may have room elsewhere
        note(`The record of this job cannot be written: ${reasonOf(error)} (${at}).`),
    )
  await write({ ...began, ended: null, code: null, message: null })
  return {
    async end(code, message) {
      await write({ ...began, ended: new Date().toISOString(), code, message })
      await lock.release()
    },
  }
}

async function lockWhenFree(at: string, signal: AbortSignal, note: (message: string) => void): Promise<Lock> {
  for (let told = false; ; told = true) {
    try {
      makeFolder(at)
      return await lockFolder(at)
    } catch (error) {
      if (!(error instanceof LockedError))
        throw new CheckpointError(`${at} cannot be written to: ${lockProblem(error)}.`)
      const { pid, host, since } = error.owner
      if (!told)
        note(`Process ${pid} on ${host} is at work in this job since ${since}: waiting until it ends, or is no more.`)
    }
    await wait(1000 * LOOK_SECONDS, undefined, { signal }).catch(() => signal.throwIfAborted())
  }
}

/** What became of a job whose results are not there. */
export interface Fate {
  readonly what: 'waiting' | 'at work' | 'interrupted' | 'failed' | 'lost'
  /** a sentence, with where to read on */
  readonly words: string
}

/** Exit codes of a shell for signals that ask for an end: INT, TERM, HUP, USR2. */
const asked = [130, 143, 129, 140]

/** @param again what runs jobs again whose cluster does not do so by itself */
export async function fateOf(folder: string, number: number, again: string): Promise<Fate> {
  const { tries } = await readRecord(folder, number)
  const owner = await ownerAtWork(jobFolder(folder, number))
  const log = jobLog(folder, number)
  if (owner) return { what: 'at work', words: `at work on ${owner.host} since ${owner.since}` }
  const last = tries.at(-1)
  if (!last) return { what: 'waiting', words: 'has not begun' }
  if (last.ended === null) {
    const words = `its process on ${last.host} is no more, which began at ${last.began} and wrote no end: it was killed, or its node is lost`
    return { what: 'lost', words: `${words}. Where the cluster does not run it again: ${again} (its log: ${log})` }
  }
  if (last.code === 0)
    return { what: 'lost', words: `ended well at ${last.ended}, but its results are not there. ${again}` }
  if (asked.includes(last.code!)) {
    return {
      what: 'interrupted',
      words: `was asked to end at ${last.ended}, and goes on where it was: by its cluster, or by ${again}`,
    }
  }
  return {
    what: 'failed',
    words: `failed: ${last.message ?? `exit code ${last.code}`} (its log: ${log}). Then: ${again}`,
  }
}
