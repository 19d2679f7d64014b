/**
 * The kinds of network that integrators know: how each adds its velocity and its divergence to a program. A network that
 * combines a Runge–Kutta method's stages itself (`combines`) takes them in its first layer and its last; for the others the
 * integrator adds operations of its own.
 */

import type { Shapes } from '../kernels/contract.js'
import type { ProgramBuilder, Tensor } from '../program/program.js'
import { mlpForward } from './mlp/mlp_forward.js'
import { mlpTangents } from './mlp/mlp_tangents.js'
import { checkMlpInputs, type MlpSpec, mlpRowFlops } from './mlp/spec.js'
import { type UnetSpec, unetDimension, unetRowFlops } from './unet/spec.js'
import { unetDivergence } from './unet/unet_divergence.js'
import { checkUnetInputs, unetForward } from './unet/unet_forward.js'

export type NetworkSpec = MlpSpec | UnetSpec

export interface VelocityOperands {
  readonly parameters: Tensor
  readonly x: Tensor
  readonly t: Tensor
  readonly condition?: Tensor
  readonly out: Tensor
}

/** Stages around a network: it sees x + Σ input_s·stage_s, and writes base + Σ output_s·stage_s + scale·v. */
export interface Combination {
  readonly stages: Tensor
  readonly input: readonly number[]
  readonly base?: Tensor
  readonly output: readonly number[]
}

interface Network<S> {
  checkInputs(composite: string, shapes: Shapes, net: S): number
  dimension(net: S): number
  /** flops of the products of one row's forward pass */
  rowFlops(net: S): number
  addVelocity(builder: ProgramBuilder, net: S, o: VelocityOperands, scale: number): void
  addDivergence(
    builder: ProgramBuilder,
    net: S,
    o: VelocityOperands & { readonly probes?: Tensor; readonly divergence: Tensor },
    scale: number,
  ): void
  /** the velocity with a combination before and behind it; left out where the network does not do that */
  addCombined?(builder: ProgramBuilder, net: S, o: VelocityOperands, combination: Combination, scale: number): void
}

const mlp: Network<MlpSpec> = {
  checkInputs: checkMlpInputs,
  dimension: ({ dimension }) => dimension,
  rowFlops: mlpRowFlops,
  addVelocity: (builder, net, o, scale) => builder.add(mlpForward, { ...o }, { net, scale }),
  addDivergence: (builder, net, o, scale) => builder.add(mlpTangents, { ...o }, { net, scale }),
}

const unet: Network<UnetSpec> = {
  checkInputs: checkUnetInputs,
  dimension: unetDimension,
  rowFlops: unetRowFlops,
  addVelocity: (builder, net, o, scale) =>
    builder.add(unetForward, { ...o }, { net, scale, inputCoefficients: [], outputCoefficients: [] }),
  addDivergence: (builder, net, o, scale) => builder.add(unetDivergence, { ...o }, { net, scale }),
  addCombined: (builder, net, o, { stages, input, base, output }, scale) =>
    builder.add(
      unetForward,
      { ...o, stages, base },
      { net, scale, inputCoefficients: input, outputCoefficients: output },
    ),
}

/** What the integrators use of a network. */
export const networkOf = (net: NetworkSpec): Network<NetworkSpec> =>
  (net.kind === 'mlp' ? mlp : unet) as Network<NetworkSpec>
