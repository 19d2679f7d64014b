/**
 * What an exporter is: a form in which a trained model can be used elsewhere, as files of a folder. An exporter is given the
 * model and how it is to be sampled, and gives the files with their contents; write.ts writes them.
 */

import type { RowKind } from '../data/kinds.js'
import type { Encoding } from '../data/tables/encoding.js'
import type { Content } from '../files/content.js'
import type { Condition } from '../model/condition.js'
import type { FlowModel } from '../model/flow.js'
import type { Model } from '../networks/registry.js'
import type { SolverOverrides } from '../ode/solver.js'

/** A number that was measured, and how. */
export interface Metric {
  readonly name: string
  readonly value: number
  /** function evaluations of a row; null: none were needed */
  readonly evaluations: number | null
  /** on what, and with what settings */
  readonly how: string
}

/** What is known of a model beside the model. */
export interface ModelFacts {
  /** names of the columns, where there are any */
  readonly columns: readonly string[] | null
  /** what it was trained on, in words; null: not known */
  readonly data: string | null
  readonly metrics: readonly Metric[]
}

/** What forms of export can tell a model: numbers, or a class. */
export type ExportedCondition = Exclude<Condition, { kind: 'table' }>

/** A model, and what is to be said of it. */
export interface ExportedModel extends Omit<FlowModel, 'condition'>, ModelFacts {
  /** what it was told of its rows; null or left out: nothing */
  readonly condition?: ExportedCondition | null
  /** what a row is */
  readonly rowKind: RowKind
  /** of a table of mixed columns, how its rows are numbers; null or left out: rows are what they are */
  readonly encoding?: Encoding | null
  /** the section `model` of its options, resolved */
  readonly section: Model
  /** the options of its training, as they were written */
  readonly raw: object
  /** version of this package */
  readonly version: string
}

/** How the exported sampler carries noise: what the settings of the model say, unless said otherwise here. */
export interface ExportOptions extends Pick<SolverOverrides, 'solver' | 'steps' | 'evaluations' | 'clock'> {
  /**
   * weight of classifier-free guidance that the sampler has, or one for each sub-flow from the data's side: 1 is no guidance, 0 no
   * condition. Default 1
   */
  guidance?: number | readonly number[]
  /** of the model, as an SPDX identifier or in words. Default: 'not stated' */
  licence?: string
}

export interface ExportedFile {
  /** within the folder, with / between its parts */
  readonly path: string
  readonly content: Content
}

/** The files of a model; nothing is written yet. */
export type Exporter = (model: ExportedModel, options: ExportOptions) => Promise<ExportedFile[]>

export const NO_LICENCE = 'not stated'
