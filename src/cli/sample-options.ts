/** Options of `lfm sample`. */

import type { BlockFormat } from '../data/block-formats.js'
import type { RunDevice } from '../run/open-flow.js'
import type { ConditionCommandOptions } from './conditions.js'
import type { SolverOptions } from './device.js'
import type { SlurmOptions } from './submit.js'

export interface SampleCommandOptions extends RunDevice, SolverOptions, ConditionCommandOptions, SlurmOptions {
  n: number
  output: string
  seed?: number
  /** number of the first sample */
  first?: number
  /** go on with what a call like this one left */
  resume?: boolean
  /** rows of a part of a folder, or of a row group of a Parquet file */
  partRows?: number
  /** of the parts of a folder */
  format?: BlockFormat
  /** jobs of --slurm */
  ranges?: number
}
