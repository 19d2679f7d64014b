/** `lfm job`: does one job of a plan, as a cluster calls it, once no other process is at work in it. */

import { dirname, resolve } from 'node:path'
import { clusterName, jobNumber } from '../run/cluster/number.js'
import { checkInputs, type PlannedJob, readPlan } from '../run/cluster/plan.js'
import { beginTry } from '../run/cluster/record.js'
import { standingOf } from '../run/cluster/trained.js'
import { Interrupted, interruptSignal } from './interrupt.js'
import { note } from './terminal.js'
import { usage } from './usage.js'

export interface JobCommandOptions {
  /** from 0 on; left out: the environment says it */
  index?: number
}

/** @param run the words of a command line */
export async function job(
  path: string,
  { index }: JobCommandOptions,
  run: (words: readonly string[]) => Promise<void>,
): Promise<void> {
  const at = resolve(path)
  const plan = await readPlan(at)
  const number = index ?? jobNumber(process.env, plan.jobs.length)
  const planned = plan.jobs[number]
  if (!planned)
    throw usage(
      '--index',
      `a number from 0 to ${plan.jobs.length - 1}, as the plan has ${plan.jobs.length} jobs`,
      index,
    )
  note(`Job ${number} of ${plan.jobs.length}: ${planned.name}`)
  const { signal, release } = interruptSignal('Interrupted before it began.')
  const begun = await beginTry(dirname(dirname(at)), number, { as: clusterName(process.env), signal, note }).finally(
    release,
  )
  try {
    await checkInputs(plan, at)
    const words = await wordsNow(planned)
    if (words) await run(words)
    else note(`${planned.run} is there already.`)
    await begun.end(0, null)
  } catch (error) {
    await begun.end(error instanceof Interrupted ? error.exitCode : 1, (error as Error).message)
    throw error
  }
}

/** The words by which a job goes on; null where its run has ended. */
async function wordsNow({ words, run }: PlannedJob): Promise<readonly string[] | null> {
  const standing = run === null ? 'not begun' : await standingOf(run)
  if (standing === 'ended') return null
  return standing === 'begun' ? [...words, '--resume'] : words
}
