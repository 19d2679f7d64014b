/**
 * Jobs of a plan as a Slurm array: the batch script, its submission, and what Slurm knows of it. A job that is told that its time
 * is nearly over (SIGUSR2) saves a checkpoint, ends, and has itself queued again; so does one whose process was killed. One that
 * fails by itself is left to the person who gathers. A lost node's jobs are queued again by Slurm.
 */

import { spawnSync } from 'node:child_process'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { InvalidArgumentError, LocalFlowError } from '../../errors.js'
import { writeFileAtomic } from '../../files/atomic.js'
import { cannotWrite } from '../../files/reasons.js'
import { quoted } from '../../files/shell.js'
import { jobsFolder } from './plan.js'
import { jobLog } from './record.js'

export interface ArrayRequest {
  /** folder of the results */
  readonly folder: string
  /** what queues show */
  readonly name: string
  /** numbers of the plan's jobs, ascending */
  readonly numbers: readonly number[]
  /** jobs at the same time; null: as many as the cluster gives */
  readonly slots: number | null
  /** options of sbatch, as they are written there; those that come later hold */
  readonly options: readonly string[]
  /** the command line of lfm itself: program and script */
  readonly lfm: readonly string[]
  /** the plan's path */
  readonly plan: string
}

/** Seconds before the end of its time at which a job is told. */
const WARNED_SECONDS = 90
/** A job has itself queued again so many times at most: one that gets nowhere ends some day. */
const MOST_RESTARTS = 50

/** [0, 1, 2, 5] → '0-2,5' */
export function ranges(numbers: readonly number[]): string {
  const found: [number, number][] = []
  for (const number of numbers) {
    const last = found.at(-1)
    if (last && last[1] === number - 1) last[1] = number
    else found.push([number, number])
  }
  return found.map(([first, last]) => (first === last ? String(first) : `${first}-${last}`)).join(',')
}

/** A path in a pattern of Slurm's for file names. */
const inPattern = (path: string): string => path.replaceAll('%', '%%')

/** Throws InvalidArgumentError for what is no option of sbatch. */
function checkOption(option: string): string {
  if (/^--?[A-Za-z][^\n\r]*$/.test(option)) return option
  throw new InvalidArgumentError(
    `An option of sbatch must begin with - and be one line, such as --partition=gpu, but is '${option}'.`,
  )
}

/** The batch script of an array. */
export function batchScript({ folder, name, numbers, slots, options, lfm, plan }: ArrayRequest): string {
  const directives = [
    `--job-name=${name.replace(/[^\w.-]+/g, '-')}`,
    `--array=${ranges(numbers)}${slots === null ? '' : `%${slots}`}`,
    '--requeue',
    `--signal=B:USR2@${WARNED_SECONDS}`,
    '--open-mode=append',
    `--output="${jobLog(inPattern(folder), '%a')}"`,
    ...options.map(checkOption),
  ]
  return `#!/bin/bash
${directives.map((directive) => `#SBATCH ${directive}`).join('\n')}

# Slurm signals this shell alone, which hands on what it is told to the work.
child=
trap 'kill -USR2 "$child"' USR2
trap 'kill -TERM "$child"' TERM
echo "=== $(date -u +%FT%TZ): job $SLURM_ARRAY_TASK_ID on $(hostname), run again \${SLURM_RESTART_COUNT:-0} times"
${[...lfm, 'job', plan].map(quoted).join(' ')} &
child=$!
# a signal ends the waiting, not the work
wait "$child"
while kill -0 "$child" 2>/dev/null; do wait "$child"; done
wait "$child"
code=$?
trap - USR2 TERM
case $code in
  # told that its time is nearly over; killed, or crashed
  140 | 137 | 139 | 134)
    if [ "\${SLURM_RESTART_COUNT:-0}" -ge ${MOST_RESTARTS} ]; then
      echo "It was run again ${MOST_RESTARTS} times and is left."
      exit $code
    fi
    # the controller may be away for a while
    for pause in 2 5 10 20 30; do
      if scontrol requeue "\${SLURM_ARRAY_JOB_ID}_$SLURM_ARRAY_TASK_ID"; then
        echo "Exit code $code: queued again."
        # until Slurm takes it away
        sleep 60
        break
      fi
      sleep $pause
    done
    ;;
esac
exit $code
`
}

/** What is remembered of a submission, so that a second one does not come beside it. */
interface Submission {
  readonly array: string
  readonly numbers: string
  readonly date: string
}

const submissionPath = (folder: string): string => join(jobsFolder(folder), 'submitted.json')
export const scriptPath = (folder: string): string => join(jobsFolder(folder), 'array.sh')

/** Throws LocalFlowError where there is no sbatch here. @param instead what does without */
export function expectSlurm(instead: string): void {
  const { error } = spawnSync('sbatch', ['--version'], { stdio: 'ignore' })
  if (!error) return
  throw new LocalFlowError(
    `There is no sbatch on this machine. Submit from a login node of the cluster, or install Slurm's commands (Debian: ` +
      `slurm-client) with the cluster's slurm.conf. Without Slurm: ${instead}`,
  )
}

/**
 * Throws LocalFlowError where an array may not have these numbers, before anything is written. Slurm's limit is one of the numbers
 * themselves, so that leaving out the first ones makes no room for the last.
 *
 * @param smaller what makes an array of fewer jobs
 */
export function expectArrayFits(numbers: readonly number[], smaller: string): void {
  const { stdout } = spawnSync('scontrol', ['show', 'config'], { encoding: 'utf8' })
  // where it cannot be asked, sbatch says what it thinks of it
  const found = /^MaxArraySize\s*=\s*(\d+)/m.exec(stdout ?? '')
  const last = numbers.at(-1)!
  if (!found || last < Number(found[1])) return
  throw new LocalFlowError(
    `The jobs have numbers up to ${last}, but an array of this cluster has numbers up to ${Number(found[1]) - 1} ` +
      `(MaxArraySize=${found[1]} in its slurm.conf). ${smaller} Nothing was submitted.`,
  )
}

/** Jobs of an array that is still in the queue, such as '3 RUNNING, 20 PENDING'; null where there are none, or Slurm knows none. */
export function inQueue(array: string): string | null {
  const { status, stdout } = spawnSync('squeue', ['-h', '-r', '-j', array, '-o', '%T'], { encoding: 'utf8' })
  const states = status === 0 ? stdout.split('\n').filter((line) => line !== '') : []
  if (states.length === 0) return null
  return [...new Set(states)].map((state) => `${states.filter((one) => one === state).length} ${state}`).join(', ')
}

/** The array that was last submitted for a folder; null where there was none. */
export async function lastArray(folder: string): Promise<string | null> {
  try {
    const { array } = JSON.parse(await readFile(submissionPath(folder), 'utf8')) as Submission
    return typeof array === 'string' ? array : null
  } catch {
    return null
  }
}

/** Throws LocalFlowError where jobs of a folder are still in the queue. */
export async function expectNoneQueued(folder: string): Promise<void> {
  const array = await lastArray(folder)
  const queued = array && inQueue(array)
  if (queued) {
    throw new LocalFlowError(
      `Jobs of ${folder} are in the queue: array ${array}, ${queued}. Wait for them, or end them by: scancel ${array}`,
    )
  }
}

/** Writes the batch script and submits it. Returns Slurm's number of the array. Throws LocalFlowError with sbatch's own words. */
export async function submitArray(request: ArrayRequest): Promise<string> {
  const { folder, numbers } = request
  const write = (path: string, text: string): Promise<void> =>
    writeFileAtomic(path, text).catch((error) => {
      throw cannotWrite(path, error)
    })
  await write(scriptPath(folder), batchScript(request))
  const { status, stdout, stderr } = spawnSync('sbatch', ['--parsable', scriptPath(folder)], { encoding: 'utf8' })
  if (status !== 0) throw new LocalFlowError(`sbatch refused ${scriptPath(folder)}: ${stderr.trim()}`)
  // the name of a cluster may stand behind it
  const [array] = stdout.trim().split(';')
  const submission: Submission = { array, numbers: ranges(numbers), date: new Date().toISOString() }
  await write(submissionPath(folder), `${JSON.stringify(submission)}\n`)
  return array
}
