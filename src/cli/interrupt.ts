/**
 * Signals that ask the work to stop: Ctrl-C, a scheduler's SIGTERM or SIGUSR2 before its time is up, the SIGHUP of a terminal
 * that goes away. The first one asks for a clean end; a second Ctrl-C or SIGTERM ends the process at once. Node takes SIGUSR1
 * for its debugger.
 */

const signals = ['SIGINT', 'SIGTERM', 'SIGHUP', 'SIGUSR2'] as const
/** As shells count: 128 and the signal's number. */
const exitCodes = { SIGINT: 130, SIGTERM: 143, SIGHUP: 129, SIGUSR2: 140 } as const
/** By which a person or a scheduler insists; the others come in numbers where a terminal ends. */
const insistent: readonly string[] = ['SIGINT', 'SIGTERM']

/** The reason an interrupted command ends with; its message is for the person at the terminal. */
export class Interrupted extends Error {
  override readonly name = 'Interrupted'

  constructor(
    message: string,
    readonly exitCode: number = exitCodes.SIGINT,
  ) {
    super(message)
  }
}

/** An AbortSignal that the signals fire, and a function that takes the handlers away. */
export function interruptSignal(message: string): { signal: AbortSignal; release: () => void } {
  const controller = new AbortController()
  const handler = (name: (typeof signals)[number]): void => {
    if (!controller.signal.aborted) controller.abort(new Interrupted(message, exitCodes[name]))
    else if (insistent.includes(name)) process.exit(exitCodes[name])
  }
  // Windows knows no SIGUSR2
  const heard = signals.filter((name) => process.platform !== 'win32' || name !== 'SIGUSR2')
  for (const name of heard) process.on(name, handler)
  return {
    signal: controller.signal,
    release: () => {
      for (const name of heard) process.off(name, handler)
    },
  }
}
