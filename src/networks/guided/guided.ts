/**
 * Classifier-free guidance (Ho and Salimans 2022) of a conditional network: v = v_∅ + w (v_c − v_∅), where v_c is its velocity with
 * the condition and v_∅ that without. Both come from one pass of 2B rows: x twice, conditions [2B, C] whose first half are those
 * of the rows and whose second half says that there is none. The divergence is combined as the velocity is.
 */

import { InvalidArgumentError } from '../../errors.js'
import type { Shapes } from '../../kernels/contract.js'
import { inputFeatures } from '../../kernels/input_features.js'
import { stageCombine } from '../../kernels/stage_combine.js'
import { ALIGNMENT, type ProgramBuilder, type ProgramTensor } from '../../program/program.js'
import type { FieldOperands, Network, NetworkSpec } from '../network.js'

/** Of a network that is guided by a weight. */
export interface GuidedSpec extends NetworkSpec {
  readonly kind: 'guided'
  readonly net: NetworkSpec
  /** w */
  readonly weight: number
}

export const isGuided = (spec: NetworkSpec): spec is GuidedSpec => spec.kind === 'guided'

/** A network for sampling and likelihoods, with the parameters and files of the one that it guides. */
export function guidedNetwork(inner: Network, weight: number): Network {
  const spec: GuidedSpec = { kind: 'guided', net: inner.spec, weight }
  const { dimension: D } = inner
  return {
    ...inner,
    spec,
    passes: 2,
    widest: 2 * inner.widest,
    rowFlops: 2 * inner.rowFlops,
    addCombined: undefined,
    addVelocity(builder, o, scale) {
      const [B] = o.x.shape
      const both = builder.temporary([2 * B, D])
      inner.addVelocity(builder, { ...twice(builder, o), out: both }, scale)
      combine(builder, both, o.out, weight)
    },
    addDivergence(builder, { probes, divergence, ...o }, scale) {
      const [B] = o.x.shape
      const both = builder.temporary([2 * B, D])
      const rates = builder.temporary([2 * B])
      inner.addDivergence(
        builder,
        { ...twice(builder, o), probes: probes && probesTwice(builder, probes, B), out: both, divergence: rates },
        scale,
      )
      combine(builder, both, o.out, weight)
      combine(builder, rates, divergence, weight)
    },
    checkInputs(composite, shapes) {
      const B = shapes.x?.[0] ?? 0
      if ((B * D) % ALIGNMENT !== 0) {
        throw new InvalidArgumentError(`${composite}: ${B} guided rows of ${D} values are no multiple of ${ALIGNMENT}.`)
      }
      const { probes, ...others } = shapes
      const doubled: Shapes = { ...others, x: [2 * B, D], t: shapes.t?.[0] === 1 ? [1] : [2 * B] }
      inner.checkInputs(composite, probes ? { ...doubled, probes: [2 * probes[0], D] } : doubled)
      return B
    },
  }
}

/** The rows, one after another, twice. */
function repeated(builder: ProgramBuilder, rows: ProgramTensor): ProgramTensor {
  const [B, width] = rows.shape
  const out = builder.temporary([2 * B, width])
  for (const half of [0, 1]) {
    builder.add(inputFeatures, { x: rows, y: builder.view(out, [B, width], half * B * width) }, {})
  }
  return out
}

function twice(builder: ProgramBuilder, { parameters, x, t, condition }: FieldOperands): FieldOperands {
  const [times] = t.shape
  const both = times === 1 ? t : builder.view(repeated(builder, builder.view(t, [times, 1])), [2 * times])
  return { parameters, x: repeated(builder, x), t: both, condition }
}

/** Probes [T·B, D], row τ·B + b of row b, for both halves of 2B rows. */
function probesTwice(builder: ProgramBuilder, probes: ProgramTensor, B: number): ProgramTensor {
  const [rows, D] = probes.shape
  const out = builder.temporary([2 * rows, D])
  for (let tau = 0; tau < rows / B; tau++) {
    const own = builder.view(probes, [B, D], tau * B * D)
    for (const half of [0, 1]) {
      builder.add(inputFeatures, { x: own, y: builder.view(out, [B, D], (2 * tau + half) * B * D) }, {})
    }
  }
  return out
}

/** out = w·(first half) + (1 − w)·(second half) */
function combine(builder: ProgramBuilder, both: ProgramTensor, out: ProgramTensor, weight: number): void {
  const elements = out.shape.reduce((product, extent) => product * extent, 1)
  builder.add(
    stageCombine,
    { y: builder.view(both, out.shape), stages: builder.view(both, [2, elements]), out },
    { coefficients: [weight - 1, 1 - weight] },
  )
}
