/**
 * `lfm evaluate`: the negative log-likelihood of the test part, beside the entropy and the divergence where the truth is known,
 * and how much it changes when the solver works twice as hard. The result goes into the run's report. The validation part, by
 * which settings are chosen, is only printed: the report's likelihood is always that of rows nothing was chosen by.
 */

import { dirname } from 'node:path'
import { resolveConfig } from '../config/index.js'
import type { Density } from '../data/density.js'
import { loadData } from '../data/load.js'
import { CheckpointError, DataError } from '../errors.js'
import type { LocalFlow } from '../flow/local-flow.js'
import { isAdaptive, type SolverSettings } from '../ode/solver.js'
import { describeSolver, writeReport } from '../run/report.js'
import { addEvaluation, openRun, type Run } from '../run/run.js'
import { openFlow, type RunDeviceOptions } from './device.js'
import { interruptSignal } from './interrupt.js'
import { clock, printJson } from './terminal.js'

export interface EvaluateCommandOptions extends RunDeviceOptions {
  /** default 'test' */
  part?: Part
  json?: boolean
}

/** The parts of the data that nothing is trained on. */
type Part = 'test' | 'validation'

const mean = (values: ArrayLike<number>): number => {
  let sum = 0
  for (let i = 0; i < values.length; i++) sum += values[i]
  return sum / values.length
}

/** The same solver working twice as hard: twice the steps, or tolerances a hundredth as large. */
const harder = (settings: SolverSettings): SolverSettings =>
  isAdaptive(settings)
    ? { ...settings, rtol: settings.rtol / 100, atol: settings.atol / 100 }
    : { ...settings, steps: 2 * settings.steps }

export async function evaluate(folder: string, options: EvaluateCommandOptions): Promise<void> {
  const { part = 'test', json } = options
  const run = await openRun(folder)
  const { flow, close } = await openFlow(run, options)
  const { signal, release } = interruptSignal('Interrupted: the report was left as it was.')
  try {
    const { rows, density } = await heldOut(run, part)
    const n = rows.shape[0]
    const { evaluate: settings } = flow.options.ode
    const began = performance.now()
    const nll = -mean(await flow.logProb(rows, { signal }))
    const { mean: nfe, max: nfeMax } = flow.evaluations!
    const seconds = (performance.now() - began) / 1000
    const doublingChange = await changeWhenHarder(flow, rows, nll, signal)
    const entropy = density && -mean(density.logDensity(rows.values))
    const kl = entropy === null ? null : nll - entropy
    const bitsPerDim = nll / flow.field.dimension / Math.LN2
    const device = flow.deviceInfo!
    const result = { nll, entropy, kl, bitsPerDim, nfe, nfeMax, n, seconds, doublingChange }
    let report: string | null = null
    if (part === 'test') {
      const facts = await addEvaluation(run, {
        ...result,
        solver: describeSolver(settings),
        trace: settings.trace === 'exact' ? 'exact' : `Hutchinson, ${settings.probes} probes`,
        device: device.name,
      })
      if (facts) report = await writeReport(folder, facts)
    }
    if (json) {
      printJson({ part, ...result, trace: settings.trace, device: device.kind, report })
      return
    }
    const lines = [
      `Negative log-likelihood of ${n} ${part} rows: ${nll.toFixed(4)} nats (${bitsPerDim.toFixed(4)} bits per dimension)`,
      `    changes by ${doublingChange.toExponential(1)} when the solver works twice as hard`,
    ]
    if (kl !== null)
      lines.push(`Entropy of the truth over the same rows: ${entropy!.toFixed(4)}; divergence KL: ${kl.toFixed(4)}`)
    lines.push(`${nfe.toFixed(0)} function evaluations a row, ${clock(seconds)} on ${device.name}`)
    if (report) lines.push(`Report: ${report}`)
    process.stdout.write(`${lines.join('\n')}\n`)
  } finally {
    release()
    await close()
  }
}

/** How much the NLL changes when the solver works twice as hard: the solver's own error. */
async function changeWhenHarder(
  flow: LocalFlow,
  rows: { values: Float32Array; shape: readonly number[] },
  nll: number,
  signal: AbortSignal,
): Promise<number> {
  return -mean(await flow.logProb(rows, { signal, solver: harder(flow.options.ode.evaluate) })) - nll
}

/** The rows of a part, and their density where it is known. Throws CheckpointError or DataError where there are none. */
async function heldOut(
  run: Run,
  part: Part,
): Promise<{ rows: { values: Float32Array; shape: readonly number[] }; density: Density | null }> {
  const raw = run.manifest.config.raw as { data?: unknown }
  if (raw.data === undefined || !run.extra.configPath) {
    throw new CheckpointError(
      `The run in ${run.folder} was saved by a program and has no data section, so there is no ${part} part to evaluate. ` +
        'Score a file with lfm score.',
    )
  }
  const config = resolveConfig(raw, `the config in ${run.folder}`)
  const data = await loadData(config.data, { seed: config.seed, baseDir: dirname(run.extra.configPath) })
  const rows = data[part]
  if (!rows) {
    throw new DataError(`The config has no ${part} part (data.${part} is 0); there is nothing to evaluate on.`)
  }
  return { rows: { values: Float32Array.from(rows.values), shape: rows.shape }, density: data.density }
}
