/**
 * The solvers as one table: a new one is a row here, and its name is known to configs, messages, the command line and the
 * documentation. Runge–Kutta methods are tableaus, `adaptive` ones with an error estimate that controls every row's step;
 * multistep methods remember the velocity of the step before; a rotation is exact where what the velocity says of data and noise
 * does not change.
 */

import { dopri5, euler, heun, midpoint, rk4, type Tableau } from './tableaus.js'

export type Method =
  | { readonly kind: 'runge-kutta'; readonly tableau: Tableau; readonly summary: string }
  | { readonly kind: 'multistep'; readonly order: 2; readonly summary: string }
  | { readonly kind: 'rotation'; readonly summary: string }
  | { readonly kind: 'adaptive'; readonly tableau: Tableau; readonly summary: string }

const rungeKutta = (tableau: Tableau, summary: string): Method => ({ kind: 'runge-kutta', tableau, summary })

export const methods = {
  euler: rungeKutta(euler, 'one evaluation a step, order 1'),
  midpoint: rungeKutta(midpoint, 'two evaluations a step, order 2'),
  heun: rungeKutta(heun, 'two evaluations a step, order 2, at both ends of the step'),
  rk4: rungeKutta(rk4, 'four evaluations a step, order 4'),
  ab2: {
    kind: 'multistep',
    order: 2,
    summary: 'two-step Adams–Bashforth: one evaluation a step, order 2; remembers across sub-flows with clock angle',
  },
  ddim: {
    kind: 'rotation',
    summary:
      'one evaluation a step, order 1, exact while the denoised point stays (Song et al. 2021); needs clock angle',
  },
  dopri5: { kind: 'adaptive', tableau: dopri5, summary: 'order 5, steps controlled by rtol and atol' },
} as const satisfies Record<string, Method>

/** The name of a solver. */
export type SolverName = keyof typeof methods

export const solverNames = Object.keys(methods) as [SolverName, ...SolverName[]]

/** A solver whose evaluations can be counted beforehand. */
export type FixedStepSolver = Exclude<SolverName, 'dopri5'>

export const fixedStepSolvers = solverNames.filter((name) => methods[name].kind !== 'adaptive') as [
  FixedStepSolver,
  ...FixedStepSolver[],
]

export const methodOf = (solver: SolverName): Method => methods[solver]

/** Evaluations of the velocity in a step; of an adaptive method, in an attempted one. */
export const stagesOf = (solver: SolverName): number => {
  const method = methodOf(solver)
  switch (method.kind) {
    case 'runge-kutta':
      return method.tableau.nodes.length
    case 'multistep':
    case 'rotation':
      return 1
    case 'adaptive':
      // the last stage is the next step's first
      return method.tableau.nodes.length - 1
  }
}
