/**
 * The expansion of integrate into the network and `stage_combine`. A network that combines stages itself does so in its first
 * layer and, in a step's last stage, in its last layer, unless the step has a `carry` and its last velocity is needed again.
 */

import { stageCombine } from '../kernels/stage_combine.js'
import type { NetworkSpec } from '../networks/network.js'
import { networkOf } from '../networks/registry.js'
import { aligned, type ProgramBuilder, type ProgramTensor } from '../program/program.js'
import { type Evaluation, isPlain, stepsOf } from './evaluations.js'

export interface IntegrationAttributes {
  readonly net: NetworkSpec
  /** factor of each sub-flow's output; 1 without output scaling */
  readonly scales: readonly number[]
  readonly evaluations: readonly Evaluation[]
}

interface State {
  readonly y: ProgramTensor
  readonly logDet: ProgramTensor | undefined
  /** where the next step's sum begins, unless at y */
  readonly ahead: ProgramTensor | undefined
}

interface OfNetwork {
  readonly net: NetworkSpec
  readonly scale: number
}

/** Operands as integrate's, with the parameters of one sub-flow. */
export function expandIntegration(
  builder: ProgramBuilder,
  o: Record<string, ProgramTensor>,
  { net, scales: [scale], evaluations }: IntegrationAttributes,
): void {
  let state: State = { y: o.y, logDet: o.log_det, ahead: o.ahead }
  const steps = stepsOf(evaluations)
  steps.forEach((step, i) => {
    const last = i === steps.length - 1
    const carries = step[step.length - 1].carry !== 0
    const next: State = {
      y: last ? o.out : builder.temporary(o.y.shape),
      logDet: o.log_det && (last ? o.log_det_out : builder.temporary(o.log_det.shape)),
      ahead: carries ? (last ? o.ahead_out : builder.temporary(o.y.shape)) : undefined,
    }
    const take =
      networkOf(net).addCombined && !o.log_det && !carries && step.every(isPlain) ? combinedStep : separateStep
    take(builder, o, { net, scale }, step, state, next)
    state = next
  })
}

type Step = (
  builder: ProgramBuilder,
  o: Record<string, ProgramTensor>,
  network: OfNetwork,
  step: readonly Evaluation[],
  from: State,
  to: State,
) => void

/** Coefficients of the earlier stages in the point of stage s. */
const placeOf = (step: readonly Evaluation[], s: number): number[] =>
  s === 0 ? [] : [...new Array<number>(s - 1).fill(0), step[s - 1].reach]

/** For networks that combine: a stage writes its velocity, the last one the state at the step's end. */
const combinedStep: Step = (builder, o, { net, scale }, step, from, to) => {
  const [B, D] = from.y.shape
  const last = step.length - 1
  const stages = builder.temporary([step.length, aligned(B * D)])
  step.forEach(({ time, share }, s) => {
    const operands = {
      parameters: o.parameters,
      x: from.y,
      t: builder.constant([time]),
      condition: o.condition,
      out: s === last ? to.y : builder.view(stages, [B, D], s * aligned(B * D)),
    }
    const input = placeOf(step, s)
    const combination =
      s === last
        ? { stages, input, base: from.ahead ?? from.y, output: step.slice(0, last).map((stage) => stage.share) }
        : { stages, input, output: [] }
    networkOf(net).addCombined!(builder, operands, combination, s === last ? scale * share : scale)
  })
}

/** For networks that do not. */
const separateStep: Step = (builder, o, { net, scale }, step, from, to) => {
  const [B, D] = from.y.shape
  const last = step.length - 1
  const stages = builder.temporary([step.length, aligned(B * D)])
  const rates = from.logDet && builder.temporary([step.length, aligned(B)])
  const stage = (s: number): ProgramTensor => builder.view(stages, [B, D], s * aligned(B * D))
  step.forEach(({ time, factor, own, place }, s) => {
    let x = from.y
    if (s > 0) {
      x = builder.temporary([B, D])
      builder.add(stageCombine, { y: from.y, stages, out: x }, { coefficients: placeOf(step, s) })
    }
    if (place !== 1) x = plus(builder, x, place - 1, x)
    const velocity = own === 0 ? stage(s) : builder.temporary([B, D])
    const operands = { parameters: o.parameters, x, t: builder.constant([time]), condition: o.condition, out: velocity }
    if (!rates) networkOf(net).addVelocity(builder, operands, scale * factor)
    else {
      const divergence = builder.view(rates, [B], s * aligned(B))
      networkOf(net).addDivergence(builder, { ...operands, probes: o.probes, divergence }, scale * factor)
    }
    if (own !== 0) plus(builder, velocity, own, x, stage(s))
  })
  const coefficients = step.map(({ share }) => share)
  builder.add(stageCombine, { y: from.ahead ?? from.y, stages, out: to.y }, { coefficients })
  const { carry } = step[last]
  if (to.ahead) {
    const only = builder.view(stages, [1, aligned(B * D)], last * aligned(B * D))
    builder.add(stageCombine, { y: to.y, stages: only, out: to.ahead }, { coefficients: [carry] })
  }
  if (rates) {
    const inAll = step.map(({ share, place }, s) => (s === last ? share + carry : share) * place)
    builder.add(stageCombine, { y: from.logDet, stages: rates, out: to.logDet }, { coefficients: inAll })
  }
}

/** a + factor·b, into `out` or a new temporary. */
function plus(
  builder: ProgramBuilder,
  a: ProgramTensor,
  factor: number,
  b: ProgramTensor,
  out = builder.temporary(a.shape),
): ProgramTensor {
  const only = builder.view(b, [1, a.shape[0] * a.shape[1]])
  builder.add(stageCombine, { y: a, stages: only, out }, { coefficients: [factor] })
  return out
}
