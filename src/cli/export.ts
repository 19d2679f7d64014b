/** `lfm export`: a finished run as files for use elsewhere. */

import type { ExportForm } from '../export/registry.js'
import { LocalFlow } from '../run/local-flow.js'
import { type SolverOptions, solverOf } from './device.js'
import { print, printJson } from './terminal.js'

export interface ExportCommandOptions extends SolverOptions {
  to: ExportForm
  out: string
  guidance?: number[]
  licence?: string
  json?: boolean
}

export async function exportRun(folder: string, options: ExportCommandOptions): Promise<void> {
  const { to, out, licence, guidance: weights } = options
  const guidance = weights?.length === 1 ? weights[0] : weights
  const flow = await LocalFlow.load(folder)
  const { files, bytes } = await flow.export({ to, out, licence, guidance, ...solverOf(options) })
  if (options.json) printJson({ to, out, files, bytes })
  else print(`${out}: ${files.join(', ')} (${(bytes / 1e6).toFixed(2)} MB)`)
}
