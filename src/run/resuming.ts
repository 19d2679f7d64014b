/**
 * What the session that goes on with a run must share with the sessions before it, by key, and what it may change. A finished
 * sub-flow keeps its steps; what is still to come may be trained longer, at another rate, and pushed by another solver.
 */

import { type ResolvedOptions, resolveData, resolveOptions } from '../config/index.js'
import type { DataConfig } from '../data/schema.js'
import { ConfigError, list } from '../errors.js'
import { withItsDefaults } from './changed-defaults.js'
import type { Run } from './run.js'

/** Keys that may change between the sessions of a run, with all keys inside. Those of `quiet` change no result. */
const free = [
  'train.steps',
  'train.lr',
  'train.schedule',
  'train.warmup',
  'train.optimizer',
  'train.betas',
  'train.eps',
  'train.weightDecay',
  'train.clip',
  'train.patience',
  'ode.push',
]
const quiet = ['train.checkpointEvery', 'train.logEvery', 'train.validateEvery', 'ode.sample', 'ode.evaluate', 'device']

/** What a session goes on with. */
export interface Resumption {
  /** the options of this session; finished sub-flows have the steps that they took */
  readonly options: ResolvedOptions
  /** the same as they are written into the manifest */
  readonly raw: object
  /** what is another than before, a sentence; null where nothing is */
  readonly change: string | null
}

type Leaves = ReadonlyMap<string, string>

/** The keys that have no keys inside, with their values as JSON. */
function leavesOf(value: object, path = '', found = new Map<string, string>()): Map<string, string> {
  for (const [key, inner] of Object.entries(value)) {
    const at = path ? `${path}.${key}` : key
    if (typeof inner === 'object' && inner !== null && !Array.isArray(inner)) leavesOf(inner, at, found)
    else if (inner !== undefined) found.set(at, JSON.stringify(inner))
  }
  return found
}

const within = (key: string, keys: readonly string[]): boolean =>
  keys.some((allowed) => key === allowed || key.startsWith(`${allowed}.`))

/** Keys that differ, in the order of both. */
function differences(before: Leaves, now: Leaves): string[] {
  return [...new Set([...now.keys(), ...before.keys()])].filter((key) => before.get(key) !== now.get(key))
}

/**
 * Compares a session's options with those of the run that it resumes. Keys whose defaults have changed keep what they were in the
 * run where the session leaves them out.
 *
 * @param raw the session's options as they were written
 * @param data the resolved section `data`; null for the rows of a program, which are known by their hash alone
 * @throws ConfigError with the keys that may not change, and for fewer steps than were taken
 */
export function resumeWith(run: Run, asked: ResolvedOptions, raw: object, data: DataConfig | null): Resumption {
  const { manifest, folder } = run
  const { data: _, ...said } = raw as { data?: unknown }
  const { flow, train, ode, distill } = resolveOptions(withItsDefaults(said, manifest, asked.flow.recipe))
  const options = { ...asked, flow, train, ode, ...(distill && { distill }) }
  const written = manifest.config.raw as { data?: unknown }
  const ofData = (config: DataConfig | null): { data: DataConfig } | null => config && { data: config }
  const { data: __, ...own } = options as ResolvedOptions & { data?: unknown }
  const compareData = data !== null && written.data !== undefined
  const before = leavesOf({
    ...run.options,
    ...(compareData && ofData(resolveData(written, `the config in ${folder}`))),
  })
  const now = leavesOf({ ...own, ...(compareData && ofData(data)) })
  const changed = differences(before, now).filter((key) => !within(key, quiet))
  // best parameters that were not kept are gone
  const kept = run.options.train.patience > 0
  const fixed = changed.filter((key) => !within(key, free) || (key === 'train.patience' && !kept))
  if (fixed.length > 0) {
    throw new ConfigError(
      `The run in ${folder} was begun with other settings (${fixed.join(', ')}); resume it with the config it was begun ` +
        `with, or train into another folder. Free to change are ${list([...free, ...quiet])}.`,
    )
  }
  return keepingSteps(
    run,
    options,
    raw,
    changed.filter((key) => key !== 'train.steps'),
    { before, now },
  )
}

/** Finished sub-flows keep the steps that they took; the current one has at least those that it has taken. */
function keepingSteps(
  { manifest, folder, options: stored }: Run,
  options: ResolvedOptions,
  raw: object,
  changed: readonly string[],
  { before, now }: { before: Leaves; now: Leaves },
): Resumption {
  const { subFlow, step, phase } = manifest.progress
  // the last sub-flow of a run that is done may be trained on
  const finished = subFlow - 1
  const asked = options.train.steps.map((count, i) => (i < finished ? stored.train.steps[i] : count))
  const steps = phase === 'done' && asked[finished] <= step ? stored.train.steps : asked
  if (steps[finished] < step) {
    throw new ConfigError(
      `train.steps ${steps[finished]} is less than the ${step} steps that sub-flow ${subFlow} of the run in ${folder} has ` +
        'taken; give as many, or more.',
    )
  }
  const sentences = changed.map((key) => `${key} ${before.get(key) ?? 'left out'} → ${now.get(key) ?? 'left out'}`)
  if (steps.join() !== stored.train.steps.join()) {
    sentences.push(`train.steps [${stored.train.steps.join(', ')}] → [${steps.join(', ')}]`)
  }
  const kept = steps.some((count, i) => count !== options.train.steps[i])
  const written = raw as { train?: object }
  return {
    options: kept ? { ...options, train: { ...options.train, steps } } : options,
    raw: kept ? { ...raw, train: { ...written.train, steps } } : raw,
    change: sentences.length > 0 ? `From step ${step} of sub-flow ${subFlow} on: ${sentences.join('; ')}.` : null,
  }
}
