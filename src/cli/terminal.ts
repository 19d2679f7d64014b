/**
 * What the command line prints. People read progress on stderr (a bar on a terminal, else a line now and then) and results on
 * stdout; with --json the last line of stdout is one object and nothing else goes there. What is printed may come from a
 * file (a config's name, a column's): nothing in it reaches the terminal that the terminal would obey. An output that nobody
 * reads any more ends nothing.
 */

import { closeSync } from 'node:fs'
import { isatty } from 'node:tty'
import { printable } from '../errors.js'
import { reasonOf } from '../files/reasons.js'
import type { Progress } from '../recipes/run-recipe.js'

/** Seconds between two progress lines where there is no terminal. */
const QUIET_SECONDS = 10
/** The speed is that of the last so many seconds. */
const SPEED_SECONDS = 20
const BAR_CELLS = 24
const SHORTEST_BAR = 4
const SEPARATOR = ' │ '

/** DEL and C1, which JSON leaves as they are. */
const notInJson = /[\u007f-\u009f\u2028-\u202e\u2066-\u2069]/g

export const printJson = (value: object): void => {
  const json = JSON.stringify(value).replace(notInJson, (c) => `\\u${c.charCodeAt(0).toString(16).padStart(4, '0')}`)
  process.stdout.write(`${json}\n`)
}

/** Lines on stdout: a command's result. */
export const print = (...lines: string[]): void => {
  process.stdout.write(
    `${lines
      .flatMap((line) => line.split('\n'))
      .map(printable)
      .join('\n')}\n`,
  )
}

export const note = (text: string): void => {
  process.stderr.write(`${printable(text)}\n`)
}

/** The reader has gone: a pipe's, or the terminal itself. */
const nobodyReads = ['EPIPE', 'EIO', 'ERR_STREAM_DESTROYED', 'ECONNRESET']

/**
 * Output that cannot be written ends no work: whoever read it has gone (`| head`, a closed terminal), and the result is a file.
 * Where stdout is a file that has no room, one line on stderr says so and the exit code is 1.
 *
 * At its end Node puts terminals back to what they were, and until version 24 it aborts where one has gone
 * (https://github.com/nodejs/node/pull/58200): it leaves alone what is closed.
 */
export function outliveOutputs(): void {
  let told = false
  const terminals = [0, 1, 2].filter((fd) => isatty(fd))
  process.on('exit', () => {
    for (const fd of terminals.filter((one) => !isatty(one))) closeSync(fd)
  })
  process.stderr.on('error', () => {})
  process.stdout.on('error', (error: NodeJS.ErrnoException) => {
    if (told || nobodyReads.includes(error.code ?? '')) return
    told = true
    process.exitCode = 1
    process.stderr.write(`lfm: stdout cannot be written: ${reasonOf(error)}.\n`)
  })
}

/** 75 → '1:15', 4000 → '1:06:40' */
export function clock(seconds: number): string {
  const whole = Math.max(0, Math.round(seconds))
  const [h, m, s] = [Math.floor(whole / 3600), Math.floor(whole / 60) % 60, whole % 60]
  const two = (n: number): string => String(n).padStart(2, '0')
  return h > 0 ? `${h}:${two(m)}:${two(s)}` : `${m}:${two(s)}`
}

export function bar(share: number, cells = BAR_CELLS): string {
  const full = Math.round(Math.min(1, Math.max(0, share)) * cells)
  return `${'█'.repeat(full)}${'░'.repeat(cells - full)}`
}

/**
 * A bar, its percentage and words beside it, in at most `width` cells but one: the bar gets shorter first, then words are left
 * out from the last.
 */
export function statusLine(share: number, words: readonly string[], width: number): string {
  const percent = `${String(Math.floor(100 * share)).padStart(3)} %`
  const room = width - 1
  for (let count = words.length; count >= 0; count--) {
    const text = [percent, ...words.slice(0, count)].join(SEPARATOR)
    const cells = Math.min(BAR_CELLS, room - text.length - 1)
    if (cells >= SHORTEST_BAR) return `${bar(share, cells)} ${text}`
  }
  return percent.slice(0, Math.max(0, room))
}

/** Speed of steps and length of pushes, from what was seen so far. */
class Pace {
  /** of this sub-flow: when so many of all steps were done; the first entry is after compilation */
  private marks: { time: number; done: number }[] = []
  private subFlow = 0
  private rate: number | null = null
  private pushBegan: number | null = null
  private pushSeconds: number | null = null

  constructor(
    private readonly steps: readonly number[],
    private readonly now: () => number,
  ) {}

  /** Steps of all sub-flows that are done. */
  done(p: Progress): number {
    const before = this.steps.slice(0, p.subFlow - 1).reduce((sum, count) => sum + count, 0)
    return before + (p.phase === 'train' ? p.step : this.steps[p.subFlow - 1])
  }

  /** Steps a second, and seconds that are left; null where too little was seen. */
  see(p: Progress): { rate: number | null; left: number | null } {
    const time = this.now()
    const done = this.done(p)
    if (p.phase === 'train') this.seeSteps(p.subFlow, time, done)
    else {
      this.pushBegan ??= this.marks.at(-1)?.time ?? time
      if (p.rows > 0) this.pushSeconds = ((time - this.pushBegan) * p.of) / p.rows
    }
    const { rate, pushSeconds } = this
    if (rate === null) return { rate, left: null }
    const pushed = p.phase === 'push' ? p.rows / p.of : 0
    const pushes = this.steps.length - p.subFlow - pushed
    const total = this.steps.reduce((sum, count) => sum + count, 0)
    return { rate, left: (total - done) / rate + pushes * (pushSeconds ?? 0) }
  }

  private seeSteps(subFlow: number, time: number, done: number): void {
    this.pushBegan = null
    if (subFlow !== this.subFlow) this.marks = []
    this.subFlow = subFlow
    this.marks.push({ time, done })
    while (this.marks.length > 2 && time - this.marks[1].time > SPEED_SECONDS) this.marks.shift()
    const [first] = this.marks
    if (time > first.time && done > first.done) this.rate = (done - first.done) / (time - first.time)
  }
}

/** Rows of a piece of work that are done. */
export interface RowsDisplay {
  show(rows: number, of: number): void
  /** takes the bar away */
  end(): void
}

/** The rows of a piece of work: a bar that is gone at its end on a terminal, else a line now and then. */
export function rowsDisplay(
  what: string,
  stream: Pick<NodeJS.WriteStream, 'isTTY' | 'columns' | 'write'> = process.stderr,
  now: () => number = () => performance.now() / 1000,
): RowsDisplay {
  const began = now()
  let first: { time: number; rows: number } | null = null
  let open = false
  let lastLine = began
  return {
    show(rows, of) {
      const time = now()
      // the first report comes after compilation
      first ??= { time, rows }
      const rate = time > first.time ? (rows - first.rows) / (time - first.time) : 0
      const words = [`${what}: ${rows}/${of} rows`, ...(rate > 0 ? [`${clock((of - rows) / rate)} left`] : [])]
      if (stream.isTTY) {
        stream.write(`\r\x1b[2K${statusLine(rows / of, words, stream.columns || 120)}`)
        open = true
      } else if (time - lastLine >= QUIET_SECONDS) {
        lastLine = time
        stream.write(`${words.join(SEPARATOR)}\n`)
      }
    },
    end() {
      if (open) stream.write('\r\x1b[2K')
      open = false
    },
  }
}

export interface ProgressDisplay {
  show(progress: Progress): void
  /** ends the line of the bar */
  end(): void
}

/**
 * @param steps training steps of each sub-flow, for the time left
 * @param now seconds
 */
export function progressDisplay(
  steps: readonly number[],
  stream: Pick<NodeJS.WriteStream, 'isTTY' | 'columns' | 'write'> = process.stderr,
  now: () => number = () => performance.now() / 1000,
): ProgressDisplay {
  const total = steps.reduce((sum, count) => sum + count, 0)
  const pace = new Pace(steps, now)
  let open = false
  let lastLine = Number.NEGATIVE_INFINITY
  /** What is done, and how fast. */
  const describe = (p: Progress): { work: string[]; pace: string[] } => {
    const { rate, left } = pace.see(p)
    const work = [`sub-flow ${p.subFlow}/${p.subFlows}`]
    if (p.phase === 'push') work.push(`pushing the data through it: ${p.rows}/${p.of} rows`)
    else {
      work.push(`step ${p.step}/${p.steps}`, `loss ${p.loss.toFixed(4)}`)
      if (p.validationLoss != null) work.push(`validation ${p.validationLoss.toFixed(4)}`)
      if (p.skipped > 0) work.push(`${p.skipped} steps skipped`)
    }
    const speed: string[] = []
    if (p.phase === 'train' && rate !== null) speed.push(`${rate >= 10 ? rate.toFixed(0) : rate.toFixed(2)} steps/s`)
    if (left !== null) speed.push(`${clock(left)} left`)
    return { work, pace: speed }
  }
  return {
    show(progress) {
      const { work, pace: speed } = describe(progress)
      if (stream.isTTY) {
        stream.write(`\r\x1b[2K${statusLine(pace.done(progress) / total, [...speed, ...work], stream.columns || 120)}`)
        open = true
        return
      }
      const ended = progress.phase === 'train' ? progress.step === progress.steps : progress.rows === progress.of
      if (now() - lastLine < QUIET_SECONDS && !ended) return
      lastLine = now()
      stream.write(`${[...work, ...speed].join(SEPARATOR)}\n`)
    },
    end() {
      if (open) stream.write('\n')
      open = false
    },
  }
}
