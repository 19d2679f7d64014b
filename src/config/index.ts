/**
 * The configuration: one schema with every key, its description and its default; the YAML file of the command line and
 * the options of LocalFlow.train are the same keys. What a person wrote is read (read.ts), checked by the schema
 * (schema.ts) with messages that help (messages.ts), and resolved (resolve.ts). A run stores both forms; the raw one is
 * resolved again when it is loaded (run/changed-defaults.ts). The types of what is written, with the schema's words as comments, are in options.ts.
 */

export type { DataConfig } from '../data/schema.js'
export type { MlpModel, Model, Unet1dModel, UnetModel } from '../networks/registry.js'
export {
  type BlockName,
  type ComparedMethod,
  type ComparedMethods,
  type ComparisonOverrides,
  type ComparisonSettings,
  readComparison,
  resolveMethod,
} from './comparison.js'
export { type ConfigKey, configKeys } from './keys.js'
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
} from './options.js'
export { applyOverrides, configFile, parseConfig, readConfig } from './read.js'
export {
  type ResolvedConfig,
  type ResolvedOptions,
  resolveConfig,
  resolveData,
  resolveOptions,
} from './resolve.js'
