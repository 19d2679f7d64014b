/** `--slurm` of the commands whose work is one of jobs: writes a plan and submits an array of those that are not done yet. */

import { access } from 'node:fs/promises'
import { resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { LocalFlowError } from '../errors.js'
import { inputsOf, type PlannedJob, planPath, readPlan, writePlan } from '../run/cluster/plan.js'
import { type Fate, fateOf } from '../run/cluster/record.js'
import {
  batchScript,
  expectArrayFits,
  expectNoneQueued,
  expectSlurm,
  inQueue,
  lastArray,
  scriptPath,
  submitArray,
} from '../run/cluster/slurm.js'
import { note, print, printJson } from './terminal.js'
import { usage } from './usage.js'

/** Options of every command that can be submitted. */
export interface SlurmOptions {
  slurm?: boolean
  /** jobs at the same time; left out: as many as the cluster gives */
  slots?: number
  /** options of sbatch */
  sbatch?: string[]
  dryRun?: boolean
  /** only write the plan */
  plan?: boolean
  json?: boolean
}

/** A job, and whether what it makes is there. */
export interface WantedJob extends PlannedJob {
  readonly done: boolean
}

export interface Work {
  /** of the results */
  readonly folder: string
  /** the first word of the command, for the queue */
  readonly kind: string
  /** the whole command, to be given again */
  readonly command: string
  readonly jobs: readonly WantedJob[]
  /** files that all jobs read */
  readonly inputs: readonly string[]
  /** what does the same without Slurm */
  readonly instead: string
  /** a sentence on how it is cut into fewer jobs; left out: it never has many */
  readonly smaller?: string
  /** the command that puts the results of all jobs together; null where there is only one */
  readonly together: string | null
}

/** What runs `lfm` as it is run now. */
const lfm = [process.execPath, fileURLToPath(new URL('main.js', import.meta.url))]

/** Throws UsageError where an option of --slurm is given without it. */
export function expectSlurmOptions({ slurm, slots, sbatch = [], dryRun }: SlurmOptions): void {
  if (slurm) return
  for (const [option, value] of [
    ['--slots', slots],
    ['--sbatch', sbatch[0]],
    ['--dry-run', dryRun],
  ] as const) {
    if (value !== undefined) throw usage(option, 'left out, or given with --slurm', value)
  }
}

/** Writes the plan of some work, for a cluster that calls `lfm job` itself. */
async function write(work: Work): Promise<string> {
  const inputs = await inputsOf(work.inputs.map((path) => resolve(path)))
  const jobs = work.jobs.map(({ done: _, ...job }) => job)
  return writePlan(resolve(work.folder), { command: work.command, inputs, jobs })
}

/** Submits what is not done, or with --dry-run prints the script that would be; with --plan only the plan is written. */
export async function submit(
  work: Work,
  { slots, sbatch = [], dryRun, plan: alone, json }: SlurmOptions,
): Promise<void> {
  const { kind, jobs, instead, together } = work
  const folder = resolve(work.folder)
  if (alone) {
    const plan = await write(work)
    if (json) printJson({ jobs: jobs.length, plan })
    else print(`${jobs.length} jobs, each of which is: lfm job ${plan} --index 0 … ${jobs.length - 1}`)
    return
  }
  const numbers = jobs.flatMap(({ done }, i) => (done ? [] : [i]))
  if (numbers.length === 0) {
    if (json) printJson({ jobs: jobs.length, submitted: 0, array: null })
    else print(`All ${jobs.length} jobs of ${folder} are done.`, ...(together ? [`Then: ${together}`] : []))
    return
  }
  const plan = planPath(folder)
  const request = { folder, name: `lfm-${kind}`, numbers, slots: slots ?? null, options: sbatch, lfm, plan }
  if (dryRun) {
    if (json) printJson({ jobs: jobs.length, script: batchScript(request) })
    else print(batchScript(request).trimEnd())
    return
  }
  expectSlurm(instead)
  await expectNoneQueued(folder)
  expectArrayFits(numbers, work.smaller ?? 'Its administrator may raise that.')
  // what is wrong with an option is said before anything is written
  batchScript(request)
  for (const line of await fates(work, ['failed', 'lost'])) note(line)
  await write(work)
  const array = await submitArray(request)
  if (json) printJson({ jobs: jobs.length, submitted: numbers.length, array, plan, script: scriptPath(folder) })
  else {
    print(`Submitted ${numbers.length} of ${jobs.length} jobs as array ${array}: ${scriptPath(folder)}`)
    if (together) print(`Once they are done: ${together}`)
  }
}

/**
 * What became of the planned jobs whose results are not there, a line each; nothing where there is no plan.
 * @param of only of these
 */
export async function fates({ folder: at, command, jobs }: Work, of?: readonly Fate['what'][]): Promise<string[]> {
  const folder = resolve(at)
  const path = planPath(folder)
  const there = await access(path).then(
    () => true,
    () => false,
  )
  if (!there) return []
  const plan = await readPlan(path).catch((error: unknown) => {
    // the results may be read without it
    if (error instanceof LocalFlowError) return error.message
    throw error
  })
  if (typeof plan === 'string') return [plan]
  const missing = jobs.filter(({ done }) => !done).map(({ name }) => name)
  const lines = await Promise.all(
    missing.map(async (name) => {
      const number = plan.jobs.findIndex((job) => job.name === name)
      if (number < 0) return of ? [] : [`${name}: it is not in the plan. Submit it by: ${command}.`]
      const { what, words } = await fateOf(folder, number, command)
      return of && !of.includes(what) ? [] : [`${name}: ${words}.`]
    }),
  )
  const array = await lastArray(folder)
  const queued = array && inQueue(array)
  return queued ? [...lines.flat(), `In the queue of array ${array}: ${queued}.`] : lines.flat()
}
