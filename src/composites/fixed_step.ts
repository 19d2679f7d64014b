/**
 * One fixed-step integrator for every tableau: emits the stages and combinations of `steps` equal steps from time `start`
 * to `end`. With a log-determinant the state is (y, ∫ div v dt), the same stages giving both.
 */

import { stageCombine } from '../kernels/stage_combine.js'
import { aligned, type ProgramBuilder, type Tensor } from '../program/program.js'
import type { MlpAttributes } from './mlp.js'
import { mlpForward } from './mlp_forward.js'
import { mlpTangents } from './mlp_tangents.js'
import type { Tableau } from './tableaus.js'

export interface IntegrationAttributes extends MlpAttributes {
  readonly start: number
  readonly end: number
  readonly steps: number
}

/** Operands: parameters, y [B, D], condition?, probes?, out [B, D]; log_det and log_det_out [B, 1] together or not at all. */
export function fixedStep(
  builder: ProgramBuilder,
  tableau: Tableau,
  o: Record<string, Tensor>,
  { net, scale, start, end, steps }: IntegrationAttributes,
): void {
  const [B, D] = o.y.shape
  const S = tableau.nodes.length
  const h = (end - start) / steps
  let y = o.y
  let logDet: Tensor | undefined = o.log_det
  for (let step = 0; step < steps; step++) {
    const stages = builder.temporary([S, aligned(B * D)])
    const rates = o.log_det && builder.temporary([S, aligned(B)])
    for (let s = 0; s < S; s++) {
      let x = y
      if (s > 0) {
        x = builder.temporary([B, D])
        builder.add(stageCombine, { y, stages, out: x }, { coefficients: tableau.a[s].map((a) => a * h) })
      }
      const operands = {
        parameters: o.parameters,
        x,
        t: builder.constant([start + (step + tableau.nodes[s]) * h]),
        condition: o.condition,
        out: builder.view(stages, [B, D], s * aligned(B * D)),
      }
      if (rates) {
        const div = builder.view(rates, [B], s * aligned(B))
        builder.add(mlpTangents, { ...operands, probes: o.probes, divergence: div }, { net, scale })
      } else builder.add(mlpForward, operands, { net, scale })
    }
    const coefficients = tableau.weights.map((weight) => weight * h)
    const last = step === steps - 1
    const next = last ? o.out : builder.temporary([B, D])
    builder.add(stageCombine, { y, stages, out: next }, { coefficients })
    y = next
    if (rates && logDet) {
      const nextLogDet: Tensor = last ? o.log_det_out : builder.temporary([B, 1])
      builder.add(stageCombine, { y: logDet, stages: rates, out: nextLogDet }, { coefficients })
      logDet = nextLogDet
    }
  }
}
