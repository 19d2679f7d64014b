/**
 * Writing one file so that a reader finds the old content or the new, whenever the writer is killed: the content goes to
 * a temporary name in the same folder and is synced, the name is changed over, and the folder is synced so that the
 * change itself survives a loss of power.
 */

import { randomBytes } from 'node:crypto'
import { type FileHandle, open, rename, rm } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'

/** Bytes or text, or several of them in turn. */
export type Content = Uint8Array | string | Iterable<Uint8Array | string>

/** The most that is handed to one system call; Linux takes at most 2 GiB. */
const chunkBytes = 1 << 28

/** Names of files that were being written when their writer was killed. */
export const temporaryName = /^\..+\.[0-9a-f]{12}\.tmp$/

/** Writes `content` to an open file and returns the bytes written; `onChunk` sees each piece as it goes. */
export async function writeContent(
  file: FileHandle,
  content: Content,
  onChunk?: (chunk: Uint8Array) => void,
): Promise<number> {
  const parts = typeof content === 'string' || content instanceof Uint8Array ? [content] : content
  let total = 0
  for (const part of parts) {
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
  content: Content,
  onChunk?: (chunk: Uint8Array) => void,
): Promise<number> {
  const file = await open(path, 'wx')
  try {
    const bytes = await writeContent(file, content, onChunk)
    await file.sync()
    await file.close()
    return bytes
  } catch (error) {
    await file.close().catch(() => {})
    await rm(path, { force: true }).catch(() => {})
    throw error
  }
}

/**
 * Writes a file atomically, over an old one where there is one. Rejects with the system's error (ENOSPC, EACCES …); the
 * old content is then still there.
 */
export async function writeFileAtomic(path: string, content: Content): Promise<void> {
  const folder = dirname(path)
  const temporary = join(folder, `.${basename(path)}.${randomBytes(6).toString('hex')}.tmp`)
  await writeNewFile(temporary, content)
  try {
    await rename(temporary, path)
  } catch (error) {
    await rm(temporary, { force: true }).catch(() => {})
    throw error
  }
  await syncFolder(folder)
}
