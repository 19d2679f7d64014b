/** A model for PyTorch: the state_dict of each sub-flow as safetensors, config.json, and model.py, which loads and samples it. */

import { readFileSync } from 'node:fs'
import { encodeSafetensors } from '../files/safetensors.js'
import type { Model } from '../networks/registry.js'
import { configFile } from './config-file.js'
import type { ExportedFile, ExportedModel, Exporter, ExportOptions } from './exporter.js'
import { NO_LICENCE } from './exporter.js'
import { subFlowName } from './folder.js'
import { evaluationsOf, recordSampler } from './sampler.js'
import { officialTensors } from './weights.js'

const python = (name: string): string =>
  readFileSync(new URL(`../../assets/pytorch/${name}.py`, import.meta.url), 'utf8')

/** Files with a network's modules; UNets of pictures and of sequences have theirs in one. */
const modules: Record<Model['kind'], string> = { mlp: 'mlp', unet: 'unet', unet1d: 'unet' }

/** model.py: the network's modules, and the chain of them. */
const modelFile = (kind: Model['kind']): ExportedFile => ({
  path: 'model.py',
  content: ['head', modules[kind], 'flow'].map(python).join('\n\n'),
})

export function weightFiles({ network, stages, section }: ExportedModel, licence: string): ExportedFile[] {
  return stages.map((stage, i) => {
    const tensors = officialTensors(network, section.kind, stage)
    const content = encodeSafetensors(
      Object.fromEntries(tensors.map(({ name, shape, values }) => [name, { shape, values }])),
      { format: 'pt', sub_flow: `${i + 1} of ${stages.length}, 1 at the data`, licence },
    )
    return { path: subFlowName(i), content }
  })
}

/** The files that PyTorch needs, `others` listed with them in config.json. */
export async function pytorchFiles(
  model: ExportedModel,
  options: ExportOptions,
  others: readonly ExportedFile[] = [],
): Promise<ExportedFile[]> {
  const licence = options.licence ?? NO_LICENCE
  const recorded = await recordSampler(model, options)
  const { solver, guidance } = recorded
  const sampler = { solver, guidance, evaluations: evaluationsOf(recorded, model) }
  const files = [...weightFiles(model, licence), modelFile(model.section.kind), ...others]
  return [configFile(model, sampler, licence, files), ...files]
}

export const pytorch: Exporter = (model, options) => pytorchFiles(model, options)
