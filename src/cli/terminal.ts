/**
 * What the command line prints. People read progress on stderr (a bar on a terminal, else a line now and then) and results on
 * stdout; with --json the last line of stdout is one object and nothing else goes there.
 */

import type { Progress } from '../flow/train-chain.js'

/** Seconds between two progress lines where there is no terminal. */
const QUIET_SECONDS = 10
const BAR_CELLS = 24

export const printJson = (value: object): void => {
  process.stdout.write(`${JSON.stringify(value)}\n`)
}

export const note = (text: string): void => {
  process.stderr.write(`${text}\n`)
}

/** 75 → '1:15', 4000 → '1:06:40' */
export function clock(seconds: number): string {
  const whole = Math.max(0, Math.round(seconds))
  const [h, m, s] = [Math.floor(whole / 3600), Math.floor(whole / 60) % 60, whole % 60]
  const two = (n: number): string => String(n).padStart(2, '0')
  return h > 0 ? `${h}:${two(m)}:${two(s)}` : `${m}:${two(s)}`
}

export function bar(share: number): string {
  const full = Math.round(Math.min(1, Math.max(0, share)) * BAR_CELLS)
  return `${'█'.repeat(full)}${'░'.repeat(BAR_CELLS - full)}`
}

export interface ProgressDisplay {
  show(progress: Progress): void
  /** ends the line of the bar */
  end(): void
}

/** @param steps training steps of each sub-flow, for the time left */
export function progressDisplay(
  steps: readonly number[],
  stream: NodeJS.WriteStream = process.stderr,
): ProgressDisplay {
  const total = steps.reduce((sum, count) => sum + count, 0)
  let open = false
  let lastLine = 0
  let rate = 0
  const describe = (p: Progress): { share: number; text: string } => {
    const place = `sub-flow ${p.subFlow}/${p.subFlows}`
    if (p.phase === 'push') {
      return { share: p.rows / p.of, text: `${place} │ pushing the data through it: ${p.rows}/${p.of} rows` }
    }
    rate = rate === 0 ? p.stepsPerSecond : 0.8 * rate + 0.2 * p.stepsPerSecond
    const done = steps.slice(0, p.subFlow - 1).reduce((sum, count) => sum + count, 0) + p.step
    const skipped = p.skipped > 0 ? ` │ ${p.skipped} steps skipped` : ''
    const speed = rate >= 10 ? rate.toFixed(0) : rate.toFixed(2)
    return {
      share: done / total,
      text:
        `${place} │ step ${p.step}/${p.steps} │ loss ${p.loss.toFixed(4)} │ ${speed} steps/s │ ` +
        `${clock((total - done) / rate)} left${skipped}`,
    }
  }
  return {
    show(progress) {
      const { share, text } = describe(progress)
      if (stream.isTTY) {
        const line = `${bar(share)} ${String(Math.floor(100 * share)).padStart(3)} % │ ${text}`
        stream.write(`\r\x1b[2K${line.slice(0, (stream.columns ?? 120) - 1)}`)
        open = true
        return
      }
      const now = Date.now() / 1000
      const ended = progress.phase === 'train' ? progress.step === progress.steps : progress.rows === progress.of
      if (now - lastLine < QUIET_SECONDS && !ended) return
      lastLine = now
      stream.write(`${text}\n`)
    },
    end() {
      if (open) stream.write('\n')
      open = false
    },
  }
}
