/**
 * Solver settings and what they cost. A fixed-step solver takes `steps` equal steps through each sub-flow; dopri5
 * controls the step of every row by rtol and atol.
 */

import { invalid } from '../errors.js'
import { dopri5, fixedStepTableaus, type Tableau } from './tableaus.js'

export interface SolverSettings {
  readonly solver: 'euler' | 'midpoint' | 'rk4' | 'dopri5'
  /** steps through one sub-flow, for the fixed-step solvers */
  readonly steps: number
  /** relative and absolute tolerance of dopri5 */
  readonly rtol: number
  readonly atol: number
}

/** Evaluations of the field, of all sub-flows together: equal for all rows with a fixed step. */
export interface Evaluations {
  readonly mean: number
  readonly max: number
}

export const isAdaptive = (settings: SolverSettings): boolean => settings.solver === 'dopri5'

/** The tableau of a fixed-step solver. */
export const tableauOf = (settings: SolverSettings): Tableau =>
  settings.solver === 'dopri5' ? dopri5 : fixedStepTableaus[settings.solver]

/** Ten times what a config may ask for: an evaluation doubles it, and a program may want a finer truth. */
const MOST_STEPS = 1_000_000

/** Throws InvalidArgumentError for settings that no solver can run with. */
export function checkSolver(name: string, settings: SolverSettings): void {
  if (!(settings.solver in fixedStepTableaus) && settings.solver !== 'dopri5') {
    throw invalid(`${name}.solver`, 'one of euler, midpoint, rk4, dopri5', settings.solver)
  }
  const { steps } = settings
  if (!isAdaptive(settings) && !(Number.isInteger(steps) && steps >= 1 && steps <= MOST_STEPS)) {
    throw invalid(`${name}.steps`, `a whole number from 1 to ${MOST_STEPS}`, steps)
  }
  if (isAdaptive(settings)) {
    for (const key of ['rtol', 'atol'] as const) {
      if (!(settings[key] > 0)) throw invalid(`${name}.${key}`, 'a number above 0', settings[key])
    }
  }
}
