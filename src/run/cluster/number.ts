/** Which job of many a process is: clusters say it by a variable of the environment. */

import { InvalidArgumentError, show } from '../../errors.js'

/** What each cluster calls the number of a job, which counts from 0. */
const variables = {
  SLURM_ARRAY_TASK_ID: 'a Slurm array',
  JOB_COMPLETION_INDEX: 'an indexed Kubernetes job',
} as const

/**
 * The number of this job, from 0 on.
 * @throws InvalidArgumentError where no variable says it, or what stands in one is no number below `jobs`
 */
export function jobNumber(env: Readonly<Record<string, string | undefined>>, jobs: number): number {
  const name = Object.keys(variables).find((variable) => env[variable] !== undefined)
  if (!name) {
    const known = Object.entries(variables).map(([variable, cluster]) => `${variable} (${cluster})`)
    throw new InvalidArgumentError(`Nothing says which of ${jobs} jobs this is: set ${known.join(' or ')}, or name it.`)
  }
  const text = env[name]!
  const number = /^\d+$/.test(text) ? Number(text) : Number.NaN
  if (number < jobs) return number
  throw new InvalidArgumentError(
    `${name} must be a number from 0 to ${jobs - 1}, as there are ${jobs} jobs, but is ${show(text)}.`,
  )
}

/** What the cluster calls this process's job, for messages; null outside one. */
export function clusterName(env: Readonly<Record<string, string | undefined>>): string | null {
  const { SLURM_ARRAY_JOB_ID: array, SLURM_ARRAY_TASK_ID: task, SLURM_RESTART_COUNT: restarts } = env
  if (array && task) return `Slurm ${array}_${task}${restarts ? `, run again ${restarts} times` : ''}`
  return env.JOB_COMPLETION_INDEX === undefined ? null : `pod ${env.HOSTNAME ?? env.JOB_COMPLETION_INDEX}`
}
