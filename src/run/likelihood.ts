/** The likelihood of rows under a flow, beside the truth where it is known, and the part of it that is the solver's own error. */

import type { Density } from '../data/density.js'
import type { RowKind } from '../data/kinds.js'
import { holdsPixels, type Tensor } from '../data/tensor.js'
import { bitsPerDimension, dequantise } from '../metrics/bits.js'
import type { LogProbOptions } from '../model/call-options.js'
import type { CarrySettings, Flow } from '../model/flow.js'
import { harder } from '../ode/solver.js'

/** Means over rows, in nats of the data's unit. */
export interface Likelihood {
  /** negative log-likelihood */
  readonly nll: number
  /** of the truth, over the same rows; null where it is not known */
  readonly entropy: number | null
  /** nll − entropy: KL(truth‖flow); null where the truth is not known */
  readonly kl: number | null
  /** of pictures; null for points, whose unit is their own */
  readonly bitsPerDim: number | null
  /** function evaluations of a row, in the mean */
  readonly nfe: number
  /** and of the row that took most */
  readonly nfeMax: number
  /** rows */
  readonly n: number
  /** wall time of the scoring */
  readonly seconds: number
  /** what is added to nll when the solver works twice as hard */
  readonly doublingChange: number
}

const mean = (values: ArrayLike<number>): number => {
  let sum = 0
  for (let i = 0; i < values.length; i++) sum += values[i]
  return sum / values.length
}

/** Likelihood of rows; of pixels that of their dequantised values. */
export async function likelihoodOf(
  flow: Flow & { readonly rowKind: RowKind },
  solver: CarrySettings['evaluate'],
  rows: Tensor,
  density: Density | null,
  options: Pick<LogProbOptions, 'signal' | 'trace' | 'probes' | 'cond' | 'class' | 'guidance'> = {},
): Promise<Likelihood> {
  const pixels = holdsPixels(rows)
  const continuous = pixels ? dequantise(rows, flow.settings.seed) : rows
  const began = performance.now()
  const nll = -mean(await flow.logProb(continuous, { ...options, solver }))
  const { mean: nfe, max: nfeMax } = flow.evaluations!
  const seconds = (performance.now() - began) / 1000
  const doublingChange = -mean(await flow.logProb(continuous, { ...options, solver: harder(solver) })) - nll
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
