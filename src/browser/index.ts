/**
 * The package in a browser, `local-flow-matching/browser`: training, sampling and scoring on the browser's GPU, and models from
 * an address or from files. Nothing of Node is in it.
 */

import './no-eval.js'

export type { DistillOptions, TrainOptions } from '../config/options.js'
export type { RowsLike } from '../data/rows.js'
export type { Tensor } from '../data/tensor.js'
export type { Device, DeviceInfo } from '../device/device.js'
export {
  CheckpointError,
  ConfigError,
  DataError,
  DeviceError,
  DeviceLostError,
  InvalidArgumentError,
  LocalFlowError,
  TrainingError,
} from '../errors.js'
export type {
  CarryOptions,
  Latents,
  LogProbOptions,
  SampleBlocksOptions,
  SampleOptions,
  Samples,
  TrajectoryOptions,
} from '../model/call-options.js'
export type { Condition } from '../model/condition.js'
export type { BoundOptions } from '../model/row-bounds.js'
export type { Evaluations, SolverSettings } from '../ode/solver.js'
export type { Progress } from '../recipes/run-recipe.js'
export { type BrowserDeviceOptions, openDevice } from './device.js'
export type { ModelSource } from './files.js'
export { LocalFlow, type TrainArguments } from './local-flow.js'
