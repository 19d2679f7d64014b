/** `lfm distill`: from a run to a run of students, which take one evaluation each. */

import { basename, dirname, resolve } from 'node:path'
import { applyOverrides, resolveData, resolveOptions } from '../config/index.js'
import { loadData } from '../data/load.js'
import type { LoadedData } from '../data/source.js'
import { DataError } from '../errors.js'
import type { DistillKind } from '../recipes/pieces.js'
import { parameterFiles, standingOf } from '../run/cluster/trained.js'
import { studentOptions } from '../run/distilling.js'
import { LocalFlow } from '../run/local-flow.js'
import { openRun, type Run, readFlow, teacherSha256 } from '../run/run.js'
import { expectSlurmOptions, submit, type Work } from './submit.js'
import { note } from './terminal.js'
import { commandLine, jobWords, runTraining, type TrainCommandOptions } from './train.js'
import { usage } from './usage.js'

export interface DistillCommandOptions extends TrainCommandOptions {
  into: number
  kind: DistillKind
}

export async function distill(folder: string, options: DistillCommandOptions): Promise<void> {
  expectSlurmOptions(options)
  if (resolve(folder) === resolve(options.out))
    throw usage('--out', 'another folder than the teacher\u2019s', options.out)
  const run = await openRun(folder)
  const words = ['distill', folder, '--into', String(options.into), '--kind', options.kind]
  if (options.slurm || options.plan) return submit(await workOf(run, words, options), options)
  const contents = await readFlow(run)
  const { data } = run.manifest.config.raw as { data?: unknown }
  const overrides = options.device ? [...options.set, `device.kind=${options.device}`] : options.set
  // what is set is known to the defaults that depend on it
  const { train } = applyOverrides(
    { train: {} },
    options.set.filter((text) => text.startsWith('train.')),
  ) as { train: object }
  const written = applyOverrides(studentOptions(contents, { ...options, train }), overrides)
  const config = resolveOptions(written, `lfm distill ${folder}`)
  const work = {
    raw: { ...(data !== undefined && { data }), ...written },
    options: config,
    data: data === undefined ? null : resolveData({ data }, `the config in ${folder}`),
    load: () => shownData(run, contents),
    configPath: run.extra.configPath,
    teacher: { folder, contents, sha256: teacherSha256(run) },
  }
  await runTraining(work, basename(resolve(options.out)), commandLine(words, options), options)
}

/** Students are made in one job, whose teacher must stay as it is. */
async function workOf(run: Run, words: readonly string[], options: DistillCommandOptions): Promise<Work> {
  const { out } = options
  const command = commandLine(words, options)
  const [kind, folder, ...rest] = words
  const job = {
    name: out,
    words: jobWords([kind, resolve(folder), ...rest], options, out),
    run: resolve(out),
    done: (await standingOf(out)) === 'ended',
  }
  const inputs = parameterFiles(run.folder, run.manifest)
  return { folder: out, kind, command: `${command} --slurm`, jobs: [job], inputs, instead: command, together: null }
}

/** Samples of a teacher whose data are not there. */
const SAMPLES = 10_000

/** The data that the report shows beside samples: those that the teacher learnt, or else its own samples. */
async function shownData(run: Run, contents: Awaited<ReturnType<typeof readFlow>>): Promise<LoadedData> {
  const raw = run.manifest.config.raw as { data?: unknown }
  if (raw.data !== undefined && run.extra.configPath) {
    try {
      const config = resolveData(raw, `the config in ${run.folder}`)
      return await loadData(config, { seed: run.options.seed, baseDir: dirname(run.extra.configPath), large: true })
    } catch (error) {
      if (!(error instanceof DataError)) throw error
      // what columns a student is told is in the data alone
      if (contents.condition?.kind === 'columns') throw error
      note(`${error.withoutContent ?? error.message} The report shows samples of the teacher in place of data.`)
    }
  }
  const teacher = new LocalFlow(contents)
  const { condition } = teacher
  // each class alike
  const labels =
    condition?.kind === 'classes'
      ? Uint16Array.from({ length: SAMPLES }, (_, i) => condition.classes[i % condition.classes.length])
      : null
  try {
    return {
      train: await teacher.sample(SAMPLES, labels ? { class: labels } : {}),
      validation: null,
      test: null,
      scaler: contents.scaler,
      density: null,
      columns: run.extra.columns,
      labels: labels && { train: labels, validation: null, test: null },
      condition: null,
      rowKind: contents.rowKind,
      flips: false,
      description: 'samples of the teacher',
      remarks: [],
    }
  } finally {
    await teacher.dispose()
  }
}
