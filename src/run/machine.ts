/** Facts about the machine. */

import os from 'node:os'

/** Bytes that this process may have: the machine's, or a container's limit. */
export function machineBytes(): number {
  const limit = process.constrainedMemory()
  return limit > 0 && limit < os.totalmem() ? limit : os.totalmem()
}
