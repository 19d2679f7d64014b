/**
 * What an exporter is: a form in which a trained model can be used elsewhere, as files of a folder. An exporter is given the
 * model and how it is to be sampled, and gives the files with their contents; write.ts writes them.
 */

import type { RowKind } from '../data/kinds.js'
import type { Content } from '../files/atomic.js'
import type { FlowModel } from '../model/flow.js'
import type { SolverOverrides } from '../ode/solver.js'

/** A model, and what is to be said of it. */
export interface ExportedModel extends FlowModel {
  /** what a row is */
  readonly rowKind: RowKind
  /** version of this package */
  readonly version: string
}

/** How the exported sampler carries noise: what the settings of the model say, unless said otherwise here. */
export interface ExportOptions extends Pick<SolverOverrides, 'solver' | 'steps' | 'evaluations' | 'clock'> {
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
