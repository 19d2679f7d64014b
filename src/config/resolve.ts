/**
 * Turns what a person wrote (`raw`) into a `ResolvedConfig` in which nothing is left to be decided: lists are as long as
 * there are sub-flows, schedules are expanded, «off» is 0.
 */

import { z } from 'zod'
import { type DataConfig, dataSchema } from '../data/schema.js'
import { isSpace } from '../data/spaces.js'
import { toySets } from '../data/toy.js'
import { InvalidArgumentError } from '../errors.js'
import type { Coupling } from '../learn/couplings.js'
import type { PathName } from '../learn/paths/registry.js'
import type { TimeLaw } from '../learn/times.js'
import { type Model, resolveModel, traitsOf } from '../networks/registry.js'
import { isAdaptive, planEvaluations, type SolverSettings } from '../ode/solver.js'
import { anglesOf } from '../recipes/angles.js'
import type { PairSettings } from '../recipes/optimal-pairs.js'
import type { Push, Recipe } from '../recipes/recipe.js'
import { type OwnSections, type RecipeName, recipeSections, recipes } from '../recipes/registry.js'
import { type Gammas, scheduleGammas } from '../recipes/schedule.js'
import { ownSection } from '../recipes/settings.js'
import { check, failure } from './messages.js'
import { configSchema, defaultGammas, optionsSchema, type trainSchema } from './schema.js'

/** The options with nothing left to be decided. N is the number of stages of the model, `flow.gammas.length`. */
export interface ResolvedOptions {
  model: Model
  flow: OwnSections & {
    recipe: RecipeName
    /** [N]; null, only ever the last, is the free sub-flow. */
    gammas: Gammas
    /** [N], one for each fit */
    interpolant: PathName[]
    coupling: Coupling
    /** one for each fit */
    time: TimeLaw[]
    timesPerPair: number
    warmStart: boolean
    outputScale: boolean
    plain: boolean
    push: Push
    /** how noise is paired with rows where the coupling is optimal */
    assignment: PairSettings
  }
  /** `steps` has one entry for each fit; `ema`, `clip` and `checkpointEvery` are 0 where they are off. */
  train: Omit<z.output<typeof trainSchema>, 'steps'> & { steps: number[] }
  ode: {
    push: SolverSettings
    sample: SolverSettings
    evaluate: SolverSettings & { trace: 'exact' | 'hutchinson'; probes: number }
  }
  seed: number
  device: { kind: 'auto' | 'webgpu' | 'native' | 'reference'; variants: Record<string, string>; fast?: boolean }
}

export interface ResolvedConfig extends ResolvedOptions {
  data: DataConfig
}

/** What one key alone cannot tell; a line for each problem. */
function crossCheck(options: z.output<typeof optionsSchema>, gammas: Gammas, name: RecipeName): string[] {
  const { flow, train } = options
  const issues: string[] = []
  if (flow.plain && flow.recipe !== 'local' && flow.recipe !== 'plain') {
    issues.push(`flow.plain is true, but flow.recipe is ${flow.recipe}; leave one of them out.`)
  }
  if (flow.gammas && flow.schedule) issues.push('flow.gammas and flow.schedule are both given; leave one of them out.')
  gammas.forEach((gamma, i) => {
    if (gamma === null && i < gammas.length - 1) {
      issues.push(`flow.gammas[${i}] is null, but only the last of the ${gammas.length} may be (the free sub-flow).`)
    }
  })
  const each = { 'train.steps': train.steps, 'flow.interpolant': flow.interpolant, 'flow.time': flow.time }
  const { fitsAre }: Recipe = recipes[name]
  const fits = fitsOf(name, gammas, flow)
  for (const [key, list] of Object.entries(each)) {
    if (Array.isArray(list) && list.length !== fits) {
      issues.push(
        `${key} has ${list.length} entries, but there are ${fits} ${fitsAre}; give one for each, or one for all.`,
      )
    }
  }
  if (flow.push === 'simulated' && flow.coupling !== 'dependent') {
    issues.push(
      `flow.push: simulated goes with flow.coupling: dependent, not with ${flow.coupling}: its left ends have noise of their ` +
        'own, which another row does not share.',
    )
  }
  if (train.batch % flow.timesPerPair !== 0) {
    issues.push(`flow.timesPerPair must divide train.batch, but ${train.batch} is no multiple of ${flow.timesPerPair}.`)
  }
  if (train.batch % train.microBatches !== 0) {
    issues.push(
      `train.microBatches must divide train.batch, but ${train.batch} is no multiple of ${train.microBatches}.`,
    )
  }
  if (!traitsOf(options.model).savesMemory && (train.microBatches > 1 || train.recompute)) {
    const name = train.recompute ? 'train.recompute' : 'train.microBatches'
    issues.push(
      `${name} is for model.kind unet: the activations of an ${options.model.kind} are small, and its batch goes at once.`,
    )
  }
  return issues
}

/** Lists of steps, and evaluations that do not suffice. */
function crossCheckSolvers(solvers: Record<string, SolverSettings>, gammas: Gammas, paths: PathName[]): string[] {
  const chain = anglesOf(gammas.map((gamma, i) => ({ gamma, path: paths[i] })))
  return Object.entries(solvers).flatMap(([name, settings]) => {
    const { steps } = settings
    if (typeof steps !== 'number' && steps.length !== gammas.length) {
      return [
        `ode.${name}.steps has ${steps.length} entries, but there are ${gammas.length} sub-flows; give one for each, or one for all.`,
      ]
    }
    if (isAdaptive(settings)) return []
    try {
      planEvaluations(settings, chain, [])
      return []
    } catch (error) {
      if (error instanceof InvalidArgumentError) return [`ode.${name}.${error.message}`]
      throw error
    }
  })
}

function crossCheckData(data: DataConfig): string[] {
  if (data.kind === 'idx' && (data.labels === undefined) !== (data.testLabels === undefined) && data.testPath) {
    return ['data.labels and data.testLabels are given together or not at all.']
  }
  if (data.kind === 'idx' && data.testLabels !== undefined && !data.testPath) {
    return ['data.testLabels must be left out: there is no data.testPath whose classes they would be.']
  }
  if (data.kind !== 'toy') return []
  if (data.name === 'gaussian') {
    if (!data.mean || !data.covariance) return ['data.mean and data.covariance must be given for the gaussian.']
    const given = (['noise', 'dimension'] as const).filter((word) => data[word] !== undefined)
    return given.map((word) => `data.${word} must be left out: the gaussian has a mean and a covariance.`)
  }
  const { name } = data
  const extra = (['mean', 'covariance'] as const).filter((word) => data[word] !== undefined)
  const issues = extra.map((word) => `data.${word} must be left out: it is for the gaussian alone, not for ${name}.`)
  if (data.dimension !== undefined && !isSpace(name)) {
    issues.push(`data.dimension must be left out: ${name} lies in the plane.`)
  }
  if (!isSpace(name) && toySets[name].noise === null && data.noise !== undefined) {
    issues.push(`data.noise must be left out: ${name} has none.`)
  }
  return issues
}

/** The sections that recipes have of their own. */
const sectionsOf = (flow: OwnSections): OwnSections =>
  Object.fromEntries(Object.keys(recipeSections).map((name) => [name, flow[name as keyof OwnSections]])) as OwnSections

const fitsOf = (recipe: RecipeName, gammas: Gammas, flow: OwnSections): number =>
  (recipes[recipe] as Recipe).fits(gammas, ownSection({ ...flow, recipe }))

const listed = <T>(value: T | T[], length: number): T[] =>
  Array.isArray(value) ? value : Array.from({ length }, () => value)

function expand(options: z.output<typeof optionsSchema>, origin: string, dataIssues: string[] = []): ResolvedOptions {
  const { model, flow, train, ode, seed, device } = options
  const configured = flow.gammas ?? (flow.schedule ? scheduleGammas(flow.schedule) : defaultGammas)
  const recipe = flow.plain ? 'plain' : flow.recipe
  const issues = [...dataIssues, ...crossCheck(options, configured, recipe)]
  if (issues.length) throw failure(origin, issues)

  const fits = fitsOf(recipe, configured, flow)
  const { gammas, steps, paths, times } = recipes[recipe].arrange({
    gammas: [...configured],
    steps: listed(train.steps, fits),
    paths: listed(flow.interpolant, fits),
    times: listed(flow.time, fits),
  })
  const { push, sample, evaluate, ...solver } = ode
  const solvers = {
    push: { ...solver, ...push },
    sample: { ...solver, ...sample },
    evaluate: { ...solver, ...evaluate, trace: evaluate.trace ?? traitsOf(model).trace },
  }
  const solverIssues = crossCheckSolvers(solvers, gammas, paths.slice(-gammas.length))
  if (solverIssues.length) throw failure(origin, solverIssues)
  return {
    model: resolveModel(model),
    flow: {
      recipe,
      gammas,
      interpolant: paths,
      coupling: flow.coupling,
      time: times,
      timesPerPair: flow.timesPerPair,
      warmStart: flow.warmStart,
      outputScale: flow.outputScale,
      plain: recipe === 'plain',
      push: flow.push,
      assignment: flow.assignment,
      ...sectionsOf(flow),
    },
    train: { ...train, steps },
    ode: solvers,
    seed,
    device,
  }
}

/**
 * Checks a config as it was written (an object parsed from YAML) and fills in everything that was left out.
 *
 * @param origin where it came from, for messages; default 'config'
 * @throws ConfigError with a line for each problem: unknown keys with the nearest known one, wrong types, values that
 *   cannot be, lists of another length than there are sub-flows
 */
export function resolveConfig(raw: unknown, origin = 'config'): ResolvedConfig {
  const { data, ...options } = check(configSchema, raw, origin)
  return { data, ...expand(options, origin, crossCheckData(data)) }
}

/** The section `data` alone, of a config whose options are resolved already. Throws ConfigError as resolveConfig does. */
export function resolveData(raw: { readonly data?: unknown }, origin = 'config'): DataConfig {
  const { data } = check(z.looseObject({ data: dataSchema }), { data: raw.data }, origin)
  const issues = crossCheckData(data)
  if (issues.length) throw failure(origin, issues)
  return data
}

/** The same for the options of LocalFlow.train, which have all keys but `data`. Throws ConfigError as resolveConfig does. */
export function resolveOptions(raw: unknown, origin = 'options'): ResolvedOptions {
  return expand(check(optionsSchema, raw ?? {}, origin), origin)
}
