/**
 * What students are, and the pieces of a teacher that they learn (distillation.ts): the teacher's stages are cut into K pieces of
 * equal angle, whether it is a chain or a single flow.
 */

import type { Jump } from '../model/transport.js'
import { evenBorders } from '../ode/borders.js'
import { type AngleRange, angleDial } from '../ode/clock.js'
import type { SolverSettings } from '../ode/solver.js'

/** What a student is. */
interface Kind {
  /** one line for people */
  readonly description: string
  /** whether students are flows, which have likelihoods */
  readonly flows: boolean
  /** whether the teacher must be one; of another it needs the states at its own borders alone, or no more than its ends */
  readonly needsFlow: boolean
}

export const distillKinds = {
  pairs: {
    description: 'each student is a map of one evaluation from a border to the next',
    flows: false,
    needsFlow: true,
  },
  reflow: {
    description: 'each student is a flow with straight paths between two borders, so that likelihoods stay',
    flows: true,
    needsFlow: false,
  },
} as const satisfies Record<string, Kind>

export type DistillKind = keyof typeof distillKinds
export const distillKindNames = Object.keys(distillKinds) as [DistillKind, ...DistillKind[]]

export interface DistillSettings {
  readonly kind: DistillKind
  /** K */
  readonly into: number
  /** the teacher's stages on its angle; null where their places are not known */
  readonly chain: readonly (AngleRange | null)[]
  /** training steps between two blocks of fresh states, each used once */
  readonly every: number
  /** of the teacher's states */
  readonly solver: SolverSettings
}

/** A piece: chain times of its ends. */
export interface Piece {
  readonly from: number
  readonly to: number
}

/** The pieces, from the data's side to the noise's. */
export function piecesOf({ chain, into }: Pick<DistillSettings, 'chain' | 'into'>): Piece[] {
  const borders = evenBorders(chain, into)
  return borders.slice(1).map((to, i) => ({ from: borders[i], to }))
}

/** The stage at whose noise side a piece ends, from 0, and its own time there. */
export const endOf = ({ to }: Piece): { stage: number; time: number } => {
  const stage = Math.ceil(to) - 1
  return { stage, time: to - stage }
}

/** How a student's stage carries rows; undefined: it is a flow. */
export const jumpOf = (kind: DistillKind, piece: Piece): Jump | undefined =>
  kind === 'pairs' ? { kind: 'map', time: endOf(piece).time } : undefined

/** What the teacher's velocity at a piece's noise side is multiplied by to cross it in one step of Euler. */
export function widthOf({ from, to }: Piece, chain: DistillSettings['chain']): number {
  const { stage, time } = endOf({ from, to })
  const range = chain[stage]
  if (from >= stage || !range) return to - from
  const start = chain[Math.floor(from)]!
  const dial = angleDial(range)
  const noise = dial.reading(time)
  return (noise - angleDial(start).reading(from - Math.floor(from))) * dial.instant(noise).rate
}

/** The stages of a teacher on its angle: of one trained on data those of its chain; those of students are not known. */
export const teacherChain = (
  trained: readonly (AngleRange | null)[],
  student?: { readonly into: number },
): readonly (AngleRange | null)[] => (student ? new Array<null>(student.into).fill(null) : trained)
