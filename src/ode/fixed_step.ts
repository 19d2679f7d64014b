/**
 * One fixed-step integrator for every tableau and network: emits the stages and combinations of `steps` equal steps from
 * time `start` to `end`. With a log-determinant the state is (y, ∫ div v dt), the same stages giving both. A network that
 * combines stages itself does so in its first layer and, in a step's last stage, in its last layer.
 */

import { stageCombine } from '../kernels/stage_combine.js'
import type { NetworkSpec } from '../networks/network.js'
import { networkOf } from '../networks/registry.js'
import { aligned, type ProgramBuilder, type Tensor } from '../program/program.js'
import type { Tableau } from './tableaus.js'

export interface IntegrationAttributes {
  readonly net: NetworkSpec
  /** multiplies the network's output; 1 without output scaling */
  readonly scale: number
  readonly start: number
  readonly end: number
  readonly steps: number
}

/** Operands: parameters, y [B, D], condition?, probes?, out [B, D]; log_det and log_det_out [B, 1] together or not at all. */
export function fixedStep(
  builder: ProgramBuilder,
  tableau: Tableau,
  o: Record<string, Tensor>,
  attributes: IntegrationAttributes,
): void {
  const { net, start, end, steps } = attributes
  const h = (end - start) / steps
  const step = networkOf(net).addCombined && !o.log_det ? combinedStep : separateStep
  let state: State = { y: o.y, logDet: o.log_det }
  for (let i = 0; i < steps; i++) {
    const last = i === steps - 1
    const next: State = {
      y: last ? o.out : builder.temporary(o.y.shape),
      logDet: o.log_det && (last ? o.log_det_out : builder.temporary(o.log_det.shape)),
    }
    step(builder, tableau, o, attributes, start + i * h, h, state, next)
    state = next
  }
}

interface State {
  readonly y: Tensor
  readonly logDet: Tensor | undefined
}

type Step = (
  builder: ProgramBuilder,
  tableau: Tableau,
  o: Record<string, Tensor>,
  attributes: IntegrationAttributes,
  t: number,
  h: number,
  from: State,
  to: State,
) => void

/** The network combines: a stage writes its velocity, the last one the step's end. */
const combinedStep: Step = (builder, { nodes, a, weights }, o, { net, scale }, t, h, from, to) => {
  const [B, D] = from.y.shape
  const last = nodes.length - 1
  const stages = builder.temporary([nodes.length, aligned(B * D)])
  nodes.forEach((node, s) => {
    const operands = {
      parameters: o.parameters,
      x: from.y,
      t: builder.constant([t + node * h]),
      condition: o.condition,
      out: s === last ? to.y : builder.view(stages, [B, D], s * aligned(B * D)),
    }
    const input = a[s].map((coefficient) => coefficient * h)
    const combination =
      s === last
        ? { stages, input, base: from.y, output: weights.slice(0, last).map((weight) => weight * h) }
        : { stages, input, output: [] }
    networkOf(net).addCombined!(builder, operands, combination, s === last ? scale * weights[s] * h : scale)
  })
}

/** The integrator combines. */
const separateStep: Step = (builder, { nodes, a, weights }, o, { net, scale }, t, h, from, to) => {
  const [B, D] = from.y.shape
  const stages = builder.temporary([nodes.length, aligned(B * D)])
  const rates = from.logDet && builder.temporary([nodes.length, aligned(B)])
  nodes.forEach((node, s) => {
    let x = from.y
    if (s > 0) {
      x = builder.temporary([B, D])
      builder.add(stageCombine, { y: from.y, stages, out: x }, { coefficients: a[s].map((c) => c * h) })
    }
    const operands = {
      parameters: o.parameters,
      x,
      t: builder.constant([t + node * h]),
      condition: o.condition,
      out: builder.view(stages, [B, D], s * aligned(B * D)),
    }
    if (!rates) networkOf(net).addVelocity(builder, operands, scale)
    else {
      const divergence = builder.view(rates, [B], s * aligned(B))
      networkOf(net).addDivergence(builder, { ...operands, probes: o.probes, divergence }, scale)
    }
  })
  const coefficients = weights.map((weight) => weight * h)
  builder.add(stageCombine, { y: from.y, stages, out: to.y }, { coefficients })
  if (rates) builder.add(stageCombine, { y: from.logDet, stages: rates, out: to.logDet }, { coefficients })
}
