/**
 * A plan: work that the jobs of a cluster do, each with its own words of the command line. What a job makes lies in folders of its
 * own and is not made again where it is there, so that a job may be run any number of times. A plan says by digests what it was
 * made from; jobs of a plan whose configs have changed since end at once.
 */

import { createHash } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import * as z from 'zod'
import { CheckpointError, ConfigError, list, show } from '../../errors.js'
import { writeFileAtomic } from '../../files/atomic.js'
import { makeFolder } from '../../files/folders.js'
import { cannotRead, cannotWrite } from '../../files/reasons.js'

/** Of the file's form. */
const VERSION = 1

const jobSchema = z.strictObject({
  /** what tables and messages call it */
  name: z.string().min(1),
  /** of the command line, with absolute paths */
  words: z.array(z.string()).min(1),
  /** a run folder that is gone on with by --resume; null where the words alone go on */
  run: z.string().nullable(),
})
const planSchema = z.strictObject({
  version: z.literal(VERSION),
  /** the command that made the plan */
  command: z.string(),
  made: z.string(),
  inputs: z.array(z.strictObject({ path: z.string(), sha256: z.string() })),
  jobs: z.array(jobSchema).min(1),
})

export type PlannedJob = Readonly<z.output<typeof jobSchema>>
export type JobPlan = Readonly<z.output<typeof planSchema>>
/** A file that jobs read, and what stood in it. */
export type PlanInput = JobPlan['inputs'][number]

/** Where a folder of results has its plan, and all that belongs to its jobs. */
export const jobsFolder = (folder: string): string => join(folder, 'jobs')
export const planPath = (folder: string): string => join(jobsFolder(folder), 'plan.json')

const digest = (content: Uint8Array): string => createHash('sha256').update(content).digest('hex')

/** Files as they are now. Throws DataError for one that cannot be read. */
export const inputsOf = (paths: readonly string[]): Promise<PlanInput[]> =>
  Promise.all(
    paths.map(async (path) => {
      const content = await readFile(path).catch((error) => {
        throw cannotRead(path, error)
      })
      return { path, sha256: digest(content) }
    }),
  )

/** Writes the plan of a folder over the one that it has. Throws DataError where it cannot. */
export async function writePlan(folder: string, plan: Omit<JobPlan, 'version' | 'made'>): Promise<string> {
  const path = planPath(folder)
  const whole: JobPlan = { version: VERSION, ...plan, made: new Date().toISOString() }
  try {
    makeFolder(jobsFolder(folder))
    await writeFileAtomic(path, `${JSON.stringify(whole, null, 2)}\n`)
  } catch (error) {
    throw cannotWrite(path, error)
  }
  return path
}

/** Throws CheckpointError for a file that is no plan, or one of another version; DataError where it cannot be read. */
export async function readPlan(path: string): Promise<JobPlan> {
  const text = await readFile(path, 'utf8').catch((error) => {
    throw cannotRead(path, error)
  })
  let found: unknown
  try {
    found = JSON.parse(text)
  } catch {
    throw new CheckpointError(`${path} is no plan: it is no JSON.`)
  }
  const { version } = (found ?? {}) as { version?: unknown }
  if (version !== VERSION) {
    throw new CheckpointError(
      `${path} is a plan of version ${show(version)}, and this version of lfm reads ${VERSION}. Run the lfm that made it, or make ` +
        'the plan again; what its jobs have made is kept.',
    )
  }
  const plan = planSchema.safeParse(found)
  if (plan.success) return plan.data
  const [{ path: key, message }] = plan.error.issues
  throw new CheckpointError(`${path} is no plan: ${key.join('.')}: ${message}.`)
}

/** Throws ConfigError where a file that the jobs read is another than it was. */
export async function checkInputs({ inputs, command }: JobPlan, path: string): Promise<void> {
  const now = await inputsOf(inputs.map((input) => input.path))
  const changed = inputs.filter(({ sha256 }, i) => sha256 !== now[i].sha256)
  if (changed.length === 0) return
  throw new ConfigError(
    `${list(changed.map((input) => input.path))} has changed since ${path} was made, and the jobs of a plan do one thing. Put it ` +
      `back, or make the plan again by: ${command}`,
  )
}
