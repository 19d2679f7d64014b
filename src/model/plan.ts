/** What a call runs, but for its rows and what they are told: made once for calls that ask for the same, one after another. */

import type { SolverOverrides, SolverSettings } from '../ode/solver.js'
import type { Stops } from './legs.js'
import type { Leg, Link, RowSource, Trace } from './transport.js'

/** What of a call decides its plan. */
export interface Asked {
  readonly n: number
  readonly options: SolverOverrides & { readonly guidance?: number | readonly number[] }
  readonly configured: SolverSettings
  readonly trace: Trace
  readonly path: 'encode' | 'decode' | Stops
  readonly source: RowSource
  /** whether some numbers of the rows are given */
  readonly given: boolean
}

export interface Plan {
  /** of guidance, for each stage */
  readonly weights: readonly number[]
  /** where it was planned for: those of a model that was disposed of are others */
  readonly links: readonly Link[]
  readonly legs: readonly Leg[]
  readonly solver: SolverSettings
  /** rows of a block */
  readonly block: number
  /** of its program */
  readonly key: string
  /** whether its program is kept for the next call */
  readonly kept: boolean
}

/** Plain values of what is asked, in order; null where there is one that would be long to compare. */
function valuesOf({ n, options, configured, trace, path, source, given }: Asked): readonly unknown[] | null {
  const { guidance, solver, steps, evaluations, clock } = options
  const values = [n, guidance, solver, steps, evaluations, clock, trace, path, given, ...Object.values(source)]
  return values.some((value) => typeof value === 'object' && value !== null) ? null : [configured, ...values]
}

/** The plan of the last call whose asking is short to compare. */
export class LastPlan {
  private last: { readonly values: readonly unknown[]; readonly plan: Plan } | null = null

  /** It, where this call asks for the same. */
  of(asked: Asked): Plan | null {
    if (!this.last) return null
    const { values, plan } = this.last
    const own = valuesOf(asked)
    return own && own.length === values.length && own.every((value, i) => Object.is(value, values[i])) ? plan : null
  }

  keep(asked: Asked, plan: Plan): void {
    const values = valuesOf(asked)
    if (values) this.last = { values, plan }
  }
}
