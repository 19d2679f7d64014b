/** What tells one file from another. */

import { createHash } from 'node:crypto'
import { createReadStream } from 'node:fs'
import { cannotRead } from './reasons.js'

/** The SHA-256 of a file's bytes, hexadecimal; memory holds a piece of it. Throws DataError where it cannot be read. */
export async function sha256Of(path: string): Promise<string> {
  const hash = createHash('sha256')
  try {
    for await (const chunk of createReadStream(path, { highWaterMark: 1 << 20 })) hash.update(chunk as Buffer)
  } catch (error) {
    throw cannotRead(path, error)
  }
  return hash.digest('hex')
}
