/** Seconds that the jobs of a comparison work, from the rows that are there. */

import { ConfigError } from '../../errors.js'
import { jobsOf, type PlannedRow, rowsOfJob } from './plan.js'
import { type RowResult, readRow } from './row.js'

const secondsOf = ({ seconds: { training, push, measuring = 0 } }: RowResult): number => training + push + measuring

const mean = (values: readonly number[]): number => values.reduce((sum, value) => sum + value, 0) / values.length

/**
 * Seconds of each job. A row that is not there is taken to be as long as those of its method under other seeds, or else as all in
 * the mean.
 * @throws ConfigError where no row is there
 */
export async function secondsOfJobs(
  folder: string,
  rows: readonly PlannedRow[],
): Promise<{ work: number[]; measured: number }> {
  const found = await Promise.all(rows.map(async (row) => ({ row, result: await readRow(folder, row.id) })))
  const known = found.flatMap(({ row, result }) => (result ? [{ row, seconds: secondsOf(result) }] : []))
  if (known.length === 0) {
    throw new ConfigError(
      `${folder} has no row of this comparison yet, whose time could be taken. Make one by: --job 1/${jobsOf(rows)}`,
    )
  }
  const kindOf = ({ id, seed }: PlannedRow): string => id.slice(0, -`-seed-${seed}`.length)
  const secondsFor = (row: PlannedRow): number => {
    const own = known.filter((one) => one.row === row)
    const alike = known.filter((one) => kindOf(one.row) === kindOf(row))
    const of = [own, alike, known].find((list) => list.length > 0)!
    return mean(of.map(({ seconds }) => seconds))
  }
  const jobs = jobsOf(rows)
  const work = Array.from({ length: jobs }, (_, i) =>
    rowsOfJob(rows, [i + 1, jobs]).reduce((sum, row) => sum + secondsFor(row), 0),
  )
  return { work, measured: known.length }
}
