/**
 * `lfm evaluate`: the negative log-likelihood of the test part, beside the entropy and the divergence where the truth is known,
 * and how much it changes when the solver works twice as hard. The result goes into the run's report.
 */

import { dirname } from 'node:path'
import { resolveConfig } from '../config/index.js'
import { loadData } from '../data/load.js'
import type { DeviceKind } from '../device/device.js'
import { CheckpointError, DataError } from '../errors.js'
import type { LocalFlow } from '../flow/local-flow.js'
import { isAdaptive, type SolverSettings } from '../ode/solver.js'
import { describeSolver, writeReport } from '../run/report.js'
import { addEvaluation, loadFlow, openRun, type Run } from '../run/run.js'
import { interruptSignal } from './interrupt.js'
import { clock, printJson } from './terminal.js'

export interface EvaluateCommandOptions {
  device?: DeviceKind | 'auto'
  json?: boolean
}

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
  const run = await openRun(folder)
  const flow = await loadFlow(run, options.device)
  const { signal, release } = interruptSignal('Interrupted: the report was left as it was.')
  try {
    const data = await testData(run)
    const test = { values: Float32Array.from(data.test.values), shape: data.test.shape }
    const n = test.shape[0]
    const { evaluate: settings } = flow.options.ode
    const began = performance.now()
    const nll = -mean(await flow.logProb(test, { signal }))
    const { mean: nfe, max: nfeMax } = flow.evaluations!
    const seconds = (performance.now() - began) / 1000
    const doublingChange = await changeWhenHarder(flow, test, nll, signal)
    const entropy = data.density ? -mean(data.density.logDensity(test.values)) : null
    const kl = entropy === null ? null : nll - entropy
    const bitsPerDim = nll / flow.field.dimension / Math.LN2
    const device = flow.deviceInfo!
    const result = { nll, entropy, kl, bitsPerDim, nfe, nfeMax, n, seconds, doublingChange }
    const facts = await addEvaluation(run, {
      ...result,
      solver: describeSolver(settings),
      trace: settings.trace === 'exact' ? 'exact' : `Hutchinson, ${settings.probes} probes`,
      device: device.name,
    })
    const report = facts ? await writeReport(folder, facts) : null
    if (options.json) {
      printJson({ ...result, trace: settings.trace, device: device.kind, report })
      return
    }
    const lines = [
      `Negative log-likelihood of ${n} test rows: ${nll.toFixed(4)} nats (${bitsPerDim.toFixed(4)} bits per dimension)`,
      `    changes by ${doublingChange.toExponential(1)} when the solver works twice as hard`,
    ]
    if (kl !== null)
      lines.push(`Entropy of the truth over the same rows: ${entropy!.toFixed(4)}; divergence KL: ${kl.toFixed(4)}`)
    lines.push(`${nfe.toFixed(0)} function evaluations a row, ${clock(seconds)} on ${device.name}`)
    if (report) lines.push(`Report: ${report}`)
    process.stdout.write(`${lines.join('\n')}\n`)
  } finally {
    release()
    await flow.dispose()
  }
}

/** How much the NLL changes when the solver works twice as hard: the solver's own error. */
async function changeWhenHarder(
  flow: LocalFlow,
  test: { values: Float32Array; shape: readonly number[] },
  nll: number,
  signal: AbortSignal,
): Promise<number> {
  return -mean(await flow.logProb(test, { signal, solver: harder(flow.options.ode.evaluate) })) - nll
}

async function testData(run: Run) {
  const raw = run.manifest.config.raw as { data?: unknown }
  if (raw.data === undefined || !run.extra.configPath) {
    throw new CheckpointError(
      `The run in ${run.folder} was saved by a program and has no data section, so there is no test part to evaluate. ` +
        'Score a file with lfm score.',
    )
  }
  const config = resolveConfig(raw, `the config in ${run.folder}`)
  const data = await loadData(config.data, { seed: config.seed, baseDir: dirname(run.extra.configPath) })
  if (!data.test) throw new DataError('The config has no test part (data.test is 0); there is nothing to evaluate on.')
  return { ...data, test: data.test }
}
