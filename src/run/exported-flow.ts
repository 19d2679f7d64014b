/** A flow from an exported folder, wherever its files are. */

import { resolveOptions } from '../config/resolve.js'
import { CheckpointError } from '../errors.js'
import type { ModelFacts } from '../export/exporter.js'
import { configName, type ReadFile, readFolder } from '../export/folder.js'
import { fromOfficial } from '../export/weights.js'
import type { Safetensors } from '../files/safetensors.js'
import type { TrainedNetwork } from '../recipes/recipe.js'
import { modelNetwork, stagesOf } from '../recipes/settings.js'
import type { FlowContents } from './flow-contents.js'
import { asNamed, expectRoom } from './opened-run.js'

export const noFacts: ModelFacts = { columns: null, data: null, metrics: [] }

/**
 * Reads an exported model.
 * @param folder what it is called in messages
 * @throws CheckpointError where it is damaged, tampered with, or of a newer version
 */
export async function exportedFlow(read: ReadFile, folder: string): Promise<FlowContents> {
  const { raw, rowShape, rowKind, columns, scaler, condition, encoding, subFlows } = await readFolder(read, folder)
  const options = resolveOptions(raw, `the options in ${folder.replace(/\/$/, '')}/${configName}`)
  const networks = networksOf({ options, rowShape, condition }, subFlows, folder)
  const facts = { ...noFacts, columns }
  return { options, raw, rowShape, rowKind, scaler, condition, encoding, facts, subFlows: networks }
}

/** The networks of state_dicts, one for each stage from the data to the noise. */
export function networksOf(
  { options, rowShape, condition }: Pick<FlowContents, 'options' | 'rowShape' | 'condition'>,
  subFlows: readonly Safetensors['tensors'][],
  origin: string,
): TrainedNetwork[] {
  const N = stagesOf(options).length
  if (subFlows.length !== N) {
    throw new CheckpointError(
      `${origin} has the networks of ${subFlows.length} sub-flows, but its options are of ${N}.`,
    )
  }
  const network = modelNetwork(options, rowShape, condition)
  return subFlows.map((tensors) => {
    const named = asNamed(tensors)
    expectRoom(origin, network, named)
    return { parameters: fromOfficial(network, options.model.kind, [...named.values()]), outputScale: 1 }
  })
}
