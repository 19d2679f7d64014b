/** Facts about the machine. */

/** Bytes that this process may have: the machine's, or a container's limit; a browser does not say, and has no limit here. */
export function machineBytes(): number {
  const os = globalThis.process?.getBuiltinModule?.('node:os')
  if (!os) return Number.POSITIVE_INFINITY
  const limit = process.constrainedMemory()
  return limit > 0 && limit < os.totalmem() ? limit : os.totalmem()
}
