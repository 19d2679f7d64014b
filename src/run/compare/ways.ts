/**
 * The ways in which samples are drawn with a given number of evaluations: every solver whose steps are not of its own choosing,
 * by every clock.
 */

import { InvalidArgumentError } from '../../errors.js'
import type { Flow } from '../../model/flow.js'
import { clocks } from '../../ode/clock.js'
import type { Evaluation } from '../../ode/evaluations.js'
import { fixedStepSolvers } from '../../ode/methods.js'
import { planEvaluations, type SolverSettings } from '../../ode/solver.js'

/** A solver and a clock. */
export interface Way {
  readonly name: string
  readonly settings: Pick<SolverSettings, 'solver' | 'clock'>
}

/** @param solvers names of solvers; null: all */
export const waysOf = (solvers: readonly string[] | null): Way[] =>
  fixedStepSolvers
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
      const text = JSON.stringify(plan.map((passage) => passage.map(inTime)))
      const known = seen.has(text)
      seen.add(text)
      return !known
    } catch (error) {
      if (error instanceof InvalidArgumentError) return false
      throw error
    }
  })
}

/** An evaluation with the clock's factor in its weights, so that equal ones look alike whatever the clock counts in. */
function inTime({ network, time, factor, own, place, share, reach, ends, carry }: Evaluation): unknown[] {
  const numbers = [time, own / factor, place, share * factor, reach * factor, carry * factor]
  return [network, ends, ...numbers.map((value) => Number(value.toPrecision(9)))]
}
