/** Writes config.json, which folder.ts reads. */

import { createHash } from 'node:crypto'
import type { z } from 'zod'
import type { ExportedFile, ExportedModel } from './exporter.js'
import { configName, FORMAT, type folderSchema, subFlowName } from './folder.js'
import type { StageEvaluation } from './sampler.js'

const sizeAndHash = (content: ExportedFile['content']): { size: number; sha256: string } => {
  const hash = createHash('sha256')
  let size = 0
  for (const piece of typeof content === 'string' || content instanceof Uint8Array ? [content] : content) {
    const bytes = typeof piece === 'string' ? new TextEncoder().encode(piece) : piece
    hash.update(bytes)
    size += bytes.length
  }
  return { size, sha256: hash.digest('hex') }
}

/** config.json of a model whose other files are given. */
export function configFile(
  model: ExportedModel,
  sampler: { solver: string; guidance: readonly number[]; evaluations: readonly StageEvaluation[] },
  licence: string,
  files: readonly ExportedFile[],
): ExportedFile {
  const { network, stages, rowShape, rowKind, scaler, columns, condition, section, raw, version } = model
  const config: z.output<typeof folderSchema> = {
    library_name: 'local-flow-matching',
    format: FORMAT,
    version,
    licence,
    // numbers that a network takes beside the time, of which a second time is the first
    model: { ...section, condition: network.condition, secondTime: network.secondTime !== undefined },
    row_shape: [...rowShape],
    row_kind: rowKind,
    columns: columns && [...columns],
    scaler,
    condition: condition ?? null,
    encoding: model.encoding ?? null,
    // columns of which networks give logits; what reads a folder again finds them from the encoding
    segments: model.segments ?? null,
    sub_flows: stages.map(({ gamma }, i) => ({ file: subFlowName(i), gamma })),
    sampler,
    options: raw as Record<string, unknown>,
    files: files.map(({ path, content }) => ({ path, ...sizeAndHash(content) })),
  }
  return { path: configName, content: `${JSON.stringify(config, null, 2)}\n` }
}
