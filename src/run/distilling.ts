/** From a trained model to the config of its students. */

import type { ResolvedOptions, TrainOptions } from '../config/index.js'
import type { LoadedData } from '../data/source.js'
import { InvalidArgumentError, invalid } from '../errors.js'
import { objectives } from '../learn/objectives.js'
import {
  type Condition,
  type ConditionOptions,
  conditionRows,
  givenConditions,
  guidanceWeights,
} from '../model/condition.js'
import { traitsOf } from '../networks/registry.js'
import type { FixedStepSolver } from '../ode/methods.js'
import { type DistillKind, distillKindNames, distillKinds, studentsOf } from '../recipes/pieces.js'
import { learnsChoices } from '../recipes/settings.js'
import { usualWarmup } from '../recipes/usual.js'
import { toldAtEvery, toldOf } from './conditioning.js'

/** What is asked of a distillation; what is left out is the teacher's, but for the defaults said here. */
export interface DistillRequest {
  /** what students are (docs/distillation.md) */
  kind: DistillKind
  /** students K: evaluations of a sample */
  into: number
  /** solver of the teacher's states; default midpoint, of up to four maps of a single flow ab2 */
  solver?: FixedStepSolver
  /**
   * evaluations of the teacher for its states; default 16 (32 of any-step), or 4 a sub-flow where that is more; 8 of up to four maps
   * of a single flow
   */
  evaluations?: number
  /** training steps between two blocks of fresh states; default 16 */
  every?: number
  /** weight of classifier-free guidance of a conditional teacher, above 0, which students then have in their networks; default 1, none */
  guidance?: number
  /**
   * Of the students' training. Default: the teacher's, with a sixth of its steps in all, of MLPs twice its learning rate where it was
   * trained on data, a warm-up of at most a tenth of them where it has one, and an average of the parameters over the last twentieth of
   * them (ema 1 − 20/steps, at most .999)
   */
  train?: TrainOptions['train']
}

/** Share of the teacher's training steps that all students together get by default. */
const STEPS_SHARE = 1 / 6
/** Share of a student's steps that its average reaches back over, and the longest average. */
const EMA_SHARE = 1 / 20
const LONGEST_EMA = 0.999

/** Steps of the students, of each or of all alike. */
const stepsOf = (steps: NonNullable<NonNullable<DistillRequest['train']>['steps']>, students: number): number[] =>
  typeof steps === 'object' && 'total' in steps ? [steps.total / students] : [steps].flat()

const emaFor = (steps: number): number =>
  Math.min(LONGEST_EMA, Math.max(0.5, Number((1 - 1 / (EMA_SHARE * steps)).toFixed(4))))

/** The options of the students, as they would be written. */
export function studentOptions(
  teacher: { readonly raw: object; readonly options: ResolvedOptions; readonly condition?: Condition | null },
  { kind, into, solver, evaluations, every, guidance, train: given = {} }: DistillRequest,
): Record<string, unknown> {
  if (!distillKindNames.includes(kind)) throw invalid('kind', `one of ${distillKindNames.join(', ')}`, kind)
  if (!Number.isSafeInteger(into) || into < 1) {
    throw invalid('into', 'a whole number of students from 1 on, as many as a sample takes evaluations', into)
  }
  guidanceWeights(guidance, teacher.condition ?? null, 1)
  const { raw, options } = teacher
  if (teacher.condition && distillKinds[kind].secondTime && toldAtEvery(options.model)) {
    throw new InvalidArgumentError(
      `This model is told its condition at every layer (model.conditionAt: every), and students of the kind ${kind} take theirs, with a ` +
        'second time, at the first layer: distil it by the kind pairs or reflow, or train a teacher with model.conditionAt: first.',
    )
  }
  if (guidance !== undefined && guidance !== 1 && objectives[options.train.objective].averages) {
    throw new InvalidArgumentError(
      'guidance is of velocities, but this model makes average velocities (train.objective: mean-flow); leave guidance out.',
    )
  }
  if (learnsChoices(options)) {
    throw new InvalidArgumentError(
      'This model predicts the levels of categories (train.objective: variational), which students do not yet: sample it by few ' +
        'evaluations, or distil one of train.objective: flow-matching.',
    )
  }
  const learnt = objectives[options.train.objective]
  const { ode: _, train, flow, ...kept } = raw as { ode?: object; train?: object; flow?: Record<string, unknown> }
  const { objective: _objective, ...training } = (train ?? {}) as { objective?: unknown; warmup?: number }
  // the chain as it was resolved for the teacher: defaults may have changed since
  const { schedule: __, n: ___, ...chain } = flow ?? {}
  const { gammas, interpolant } = options.flow
  const steps = options.train.steps.reduce((sum, count) => sum + count, 0)
  const each = Math.max(1, Math.round((steps * STEPS_SHARE) / studentsOf({ kind, into })))
  const own = stepsOf(given.steps ?? each, studentsOf({ kind, into }))
  const asked = { kind, into, solver, evaluations, every, guidance }
  return {
    ...kept,
    flow: { ...chain, gammas, interpolant },
    train: {
      ...training,
      steps: each,
      lr: Number((options.train.lr * (options.distill ? 1 : traitsOf(options.model).studentRate)).toPrecision(6)),
      // the average begins only behind the warm-up, which of the teacher's length could be all that a student has
      ...(training.warmup && { warmup: Math.min(training.warmup, usualWarmup(own)) }),
      ema: emaFor(Math.max(...own)),
      ...given,
    },
    ...(distillKinds[kind].flows && { ode: { sample: { solver: 'euler', steps: 1 } } }),
    distill: {
      ...Object.fromEntries(Object.entries(asked).filter(([, value]) => value !== undefined)),
      ...(options.distill && { teacher: { kind: options.distill.kind, into: options.distill.into } }),
      // what it is to its students
      ...(learnt.averages && { teacher: { kind: 'any-step', into: 1 } }),
    },
  }
}

/** What students are told: what their teacher is, under a guidance that is theirs. */
export const studentCondition = (
  condition: Condition | null,
  { distill }: Pick<ResolvedOptions, 'distill'>,
): Condition | null => condition && { ...condition, guidance: condition.guidance ?? distill!.guidance }

/**
 * What a teacher is told while students learn, [M, C] as its networks take it.
 * @param given conditions as calls take them, one for each of M rows; of classes all alike where nothing is given
 * @throws InvalidArgumentError for columns that are not given, and conditions that do not fit
 */
export function toldStudents(condition: Condition | null, given: ConditionOptions): Float32Array | null {
  if (condition?.kind === 'classes' && given.class === undefined && given.cond === undefined) {
    return conditionRows(condition, { class: condition.classes }, condition.classes.length)
  }
  return conditionRows(condition, given, condition ? givenConditions(condition, given) : 1)
}

/** The same by the training rows of a data set. */
export function toldByData(condition: Condition | null, data: LoadedData): Float32Array | null {
  const n = data.train.shape[0]
  return condition && conditionRows(condition, toldOf(condition, data, 'train')(n), n)
}

/** Throws InvalidArgumentError for options of a student, which only a teacher makes. */
export function refuseDistillation({ distill }: Pick<ResolvedOptions, 'distill'>): void {
  if (!distill) return
  throw new InvalidArgumentError(
    'distill is the section of a run that lfm distill has made, and nothing is trained from it; distil the run again by ' +
      'lfm distill, or leave the section out.',
  )
}
