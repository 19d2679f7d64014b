/**
 * Timing. A *runner* repeats one piece of work as often as told with nothing in between. Its *time* for one repetition
 * is (time of 3n − time of n) / 2n, so that what a call costs once (start-up, the last read-back, the trip to another
 * process) falls out. A *round* times every runner of a group once, one after the other; rounds are repeated, so that
 * runners that are compared take turns (A B A B …) and drift of a shared machine meets all of them. What is quoted is the
 * median over rounds, and as *spread* the interquartile range as a share of the median.
 */

export interface Runner {
  /** Repeats the work; resolves when all of it is done. */
  run(times: number): Promise<void>
  dispose(): void | Promise<void>
}

/** Milliseconds. */
export type Clock = () => number
export const wallClock: Clock = () => performance.now()

/** Milliseconds of a repetition in which what a call costs once is lost: it needs no difference, and no warming up. */
export const CRAWL = 5000

/** A busy machine can make three times the work look faster than the work; this often a difference is taken anew. */
const ATTEMPTS = 10

export async function timed(runner: Runner, times: number, clock: Clock = wallClock): Promise<number> {
  const began = clock()
  await runner.run(times)
  return clock() - began
}

/** Milliseconds of one repetition by the difference of 3n and n. */
export async function timeOnce(runner: Runner, n: number, clock: Clock = wallClock): Promise<number> {
  for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
    const short = await timed(runner, n, clock)
    const long = await timed(runner, 3 * n, clock)
    if (long > short) return (long - short) / (2 * n)
  }
  throw new Error(
    `${3 * n} repetitions took no longer than ${n}, ${ATTEMPTS} times: the machine is too busy to measure on.`,
  )
}

/** Warms the runner up and returns the n for which 4n repetitions take about `target` milliseconds. */
export async function calibrate(runner: Runner, target: number, clock: Clock = wallClock): Promise<number> {
  await runner.run(1)
  for (let times = 1; ; times *= 4) {
    const took = await timed(runner, times, clock)
    if (took >= target / 8) return Math.max(1, Math.round((target * times) / (4 * took)))
  }
}

/** Quantile of sorted values, linear between them. */
function quantile(sorted: readonly number[], q: number): number {
  const at = q * (sorted.length - 1)
  const low = Math.floor(at)
  const high = Math.min(low + 1, sorted.length - 1)
  return sorted[low] + (at - low) * (sorted[high] - sorted[low])
}

export interface Quoted {
  readonly median: number
  /** interquartile range over the median */
  readonly spread: number
}

export function quote(samples: readonly number[]): Quoted {
  const sorted = [...samples].sort((a, b) => a - b)
  const median = quantile(sorted, 0.5)
  return { median, spread: (quantile(sorted, 0.75) - quantile(sorted, 0.25)) / median }
}

/**
 * Rows that a slow runner can take so that one repetition stays below `cap` milliseconds: all of them, or fewer. Sizes
 * grow fourfold from `first` until one takes too long; between the last two the time is taken for linear.
 */
export async function fittingRows(
  open: (rows: number) => Promise<Runner>,
  rows: number,
  cap: number,
  first: number,
  clock: Clock = wallClock,
): Promise<number> {
  let fits = { rows: 0, took: 0 }
  for (let tried = Math.min(rows, first); ; tried = Math.min(rows, 4 * tried)) {
    const runner = await open(tried)
    let took: number
    try {
      const first = await timed(runner, 1, clock)
      took = first > CRAWL ? first : await timed(runner, 1, clock)
    } finally {
      await runner.dispose()
    }
    if (took > cap) {
      const share = (cap - fits.took) / (took - fits.took)
      return Math.max(1, roundDown(fits.rows + share * (tried - fits.rows)))
    }
    if (tried === rows) return rows
    fits = { rows: tried, took }
  }
}

/** Down to two digits, since the number is printed. */
function roundDown(value: number): number {
  const unit = 10 ** Math.max(0, Math.floor(Math.log10(value)) - 1)
  return Math.floor(value / unit) * unit
}
