/**
 * What students are, and the pieces of a teacher that they learn (distillation.ts): the teacher's stages are cut into K pieces of
 * equal angle, whether it is a chain or a single flow.
 */

import type { StagePart } from '../learn/tasks/terminal.js'
import type { Jump } from '../model/transport.js'
import { evenBorders } from '../ode/borders.js'
import { type AngleRange, angleDial, localDial } from '../ode/clock.js'
import type { SolverSettings } from '../ode/solver.js'

/** What a student is. */
interface Kind {
  /** one line for people */
  readonly description: string
  /** whether students are flows, which have likelihoods */
  readonly flows: boolean
  /** whether the teacher must be a flow too */
  readonly needsFlow: boolean
  /** whether it learns from what is inside the teacher's stages, which maps do not have */
  readonly needsStates: boolean
  /** whether its networks take a second time */
  readonly secondTime: boolean
}

export const distillKinds = {
  pairs: {
    description: 'each student is a map of one evaluation from a border to the next',
    flows: false,
    needsFlow: true,
    needsStates: true,
    secondTime: false,
  },
  terminal: {
    description: "such maps, learnt from the teacher's velocity along their own paths, without states of it in between",
    flows: false,
    needsFlow: true,
    needsStates: true,
    secondTime: true,
  },
  'any-step': {
    description:
      'one student, the average velocity between any two times, which takes 1, 2, 4 … evaluations; into is how many by default',
    flows: false,
    needsFlow: false,
    needsStates: true,
    secondTime: true,
  },
  reflow: {
    description: 'each student is a flow with straight paths between two borders, so that likelihoods stay',
    flows: true,
    needsFlow: false,
    needsStates: false,
    secondTime: false,
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
  /** weight of guidance of the teacher's velocities; 1: none */
  readonly guidance: number
}

/** Networks that are fitted: one takes any number of evaluations, else each takes one. */
export const studentsOf = ({ kind, into }: Pick<DistillSettings, 'kind' | 'into'>): number =>
  kind === 'any-step' ? 1 : into

/** A piece: chain times of its ends. */
export interface Piece {
  readonly from: number
  readonly to: number
}

/** What students learn, one each, from the data's side to the noise's. */
export function piecesOf({ kind, chain, into }: Pick<DistillSettings, 'kind' | 'chain' | 'into'>): Piece[] {
  const borders = evenBorders(chain, studentsOf({ kind, into }))
  return borders.slice(1).map((to, i) => ({ from: borders[i], to }))
}

/** The stage at whose noise side a piece ends, from 0, and its own time there. */
export const endOf = ({ to }: Piece): { stage: number; time: number } => {
  const stage = Math.ceil(to) - 1
  return { stage, time: to - stage }
}

/** How a student's stage carries rows; undefined: it is a flow. */
export function jumpOf(kind: DistillKind, piece: Piece): Jump | undefined {
  if (kind === 'any-step') return { kind: 'average' }
  if (distillKinds[kind].flows) return undefined
  const { time } = endOf(piece)
  return kind === 'terminal' ? { kind: 'map', time, secondTime: 0 } : { kind: 'map', time }
}

/** Whether a student has states at the ends of its pieces alone. */
export const areMaps = (kind: DistillKind): boolean => kind === 'pairs' || kind === 'terminal'

/**
 * The parts of a piece in the teacher's stages, with a time of the piece from 0 to 1: as long as the angles that they turn, and
 * even in the stage's own time within each.
 */
export function partsOf({ from, to }: Piece, chain: DistillSettings['chain']): StagePart[] {
  const known = chain.every((range) => range !== null)
  const inside = chain.flatMap((range, stage) => {
    const [start, end] = [Math.max(0, from - stage), Math.min(1, to - stage)]
    if (start >= end) return []
    const dial = known ? angleDial(range!) : localDial
    return [{ stage, start, end, length: dial.reading(end) - dial.reading(start) }]
  })
  const whole = inside.reduce((sum, { length }) => sum + length, 0)
  let before = 0
  return inside.map(({ length, ...part }, i) => {
    const first = before
    before += length / whole
    return { ...part, from: first, to: i === inside.length - 1 ? 1 : before }
  })
}

/** States of a path that an average velocity is learnt between, beside the noise: 1, 2, 4, 8 and 16 even jumps end at them. */
export const PATH_STATES = 16

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
  student?: Pick<DistillSettings, 'kind' | 'into'>,
): readonly (AngleRange | null)[] => (student ? new Array<null>(studentsOf(student)).fill(null) : trained)
