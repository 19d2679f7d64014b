/**
 * Runs on the event loop's thread, and the turns that it has between them. A caller that awaits one such run after another goes on from
 * promise to promise, and the event loop would never come to its timers and its files.
 */

/** Milliseconds for which these runs may keep the event loop waiting, one after another. */
const AT_ONCE_MS = 1

export class Turns {
  /** since the last turn; null: there was no run since */
  private window: { readonly due: number; readonly passed: Promise<void>; full: boolean } | null = null

  /** Whether another run may be done before the event loop has its turn. */
  get open(): boolean {
    return !this.window?.full
  }

  /** After a run: the turn that its caller is to wait for, once it is due. */
  took(): Promise<void> | null {
    const now = performance.now()
    this.window ??= {
      due: now + AT_ONCE_MS,
      passed: new Promise((resolve) =>
        setImmediate(() => {
          this.window = null
          resolve()
        }),
      ),
      full: false,
    }
    if (now < this.window.due) return null
    this.window.full = true
    return this.window.passed
  }
}
