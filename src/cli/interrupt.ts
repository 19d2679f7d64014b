/** Ctrl-C: the first asks the work to stop cleanly, the second ends the process at once. */

/** The reason an interrupted command ends with; its message is for the person at the terminal. */
export class Interrupted extends Error {
  override readonly name = 'Interrupted'
}

/** An AbortSignal that SIGINT and SIGTERM fire, and a function that takes the handlers away. */
export function interruptSignal(message: string): { signal: AbortSignal; release: () => void } {
  const controller = new AbortController()
  const handler = (): void => {
    if (controller.signal.aborted) process.exit(130)
    controller.abort(new Interrupted(message))
  }
  process.on('SIGINT', handler)
  process.on('SIGTERM', handler)
  return {
    signal: controller.signal,
    release: () => {
      process.off('SIGINT', handler)
      process.off('SIGTERM', handler)
    },
  }
}
