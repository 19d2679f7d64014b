/** `run`: a config from its data to a trained flow, as `lfm train` runs it; and the data alone. */

import { dirname, resolve } from 'node:path'
import { type Config, configFile, readConfig as read, resolveConfig, resolveData } from '../config/index.js'
import { loadData as load } from '../data/load.js'
import type { DataOptions } from '../data/options.js'
import type { LoadedData } from '../data/source.js'
import { invalid } from '../errors.js'
import { trainAsCalled } from './calls.js'
import { LocalFlow } from './local-flow.js'
import { partConfig, partFolder } from './parts.js'
import type { TrainingCalls, TrainingRecord } from './training-calls.js'

/** A config that may know, under a symbol, the file it was read from; copies by { ...config } know it too. */
export type ReadConfig = Config & {
  /** the path of the file it was read from, which its data are relative to */
  [configFile]?: string
}

/**
 * Reads a config file (YAML) as an object with its keys, which `run` takes, changed or as it is. Relative paths in it start from
 * where the file lies. Nothing is checked but its form: `run` checks the keys.
 *
 * @throws ConfigError where it cannot be read or is no YAML mapping
 */
export const readConfig = async (path: string): Promise<ReadConfig> => (await read(path)) as unknown as ReadConfig

/** What `run` takes beside the config. */
export interface RunArguments extends TrainingCalls {
  /** folder that relative paths of the config start from. Default: that of the file it was read from, else the current one */
  baseDir?: string
  /** take the sub-flows that `trainSubFlow` put into `out` together as the run there, instead of training. Default false */
  join?: boolean
}

/** What `trainSubFlow` takes beside the config and the number. */
export interface SubFlowArguments extends Omit<RunArguments, 'join'> {
  /** folder of the whole run */
  out: string
}

/**
 * Trains what a config asks for: what `lfm train CONFIG` does, with the same defaults and checks and to the bit the same result.
 *
 * @param config as `readConfig` reads it, or an object with the same keys (docs/configuration.md)
 * @returns the trained flow, on an open device; `training` tells what it cost and where its report is
 * @throws ConfigError, DataError, DeviceError, CheckpointError or TrainingError; the message says what is kept in the folder
 */
export async function run(config: ReadConfig, { baseDir, join, ...calls }: RunArguments = {}): Promise<LocalFlow> {
  if (join && !calls.out) throw invalid('out', 'the run folder whose sub-flows are joined', calls.out)
  const request = { ...requestOf(config, config, baseDir), ...(join && { join: 'join' }) }
  const { contents, device, training } = await trainAsCalled(request, calls)
  return new LocalFlow(contents, device, training)
}

/**
 * Trains one sub-flow of a chain alone, into `OUT/sub-flow-N`, a run folder of its own: in any order, and several processes at the
 * same time. `run(config, { out, join: true })` then makes the run of all, to the bit what one training of the chain makes.
 *
 * @param config as `run` takes it, with flow.push: simulated and flow.warmStart: false
 * @param number from 1
 * @returns what the training cost
 * @throws ConfigError where the chain's sub-flows cannot be trained alone, and as `run` does
 */
export async function trainSubFlow(
  config: ReadConfig,
  number: number,
  { baseDir, out, ...calls }: SubFlowArguments,
): Promise<TrainingRecord> {
  if (!(Number.isInteger(number) && number >= 1)) throw invalid('number', 'a whole number from 1 on', number)
  const part = partConfig(config, resolveConfig(config, nameOf(config)), number, 'trainSubFlow')
  const request = requestOf(config, part, baseDir)
  const { device, training } = await trainAsCalled(request, { ...calls, out: partFolder(out, number) })
  await device.dispose()
  return training
}

const nameOf = (config: ReadConfig): string => config?.[configFile] ?? 'config'

/** @param config that was read @param trained what is trained of it */
function requestOf(config: ReadConfig, trained: ReadConfig, baseDir: string | undefined) {
  const path = config?.[configFile] ?? null
  const resolved = resolveConfig(trained, nameOf(config))
  const base = baseDir ?? (path === null ? '.' : dirname(path))
  return {
    raw: structuredClone(trained),
    options: resolved,
    load: () => load(resolved.data, { seed: resolved.seed, baseDir: base, large: true }),
    data: resolved.data,
    // what is evaluated later finds its files from here
    configPath: baseDir === undefined && path !== null ? path : resolve(base, 'config'),
  }
}

/**
 * Reads or draws a data set and its parts, in the units of the data: what the section `data` of a config gives, with the same
 * defaults (a tenth of a table's rows are test rows, and its columns are standardised by those that are trained on).
 *
 * @param options the keys of the section, as in { kind: 'csv', path: 'people.csv' }
 * @param seed of the draws and of the order of rows; default 0
 * @param baseDir the folder that paths are relative to; default the current one
 * @throws ConfigError for keys, DataError for everything that is wrong with a file or with the sizes of the parts
 */
export async function loadData(
  options: DataOptions,
  { seed = 0, baseDir = '.' }: { seed?: number; baseDir?: string } = {},
): Promise<LoadedData> {
  return load(resolveData({ data: options }, 'loadData'), { seed, baseDir })
}
