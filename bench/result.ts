/** What a bench found, as a JSON file, and the comparison of two of them. */

import { readFileSync, renameSync, writeFileSync } from 'node:fs'
import type { Profile } from '../src/device/profile.js'
import { LocalFlowError } from '../src/errors.js'

export interface Row {
  readonly suite: string
  readonly shape: string
  /** B that was measured; null where the case has one size only */
  readonly rows: number | null
  /** the device of ours that was measured, or measured against */
  readonly device: string
  /** null: our own time */
  readonly peer: string | null
  /** milliseconds of one repetition: the median over rounds */
  readonly ms: number
  readonly gflops: number
  /** of the device's peak, taken just before and after each round (a mixed step's is that of matrix units, where there are some); null where it is not known */
  readonly peakShare: number | null
  /** the peer's time over ours at the same size, the median over rounds; null in our own rows */
  readonly ratio: number | null
  /** interquartile range over the median: of `ratio` where there is one, else of `ms` */
  readonly spread: number
  /** where our own time goes, with --profile */
  readonly profile?: Profile
}

export interface Result {
  readonly machine: {
    readonly cpu: string
    readonly cores: number
    readonly memoryGiB: number
    readonly system: string
    readonly cpuTarget: string | null
    readonly threads: number | null
    /** GFLOP/s, the median of all that were taken */
    readonly peak: number | null
  }
  /** WebGPU adapter */
  readonly adapter: string | null
  /** GFLOP/s that it was seen to do at most, medians; null where a kind was not measured, or it has no matrix units */
  readonly adapterPeaks?: { readonly float32: number | null; readonly units: number | null }
  /** its driver and version */
  readonly driver?: string | null
  /** Dawn's set of toggles, of our device and of tfjs: safe or fast */
  readonly toggles?: string | null
  /** of the working tree, with '+' where it was changed since */
  readonly commit: string | null
  readonly versions: Readonly<Record<string, string>>
  readonly quick: boolean
  /** while cases are still to come, or where the bench was ended before them */
  readonly unfinished?: true
  readonly rows: readonly Row[]
  /** of the first case that has one */
  readonly profile?: Profile
}

/** The file is never half a result: it is written beside its place and renamed. Whoever ends the bench keeps what it has found. */
export function writeResult(path: string, result: Result): void {
  const beside = `${path}.${process.pid}`
  writeFileSync(beside, `${JSON.stringify(result, null, 2)}\n`)
  renameSync(beside, path)
}

/** Reads an earlier result. Throws LocalFlowError where the file is none. */
export function readResult(path: string): Result {
  let result: Result
  try {
    result = JSON.parse(readFileSync(path, 'utf8')) as Result
  } catch (error) {
    throw new LocalFlowError(`--compare '${path}' could not be read: ${(error as Error).message}`)
  }
  const complete = (row: Partial<Row>): boolean =>
    typeof row?.suite === 'string' && typeof row.shape === 'string' && Number.isFinite(row.ms)
  if (!Array.isArray(result?.rows) || !result.rows.every(complete)) {
    throw new LocalFlowError(
      `--compare '${path}' is not a result of this bench: it has no rows { suite, shape, ms, … }.`,
    )
  }
  return result
}

export interface Change {
  readonly name: string
  readonly before: Row
  readonly after: Row
  /** new time over old, less one; by shares of the peak where both are known, so that another machine's pace falls out */
  readonly change: number
  /** the change in units of the larger of both spreads */
  readonly spreads: number
  readonly by: 'time' | 'share of peak'
}

const keyOf = ({ suite, shape, rows, device, peer }: Row): string => [suite, shape, rows, device, peer].join('|')

/** Our own rows that both results have, the largest change first. */
export function compareResults(before: Result, after: Result): Change[] {
  const old = new Map(before.rows.filter((row) => row.peer === null).map((row) => [keyOf(row), row]))
  const changes: Change[] = []
  for (const row of after.rows) {
    const earlier = row.peer === null ? old.get(keyOf(row)) : undefined
    if (!earlier) continue
    const shared = row.peakShare !== null && earlier.peakShare !== null
    const change = (shared ? earlier.peakShare! / row.peakShare! : row.ms / earlier.ms) - 1
    // two runs without any spread (a single round) still differ by noise: a tenth of a percent is below all of it
    const spread = Math.max(row.spread, earlier.spread, 0.001)
    changes.push({
      name: `${row.suite}/${row.shape}${row.rows === null ? '' : ` (B ${row.rows})`} on ${row.device}`,
      before: earlier,
      after: row,
      change,
      spreads: Math.abs(change) / spread,
      by: shared ? 'share of peak' : 'time',
    })
  }
  return changes.sort((a, b) => Math.abs(b.change) - Math.abs(a.change))
}

/** One line for each case that changed by more than its spread, then how many did not. */
export function comparisonText(changes: readonly Change[]): string {
  if (changes.length === 0) return 'No case is in both results at the same size.'
  const moved = changes.filter((c) => c.spreads > 1)
  const lines = moved.map(({ name, before, after, change, spreads, by }) => {
    const percent = `${(100 * Math.abs(change)).toFixed(1)} % ${change > 0 ? 'slower' : 'faster'}`
    const times = `${before.ms.toPrecision(3)} → ${after.ms.toPrecision(3)} ms`
    return `  ${name}: ${percent} by ${by}, ${spreads.toFixed(1)} times the spread (${times})`
  })
  const still = changes.length - moved.length
  return [...lines, `  ${still} of ${changes.length} cases changed by no more than their spread.`].join('\n')
}
