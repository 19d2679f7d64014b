/**
 * Reading files that others made. A name may stand for a file without end (/dev/zero), one that nobody writes into (a pipe), or
 * one that is far larger than what it is taken for: none of these may hang the process or take its memory.
 */

import { type FileHandle, open, readFile, stat } from 'node:fs/promises'
import { DataError } from '../errors.js'
import { cannotRead } from './reasons.js'

const CHUNK = 1 << 16

/** The bytes of a file, or of a pipe, that has at most so many; null for one that has more. Rejects with the system's error. */
export async function readAtMost(path: string, most: number): Promise<Buffer | null> {
  const file = await open(path, 'r')
  try {
    const parts: Buffer[] = []
    let total = 0
    for (;;) {
      const part = await readPart(file)
      if (part.length === 0) return Buffer.concat(parts, total)
      total += part.length
      if (total > most) return null
      parts.push(part)
    }
  } finally {
    await file.close()
  }
}

async function readPart(file: FileHandle): Promise<Buffer> {
  const { buffer, bytesRead } = await file.read(Buffer.allocUnsafe(CHUNK), 0, CHUNK, null)
  return buffer.subarray(0, bytesRead)
}

/** Throws DataError for what is no regular file: it might never end. */
export async function expectRegular(path: string): Promise<void> {
  const found = await stat(path).catch((error) => {
    throw cannotRead(path, error)
  })
  if (found.isDirectory()) throw new DataError(`${path} cannot be read: it is a folder.`)
  if (!found.isFile()) throw new DataError(`${path} cannot be read: it is no regular file.`)
}

/** The bytes of a data file. Throws DataError where it cannot be read. */
export async function readData(path: string): Promise<Buffer> {
  await expectRegular(path)
  return readFile(path).catch((error) => {
    throw cannotRead(path, error)
  })
}

/**
 * What a compressed file may unpack to, in bytes: no picture and no set of digits that people have is packed as tightly, and a
 * file that claims more only wants memory.
 */
export const mostUnpacked = (packed: number): number => (48 << 20) + 50 * packed
