/**
 * The ways in which samples are drawn with a given number of evaluations: every solver whose steps are not of its own choosing,
 * by every clock.
 */

import { InvalidArgumentError } from '../../errors.js'
import type { Flow } from '../../model/flow.js'
import { clocks } from '../../ode/clock.js'
import { methodOf, type SolverName, solverNames } from '../../ode/methods.js'
import { planEvaluations, type SolverSettings } from '../../ode/solver.js'

/** A solver and a clock. */
export interface Way {
  readonly name: string
  readonly settings: Pick<SolverSettings, 'solver' | 'clock'>
}

export const fixedSolvers: readonly SolverName[] = solverNames.filter((name) => methodOf(name).kind !== 'adaptive')

/** @param solvers names of solvers; null: all */
export const waysOf = (solvers: readonly string[] | null): Way[] =>
  fixedSolvers
    .filter((solver) => solvers?.includes(solver) ?? true)
    .flatMap((solver) =>
      clocks.map((clock) => ({
        name: clock === 'local' ? solver : `${solver} in the ${clock}`,
        settings: { solver, clock },
      })),
    )

/**
 * The ways that a flow can go with so many evaluations at most. A way whose evaluations are those of one before it (in a single
 * flow on the arc both clocks are one) is left out, and so is one that needs more, or a clock that does not fit the flow.
 */
export function waysThrough(flow: Flow, ways: readonly Way[], evaluations: number): Way[] {
  const chain = flow.stages.map(({ angle }) => angle)
  const passages = chain.map((_, i) => ({ subFlow: chain.length - 1 - i, start: 1, end: 0 }))
  const seen = new Set<string>()
  return ways.filter(({ settings }) => {
    try {
      const plan = planEvaluations({ ...settings, steps: 1, evaluations, rtol: 1, atol: 1 }, chain, passages)
      const text = JSON.stringify(plan, (_, value) =>
        typeof value === 'number' ? Number(value.toPrecision(9)) : value,
      )
      const known = seen.has(text)
      seen.add(text)
      return !known
    } catch (error) {
      if (error instanceof InvalidArgumentError) return false
      throw error
    }
  })
}
