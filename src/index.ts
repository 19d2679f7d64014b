/**
 * The public interface. `LocalFlow` trains, samples and scores; `data` loads and makes data sets; `metrics` compares sets of
 * pictures.
 */

export type {
  Config,
  DistillOptions,
  FlowOptions,
  MlpModelOptions,
  ModelOptions,
  OdeOptions,
  TrainingOptions,
  TrainOptions,
  Unet1dModelOptions,
  UnetModelOptions,
} from './config/index.js'
export { configFile } from './config/index.js'
export type {
  Cifar10DataOptions,
  CsvDataOptions,
  DataOptions,
  IdxDataOptions,
  ImageDensityDataOptions,
  ImagesDataOptions,
  MafDataOptions,
  NpyDataOptions,
  TableDataOptions,
  ToyDataOptions,
} from './data/options.js'
export type { Tensor } from './data/tensor.js'
export type { Device, DeviceInfo, DeviceKind, MemoryUse, ProgramChoices, ProgramMemory } from './device/device.js'
export { type DeviceOptions, deviceKinds, openDevice } from './device/node/select.js'
export {
  CheckpointError,
  ConfigError,
  DataError,
  DeviceError,
  DeviceLostError,
  InvalidArgumentError,
  LocalFlowError,
  MissingPartError,
  TrainingError,
} from './errors.js'
export * as metrics from './metrics/index.js'
export type { FixedStepSolver, SolverName } from './ode/methods.js'
export type { Evaluations, SolverOverrides, SolverSettings } from './ode/solver.js'
export * as data from './run/data.js'
export {
  type Evaluated,
  type EvaluateOptions,
  evaluate,
  type Part,
  type ReportCurve,
  type ReportQuality,
} from './run/evaluation.js'
export type { OfParts } from './run/given-rows.js'
export {
  type BoundOptions,
  type CarryOptions,
  type Checkpoint,
  type Condition,
  type Demonstrations,
  type DistillArguments,
  type ExportArguments,
  type ImputeOptions,
  type Latents,
  type Likelihood,
  LocalFlow,
  type LogProbOptions,
  type Progress,
  type SampleBlocksOptions,
  type SampleOptions,
  type Samples,
  type TrainArguments,
  type TrainingCalls,
  type TrainingRecord,
  type TrajectoryOptions,
  type ValidationCurve,
  type ValidationLoss,
  type WrittenExport,
} from './run/local-flow.js'
export {
  type ReadConfig,
  type RunArguments,
  readConfig,
  run,
  type SubFlowArguments,
  trainSubFlow,
} from './run/run-config.js'
