/**
 * A file that grows for hours and survives its writer: the content goes to `NAME.partial`, and beside it a *record*
 * `NAME.partial.json` says what it belongs to, how many of its bytes are whole, and where its writer stood then. Whoever goes on
 * cuts the content to these bytes and writes on from there. At the end the content takes the name, and the record goes.
 */

import { type FileHandle, open, readFile, rm, stat, truncate } from 'node:fs/promises'
import { DataError, show } from '../errors.js'
import { growsBeside, putInPlace, writeContent, writeFileAtomic } from './atomic.js'
import { type Lock, lockFile, lockProblem } from './lock.js'
import { isOfSystem } from './reasons.js'

/** What a result is made from, by names that messages use: two results of equal facts have equal bytes. */
export type Facts = Readonly<Record<string, string | number | boolean | null>>

/** Between two records: what is lost at most where a writer is killed. */
const RECORD_MS = 1000

interface Growth {
  /** content up to which it is whole */
  readonly bytes: number
  /** the writer's own, of the time when so many bytes were written */
  readonly state: unknown
}

/** How two sets of facts differ, in words; null where they do not. */
export function difference(there: Facts, here: Facts): string | null {
  const said = (value: unknown): string => (value === undefined || value === null ? 'left out' : show(value))
  const names = [...new Set([...Object.keys(here), ...Object.keys(there)])]
  const other = names.filter((name) => (there[name] ?? null) !== (here[name] ?? null))
  if (other.length === 0) return null
  return other.map((name) => `${name} is ${said(there[name])} there and ${said(here[name])} here`).join(', ')
}

/** Reads what a writer left: null where nothing is there that could be gone on with. */
async function readRecord(path: string): Promise<{ belongs: Facts; growth: Growth } | null> {
  const text = await readFile(path, 'utf8').catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return null
    throw error
  })
  if (text === null) return null
  try {
    const { belongs, bytes, state } = JSON.parse(text) as Growth & { belongs: Facts }
    if (typeof belongs === 'object' && belongs !== null && Number.isSafeInteger(bytes) && bytes >= 0) {
      return { belongs, growth: { bytes, state } }
    }
  } catch {
    // below
  }
  throw new DataError(`${path} is no record of a file that was being written: remove it, and what lies beside it.`)
}

export class GrowingFile {
  private recordedAt = Number.NEGATIVE_INFINITY
  private written: number
  /** whole, and not recorded yet */
  private unrecorded: Growth | null = null

  private constructor(
    private readonly target: string,
    private readonly belongs: Facts,
    private readonly file: FileHandle,
    private readonly lock: Lock,
    /** what its writer last said of it, that this one goes on from; null: it begins */
    readonly start: unknown,
    /** whether something was left, and is written over */
    readonly replaces: boolean,
    bytes: number,
  ) {
    this.written = bytes
  }

  /** What the content is called until it is whole. */
  static nameOf = (path: string): string => `${path}.partial`

  /**
   * Begins a file, or goes on with what is left of it.
   *
   * @param resume go on; else what is left is written over
   * @throws DataError where what is left belongs to other facts, or another process is at work; the system's error
   */
  static async open(path: string, belongs: Facts, resume: boolean): Promise<GrowingFile> {
    const target = await growsBeside(path)
    const content = GrowingFile.nameOf(target)
    const lock = await lockFile(content).catch((error) => {
      if (isOfSystem(error)) throw error
      throw new DataError(`${path} cannot be written: ${lockProblem(error)}.`)
    })
    try {
      const left = await readRecord(`${content}.json`)
      if (!left || !resume) {
        await rm(`${content}.json`, { force: true })
        return new GrowingFile(target, belongs, await open(content, 'w'), lock, null, left !== null, 0)
      }
      const other = difference(left.belongs, belongs)
      if (other) {
        throw new DataError(
          `${content} cannot be gone on with: it is of another call, ${other}. Repeat that call, write to another file, or leave ` +
            'out --resume, which writes over it.',
        )
      }
      const { size } = await stat(content).catch(() => ({ size: -1 }))
      if (size < 0 && (await stat(target).catch(() => null))) {
        // killed between taking its name and the record's removal: it is whole, as one that ended is
        await rm(`${content}.json`, { force: true })
        return new GrowingFile(target, belongs, await open(content, 'w'), lock, null, false, 0)
      }
      if (size < left.growth.bytes) {
        const there = size < 0 ? 'is gone' : `has ${size} bytes`
        throw new DataError(
          `${content} ${there}, but ${left.growth.bytes} bytes of it were written: leave out --resume, which begins again.`,
        )
      }
      await truncate(content, left.growth.bytes)
      const { bytes, state } = left.growth
      return new GrowingFile(target, belongs, await open(content, 'a'), lock, state, false, bytes)
    } catch (error) {
      await lock.release()
      throw error
    }
  }

  /** Writes on. */
  async append(content: Parameters<typeof writeContent>[1]): Promise<void> {
    this.written += await writeContent(this.file, content)
  }

  /**
   * Says that all that was written so far is whole. The first time, and then from time to time, this is recorded.
   * @param state the writer's own, as JSON
   * @param more whether more is to be made: where only the end is to be written, a record is worth its time if that fails
   */
  async mark(state: unknown, more: boolean): Promise<void> {
    this.unrecorded = { bytes: this.written, state }
    if (more && performance.now() - this.recordedAt >= RECORD_MS) await this.record()
  }

  private async record(): Promise<void> {
    if (!this.unrecorded) return
    await this.file.datasync()
    const record = `${JSON.stringify({ belongs: this.belongs, ...this.unrecorded })}\n`
    await writeFileAtomic(`${GrowingFile.nameOf(this.target)}.json`, record)
    this.unrecorded = null
    this.recordedAt = performance.now()
  }

  /** Ends it: the content takes its name. */
  async finish(): Promise<void> {
    const content = GrowingFile.nameOf(this.target)
    await this.file.sync()
    await this.file.close()
    await putInPlace(content, this.target)
    await rm(`${content}.json`, { force: true })
    await this.lock.release()
  }

  /**
   * Leaves it: what is whole stays for who goes on.
   * @returns the name of what is kept; null where nothing is whole, and nothing stays
   */
  async leave(): Promise<string | null> {
    // where the disk is full, what is not whole makes room for the record; else what was recorded before is what is kept
    if (this.unrecorded) await this.file.truncate(this.unrecorded.bytes).catch(() => {})
    await this.record().catch(() => {})
    await this.file.close().catch(() => {})
    const content = GrowingFile.nameOf(this.target)
    const kept = await stat(`${content}.json`).then(
      () => true,
      () => false,
    )
    if (!kept) await rm(content, { force: true }).catch(() => {})
    await this.lock.release().catch(() => {})
    return kept ? content : null
  }
}
