/**
 * Signals that ask the work to stop: Ctrl-C, a scheduler's SIGTERM or SIGUSR2 before its time is up, the SIGHUP of a terminal
 * that goes away, on Windows Ctrl-Break. The first one asks for a clean end; a second Ctrl-C or SIGTERM ends the process at once. Node takes SIGUSR1
 * for its debugger.
 */

/** As shells count: 128 and the signal's number. */
const exitCodes = { SIGINT: 130, SIGTERM: 143, SIGHUP: 129, SIGUSR2: 140, SIGBREAK: 149 } as const
type Signal = keyof typeof exitCodes
/** By which a person or a scheduler insists; the others come in numbers where a terminal ends. */
const insistent: readonly string[] = ['SIGINT', 'SIGTERM', 'SIGBREAK']

/** Signals that a platform has: a handler for another one is an error. */
export const signalsOf = (platform: string): readonly Signal[] =>
  platform === 'win32' ? ['SIGINT', 'SIGTERM', 'SIGHUP', 'SIGBREAK'] : ['SIGINT', 'SIGTERM', 'SIGHUP', 'SIGUSR2']

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
  const handler = (name: Signal): void => {
    if (!controller.signal.aborted) controller.abort(new Interrupted(message, exitCodes[name]))
    else if (insistent.includes(name)) process.exit(exitCodes[name])
  }
  const heard = signalsOf(process.platform)
  for (const name of heard) process.on(name, handler)
  return {
    signal: controller.signal,
    release: () => {
      for (const name of heard) process.off(name, handler)
    },
  }
}
