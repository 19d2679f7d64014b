/**
 * What runs gave, on disk: one JSON file for each group of settings, rewritten whole and atomically after every run, so that
 * a killed tool loses the run in work and no other. A row belongs to the settings it was made with: where a setting
 * has changed since, its rows are stale and the run is made again.
 */

import { mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { LocalFlowError } from '../../src/errors.js'

export type Picture = 'rose' | 'tree'
export type Part = 'validation' | 'test'

/** The likelihood of a part of the data, nats. */
export interface Likelihood {
  readonly rows: number
  readonly nll: number
  /** of the true density, over the same rows */
  readonly entropy: number
  readonly kl: number
  /** how much the NLL of the first rows changes with twice the solver's steps */
  readonly solverChange: number
}

export interface Row {
  readonly run: string
  readonly picture: Picture
  readonly seed: number
  /** as `lfm train --set` takes them, data.path and seed apart */
  readonly set: readonly string[]
  readonly parts: Partial<Record<Part, Likelihood>>
  /** N */
  readonly subFlows: number
  /** of all networks together */
  readonly parameters: number
  /** training steps, all sub-flows together */
  readonly steps: number
  readonly batch: number
  /** of the velocity field, for a row that is sampled, and for one whose likelihood is taken */
  readonly evaluations: { readonly sample: number; readonly likelihood: number }
  /** floating-point operations by the contracts' count, 1e12 */
  readonly teraflop: { readonly training: number; readonly push: number }
  /** wall time of this machine */
  readonly seconds: { readonly training: number; readonly push: number }
  readonly machine: string
  readonly date: string
}

export const keyOf = ({ run, picture, seed }: Pick<Row, 'run' | 'picture' | 'seed'>): string =>
  `${run} ${picture} ${seed}`

const sameSettings = (a: readonly string[], b: readonly string[]): boolean => JSON.stringify(a) === JSON.stringify(b)

/** The row of a run with these settings that has all these parts; undefined where it is yet to be made. */
export function findRow(
  rows: readonly Row[],
  wanted: Pick<Row, 'run' | 'picture' | 'seed' | 'set'>,
  parts: readonly Part[],
): Row | undefined {
  const complete = (row: Row): boolean => parts.every((part) => row.parts[part] !== undefined)
  return rows.find((row) => keyOf(row) === keyOf(wanted) && sameSettings(row.set, wanted.set) && complete(row))
}

/** The rows with one more, in place of an earlier one of the same run. */
export const withRow = (rows: readonly Row[], row: Row): Row[] => [
  ...rows.filter((other) => keyOf(other) !== keyOf(row)),
  row,
]

const fileOf = (folder: string, group: string): string => join(folder, `${group}.json`)

/** The rows of a group; none where there is no file yet. Throws LocalFlowError for a file that is none of ours. */
export function readRows(folder: string, group: string): Row[] {
  const path = fileOf(folder, group)
  let text: string
  try {
    text = readFileSync(path, 'utf8')
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return []
    throw new LocalFlowError(`${path} cannot be read: ${(error as Error).message}.`)
  }
  let rows: unknown
  try {
    rows = JSON.parse(text).rows
  } catch (error) {
    throw new LocalFlowError(`${path} is no JSON: ${(error as Error).message}.`)
  }
  const whole = (row: Partial<Row>): boolean =>
    typeof row?.run === 'string' && Number.isSafeInteger(row.seed) && Array.isArray(row.set) && Boolean(row.parts)
  if (!Array.isArray(rows) || !rows.every(whole)) {
    throw new LocalFlowError(
      `${path} is not a result of this tool: it has no rows { run, picture, seed, set, parts, … }.`,
    )
  }
  return rows as Row[]
}

/** Writes a group's rows, one a line. */
export function writeRows(folder: string, group: string, rows: readonly Row[]): void {
  mkdirSync(folder, { recursive: true })
  const path = fileOf(folder, group)
  const lines = rows.map((row) => `  ${JSON.stringify(row)}`)
  writeFileSync(`${path}.tmp`, `{ "rows": [\n${lines.join(',\n')}\n] }\n`)
  renameSync(`${path}.tmp`, path)
}
