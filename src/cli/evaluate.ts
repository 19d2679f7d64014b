/**
 * `lfm evaluate`: the negative log-likelihood of the test part, beside the entropy and the divergence where the truth is known,
 * and how much it changes when the solver works twice as hard; of a run on pictures the quality of its samples
 * (evaluate-pictures.ts). The result goes into the run's report. For the validation part, on
 * which settings are chosen, it is only printed: the report's likelihood is always of rows on which nothing was chosen.
 */

import { dirname } from 'node:path'
import { resolveData } from '../config/index.js'
import type { Density } from '../data/density.js'
import { loadData } from '../data/load.js'
import type { LoadedData } from '../data/source.js'
import { holdsPixels, type Tensor } from '../data/tensor.js'
import { CheckpointError, DataError } from '../errors.js'
import { bitsPerDimension, dequantise } from '../metrics/bits.js'
import { describeSolver, harder, overridden, type SolverSettings } from '../ode/solver.js'
import type { ReportCurve } from '../plot/index.js'
import type { LocalFlow } from '../run/local-flow.js'
import { drawCurve, writeReport } from '../run/report.js'
import { addEvaluation, openRun, type Run, rowKindOf } from '../run/run.js'
import { sampleCurve } from '../run/sample-curve.js'
import { openFlow, type RunDeviceOptions, solverOf } from './device.js'
import { type PictureOptions, pictureQuality, qualityLines, someRows } from './evaluate-pictures.js'
import { interruptSignal } from './interrupt.js'
import { clock, print, printJson } from './terminal.js'
import { usage } from './usage.js'

export interface EvaluateCommandOptions extends RunDeviceOptions, PictureOptions {
  /** default 'test' */
  part?: Part
  /** pictures whose likelihood is computed; default 0 */
  likelihood?: number
  json?: boolean
}

/** The parts of the data. Training rows are for pictures alone: papers quote FIDs against them. */
type Part = 'train' | 'validation' | 'test'

const mean = (values: ArrayLike<number>): number => {
  let sum = 0
  for (let i = 0; i < values.length; i++) sum += values[i]
  return sum / values.length
}

export async function evaluate(folder: string, options: EvaluateCommandOptions): Promise<void> {
  const { part = 'test', json } = options
  const run = await openRun(folder)
  const pictured = rowKindOf(run) === 'pictures'
  if (!pictured) refusePictureOptions(options, part)
  const data = await dataOf(run, part)
  const { flow, device, close } = await openFlow(run, options)
  const { signal, release } = interruptSignal('Interrupted: the report was left as it was.')
  try {
    const quality = pictured ? await pictureQuality(flow, device, data, part, options, signal) : null
    const rows = data[part]!
    const configured = flow.options.ode.evaluate
    // of pictures the options are for samples
    const settings = pictured ? configured : { ...configured, ...overridden(configured, solverOf(options)) }
    const counted = pictured ? someRows(rows, options.likelihood ?? 0) : rows
    const likelihood = counted.shape[0] > 0 ? await likelihoodOf(flow, settings, counted, data.density, signal) : null
    const evaluation = likelihood && {
      ...likelihood,
      solver: describeSolver(settings),
      trace: settings.trace === 'exact' ? 'exact' : `Hutchinson, ${settings.probes} probes`,
      device: device.info.name,
    }
    const curve = pictured ? null : await pointQuality(flow, data, part, options, signal)
    if (curve && part === 'test' && curve.points.length > 0) await drawCurve(folder, curve)
    const facts = await addEvaluation(run, {
      ...(evaluation && part === 'test' && { evaluation }),
      ...(curve && part === 'test' && { curve }),
      ...(quality && { quality }),
    })
    const report = facts && (quality || part === 'test') ? await writeReport(folder, facts) : null
    if (json) {
      const trace = likelihood ? { trace: settings.trace } : {}
      printJson({ part, ...quality, ...likelihood, ...trace, ...(curve && { curve }), device: device.kind, report })
      return
    }
    const lines = [
      ...(quality ? qualityLines(quality) : []),
      ...(likelihood ? likelihoodLines(likelihood, part, device.info.name) : []),
      ...(curve ? curveLines(curve) : []),
    ]
    if (report) lines.push(`Report: ${report}`)
    print(...lines)
  } finally {
    release()
    await close()
  }
}

/** Samples of a point of the curve. */
const CURVE_SAMPLES = 10_000

/** The curve of a run on points; null where none is asked for. */
async function pointQuality(
  flow: LocalFlow,
  data: LoadedData,
  part: Part,
  { samples = CURVE_SAMPLES }: EvaluateCommandOptions,
  signal: AbortSignal,
): Promise<ReportCurve | null> {
  if (samples === 0 || part === 'train') return null
  return sampleCurve(flow, data, part, { samples, signal })
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
function refusePictureOptions(options: EvaluateCommandOptions, part: Part): void {
  const names = ['features', 'resize', 'likelihood'] as const
  const given = names.find((name) => options[name] !== undefined)
  if (given) throw usage(`--${given}`, 'left out: it is for runs on pictures', options[given])
  if (part === 'train') throw usage('--part', "test or validation ('train' is for runs on pictures)", part)
}

interface Likelihood {
  nll: number
  entropy: number | null
  kl: number | null
  /** of pictures; null for points, whose unit is their own */
  bitsPerDim: number | null
  nfe: number
  nfeMax: number
  n: number
  seconds: number
  doublingChange: number
}

/** Likelihood of rows; of pixels that of their dequantised values. */
async function likelihoodOf(
  flow: LocalFlow,
  solver: SolverSettings,
  rows: Tensor,
  density: Density | null,
  signal: AbortSignal,
): Promise<Likelihood> {
  const pixels = holdsPixels(rows)
  const continuous = pixels ? dequantise(rows, flow.options.seed) : rows
  const began = performance.now()
  const nll = -mean(await flow.logProb(continuous, { solver, signal }))
  const { mean: nfe, max: nfeMax } = flow.evaluations!
  const seconds = (performance.now() - began) / 1000
  const doublingChange = await changeWhenHarder(flow, solver, continuous, nll, signal)
  const entropy = density && -mean(density.logDensity(Float32Array.from(continuous.values)))
  return {
    nll,
    entropy,
    kl: entropy === null ? null : nll - entropy,
    bitsPerDim: flow.rowKind === 'pictures' ? bitsPerDimension(nll, flow.field.dimension, pixels) : null,
    nfe,
    nfeMax,
    n: rows.shape[0],
    seconds,
    doublingChange,
  }
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

/** How much the NLL changes when the solver works twice as hard: the solver's own error. */
async function changeWhenHarder(
  flow: LocalFlow,
  solver: SolverSettings,
  rows: Tensor,
  nll: number,
  signal: AbortSignal,
): Promise<number> {
  return -mean(await flow.logProb(rows, { signal, solver: harder(solver) })) - nll
}

/** The data of a run, which have the part. Throws CheckpointError or DataError where they do not. */
export async function dataOf(run: Run, part: Part): Promise<LoadedData> {
  const raw = run.manifest.config.raw as { data?: unknown }
  if (raw.data === undefined || !run.extra.configPath) {
    throw new CheckpointError(
      `The run in ${run.folder} was saved by a program and has no data section, so there is no ${part} part to evaluate. ` +
        'Score a file with lfm score.',
    )
  }
  const config = resolveData(raw, `the config in ${run.folder}`)
  const data = await loadData(config, { seed: run.options.seed, baseDir: dirname(run.extra.configPath) }).catch(
    (error) => {
      // the run names the file, and who made the run may be a stranger: nothing that stands in the file is shown
      throw error instanceof DataError && error.withoutContent ? new DataError(error.withoutContent) : error
    },
  )
  if (!data[part]) {
    throw new DataError(`The config has no ${part} part (data.${part} is 0); there is nothing to evaluate on.`)
  }
  return data
}
