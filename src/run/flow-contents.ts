/** What training leaves behind: the contents of a run folder and of the class LocalFlow. */

import type { ResolvedOptions } from '../config/index.js'
import type { RowKind } from '../data/kinds.js'
import type { Scaler } from '../data/scaler.js'
import { type Encoding, openEncoding } from '../data/tables/encoding.js'
import { type ChoiceTables, choiceTables } from '../data/tables/segments.js'
import { ConfigError } from '../errors.js'
import type { ModelFacts } from '../export/exporter.js'
import type { Condition } from '../model/condition.js'
import type { FlowModel } from '../model/flow.js'
import type { TrainedNetwork } from '../recipes/recipe.js'
import { learnsChoices, modelNetwork, stagesOf, usualJumps } from '../recipes/settings.js'

export interface FlowContents {
  readonly options: ResolvedOptions
  /** the options as they were written: what a saved run resolves again */
  readonly raw: object
  /** […dims] of one row */
  readonly rowShape: readonly number[]
  /** what a row is */
  readonly rowKind: RowKind
  readonly scaler: Scaler | null
  /** networks of the model's stages, from the data's side to the noise's */
  readonly subFlows: readonly TrainedNetwork[]
  /** the networks that were fitted, where those of the stages are made of them; null or left out: they are the same */
  readonly fitted?: readonly TrainedNetwork[] | null
  /** of a table of mixed columns, how its rows are numbers; null or left out: rows are what they are */
  readonly encoding?: Encoding | null
  /** what the model is told of its rows; null or left out: nothing */
  readonly condition?: Condition | null
  /** left out: nothing is known */
  readonly facts?: ModelFacts
}

/**
 * How the columns of an encoded row lie together.
 * @throws ConfigError without an encoding: choices are learnt of tables of mixed columns
 */
export function segmentsOf(encoding: Encoding | null | undefined): ChoiceTables {
  if (encoding) return choiceTables(openEncoding(encoding))
  throw new ConfigError(
    'train.objective: variational learns the categories of tables of mixed columns (data.kind: table), and these rows are of ' +
      'numbers alone; take flow-matching.',
  )
}

/** The model that these make. */
export function flowModel({
  options,
  rowShape,
  scaler,
  subFlows,
  encoding,
  condition = null,
}: FlowContents): FlowModel {
  const { ode, seed } = options
  const stages = stagesOf(options).map((stage, i) => ({ ...subFlows[i], ...stage }))
  const settings = { sample: ode.sample, evaluate: ode.evaluate, seed }
  const network = modelNetwork(options, rowShape, condition)
  const segments = learnsChoices(options) ? segmentsOf(encoding) : null
  const fills = segments !== null && options.train.masks
  return { network, stages, rowShape, scaler, settings, jumps: usualJumps(options), condition, segments, fills }
}
