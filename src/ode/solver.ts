/**
 * Solver settings, and the evaluations that they give for a path through sub-flows: how many steps go where, by which clock.
 * dopri5 controls the step of every row by rtol and atol in local time; steps and clocks do not apply to it.
 */

import { InvalidArgumentError, invalid, show } from '../errors.js'
import { type AngleRange, angleDial, type Clock, clocks, type Dial, localDial } from './clock.js'
import type { Evaluation } from './evaluations.js'
import { methodOf, type SolverName, solverNames, stagesOf } from './methods.js'
import { evaluationsOf, evenReadings, type Stretch } from './steps.js'

/** How an ordinary differential equation is solved, with nothing left open but what has a default. */
export interface SolverSettings {
  /** the integrator, such as rk4; docs/method.md says what each is good for */
  readonly solver: SolverName
  /**
   * Steps through each sub-flow: a number for every one, or a list of them from the data to the noise. With the clock `angle` a
   * number is their mean: the steps are shared out by the sub-flows' angles.
   */
  readonly steps: number | readonly number[]
  /** evaluations of the velocity in all sub-flows together, at most; instead of steps. Default: from steps */
  readonly evaluations?: number
  /** what steps are even in: each sub-flow's own time, or one angle through the whole chain. Default: local */
  readonly clock?: Clock
  /** relative tolerance of dopri5, for each row */
  readonly rtol: number
  /** its absolute tolerance, in units of the standardised values */
  readonly atol: number
}

/** What a call says instead of configured settings. */
export interface SolverOverrides {
  /** a solver's name, or any of the settings */
  solver?: SolverName | Partial<SolverSettings>
  /** evaluations of the velocity in all sub-flows together, at most */
  evaluations?: number
  /** steps through each sub-flow, or a list of them from the data to the noise; they override configured evaluations */
  steps?: number | readonly number[]
  /** what steps are even in */
  clock?: Clock
}

/** The configured settings with what a call says instead. */
export function overridden(configured: SolverSettings, overrides: SolverOverrides): SolverSettings {
  const { solver, evaluations, steps, clock } = overrides
  const named = typeof solver === 'string' ? { solver } : solver
  const given = { ...named, ...(steps !== undefined && { steps }), ...(clock !== undefined && { clock }) }
  const inAll = evaluations ?? given.evaluations ?? (given.steps === undefined ? configured.evaluations : undefined)
  return { ...configured, ...given, evaluations: inAll }
}

/** Evaluations of the field, of all sub-flows together: equal for all rows with a list of steps. */
export interface Evaluations {
  /** over the rows */
  readonly mean: number
  /** of the row that took most */
  readonly max: number
}

export const isAdaptive = ({ solver }: SolverSettings): boolean => methodOf(solver).kind === 'adaptive'

/** Ten times what a config may ask for: `lfm evaluate` doubles it, and a program may want a finer reference. */
const MOST_STEPS = 1_000_000

const isCount = (value: unknown): boolean =>
  Number.isInteger(value) && (value as number) >= 1 && (value as number) <= MOST_STEPS

/**
 * Throws InvalidArgumentError for settings that no solver can run with.
 * @param subFlows how many the chain has, where that is known
 */
export function checkSolver(name: string, settings: SolverSettings, subFlows?: number): void {
  const { solver, steps, evaluations, clock = 'local' } = settings
  if (!solverNames.includes(solver)) throw invalid(`${name}.solver`, `one of ${solverNames.join(', ')}`, solver)
  if (!clocks.includes(clock)) throw invalid(`${name}.clock`, `one of ${clocks.join(', ')}`, clock)
  if (isAdaptive(settings)) {
    for (const key of ['rtol', 'atol'] as const) {
      if (!(settings[key] > 0)) throw invalid(`${name}.${key}`, 'a number above 0', settings[key])
    }
    return
  }
  expectClock(solver, clock, `${name}.`)
  if (evaluations !== undefined) {
    if (!isCount(evaluations)) throw invalid(`${name}.evaluations`, 'a whole number from 1 on', evaluations)
    return
  }
  if (!(Array.isArray(steps) ? steps.length > 0 && steps.every(isCount) : isCount(steps))) {
    throw invalid(`${name}.steps`, 'a whole number from 1 on, or a list of them', steps)
  }
  if (Array.isArray(steps) && subFlows !== undefined && steps.length !== subFlows) {
    throw invalid(`${name}.steps`, `a number, or a list of one for each of the ${subFlows} sub-flows`, steps)
  }
}

/** Throws InvalidArgumentError for a rotation of the chain's angle by another clock. */
function expectClock(solver: SolverName, clock: Clock, where = ''): void {
  if (methodOf(solver).kind !== 'rotation' || clock === 'angle') return
  throw invalid(`${where}clock`, `angle, of which the steps of ${solver} are rotations`, clock)
}

/** The same solver working twice as hard: twice the steps, or tolerances a hundredth as large. */
export function harder(settings: SolverSettings): SolverSettings {
  const { steps, evaluations, rtol, atol } = settings
  if (isAdaptive(settings)) return { ...settings, rtol: rtol / 100, atol: atol / 100 }
  if (evaluations !== undefined) return { ...settings, evaluations: 2 * evaluations }
  return { ...settings, steps: typeof steps === 'number' ? 2 * steps : steps.map((count) => 2 * count) }
}

/** What stands in place of a solver's words for students, which have none. */
export const WITHOUT_SOLVER = 'maps of one evaluation'

/** For people: `rk4, 8 steps a sub-flow`. */
export function describeSolver(settings: SolverSettings): string {
  const { solver, steps, evaluations, clock = 'local', rtol, atol } = settings
  if (isAdaptive(settings)) return `${solver}, rtol ${rtol}, atol ${atol}`
  const many = typeof steps === 'number' ? `${steps} steps a sub-flow` : `${steps.join(', ')} steps`
  const angle = clock === 'angle' ? ', even in the angle' : ''
  return `${solver}, ${evaluations === undefined ? many : `${evaluations} evaluations`}${angle}`
}

/** A sub-flow, or a part of it, on the way through the chain. */
export interface Passage {
  /** the sub-flow's number in the chain, from 0 at the data */
  readonly subFlow: number
  /** local times */
  readonly start: number
  readonly end: number
}

/**
 * The evaluations of each passage, in which `network` is the sub-flow's number in the chain. A passage through a part of a
 * sub-flow gets its share of the sub-flow's steps, at least one.
 * @param chain the sub-flows from the data to the noise; null where the clock does not know a sub-flow's place
 * @throws InvalidArgumentError for fewer evaluations than the sub-flows need
 */
export function planEvaluations(
  settings: SolverSettings,
  chain: readonly (AngleRange | null)[],
  passages: readonly Passage[],
): Evaluation[][] {
  expectClock(settings.solver, settings.clock ?? 'local')
  const dials = chain.map((range) => dialOf(settings, range))
  const counts = stepsOfEach(settings, dials)
  return evaluationsOf(methodOf(settings.solver), stretchesOf(dials, counts, passages))
}

function dialOf({ clock = 'local' }: SolverSettings, range: AngleRange | null): Dial {
  if (clock === 'local') return localDial
  if (range) return angleDial(range)
  throw new InvalidArgumentError(
    'The clock angle was asked for, but nothing says where the sub-flow lies in its chain.',
  )
}

const stretchesOf = (dials: readonly Dial[], counts: readonly number[], passages: readonly Passage[]): Stretch[] =>
  passages.map(({ subFlow, start, end }) => {
    const dial = dials[subFlow]
    const share = Math.abs(dial.reading(end) - dial.reading(start)) / (dial.to - dial.from)
    const steps = Math.max(1, Math.ceil(counts[subFlow] * share - 1e-9))
    const readings = evenReadings(dial, start, end, steps)
    if (isEnd(start) && isEnd(end)) return { network: subFlow, dial, readings }
    // inside a sub-flow the state is x; only at its ends is that the variable of the dial's derivative
    return { network: subFlow, dial: localDial, readings: readings.map((reading) => dial.instant(reading).time) }
  })

const isEnd = (time: number): boolean => time === 0 || time === 1

/** Steps of each sub-flow. */
function stepsOfEach(settings: SolverSettings, dials: readonly Dial[]): number[] {
  const { solver, steps, evaluations, clock = 'local' } = settings
  const N = dials.length
  if (evaluations === undefined) {
    if (typeof steps !== 'number') return [...steps]
    return clock === 'local' ? new Array<number>(N).fill(steps) : sharedOut(steps * N, dials)
  }
  // noise to data: what a sample takes
  const through = dials.map((_, i) => ({ subFlow: N - 1 - i, start: 1, end: 0 }))
  const needed = (counts: readonly number[]): number =>
    evaluationsOf(methodOf(solver), stretchesOf(dials, counts, through)).flat().length
  const least = needed(new Array<number>(N).fill(1))
  if (evaluations < least) {
    throw new InvalidArgumentError(
      `evaluations must be at least ${least}, for a step of ${solver} through each of ${N} ${N === 1 ? 'sub-flow' : 'sub-flows'}, but is ${show(evaluations)}.`,
    )
  }
  return sharedOut(Math.floor((evaluations - least) / stagesOf(solver)) + N, dials)
}

/** One step for each sub-flow, then one more where a step is longest by the clock; among equals, nearest to the noise. */
function sharedOut(steps: number, dials: readonly Dial[]): number[] {
  const counts = dials.map(() => 1)
  const stepOf = (i: number): number => (dials[i].to - dials[i].from) / counts[i]
  for (let left = steps - dials.length; left > 0; left--) {
    let longest = dials.length - 1
    for (let i = longest - 1; i >= 0; i--) if (stepOf(i) > stepOf(longest) * (1 + 1e-12)) longest = i
    counts[longest]++
  }
  return counts
}
