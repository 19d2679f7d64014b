/**
 * Results that are written while they are made, for commands whose rows are numbered: into a file that grows, or a folder of parts.
 * Memory holds a block of rows. What a killed writer leaves, `--resume` goes on with, to the same bytes.
 */

import { readdir, readFile, rm, stat } from 'node:fs/promises'
import { join } from 'node:path'
import type { BlockFormat } from '../data/block-formats.js'
import type { BlockWriter, OpenWriter } from '../data/row-formats.js'
import { DataError, LocalFlowError } from '../errors.js'
import { writeFileAtomic } from '../files/atomic.js'
import { makeFolder } from '../files/folders.js'
import { difference, type Facts, GrowingFile } from '../files/growing.js'
import { lockFolder, lockProblem } from '../files/lock.js'
import { cannotWrite, isOfSystem, reasonOf } from '../files/reasons.js'
import { Interrupted } from './interrupt.js'
import { note } from './terminal.js'

/** Rows that can be made from any one on. */
export interface Rows<B> {
  /** how many */
  readonly n: number
  /** of a block: a row group of a Parquet file, or a part of a folder */
  readonly blockRows: number
  /** The blocks behind `skip` rows, each of `blockRows` but for the last. */
  from(skip: number): AsyncIterable<B>
}

export interface GrowOptions {
  /** what the rows are made from: equal facts make equal bytes */
  readonly facts: Facts
  readonly resume: boolean
}

/** An error that ended the writing, with what is kept. */
function ended(path: string, error: unknown, rows: number, n: number, kept: string | null): unknown {
  const stays = kept ? `${rows} of ${n} rows are kept in ${kept}: go on with --resume.` : 'Nothing was written.'
  if (error instanceof Interrupted) return kept ? new Interrupted(`Interrupted. ${stays}`, error.exitCode) : error
  if (isOfSystem(error)) return new DataError(`${path} cannot be written: ${reasonOf(error)}. ${stays}`)
  if (error instanceof LocalFlowError && kept) error.message += ` ${stays}`
  return error
}

/** Writes rows into a file that grows. */
export async function growFile<B>(
  path: string,
  { n, blockRows, from }: Rows<B>,
  open: OpenWriter<B>,
  { facts, resume }: GrowOptions,
): Promise<void> {
  const file = await GrowingFile.open(path, facts, resume).catch((error) => {
    throw isOfSystem(error) ? cannotWrite(path, error) : error
  })
  const start = file.start as { rows: number; writer: unknown } | null
  if (start) note(`Going on with ${path} behind ${start.rows} of ${n} rows.`)
  else if (resume) note(`Nothing of ${path} is there to go on with: it is begun.`)
  else if (file.replaces) note(`What an earlier call left of ${path} is written over; --resume goes on with it.`)
  let rows = start?.rows ?? 0
  try {
    const writer = open(n, start?.writer ?? null)
    if (rows < n) {
      for await (const block of from(rows)) {
        await file.append(writer.block(block, rows === 0))
        rows = Math.min(n, rows + blockRows)
        await file.mark({ rows, writer: writer.state() }, rows < n)
      }
    }
    await file.append(writer.end())
    await file.finish()
  } catch (error) {
    throw ended(path, error, rows, n, await file.leave())
  }
}

/** A part of a folder, as its list has it. */
export interface Part {
  readonly file: string
  /** number of its first row among the folder's */
  readonly first: number
  readonly rows: number
  readonly bytes: number
}

/** What makes a folder of parts whole: the last file that is written into it. */
export interface PartList {
  readonly facts: Facts
  readonly parts: readonly Part[]
}

/** The fact of how many rows a part, or a row group, has. */
export const PART_ROWS = 'rows of a part'

const LIST = 'samples.json'
/** In place of the list while there are parts to come. */
const FILLING = 'samples.partial.json'
const partName = /^part-\d{5,}\.(csv|npy|parquet)$/

async function readJson<T>(path: string): Promise<T | null> {
  const text = await readFile(path, 'utf8').catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT' || error.code === 'ENOTDIR') return null
    throw error
  })
  if (text === null) return null
  try {
    return JSON.parse(text) as T
  } catch {
    throw new DataError(`${path} is damaged: it is no JSON.`)
  }
}

/** The list of a folder that is whole. Throws DataError where it is not, or never was. */
export async function readParts(folder: string): Promise<PartList> {
  const list = await readJson<PartList>(join(folder, LIST))
  if (list && typeof list.facts === 'object' && Array.isArray(list.parts)) return list
  if (list) throw new DataError(`${join(folder, LIST)} is no list of parts of samples.`)
  const begun = await readJson<PartList>(join(folder, FILLING))
  throw new DataError(
    begun
      ? `${folder} is not whole: parts of it are still to be drawn. Repeat its lfm sample with --resume.`
      : `${folder} is no folder of samples: it has no ${LIST}.`,
  )
}

/** Writes rows into a file that grows or a folder of parts, in a format. */
export async function writeGrowing<B>(
  path: string,
  rows: Rows<B>,
  open: OpenWriter<B>,
  { kind, format, facts, resume }: GrowOptions & { kind: 'file' | 'folder'; format: BlockFormat },
): Promise<void> {
  // elsewhere blocks leave no trace
  const partRows = kind === 'folder' || format === 'parquet' ? rows.blockRows : null
  const how = { facts: { ...facts, format, [PART_ROWS]: partRows }, resume }
  if (kind === 'folder') await growFolder(path, rows, open, how, format)
  else await growFile(path, rows, open, how)
}

/** Writes rows into a folder of parts, each of them a block. */
async function growFolder<B>(
  folder: string,
  rows: Rows<B>,
  open: OpenWriter<B>,
  { facts, resume }: GrowOptions,
  format: BlockFormat,
): Promise<void> {
  try {
    makeFolder(folder)
  } catch (error) {
    throw cannotWrite(folder, error)
  }
  const lock = await lockFolder(folder).catch((error) => {
    throw new DataError(`${folder} cannot be written to: ${lockProblem(error)}.`)
  })
  try {
    await fill(folder, rows, open, { facts, resume }, format)
  } finally {
    await lock.release()
  }
}

/** A file of one block. */
function* wholeOf<B>(writer: BlockWriter<B>, block: B): Generator<Uint8Array | string> {
  yield* writer.block(block, true)
  yield* writer.end()
}

async function fill<B>(
  folder: string,
  { n, blockRows, from }: Rows<B>,
  open: OpenWriter<B>,
  { facts, resume }: GrowOptions,
  format: BlockFormat,
): Promise<void> {
  const [list, filling] = [join(folder, LIST), join(folder, FILLING)]
  const left = (await readJson<Pick<PartList, 'facts'>>(list)) ?? (await readJson<Pick<PartList, 'facts'>>(filling))
  const parts: Part[] = []
  let kept = 0
  try {
    if (left && resume) {
      const other = difference(left.facts, facts)
      if (other) {
        throw new DataError(
          `${folder} cannot be gone on with: its parts are of another call, ${other}. Repeat that call, write to another folder, ` +
            'or leave out --resume, which replaces them.',
        )
      }
    } else {
      if (resume) note(`Nothing of ${folder} is there to go on with: it is begun.`)
      else if (left) note(`The parts of an earlier call in ${folder} are replaced; --resume goes on with them.`)
      await rm(list, { force: true })
      for (const name of await readdir(folder)) if (partName.test(name)) await rm(join(folder, name))
      await writeFileAtomic(filling, `${JSON.stringify({ facts })}\n`)
    }
    for (let first = 0; first < n; first += blockRows) {
      const file = `part-${String(parts.length).padStart(5, '0')}.${format}`
      const path = join(folder, file)
      const count = Math.min(blockRows, n - first)
      // each part is there as a whole or not at all
      let found = await stat(path).catch(() => null)
      if (found) kept++
      else {
        for await (const block of from(first)) {
          await writeFileAtomic(path, wholeOf(open(count, null), block))
          break
        }
        found = await stat(path)
      }
      parts.push({ file, first, rows: count, bytes: found.size })
    }
    if (kept > 0) note(`${kept} of ${parts.length} parts were there already.`)
    await writeFileAtomic(list, `${JSON.stringify({ facts, parts }, null, 1)}\n`)
    await rm(filling, { force: true })
  } catch (error) {
    const done = Math.min(n, parts.length * blockRows)
    throw ended(folder, error, done, n, done > 0 ? folder : null)
  }
}
