/**
 * A *velocity field* v(x, t, condition) as the method sees it: how many parameters it has, how they are initialised and
 * written to files, and the operations that it adds to a program. The rest of the library uses networks through this
 * interface alone.
 */

import type { Shapes } from '../kernels/contract.js'
import type { DrawAttributes } from '../kernels/draws.js'
import type { ProgramBuilder, ProgramTensor } from '../program/program.js'

/** A named array as it stands in a file: unpadded, row-major, in PyTorch's layout. */
export interface NamedTensor {
  readonly name: string
  readonly shape: readonly number[]
  readonly values: Float32Array
}

export interface FieldOperands {
  /** [P], flat */
  readonly parameters: ProgramTensor
  /** [B, D] */
  readonly x: ProgramTensor
  /** [B], or [1] for all rows */
  readonly t: ProgramTensor
  /** [B, C], for a field with a condition */
  readonly condition?: ProgramTensor
}

export interface GradientOperands extends FieldOperands {
  /** [B, D] */
  readonly target: ProgramTensor
  /** [P] */
  readonly gradient: ProgramTensor
  /** [B] */
  readonly row_loss: ProgramTensor
  /** u32 [8]: dropout needs the step, mixed precision the loss scale */
  readonly state?: ProgramTensor
  /** [P], zero in the gaps of the layout; for a batch in several parts */
  readonly part?: ProgramTensor
}

/** A direction for every row, in which a velocity is differentiated; parts that are left out are zero. */
export interface DerivativeOperands extends FieldOperands {
  /** [B, D] */
  readonly dx?: ProgramTensor
  /** as t */
  readonly dt?: ProgramTensor
  /** [B, C] */
  readonly dcondition?: ProgramTensor
  /** [B, D] */
  readonly out: ProgramTensor
  /** [B, D] */
  readonly derivative: ProgramTensor
}

/** x may be float16 where `takesHalfInput`. */
export interface MixedOperands extends GradientOperands {
  readonly state: ProgramTensor
  /** [P] in float16: a copy of the parameters */
  readonly half: ProgramTensor
}

/** How a gradient is computed. */
export interface TrainingMode {
  /** seed and stream of dropout; null: none */
  readonly draws: DrawAttributes | null
  /** compute the inside of blocks again in the backward pass, instead of keeping it */
  readonly recompute: boolean
  /** parts of equal size that a batch goes through the network in */
  readonly microBatches: number
}

/** The whole batch at once, everything kept. */
export const wholeBatch: TrainingMode = { draws: null, recompute: false, microBatches: 1 }

/** The description of a network, as plain data: composites carry it as an attribute, and devices read it. */
export interface NetworkSpec {
  readonly kind: string
}

/** Stages around a network: it sees x + Σ input_s·stage_s, and writes base + Σ output_s·stage_s + scale·v. */
export interface Combination {
  readonly stages: ProgramTensor
  readonly input: readonly number[]
  readonly base?: ProgramTensor
  readonly output: readonly number[]
}

export interface Network {
  /** as it lies on a device */
  readonly spec: NetworkSpec
  /** D */
  readonly dimension: number
  /** C */
  readonly condition: number
  /** rows that go through it for each row: 2 where it is guided, whose conditions are then [2B, C]. Default 1 */
  readonly passes?: number
  /** rows of conditions for each row, where they are not one for each pass: 2 where given numbers come behind their masks */
  readonly conditionRows?: number
  /** elements of the flat parameter tensor on a device */
  readonly parameterLength: number
  /** values of one row in the widest tensor of a forward pass: the memory that a row of a block needs */
  readonly widest: number
  /** trainable parameters */
  readonly parameterCount: number
  /** Flat starting parameters [P]: uniform on ±1/√(inputs of the layer), PyTorch's default. */
  initialise(seed: number, stream: number): Float32Array
  /** products of one row's forward pass, multiply-add counted as two */
  readonly rowFlops: number
  /** gradient [P] of the flow-matching loss and row_loss [B] for target [B, D] */
  addGradient(builder: ProgramBuilder, operands: GradientOperands, scale: number, mode: TrainingMode): void
  /**
   * The same with products of float16, and the loss scale of the state words (kernels/state.ts). Left out where a network has no
   * such path.
   */
  addMixedGradient?(builder: ProgramBuilder, operands: MixedOperands, scale: number, mode: TrainingMode): void
  /** whether addMixedGradient reads x as it is, so that it can be drawn in float16 */
  readonly takesHalfInput?: boolean
  /** out [B, D] = v */
  addVelocity(builder: ProgramBuilder, operands: FieldOperands & { out: ProgramTensor }, scale: number): void
  /** out [B, D] = v, divergence [B]: exact, or by probes [T·B, D] */
  addDivergence(
    builder: ProgramBuilder,
    operands: FieldOperands & { probes?: ProgramTensor; out: ProgramTensor; divergence: ProgramTensor },
    scale: number,
  ): void
  /**
   * out [B, D] = v, derivative [B, D] = ∂v/∂x·dx + ∂v/∂t·dt + ∂v/∂condition·dcondition: by forward mode, or, where a network
   * has no tangents, by a central difference (central-difference.ts)
   */
  addDerivative(builder: ProgramBuilder, operands: DerivativeOperands, scale: number): void
  /** the velocity with a combination before and after it; left out if the network cannot do that */
  addCombined?(
    builder: ProgramBuilder,
    operands: FieldOperands & { out: ProgramTensor },
    combination: Combination,
    scale: number,
  ): void
  /**
   * Checks parameters [P], x [B, D], t [B] or [1] and condition [B, C] of a composite that holds this network; returns B.
   * Throws InvalidArgumentError.
   */
  checkInputs(composite: string, shapes: Shapes): number
  /** The parameters under their file names, `prefix` in front. */
  toTensors(flat: Float32Array, prefix: string): NamedTensor[]
  /**
   * Parameters of the same network without a condition, whose outputs are those of this one under `condition` [C]. Left out:
   * there is no such network of the same kind.
   */
  told?(flat: Float32Array, condition: Float32Array): Float32Array
  /** where in its files the weights of a second time stand, the condition's last column: a tensor and its first column; left out: it takes none */
  readonly secondTime?: { readonly tensor: string; readonly first: number }
  /** The inverse of toTensors. Throws CheckpointError where a name is missing or a shape does not fit. */
  fromTensors(tensors: ReadonlyMap<string, NamedTensor>, prefix: string): Float32Array
  /** products of one training step of B rows, multiply-add counted as two */
  stepFlops(B: number): number
}
