/**
 * `lfm compare`: methods on the same data, side by side. Every row (a method in a block under a seed) is a run in a folder of its
 * own, so that an interrupted comparison goes on where it was; what the rows say together is written when all are there.
 */

import { basename, dirname, extname, resolve } from 'node:path'
import { makeRunFolder } from '../checkpoint/index.js'
import { type ComparedMethods, type ComparisonOverrides, readComparison, resolveMethod } from '../config/index.js'
import { loadData } from '../data/load.js'
import type { LoadedData } from '../data/source.js'
import type { Device, DeviceKind } from '../device/device.js'
import { openDevice } from '../device/node/select.js'
import { CheckpointError } from '../errors.js'
import { LockedError, lockFolder, lockProblem } from '../files/lock.js'
import { missingForFigures } from '../files/native-parts.js'
import { quoted, shellLine } from '../files/shell.js'
import { makespan, usualTerms } from '../run/cluster/makespan.js'
import { gather } from '../run/compare/gather.js'
import { type ComparisonPlan, jobsOf, type PlannedRow, planComparison, rowsOfJob } from '../run/compare/plan.js'
import { writeComparison } from '../run/compare/report.js'
import { isMade, makeRow, readRow } from '../run/compare/row.js'
import { markdown } from '../run/compare/tables.js'
import { secondsOfJobs } from '../run/compare/times.js'
import { conditionedData, toldNumbers } from '../run/conditioning.js'
import { openQuality, type Quality } from '../run/quality.js'
import { Interrupted, interruptSignal } from './interrupt.js'
import { expectSlurmOptions, fates, type SlurmOptions, submit, type Work } from './submit.js'
import { clock, note, print, printJson, progressDisplay } from './terminal.js'
import { usage } from './usage.js'

export interface CompareCommandOptions extends ComparisonOverrides, SlurmOptions {
  out: string
  device?: DeviceKind | 'auto'
  fast?: boolean
  /** job I of N: every N-th row */
  job?: readonly [number, number]
  /** only collect what is there */
  gather?: boolean
  /** slots at which the time of all jobs is estimated */
  estimate?: number[]
  /** of a job, in minutes */
  limit?: number
  /** hours between two losses of a slot's node */
  lostEvery?: number
}

export async function compare(paths: string[], options: CompareCommandOptions): Promise<void> {
  const { out, job, seeds, evaluations, samples, likelihood, aa } = options
  expectSlurmOptions(options)
  for (const [option, value] of [
    ['--limit', options.limit],
    ['--lost-every', options.lostEvery],
  ] as const) {
    if (value !== undefined && !options.estimate) throw usage(option, 'left out, or given with --estimate', value)
  }
  const compared = await readComparison(paths, { seeds, evaluations, samples, likelihood, aa })
  const data = dataBySeed(compared)
  const first = await data(compared.settings.seeds[0])
  const plan = planComparison(
    compared,
    first.train.shape.slice(1),
    (config) => conditionedData(first, config)?.condition ?? null,
  )
  if (options.slurm || options.plan) return submit(await workOf(paths, options, compared, plan), options)
  if (options.estimate) return estimate(options, plan)
  await makeRunFolder(out)
  const undrawn = (await missingForFigures())?.message ?? null
  if (undrawn) note(`The page will have no curves. ${undrawn}`)
  if (!options.gather) await makeRows(job ? rowsOfJob(plan.rows, job) : plan.rows, compared, data, options)
  // the last job to end has all rows before it; the others leave the tables to it, or to --gather
  if (job && !options.gather && !(await isComplete(out, plan))) {
    note(`Job ${job.join('/')} is done; the tables are made by --gather once all rows are there.`)
    if (options.json) printJson({ job: job.join('/'), rows: rowsOfJob(plan.rows, job).map(({ id }) => id) })
    return
  }
  await gatherAlone(paths, options, compared, plan, undrawn)
}

/** Makes the tables, while nobody else does. */
async function gatherAlone(
  paths: string[],
  options: CompareCommandOptions,
  compared: ComparedMethods,
  plan: ComparisonPlan,
  undrawn: string | null,
): Promise<void> {
  const { out, job, json } = options
  const lock = await lockFolder(out).catch((error) => {
    if (job && !options.gather && error instanceof LockedError) return null
    throw new CheckpointError(`The tables of ${out} cannot be made: ${lockProblem(error)}.`)
  })
  if (!lock) {
    note('The tables are being made by another process.')
    return
  }
  try {
    const missing = options.gather ? await fates(await workOf(paths, options, compared, plan)) : []
    for (const line of missing) note(line)
    const comparison = await gather(out, compared, plan)
    const title = basename(paths[0], extname(paths[0]))
    const command = shellLine(['lfm', 'compare', ...paths, '--out', out])
    const files = await writeComparison(out, comparison, { title, command, undrawn })
    if (json) printJson({ ...comparison, fates: missing, files })
    else print(markdown(comparison), `Report: ${files.page}`)
  } finally {
    await lock.release()
  }
}

/** The jobs of a comparison, one for each row that is trained on the data, with its students. */
async function workOf(
  paths: string[],
  { out, seeds, evaluations, samples, likelihood, aa, device, fast, slots, sbatch = [] }: CompareCommandOptions,
  { settings }: ComparedMethods,
  { rows }: ComparisonPlan,
): Promise<Work> {
  const given = Object.entries({ seeds, evaluations, samples, likelihood, aa, device })
  const more = given.flatMap(([name, value]) => (value === undefined ? [] : [`--${name}`, String(value)]))
  const words = (files: string[], folder: string): string[] => [
    ...['compare', ...files, '--out', folder, ...more],
    ...(fast ? ['--fast'] : []),
  ]
  const absolute = words(
    paths.map((path) => resolve(path)),
    resolve(out),
  )
  const count = jobsOf(rows)
  const jobs = Array.from({ length: count }, async (_, i) => {
    const own = rowsOfJob(rows, [i + 1, count])
    const made = await Promise.all(own.map((row) => isMade(row, settings, out)))
    return {
      name: own.map(({ id }) => id).join(', '),
      words: [...absolute, '--job', `${i + 1}/${count}`],
      run: null,
      done: made.every((one) => one),
    }
  })
  const command = ['lfm', ...words(paths, out), '--slurm', ...(slots ? ['--slots', String(slots)] : [])]
  return {
    folder: out,
    kind: 'compare',
    command: [...command, ...sbatch.flatMap((option) => ['--sbatch', option])].map(quoted).join(' '),
    jobs: await Promise.all(jobs),
    inputs: paths,
    instead: `lfm compare … --job I/${count} makes each ${count}th part, and --gather the tables.`,
    smaller: 'Submit some of the seeds (--seeds), and the others into the same folder once these have ended.',
    together: [...['lfm', ...words(paths, out)], '--gather'].map(quoted).join(' '),
  }
}

/** What all rows would take on so many slots, from the times of those that are there. */
async function estimate(
  { out, estimate: slots = [], limit, lostEvery, json }: CompareCommandOptions,
  { rows }: ComparisonPlan,
): Promise<void> {
  const { work, measured } = await secondsOfJobs(out, rows)
  const terms = {
    ...usualTerms,
    ...(limit !== undefined && { limit: 60 * limit }),
    ...(lostEvery !== undefined && { lostEvery: 3600 * lostEvery }),
  }
  const estimates = slots.map((count) => ({ slots: count, ...makespan(work, count, terms) }))
  if (json) {
    printJson({ jobs: work.length, measured, work, estimates })
    return
  }
  const sum = work.reduce((total, seconds) => total + seconds, 0)
  print(
    `${work.length} jobs, ${clock(sum)} of work in all (from ${measured} of ${rows.length} rows; the others as theirs).`,
    ...estimates.map(({ slots, seconds, calls }) => `${slots} slots: ${clock(seconds)}, ${calls} calls`),
  )
}

/** The data of a seed; those of the last one asked for are kept. */
function dataBySeed(compared: ComparedMethods): (seed: number) => Promise<LoadedData> {
  let kept: { seed: number; data: LoadedData } | null = null
  return async (seed) => {
    if (kept?.seed === seed) return kept.data
    const [method] = compared.methods
    const { data } = resolveMethod(method, seed)
    kept = { seed, data: await loadData(data, { seed, baseDir: dirname(method.path) }) }
    return kept.data
  }
}

const isComplete = async (out: string, { rows }: ComparisonPlan): Promise<boolean> =>
  (await Promise.all(rows.map(({ id }) => readRow(out, id)))).every((row) => row !== null)

async function makeRows(
  rows: readonly PlannedRow[],
  { settings, methods }: ComparedMethods,
  dataOf: (seed: number) => Promise<LoadedData>,
  { out, device: kind, fast }: CompareCommandOptions,
): Promise<void> {
  if (rows.length === 0) return
  const configured = rows[0].config.device
  const device: Device = await openDevice(kind ?? configured.kind, {
    variants: configured.variants,
    fast: fast ?? configured.fast,
  })
  const { signal, release } = interruptSignal('Interrupted.')
  const features =
    settings.features === undefined || settings.features === 'digits'
      ? settings.features
      : resolve(dirname(methods[0].path), settings.features)
  const quality: { seed: number; of: Quality }[] = []
  try {
    for (const [i, row] of rows.entries()) {
      const data = await dataOf(row.seed)
      const known = quality.at(-1)
      if (known?.seed !== row.seed) {
        await known?.of.dispose()
        quality.pop()
        const { samples, distance } = settings
        const of = await openQuality(data, {
          samples,
          parts: ['validation', 'test'],
          distance,
          features,
          told: toldNumbers(data, row.config),
        })
        quality.push({ seed: row.seed, of })
      }
      note(`Row ${i + 1} of ${rows.length}: ${row.id}`)
      const display = progressDisplay(row.config.train.steps)
      const result = await makeRow(row, {
        folder: out,
        device,
        data,
        quality: quality[0].of,
        settings,
        signal,
        note,
        onProgress: (progress) => display.show(progress),
      }).finally(() => display.end())
      if (result.failed !== null) note(`${row.id}: ${result.failed}`)
    }
  } catch (error) {
    if (!signal.aborted || error !== signal.reason) throw error
    throw new Interrupted(
      `Interrupted: the rows that have ended are kept in ${out}, and the one in work up to its last checkpoint. The same ` +
        'command goes on.',
      (error as Interrupted).exitCode,
    )
  } finally {
    release()
    await quality[0]?.of.dispose()
    await device.dispose()
  }
}
