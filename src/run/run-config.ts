/** `run`: a config from its data to a trained flow, as `lfm train` runs it; and the data alone. */

import { dirname, resolve } from 'node:path'
import { type Config, configFile, readConfig as read, resolveConfig, resolveData } from '../config/index.js'
import { loadData as load } from '../data/load.js'
import type { DataOptions } from '../data/options.js'
import type { LoadedData } from '../data/source.js'
import { trainAsCalled } from './calls.js'
import { LocalFlow } from './local-flow.js'
import type { TrainingCalls } from './training-calls.js'

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
}

/**
 * Trains what a config asks for: what `lfm train CONFIG` does, with the same defaults and checks and to the bit the same result.
 *
 * @param config as `readConfig` reads it, or an object with the same keys (docs/configuration.md)
 * @returns the trained flow, on an open device; `training` tells what it cost and where its report is
 * @throws ConfigError, DataError, DeviceError, CheckpointError or TrainingError; the message says what is kept in the folder
 */
export async function run(config: ReadConfig, { baseDir, ...calls }: RunArguments = {}): Promise<LocalFlow> {
  const path = config?.[configFile] ?? null
  const resolved = resolveConfig(config, path ?? 'config')
  const base = baseDir ?? (path === null ? '.' : dirname(path))
  const { contents, device, training } = await trainAsCalled(
    {
      raw: structuredClone(config),
      options: resolved,
      load: () => load(resolved.data, { seed: resolved.seed, baseDir: base }),
      data: resolved.data,
      // what is evaluated later finds its files from here
      configPath: baseDir === undefined && path !== null ? path : resolve(base, 'config'),
    },
    calls,
  )
  return new LocalFlow(contents, device, training)
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
