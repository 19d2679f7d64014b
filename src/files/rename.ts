/**
 * Changing a file's name over, where another program may have the old one open. Linux and macOS do it all the same; Windows refuses
 * it for as long as a reader, an indexer or a scanner for viruses is at the file, which is mostly some milliseconds.
 */

import { rename } from 'node:fs/promises'
import { setTimeout as wait } from 'node:timers/promises'

/** What Windows says of a file that is open elsewhere: the same as of one that may not be written. */
const inUse = ['EPERM', 'EACCES', 'EBUSY']
/** Milliseconds between two tries; nearly three seconds together. */
const WAITS = [10, 20, 50, 100, 200, 400, 800, 1200]

/**
 * Renames a file, or a folder to a name that is not there. Rejects with the system's error.
 * @param system what renames and waits, and on which platform; default: this one
 */
export async function renameOver(
  from: string,
  to: string,
  system: { platform: string; rename: typeof rename; wait: (ms: number) => Promise<unknown> } = {
    platform: process.platform,
    rename,
    wait,
  },
): Promise<void> {
  const waits = system.platform === 'win32' ? WAITS : []
  for (const ms of waits) {
    try {
      return await system.rename(from, to)
    } catch (error) {
      if (!inUse.includes((error as NodeJS.ErrnoException).code ?? '')) throw error
    }
    await system.wait(ms)
  }
  await system.rename(from, to)
}
