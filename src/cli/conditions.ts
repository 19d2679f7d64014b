/** What --cond, --class and --guidance say of the rows that a command carries. */

import { stat } from 'node:fs/promises'
import { readTable } from '../data/index.js'
import type { Tensor } from '../data/tensor.js'
import { nameOf } from '../data/text-file.js'
import { DataError, list, show } from '../errors.js'
import type { CarryOptions } from '../run/local-flow.js'
import type { Run } from '../run/run.js'
import { note } from './terminal.js'

export interface ConditionCommandOptions {
  /** a file of condition columns, a row for each row or one for all */
  cond?: string
  class?: number
  guidance?: number[]
}

/**
 * The options of a call. Columns of a file are taken by their names where it has a header and the run knows them.
 * @param beside a table that may hold the condition's columns too, where --cond is left out
 */
export async function conditionsOf(
  run: Run,
  { cond, class: label, guidance }: ConditionCommandOptions,
  beside?: string,
): Promise<Pick<CarryOptions, 'cond' | 'class' | 'guidance'>> {
  const { condition } = run.extra
  const told = { class: label, guidance: guidance?.length === 1 ? guidance[0] : guidance }
  if (cond !== undefined) return { ...told, cond: await readConditions(cond, run) }
  if (beside === undefined || condition?.kind !== 'columns' || !condition.names) return told
  const isFile = await stat(beside).then(
    (found) => found.isFile(),
    () => false,
  )
  return isFile ? { ...told, cond: await readConditions(beside, run) } : told
}

async function readConditions(path: string, { extra: { condition } }: Run): Promise<Tensor> {
  const names = condition?.kind === 'columns' ? condition.names : null
  const byName = (header: readonly string[] | null, width: number): number[] => {
    if (!header) return Array.from({ length: width }, (_, i) => i)
    const missing = names!.filter((name) => !header.includes(name))
    if (missing.length > 0) {
      throw new DataError(
        `${nameOf(path)} does not have the columns that the model is told: ${list(missing.map(show))}.`,
        `${nameOf(path)} does not have the columns that the model is told.`,
      )
    }
    return names!.map((name) => header.indexOf(name))
  }
  const { tensor, remarks } = await readTable(path, names && byName)
  remarks.forEach(note)
  return tensor
}
