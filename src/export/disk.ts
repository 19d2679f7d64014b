/** Reads the files of an exported folder from a disk. */

import { join } from 'node:path'
import { CheckpointError } from '../errors.js'
import { readAtMost } from '../files/reading.js'
import { reasonOf } from '../files/reasons.js'
import type { ReadFile } from './folder.js'

export const diskReader =
  (folder: string): ReadFile =>
  async (path, most) => {
    const at = join(folder, ...path.split('/'))
    try {
      return (await readAtMost(at, most)) as Uint8Array<ArrayBuffer> | null
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined
      throw new CheckpointError(`${at} cannot be read: ${reasonOf(error)}.`)
    }
  }
