/** One run: the settings resolved as `lfm train` resolves them, trained, pushed and evaluated on a device. */

import { dirname, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { applyOverrides, readConfig, resolveConfig } from '../../src/config/index.js'
import { loadData } from '../../src/data/load.js'
import type { Device } from '../../src/device/device.js'
import { harder, type SolverSettings } from '../../src/ode/solver.js'
import type { Progress } from '../../src/recipes/run-recipe.js'
import { LocalFlow } from '../../src/run/local-flow.js'
import { trainFlow } from '../../src/run/training.js'
import type { Likelihood, Part, Picture, Row } from './results.js'

export const baseConfig = fileURLToPath(new URL('reference.yaml', import.meta.url))

/** A run that is asked for. */
export interface Wanted {
  readonly run: string
  readonly picture: Picture
  readonly seed: number
  readonly set: readonly string[]
}

export interface Where {
  readonly device: Device
  /** folder of img_rose.png and img_tree.png */
  readonly pictures: string
  readonly onProgress: (progress: Progress) => void
  /** sees the trained flow, to keep it */
  readonly onTrained?: (flow: LocalFlow) => Promise<void>
}

const RK4_STAGES = 4
/** Rows over which the solver's own error is measured. */
const CHECKED_ROWS = 1000

/** What `lfm train` is told: `bench/quality/reference.yaml` with these. */
export const assignmentsOf = ({ picture, seed, set }: Wanted, pictures: string): string[] => [
  `data.path=${resolve(pictures, `img_${picture}.png`)}`,
  `seed=${seed}`,
  ...set,
]

const mean = (values: ArrayLike<number>): number => {
  let sum = 0
  for (let i = 0; i < values.length; i++) sum += values[i]
  return sum / values.length
}

export async function makeRun(wanted: Wanted, parts: readonly Part[], where: Where): Promise<Row> {
  const { device, pictures, onProgress, onTrained } = where
  const raw = applyOverrides(await readConfig(baseConfig), assignmentsOf(wanted, pictures))
  const config = resolveConfig(raw, `${wanted.run}, ${wanted.picture}`)
  const data = await loadData(config.data, { seed: config.seed, baseDir: dirname(baseConfig) })
  const { parts: trained, trained: chain } = await trainFlow(device, data.train, null, config, raw, { onProgress })
  const flow = new LocalFlow(trained, device)
  await onTrained?.(flow)
  const likelihoods: Partial<Record<Part, Likelihood>> = {}
  for (const part of parts) {
    const { values, shape } = data[part]!
    likelihoods[part] = await likelihoodOf(flow, Float32Array.from(values), shape, data.density!)
  }
  const { field } = flow
  const N = flow.subFlows.length
  const steps = config.train.steps.reduce((sum, count) => sum + count, 0)
  const pushed = chain.pushEvaluations.reduce((sum, { mean: each }) => sum + each, 0)
  const evaluations = ({ steps: each }: SolverSettings): number =>
    RK4_STAGES * (typeof each === 'number' ? N * each : each.reduce((sum, count) => sum + count, 0))
  const { info } = device
  return {
    ...wanted,
    parts: likelihoods,
    subFlows: N,
    parameters: N * field.parameterCount,
    steps,
    batch: config.train.batch,
    evaluations: { sample: evaluations(config.ode.sample), likelihood: evaluations(config.ode.evaluate) },
    teraflop: {
      training: (steps * field.stepFlops(config.train.batch)) / 1e12,
      push: (pushed * data.train.shape[0] * field.rowFlops) / 1e12,
    },
    seconds: { training: chain.seconds, push: chain.pushSeconds },
    machine: [info.name, info.cpuTarget, info.threads && `${info.threads} threads`].filter(Boolean).join(', '),
    date: new Date().toISOString(),
  }
}

async function likelihoodOf(
  flow: LocalFlow,
  values: Float32Array,
  shape: readonly number[],
  density: { logDensity(x: Float32Array): Float64Array },
): Promise<Likelihood> {
  const scores = await flow.logProb({ values, shape })
  const few = Math.min(CHECKED_ROWS, shape[0])
  const finer = await flow.logProb(
    { values: values.subarray(0, few * shape[1]), shape: [few, shape[1]] },
    { solver: harder(flow.options.ode.evaluate) },
  )
  const nll = -mean(scores)
  const entropy = -mean(density.logDensity(values))
  return {
    rows: shape[0],
    nll,
    entropy,
    kl: nll - entropy,
    solverChange: mean(scores.subarray(0, few)) - mean(finer),
  }
}
