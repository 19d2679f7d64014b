/** `lfm evaluate`: prints what src/run/evaluation.ts measures of a run. */

import { comparisonTable, type TableComparison } from '../metrics/tables/index.js'
import type { ReportCurve, ReportQuality } from '../plot/index.js'
import { type EvaluateOptions, evaluate as evaluateRun, type Part } from '../run/evaluation.js'
import type { Likelihood } from '../run/likelihood.js'
import { openRun, rowKindOf } from '../run/run.js'
import { interruptSignal } from './interrupt.js'
import { clock, note, print, printJson } from './terminal.js'
import { usage } from './usage.js'

export interface EvaluateCommandOptions extends Omit<EvaluateOptions, 'targets' | 'guidance'> {
  /** one weight for all sub-flows, or one for each */
  guidance?: number[]
  target?: string[]
  json?: boolean
}

export async function evaluate(
  folder: string,
  { json, target, guidance, ...given }: EvaluateCommandOptions,
): Promise<void> {
  const options = { ...given, guidance: guidance?.length === 1 ? guidance[0] : guidance }
  const { part = 'test' } = options
  if (rowKindOf(await openRun(folder)) !== 'pictures') refusePictureOptions(options, part)
  const { signal, release } = interruptSignal('Interrupted: the report was left as it was.')
  try {
    const { likelihood, quality, table, curve, report, device, trace } = await evaluateRun(folder, {
      ...options,
      targets: target,
      signal,
      onNote: note,
    })
    if (json) {
      const likely = likelihood ? { ...likelihood, trace } : {}
      printJson({
        part,
        ...quality,
        ...likely,
        ...(curve && { curve }),
        ...(table && { table }),
        device: device.kind,
        report,
      })
      return
    }
    const lines = [
      ...(quality ? qualityLines(quality) : []),
      ...(likelihood ? likelihoodLines(likelihood, part, device.name) : []),
      ...(table ? tableLines(table) : []),
      ...(curve ? curveLines(curve) : []),
    ]
    if (report) lines.push(`Report: ${report}`)
    print(...lines)
  } finally {
    release()
  }
}

function tableLines(table: TableComparison): string[] {
  const { training, heldOut, synthetic } = table.rows
  return [
    `${synthetic} samples beside ${heldOut} rows that were not learnt from (${training} were), and what else is measured so:`,
    comparisonTable(table),
  ]
}

/** What people read of it. */
function qualityLines(quality: ReportQuality): string[] {
  const {
    samples,
    against,
    floor,
    features,
    precision,
    recall,
    accuracy,
    guidance,
    neighbours,
    nfe,
    solver,
    seconds,
    device,
    caution,
  } = quality
  const beside = floor === null ? '' : ` (pictures of the data: ${floor.toFixed(3)})`
  return [
    `FID of ${samples} samples against ${against.n} ${against.part} pictures: ${quality.fid.toFixed(3)}${beside}`,
    `Precision ${precision.toFixed(3)}, recall ${recall.toFixed(3)}, by neighbour ${neighbours}; features: ${features}`,
    ...(accuracy === undefined
      ? []
      : [`${(100 * accuracy).toFixed(2)} % are taken for the class that they were drawn as`]),
    `${nfe.toFixed(0)} function evaluations a sample (${solver}${guidance ? `, guidance ${guidance.join(', ')}` : ''}), ${clock(seconds)} on ${device}`,
    ...(caution ? [caution] : []),
  ]
}

function curveLines({ quantity, points, floor, solver, samples, against, seconds }: ReportCurve): string[] {
  const name = quantity.charAt(0).toUpperCase() + quantity.slice(1)
  const values = points.map(({ evaluations, value }) => `${value.toPrecision(3)} at ${evaluations}`).join(', ')
  return [
    `${name} of ${samples} samples from ${against.n} ${against.part} rows, at function evaluations of a sample (${solver}): ${values}`,
    `    as many training rows: ${floor.toPrecision(3)}; ${clock(seconds)}`,
  ]
}

/** Throws where options that are for pictures were given for a run on points. */
function refusePictureOptions(options: EvaluateOptions, part: Part): void {
  const names = ['features', 'resize', 'likelihood', 'guidance'] as const
  const given = names.find((name) => options[name] !== undefined)
  if (given) throw usage(`--${given}`, 'left out: it is for runs on pictures', options[given])
  if (part === 'train') throw usage('--part', "test or validation ('train' is for runs on pictures)", part)
}

function likelihoodLines(likelihood: Likelihood, part: Part, device: string): string[] {
  const { nll, entropy, kl, bitsPerDim, nfe, n, seconds, doublingChange } = likelihood
  const lines = [
    `Negative log-likelihood of ${n} ${part} rows: ${nll.toFixed(4)} nats` +
      (bitsPerDim === null ? '' : ` (${bitsPerDim.toFixed(4)} bits per dimension)`),
    `    changes by ${doublingChange.toExponential(1)} when the solver works twice as hard`,
  ]
  if (kl !== null)
    lines.push(`Entropy of the truth over the same rows: ${entropy!.toFixed(4)}; divergence KL: ${kl.toFixed(4)}`)
  lines.push(`${nfe.toFixed(0)} function evaluations a row, ${clock(seconds)} on ${device}`)
  return lines
}
