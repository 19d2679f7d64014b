/**
 * Defaults that have changed since there are runs. A manifest has the config as it was written and as it was resolved; where its
 * own words may mean something else by now, what was resolved counts.
 */

import type { RunManifest } from '../checkpoint/manifest.js'

const isMapping = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value)

type Mapping = Readonly<Record<string, unknown>>
const section = (of: Mapping, name: string): Mapping => {
  const value = of[name] ?? {}
  return isMapping(value) ? value : {}
}
const picked = (from: Mapping, keys: readonly string[]): Mapping =>
  Object.fromEntries(keys.flatMap((key) => (from[key] === undefined ? [] : [[key, from[key]]])))

/** Keys whose defaults have changed since there are runs: those of the chain, and others. */
const chainKeys = { flow: ['gammas', 'interpolant', 'time'], train: ['steps'] } as const
const otherKeys = { train: ['lr', 'warmup'], ode: ['sample'] } as const

/** What a student's states were made by. */
function statesOf(had: Mapping): Mapping {
  const solver = section(section(had, 'distill'), 'solver')
  return picked(solver, ['solver', 'evaluations'])
}

/** The config of a run as it was resolved in what defaults have changed of: its own words may mean something else by now. */
export function asResolved(raw: Mapping, { config }: RunManifest): object {
  const had = config.resolved as Mapping
  const { n: _, schedule, ...flow } = section(raw, 'flow')
  const resolved = (name: 'flow' | 'train' | 'ode'): Mapping => section(had, name)
  // a schedule means what it did; other recipes make a chain of one of it
  const scheduled = schedule !== undefined && resolved('flow').recipe === 'local'
  const { gammas, ...others } = picked(resolved('flow'), chainKeys.flow)
  return {
    ...raw,
    flow: { ...flow, ...others, ...(scheduled || gammas === undefined ? { schedule } : { gammas }) },
    train: { ...section(raw, 'train'), ...picked(resolved('train'), [...chainKeys.train, ...otherKeys.train]) },
    ode: { ...section(raw, 'ode'), ...picked(resolved('ode'), otherKeys.ode) },
    ...(raw.distill !== undefined && { distill: { ...section(raw, 'distill'), ...statesOf(had) } }),
  }
}

/** The config of a session that goes on with a run: what it leaves out of those keys is as in the run. */
export function withItsDefaults(raw: Mapping, { config }: RunManifest, recipe: string): object {
  const had = config.resolved as Mapping
  const said = (name: string): Mapping => section(raw, name)
  // of a chain that is said the defaults are what they were; other recipes make a chain of one of it
  const usual = recipe === 'local' && said('flow').gammas === undefined && said('flow').schedule === undefined
  const keysOf = (name: 'flow' | 'train' | 'ode'): readonly string[] => [
    ...(usual && name !== 'ode' ? chainKeys[name] : []),
    ...(name === 'flow' ? [] : otherKeys[name]),
  ]
  const { n: _, ...flow } = said('flow')
  const whole = (name: 'flow' | 'train' | 'ode', own: Mapping): Mapping => ({
    ...picked(section(had, name), keysOf(name)),
    ...own,
  })
  return {
    ...raw,
    flow: whole('flow', usual ? flow : said('flow')),
    train: whole('train', said('train')),
    ode: whole('ode', said('ode')),
    ...(raw.distill !== undefined && { distill: { ...statesOf(had), ...said('distill') } }),
  }
}
