/** `lfm import`: networks that PyTorch trained, or a folder that was exported, as a finished run. */

import { statSync } from 'node:fs'
import { dirname } from 'node:path'
import { readConfig, resolveConfig } from '../config/index.js'
import { loadData } from '../data/load.js'
import { plannedRow } from '../data/row-shape.js'
import { CheckpointError } from '../errors.js'
import { conditionedData } from '../run/conditioning.js'
import { importWeights, isExported, readExported } from '../run/exporting.js'
import type { FlowContents } from '../run/flow-contents.js'
import { LocalFlow } from '../run/local-flow.js'
import { print, printJson } from './terminal.js'
import { UsageError } from './usage.js'

export interface ImportCommandOptions {
  config?: string
  out: string
  force?: boolean
  json?: boolean
}

export async function importRun(weights: readonly string[], options: ImportCommandOptions): Promise<void> {
  const { out, force } = options
  const contents = await contentsOf(weights, options)
  await using flow = new LocalFlow(contents)
  await flow.save(out, { force })
  const { stages, field } = flow
  const result = { out, subFlows: stages.length, parameters: field.parameterCount, rowShape: flow.rowShape }
  if (options.json) printJson(result)
  else
    print(
      `${out}: ${stages.length} sub-flows of ${field.parameterCount} parameters, rows [${flow.rowShape.join(', ')}]`,
    )
}

async function contentsOf(weights: readonly string[], { config: path }: ImportCommandOptions): Promise<FlowContents> {
  const isFolder = statSync(weights[0], { throwIfNoEntry: false })?.isDirectory() ?? false
  if (isFolder) {
    if (path || weights.length > 1)
      throw new UsageError('A folder that was exported is imported alone, without --config: it says itself what it is.')
    if (await isExported(weights[0])) return readExported(weights[0])
    throw new CheckpointError(`${weights[0]} holds no exported model: there is no config.json in it.`)
  }
  if (!path) throw new UsageError('--config must be given beside weights: it says of what model they are.')
  const raw = await readConfig(path)
  const config = resolveConfig(raw, path)
  const { data, ...options } = raw as { data?: unknown }
  const planned = plannedRow(config.data)
  const standardised = 'standardise' in config.data && config.data.standardise
  const told = config.model.classes || ('condition' in config.data && config.data.condition !== undefined)
  // the scale of columns is in the data alone, and so is what a model is told
  const loaded =
    standardised || told ? await loadData(config.data, { baseDir: dirname(path), seed: config.seed }) : null
  return importWeights(weights, {
    options: config,
    raw: options,
    rowShape: planned?.rowShape ?? loaded?.train.shape.slice(1) ?? null,
    rowKind: loaded?.rowKind ?? (planned?.pixels ? 'pictures' : 'points'),
    scaler: loaded?.scaler ?? null,
    columns: loaded?.columns ?? null,
    condition: loaded && (conditionedData(loaded, config)?.condition ?? null),
  })
}
