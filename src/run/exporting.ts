/** From a flow to what an exporter is given, and back from what is on a disk: exported folders, and networks that PyTorch trained. */

import { stat } from 'node:fs/promises'
import { join } from 'node:path'
import { manifestName } from '../checkpoint/index.js'
import { InvalidArgumentError, list } from '../errors.js'
import { diskReader } from '../export/disk.js'
import type { ExportedModel, Metric, ModelFacts } from '../export/exporter.js'
import { configName } from '../export/folder.js'
import { readData } from '../files/reading.js'
import { decodeSafetensors, type Safetensors } from '../files/safetensors.js'
import type { Flow } from '../model/flow.js'
import type { Network } from '../networks/network.js'
import { learnsChoices, modelNetwork, usualJumps } from '../recipes/settings.js'
import { exportedFlow, networksOf, noFacts } from './exported-flow.js'
import { type FlowContents, segmentsOf } from './flow-contents.js'
import type { RunExtra } from './opened-run.js'
import { packageVersion } from './run.js'

/** What a run knows of its model beside the model. */
export function factsOf({ columns, report }: RunExtra): ModelFacts {
  const metrics: Metric[] = []
  const { evaluation, quality, data } = report ?? {}
  if (evaluation) {
    const { nll, bitsPerDim, nfe, n, solver, trace } = evaluation
    const how = `${n} test rows, ${solver}, trace ${trace}`
    metrics.push({ name: 'negative log-likelihood, nats', value: nll, evaluations: nfe, how })
    if (bitsPerDim) metrics.push({ name: 'bits per dimension', value: bitsPerDim, evaluations: nfe, how })
  }
  if (quality) {
    const { fid, precision, recall, nfe, solver, samples, against, features } = quality
    const how = `${samples} samples by ${solver}, against ${against.n} of the ${against.part} part, features ${features}`
    for (const [name, value] of Object.entries({ FID: fid, precision, recall })) {
      metrics.push({ name, value, evaluations: nfe, how })
    }
  }
  return { columns, data: data ? `${data.description}, ${data.train} rows` : null, metrics }
}

/**
 * What of a model that fills in rows draws whole ones: its networks where no column is given. Masks of zeros leave the weights of the masks without
 * work, so that networks without a condition are the same.
 */
function ofWholeRows(
  flow: Flow,
  options: FlowContents['options'],
): Pick<Flow, 'stages'> & { readonly network: Network } {
  const { field, stages, rowShape } = flow
  if (!flow.fills) return { network: field, stages }
  const network = modelNetwork({ ...options, train: { ...options.train, masks: false } }, rowShape)
  const none = new Float32Array(field.condition)
  return {
    network,
    stages: stages.map((stage) => ({ ...stage, parameters: field.told!(stage.parameters, none) })),
  }
}

/** A flow as exporters take it; of one that fills in rows what draws whole ones. */
export function exportedModel(
  flow: Flow,
  { options, raw, rowKind, encoding, facts }: Omit<FlowContents, 'subFlows'>,
): ExportedModel {
  const { rowShape, scaler, settings, condition } = flow
  if (condition?.kind === 'table') {
    throw new InvalidArgumentError(
      `This model is told columns of a table (${list(condition.encoding.columns.map(({ name }) => name))}), which no form of export ` +
        'encodes yet. Draw tables from its run folder, or export a model that is told numbers (cond) or classes.',
    )
  }
  if (flow.fills && condition) {
    throw new InvalidArgumentError(
      'This model fills in rows (train.masks) and is told a condition, which no form of export tells apart yet. Export one without masks, or ' +
        'draw tables from its run folder.',
    )
  }
  const { network, stages } = ofWholeRows(flow, options)
  if (condition && network.secondTime) {
    throw new InvalidArgumentError(
      'This model is told a condition and takes a second time (students of the kinds any-step and terminal, train.objective: mean-flow), ' +
        'which no form of export tells apart yet. Export a flow, or students of the kinds pairs and reflow.',
    )
  }
  const segments = learnsChoices(options) ? segmentsOf(encoding) : null
  const model = { network, stages, rowShape, scaler, settings, condition, segments, jumps: usualJumps(options) }
  // a model has no data; with the sampler that it has now: another version's defaults may be others
  const { data: _, ...own } = raw as { data?: unknown }
  const { ode, train } = raw as { ode?: object; train?: object }
  const written = {
    ...own,
    ode: { ...ode, sample: options.ode.sample },
    ...(flow.fills && { train: { ...train, masks: false } }),
  }
  return {
    ...model,
    ...(facts ?? noFacts),
    section: options.model,
    raw: written,
    rowKind,
    encoding,
    version: packageVersion,
  }
}

/** Whether a folder holds an exported model, and no run. */
export async function isExported(folder: string): Promise<boolean> {
  const has = (name: string): Promise<boolean> =>
    stat(join(folder, name)).then(
      () => true,
      () => false,
    )
  return !(await has(manifestName)) && (await has(configName))
}

/** Reads an exported model. Throws CheckpointError where it is damaged, tampered with, or of a newer version. */
export const readExported = (folder: string): Promise<FlowContents> => exportedFlow(diskReader(folder), folder)

/** What is known of weights that are imported. */
export interface ImportedRows extends Pick<FlowContents, 'options' | 'raw' | 'rowKind' | 'scaler' | 'condition'> {
  /** null: told from the last layer's bias */
  readonly rowShape: readonly number[] | null
  readonly columns: readonly string[] | null
}

/**
 * A flow of networks that PyTorch trained: files with one state_dict each, from the data to the noise, under the names of the
 * paper's official code or of guided-diffusion.
 * @throws CheckpointError where a file is damaged, or of another architecture
 */
export async function importWeights(paths: readonly string[], rows: ImportedRows): Promise<FlowContents> {
  const subFlows: Safetensors['tensors'][] = []
  for (const path of paths) subFlows.push(decodeSafetensors(await readData(path), path).tensors)
  const rowShape = rows.rowShape ?? [widthOf(subFlows[0], paths[0])]
  const { options, raw, rowKind, scaler, columns, condition } = rows
  const networks = networksOf({ options, rowShape, condition }, subFlows, paths.join(', '))
  return { options, raw, rowShape, rowKind, scaler, condition, facts: { ...noFacts, columns }, subFlows: networks }
}

/** D of an MLP: the outputs of its last layer. */
function widthOf(tensors: Safetensors['tensors'], path: string): number {
  const [last] = [...tensors.keys()]
    .map((name) => /^net\.(\d+)\.bias$/.exec(name))
    .filter((match) => match !== null)
    .sort((a, b) => Number(b[1]) - Number(a[1]))
  if (last) return tensors.get(last[0])!.shape[0]
  throw new InvalidArgumentError(
    `${path} does not say how many values a row has (there is no net.N.bias in it); give data.columns or data.size in the config.`,
  )
}
