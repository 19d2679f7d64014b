/**
 * Turns what a person wrote (`raw`) into a `ResolvedConfig` in which nothing is left to be decided: lists are as long as
 * there are sub-flows, schedules are expanded, «off» is 0.
 */

import * as z from 'zod'
import { type DataConfig, dataSchema } from '../data/schema.js'
import { isSpace } from '../data/spaces.js'
import { toySets } from '../data/toy.js'
import { InvalidArgumentError } from '../errors.js'
import type { Coupling } from '../learn/couplings.js'
import { objectives } from '../learn/objectives.js'
import type { PathName } from '../learn/paths/registry.js'
import { leastBatch } from '../learn/tasks/told-parts.js'
import { ROWS_OF_PART } from '../learn/team.js'
import type { TimeLaw } from '../learn/times.js'
import { type Model, resolveModel, traitsOf, usualRateOf } from '../networks/registry.js'
import type { AngleRange } from '../ode/clock.js'
import { isAdaptive, planEvaluations, type SolverSettings } from '../ode/solver.js'
import { anglesOf } from '../recipes/angles.js'
import type { PairSettings } from '../recipes/optimal-pairs.js'
import { areMaps, type DistillKind, distillKinds, PATH_STATES, studentsOf, teacherChain } from '../recipes/pieces.js'
import type { ChainPart, NamedRecipe, Push } from '../recipes/recipe.js'
import { type OwnSections, type RecipeName, recipeSections, recipes } from '../recipes/registry.js'
import { type Gammas, scheduleGammas } from '../recipes/schedule.js'
import { ownSection } from '../recipes/settings.js'
import { MOST_ROWS } from '../recipes/teacher-states.js'
import { shareOut, usualChain, usualWarmup } from '../recipes/usual.js'
import { check, failure } from './messages.js'
import { configSchema, defaultSolver, optionsSchema, type trainSchema } from './schema.js'

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
    /** which sub-flow of a longer chain this is; left out: the chain is whole */
    part?: ChainPart
    /** how noise is paired with rows where the coupling is optimal */
    assignment: PairSettings
  }
  /** `steps` has one entry for each fit; `ema`, `clip` and `checkpointEvery` are 0 where they are off. */
  train: Omit<z.output<typeof trainSchema>, 'steps' | 'lr' | 'warmup'> & { steps: number[]; lr: number; warmup: number }
  ode: {
    push: SolverSettings
    sample: SolverSettings
    evaluate: SolverSettings & { trace: 'exact' | 'hutchinson'; probes: number }
  }
  /** of a student; left out: the model was trained on data */
  distill?: {
    kind: DistillKind
    into: number
    every: number
    solver: SolverSettings
    /** of a conditional teacher's velocities; 1: none */
    guidance: number
    /** what the teacher is, where it is a student too */
    teacher?: { kind: DistillKind; into: number }
  }
  seed: number
  device: {
    kind: 'auto' | 'webgpu' | 'native' | 'reference'
    variants: Record<string, string>
    fast?: boolean
    workers?: number
    adapters?: string[]
  }
}

export interface ResolvedConfig extends ResolvedOptions {
  data: DataConfig
}

const thereAre = (count: number, of: string): string =>
  count === 1 ? `there is 1 ${of.replace(/s$/, '')}` : `there are ${count} ${of}`

/** What one key alone cannot tell; a line for each problem. */
function crossCheck(
  options: z.output<typeof optionsSchema>,
  gammas: readonly (number | null)[],
  name: RecipeName,
): string[] {
  const { flow, train } = options
  const issues: string[] = []
  if (flow.plain && flow.recipe !== 'local' && flow.recipe !== 'plain') {
    issues.push(`flow.plain is true, but flow.recipe is ${flow.recipe}; leave one of them out.`)
  }
  const chains = (['gammas', 'schedule', 'n'] as const).filter((key) => flow[key] !== undefined)
  if (chains.length > 1) {
    issues.push(`${chains.map((key) => `flow.${key}`).join(' and ')} are both given; leave one of them out.`)
  }
  gammas.forEach((gamma, i) => {
    if (gamma === null && i < gammas.length - 1) {
      issues.push(`flow.gammas[${i}] is null, but only the last of the ${gammas.length} may be (the free sub-flow).`)
    }
  })
  const { fitsAre: what }: NamedRecipe = recipes[name]
  const fits = fitsOf(name, gammas, flow)
  const { distill } = options
  const each = [
    {
      key: 'train.steps',
      list: train.steps,
      ...(distill ? { count: studentsOf(distill), of: 'students' } : { count: fits, of: what }),
    },
    { key: 'flow.interpolant', list: flow.interpolant, count: fits, of: what },
    { key: 'flow.time', list: flow.time, count: fits, of: what },
  ]
  for (const { key, list, count, of } of each) {
    // steps of one network for all sub-flows may be said as what they are
    const told = (recipes[name] as NamedRecipe).tells && key === 'train.steps' && !distill
    if (Array.isArray(list) && list.length !== count && !(told && list.length === 1)) {
      issues.push(`${key} has ${list.length} entries, but ${thereAre(count, of)}; give one for each, or one for all.`)
    }
  }
  if (isTotal(train.steps) && train.steps.total < (distill?.into ?? fits)) {
    issues.push(
      `train.steps.total must be at least ${distill?.into ?? fits}, one for each, but is ${train.steps.total}.`,
    )
  }
  if (flow.push === 'simulated' && flow.coupling !== 'dependent') {
    issues.push(
      `flow.push: simulated goes with flow.coupling: dependent, not with ${flow.coupling}: its left ends have noise of their ` +
        'own, which another row does not share.',
    )
  }
  if ((recipes[name] as NamedRecipe).tells && !distill) issues.push(...toldIssues(options, gammas, name))
  if (objectives[train.objective].choices && !options.distill) issues.push(...choiceIssues(options, gammas, name))
  if (train.masks && !objectives[train.objective].choices) {
    issues.push(
      `train.masks goes with train.objective: variational, which learns tables of mixed columns, not with ${train.objective}.`,
    )
  }
  if (flow.part && (gammas.length !== 1 || flow.push !== 'simulated' || flow.part.number > flow.part.of)) {
    issues.push(
      'flow.part is of one sub-flow of a chain with flow.push: simulated: it goes with one entry of flow.gammas, and part.number is ' +
        'at most part.of. lfm train --sub-flow makes such a config.',
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
  const { workers = 1 } = options.device
  const rows = train.batch / train.parts
  if (train.parts > 1 && rows % ROWS_OF_PART !== 0) {
    issues.push(
      `train.parts must cut train.batch into parts of ${ROWS_OF_PART} rows or a multiple of that, but ${train.batch} rows in ` +
        `${train.parts} parts are ${Number(rows.toFixed(2))} each.`,
    )
  }
  if (train.parts > 1 && train.microBatches > 1) {
    issues.push('train.parts and train.microBatches both cut a batch: give one of them.')
  }
  if (workers > train.parts) {
    issues.push(
      `device.workers share the parts of a batch, so that there are at most train.parts of them, but there are ${workers} for ` +
        `${train.parts} ${train.parts === 1 ? 'part' : 'parts'}.`,
    )
  }
  const { kind, adapters } = options.device
  if (adapters && kind !== 'webgpu' && kind !== 'auto') {
    issues.push(`device.adapters are of WebGPU, but device.kind is ${kind}: leave them out, or take webgpu.`)
  }
  if (adapters && adapters.length > workers) {
    issues.push(
      `device.adapters are for one worker each, but there are ${adapters.length} for ${workers}: give device.workers as many, or ` +
        'leave some out.',
    )
  }
  if (workers > 1 && distill) issues.push('device.workers are for training on data; a distillation has one.')
  if (!traitsOf(options.model).savesMemory && (train.microBatches > 1 || train.recompute)) {
    const name = train.recompute ? 'train.recompute' : 'train.microBatches'
    issues.push(
      `${name} is for model.kind unet or unet1d: the activations of an ${options.model.kind} are small, and its batch goes at once.`,
    )
  }
  return issues
}

/** What one network for all sub-flows is not learnt with. */
function toldIssues(
  { flow: { coupling, timesPerPair }, model, train: { objective, batch } }: z.output<typeof optionsSchema>,
  { length: N }: readonly (number | null)[],
  name: RecipeName,
): string[] {
  const refused = (key: string, why: string): string => `${key} does not go with flow.recipe: ${name}: ${why}`
  const least = leastBatch(N, timesPerPair)
  return [
    ...(model.kind === 'mlp'
      ? []
      : [refused(`model.kind ${model.kind}`, 'it is told the sub-flow by a bias of its first layer; take mlp.')]),
    ...(objective === 'flow-matching'
      ? []
      : [refused(`train.objective: ${objective}`, 'it learns velocities; take flow-matching.')]),
    ...(coupling === 'dependent'
      ? []
      : [refused(`flow.coupling: ${coupling}`, 'left ends are drawn with noise of their own; take dependent.')]),
    ...(batch >= least
      ? []
      : [`train.batch must be at least ${least}, of which each of the ${N} sub-flows has rows, but is ${batch}.`]),
  ]
}

/** What levels of categories are not learnt with. */
function choiceIssues(
  { flow, model, train: { objective } }: z.output<typeof optionsSchema>,
  gammas: readonly (number | null)[],
  name: RecipeName,
): string[] {
  const refused = (key: string, why: string): string => `${key} does not go with train.objective: ${objective}: ${why}`
  const later = name === 'local' && (gammas.length > 1 || flow.part !== undefined)
  return [
    ...(model.kind === 'mlp' ? [] : [refused(`model.kind ${model.kind}`, 'it is for tables; take mlp.')]),
    ...(name === 'reflow' ? [refused('flow.recipe: reflow', 'its paths begin at samples; take local or plain.')] : []),
    ...(flow.outputScale ? [refused('flow.outputScale', 'logits have no spread that is known.')] : []),
    ...(later && flow.push === 'learned'
      ? [
          refused(
            'flow.push: learned',
            'rows that were pushed hold no levels any more; take simulated, or flow.plain: true.',
          ),
        ]
      : []),
    ...(name === 'local' && flow.coupling !== 'dependent'
      ? [
          refused(
            `flow.coupling: ${flow.coupling}`,
            'the right end would be of another row than the left; take dependent.',
          ),
        ]
      : []),
  ]
}

/** Lists of steps, and evaluations that do not suffice. */
function crossCheckSolvers(solvers: Record<string, SolverSettings>, chain: readonly (AngleRange | null)[]): string[] {
  return Object.entries(solvers).flatMap(([name, settings]) => {
    const { steps, clock } = settings
    const N = chain.length
    if (typeof steps !== 'number' && steps.length !== N) {
      return [
        `ode.${name}.steps has ${steps.length} entries, but ${thereAre(N, 'sub-flows')}; give one for each, or one for all.`,
      ]
    }
    if (clock === 'angle' && chain.includes(null)) {
      return [`ode.${name}.clock must be local: the places of students on the chain's angle are not known.`]
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

const fitsOf = (recipe: RecipeName, gammas: readonly (number | null)[], flow: OwnSections): number =>
  (recipes[recipe] as NamedRecipe).fits(gammas, ownSection({ ...flow, recipe }))

/**
 * Samples go by the two-step method, even in the chain's angle, where nothing is said of their solver: with 16 evaluations they
 * are as near to the data as with hundreds (docs/method.md). A chain of many sub-flows gets two for each; one whose place on the
 * chain's angle is not known has no such clock.
 */
function sampleDefaults(
  { solver, steps, clock, evaluations }: Partial<SolverSettings>,
  stages: readonly (AngleRange | null)[],
): Partial<SolverSettings> {
  const said = solver !== undefined || steps !== undefined || clock !== undefined
  if (said || stages.includes(null)) return {}
  return { solver: 'ab2', clock: 'angle', evaluations: evaluations ?? Math.max(16, 2 * stages.length) }
}

type WrittenTrain = z.output<typeof trainSchema>

const isTotal = (steps: WrittenTrain['steps']): steps is { total: number } =>
  typeof steps === 'object' && !Array.isArray(steps)

/** The chain as it is configured, and whether nothing was said of it: a single flow is then configured as one. */
function chainOf(flow: z.output<typeof optionsSchema>['flow'], recipe: RecipeName) {
  const said = flow.gammas ?? (flow.schedule && scheduleGammas(flow.schedule))
  const single = recipe === 'plain' && flow.n === undefined
  const configured: readonly (number | null)[] = said ?? (single ? [null] : usualChain.gammas)
  return { configured, unsaid: said === undefined }
}

/** Training steps of each fit. @param unsaid whether the chain is the one that is taken where none is given */
function stepsOf(steps: WrittenTrain['steps'], fits: number, unsaid: boolean): number[] {
  const given = steps ?? (unsaid ? { total: usualChain.total } : 2000)
  if (!isTotal(given)) return listed(given, fits)
  const shares: readonly number[] = usualChain.shares
  return shareOut(given.total, unsaid && fits === shares.length ? shares : new Array<number>(fits).fill(1))
}

/** The learning rate and its warm-up, by the model, the batch and the steps where they are left out. */
function rateOf(
  { model, train }: z.output<typeof optionsSchema>,
  steps: readonly number[],
): { lr: number; warmup: number } {
  const usual = usualRateOf(model, { batch: train.batch, steps: Math.max(...steps) })
  const rises = train.lr === undefined && usual.warmup
  return { lr: train.lr ?? usual.lr, warmup: train.warmup ?? (rises ? usualWarmup(steps) : 0) }
}

const listed = <T>(value: T | T[], length: number): T[] =>
  Array.isArray(value) ? value : Array.from({ length }, () => value)

function expand(options: z.output<typeof optionsSchema>, origin: string, dataIssues: string[] = []): ResolvedOptions {
  const { model, flow, train, ode, seed, device } = options
  const recipe = flow.plain ? 'plain' : flow.recipe
  const { configured, unsaid } = chainOf(flow, recipe)
  const issues = [...dataIssues, ...crossCheck(options, configured, recipe)]
  if (issues.length) throw failure(origin, issues)

  const fits = fitsOf(recipe, configured, flow)
  const { tells }: NamedRecipe = recipes[recipe]
  const usual = configured === usualChain.gammas
  const { gammas, steps, paths, times } = recipes[recipe].arrange({
    gammas: [...configured],
    steps: options.distill ? new Array<number>(fits).fill(1) : stepsOf(train.steps, fits, unsaid),
    paths: listed(
      flow.interpolant ?? (usual && (recipe === 'local' || tells) ? [...usualChain.interpolant] : 'linear'),
      fits,
    ),
    times: listed(flow.time, fits),
  })
  const trained = anglesOf(gammas.map((gamma, i) => ({ gamma, path: paths.slice(-gammas.length)[i] })))
  const students = options.distill && resolveDistillation(options.distill, trained, options, origin)
  // in one order of keys, whether they were given or not
  const { steps: _, lr: __, warmup: ___, ...others } = train
  const trainingSteps = students ? stepsOf(train.steps, studentsOf(students), false) : steps
  const { averages } = objectives[train.objective]
  // those of plain are configured as a chain's
  const learnt = recipe === 'plain' ? 1 : fits
  if (averages && !students && learnt > 1) {
    throw failure(origin, [
      `train.objective: ${train.objective} learns one average velocity from the data to noise, but flow has ${learnt} ` +
        `${recipes[recipe].fitsAre}; take flow.recipe: plain.`,
    ])
  }
  const stages = students || averages ? new Array<null>(students ? studentsOf(students) : 1).fill(null) : trained
  const { push, sample, evaluate, ...common } = ode
  const solver = { ...defaultSolver, ...common }
  const solvers = {
    push: { ...solver, ...push },
    sample: { ...solver, ...sampleDefaults({ ...common, ...sample }, stages), ...sample },
    evaluate: { ...solver, ...evaluate, trace: evaluate.trace ?? traitsOf(model).trace },
  }
  const isFlow = students ? distillKinds[students.kind].flows : !averages
  const solverIssues = isFlow ? crossCheckSolvers(solvers, stages) : []
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
      // a network that learns all sub-flows at once is pushed through none of them
      push: tells ? 'simulated' : flow.push,
      ...(flow.part && { part: flow.part }),
      assignment: flow.assignment,
      ...sectionsOf(flow),
    },
    train: { ...others, ...rateOf(options, trainingSteps), steps: trainingSteps },
    ode: solvers,
    ...(students && { distill: students }),
    seed,
    device,
  }
}

/** Why a student cannot be the teacher of students; undefined where it can. */
function studentRefusal(
  { kind, into }: { kind: DistillKind; into: number },
  teacher: { kind: DistillKind; into: number },
): string | undefined {
  const { needsFlow, needsStates } = distillKinds[kind]
  const maps = areMaps(teacher.kind)
  if (!distillKinds[teacher.kind].flows && (needsFlow || (needsStates && maps))) {
    const why = maps
      ? 'whose maps have none'
      : 'which has only its own jumps: what they miss would be learnt as if it were true'
    return (
      `distill.kind ${kind} learns from states inside a flow, but the teacher is a student of the kind ${teacher.kind}, ${why}; ` +
      `take its own teacher, or the kind ${maps ? 'reflow' : 'any-step or reflow'}.`
    )
  }
  if (!maps || teacher.into % into === 0) return undefined
  return `distill.into must divide ${teacher.into}, the maps of the teacher, which has states at their ends alone, but is ${into}.`
}

/** Evaluations of a teacher for its states by default, in all or, where that is more, for each sub-flow. */
const [TEACHER_EVALUATIONS, EVALUATIONS_EACH] = [16, 4]
/** The same of a single flow with at most so many pieces, by the two-step method: each piece still has two of them. */
const [SINGLE_EVALUATIONS, SINGLE_PIECES] = [8, 4]

/** @param trained the stages of the model that was trained on data */
function resolveDistillation(
  {
    kind,
    into,
    every,
    solver: given,
    evaluations,
    guidance,
    teacher,
  }: NonNullable<z.output<typeof optionsSchema>['distill']>,
  trained: readonly (AngleRange | null)[],
  { train, ode }: z.output<typeof optionsSchema>,
  origin: string,
): NonNullable<ResolvedOptions['distill']> {
  const chain = teacherChain(trained, teacher)
  const single = chain.length === 1 && chain[0] !== null && areMaps(kind) && into <= SINGLE_PIECES
  const quick = single && given === undefined && evaluations === undefined
  const solver = given ?? (quick ? 'ab2' : 'midpoint')
  const least = kind === 'any-step' ? 2 * PATH_STATES : quick ? SINGLE_EVALUATIONS : TEACHER_EVALUATIONS
  const inAll = evaluations ?? Math.max(least, EVALUATIONS_EACH * chain.length)
  const { steps = defaultSolver.steps, rtol, atol } = ode
  const clock = chain.includes(null) ? 'local' : 'angle'
  const settings: SolverSettings = { solver, steps, evaluations: inAll, clock, rtol, atol }
  const issues: string[] = []
  const refusal = teacher && studentRefusal({ kind, into }, teacher)
  if (refusal) {
    issues.push(refusal)
  } else if (kind === 'any-step' && into > PATH_STATES) {
    issues.push(
      `distill.into must be at most ${PATH_STATES}, the states of a path that any-step learns from, but is ${into}.`,
    )
  } else if (into > inAll) {
    issues.push(
      `distill.into must be at most ${inAll}, the evaluations of the teacher's states (distill.evaluations), but is ${into}: such ` +
        'students would cost more than the teacher.',
    )
  } else {
    try {
      planEvaluations(settings, chain, [])
    } catch (error) {
      if (!(error instanceof InvalidArgumentError)) throw error
      issues.push(`distill.${error.message}`)
    }
  }
  const rows = Math.max(...stepsOf(train.steps, studentsOf({ kind, into }), false)) * train.batch
  if (rows > MOST_ROWS) {
    issues.push(
      `train.steps × train.batch must be at most ${MOST_ROWS}, the rows of noise of a student, but is ${rows}.`,
    )
  }
  if (issues.length) throw failure(origin, issues)
  return { kind, into, every, solver: settings, guidance, ...(teacher && { teacher }) }
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
