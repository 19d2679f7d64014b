/**
 * Single kernels at sizes that training and sampling give them: for each a *work*, the operands of one launch with its
 * attributes. Values are small random numbers but for the words that steer a kernel (counters, tables); a launch can be
 * repeated for ever without a value that overflows or a kernel that runs out of work.
 */

import type { Attributes, Cost, Shape } from '../src/kernels/contract.js'
import { seedWords } from '../src/kernels/draws.js'
import { normBlocks } from '../src/kernels/gradient_norm.js'
import { kernels } from '../src/kernels/registry.js'
import { STATE_LENGTH } from '../src/kernels/state.js'
import { rk4 } from '../src/ode/tableaus.js'
import { aligned } from '../src/program/program.js'
import type { MlpShape } from './shapes.js'

export interface KernelWork {
  readonly kind: 'kernel'
  readonly kernel: string
  readonly attributes: Attributes
  readonly operands: Readonly<Record<string, Shape>>
  /** an operand's values where random ones will not do; the last is repeated */
  readonly values: Readonly<Record<string, readonly number[]>>
  /** too long for a processor: measured on hardware adapters alone */
  readonly hardwareOnly?: true
  /** operands in float16, of a contract that leaves the choice */
  readonly half?: readonly string[]
}

export const work = (
  kernel: string,
  operands: KernelWork['operands'],
  attributes: Attributes = {},
  values: KernelWork['values'] = {},
): KernelWork => ({ kind: 'kernel', kernel, attributes, operands, values })

export const kernelCost = ({ kernel, operands, attributes }: KernelWork): Cost =>
  kernels.get(kernel)!.cost(operands, attributes)

/** y [M, N] = op(a) op(b) with an inner extent K. */
export const product = (M: number, K: number, N: number, transposeA = false, transposeB = false): KernelWork =>
  work(
    'mat_mul',
    { a: transposeA ? [K, M] : [M, K], b: transposeB ? [N, K] : [K, N], y: [M, N] },
    { transposeA, transposeB },
  )

/** The three products between two hidden layers, with what the layer fuses into them. */
export const layerProducts = {
  forward: ({ width: H, activation, beta }: MlpShape, B: number): KernelWork =>
    work(
      'linear_forward',
      {
        x: [B, H],
        weight: [H, H],
        bias: [H],
        y: [B, H],
        // these two keep the pre-activation for the backward pass
        ...(activation === 'silu' || activation === 'gelu' ? { z: [B, H] } : {}),
      },
      { activation, beta, scale: 1 },
    ),
  backward_input: ({ width: H, activation, beta }: MlpShape, B: number): KernelWork =>
    work('linear_backward_input', { dy: [B, H], weight: [H, H], saved: [B, H], dx: [B, H] }, { activation, beta }),
  backward_weight: ({ width: H }: MlpShape, B: number): KernelWork =>
    work('linear_backward_weight', { x: [B, H], dy: [B, H], dweight: [H, H], dbias: [H] }),
}

const draws = { ...seedWords(1103), stream: 1 }
const softplus = { activation: 'softplus', beta: 20, scale: 1 } as const
const coefficients = rk4.weights.map((weight) => weight / 8)

/** Sizes of the rose network: rows, width and parameters. */
const B = 10_000
const H = 256
const P = 2 * H * H
const D = 2
/** Where float32 numbers are 8 apart. */
const FAR = 2 ** 26

/** Ten numbers and ten categories of nine levels. */
const tableStarts = Array.from({ length: 21 }, (_, s) => (s <= 10 ? s : 10 + 9 * (s - 10)))

/** A step of the optimizer. */
const optimizerOperands = {
  parameters: [P],
  gradient: [P],
  m: [P],
  v: [P],
  average: [P],
  partials: [normBlocks(P)],
  table: [1, 4],
  state: [STATE_LENGTH],
}
const optimizerAttributes = { beta1: 0.9, beta2: 0.999, epsilon: 1e-8, weightDecay: 0, decoupled: false, clip: 1 }
const optimizerValues = { v: [1e-4], partials: [0.1], table: [1e-6, 1, 1, 0.999], state: [1, 0] }

/** Name of the row, and its work; every kernel of the registry has at least one. */
export const kernelWorks: Readonly<Record<string, KernelWork>> = {
  'mat_mul/1024x1024x1024': product(1024, 1024, 1024),
  'mat_mul/4096x4096x4096': { ...product(4096, 4096, 4096), hardwareOnly: true },
  // what products of float16 reach where nothing else holds them up
  'linear_forward/4096-half': {
    ...work(
      'linear_forward',
      { x: [4096, 4096], weight: [4096, 4096], bias: [4096], y: [4096, 4096] },
      { activation: 'identity', beta: 1, scale: 1 },
    ),
    half: ['x', 'weight', 'y'],
    hardwareOnly: true,
  },
  'mat_mul/10000x256x256': product(B, H, H, false, true),
  'mat_mul/256x256x10000': product(H, B, H, true, false),
  'activation/softplus': work('activation', { x: [B, H], y: [B, H] }, { activation: 'softplus', beta: 20 }),
  'activation/elu': work('activation', { x: [B, H], y: [B, H] }, { activation: 'elu', beta: 1 }),
  'activation/silu': work('activation', { x: [B, H], y: [B, H] }, { activation: 'silu', beta: 1 }),
  'activation/gelu': work('activation', { x: [B, H], y: [B, H] }, { activation: 'gelu', beta: 1 }),
  'activation/tanh': work('activation', { x: [B, H], y: [B, H] }, { activation: 'tanh', beta: 1 }),
  adam: work('adam', optimizerOperands, optimizerAttributes, optimizerValues),
  adam_mixed: work(
    'adam_mixed',
    { ...optimizerOperands, half: [P] },
    { ...optimizerAttributes, growth: 2000 },
    { ...optimizerValues, state: [1, 0, 0, 0, 16, 0] },
  ),
  convert: work('convert', { x: [H * H], y: [H * H] }, { to: 'f16' }),
  gradient_norm: work(
    'gradient_norm',
    { gradient: [P], row_loss: [B], state: [STATE_LENGTH], partials: [normBlocks(P)], loss_ring: [4096] },
    {},
    { state: [0] },
  ),
  draw_batch: work(
    'draw_batch',
    { pool: [100_000, D], state: [STATE_LENGTH], x: [B, D], t: [B], target: [B, D] },
    {
      ...draws,
      pairing: 'own',
      path: 'linear',
      sampling: 'epochs',
      decay: 0.9,
      spread: 0.4,
      leftDecay: 1,
      leftSpread: 0,
      timesPerPair: 1,
      drop: 0,
      values: 'floats',
      mirror: 0,
    },
    { state: [0] },
  ),
  load_rows: work(
    'load_rows',
    { pool: [256, 768], first: [1], y: [256, 3072] },
    { ...draws, values: 'pixels', mirror: 32 },
    { first: [0] },
  ),
  normal: work('normal', { first: [1], y: [B, D] }, draws, { first: [0] }),
  rademacher: work('rademacher', { first: [1], y: [B, 43] }, { ...draws, probes: 1 }, { first: [0] }),
  'linear_forward/first': work(
    'linear_forward',
    { x: [B, D], weight: [H, D], bias: [H], t: [B], time_weight: [H], y: [B, H] },
    softplus,
  ),
  'linear_forward/hidden': work('linear_forward', { x: [B, H], weight: [H, H], bias: [H], y: [B, H] }, softplus),
  linear_loss: work(
    'linear_loss',
    { x: [B, H], weight: [D, H], bias: [D], target: [B, D], delta: [B, D], row_loss: [B] },
    { scale: 1 },
  ),
  linear_backward_input: work(
    'linear_backward_input',
    { dy: [B, H], weight: [H, H], saved: [B, H], dx: [B, H] },
    softplus,
  ),
  linear_backward_weight: work('linear_backward_weight', { x: [B, H], dy: [B, H], dweight: [H, H], dbias: [H] }),
  linear_tangent: work('linear_tangent', { dx: [2 * B, H], weight: [H, H], saved: [B, H], dy: [2 * B, H] }, softplus),
  input_features: work('input_features', { x: [B, D], frequencies: [8], y: [B, D + 16 * D] }),
  input_tangent: work('input_tangent', { x: [B, D], frequencies: [8], dy: [D * B, D + 16 * D] }),
  divergence: work('divergence', { dv: [D * B, D], divergence: [B] }),
  softmax_segments: work(
    'softmax_segments',
    { x: [B, 100], encoding: [2, 100], starts: [21], state: [B, 100], t: [1], path_table: [2, 4], y: [B, 100] },
    { factor: 1 },
    { starts: tableStarts, encoding: [2], t: [0.5], path_table: [1, 0, -1, 1, 0, 1, -1, 1] },
  ),
  segment_loss: work(
    'segment_loss',
    { x: [B, 100], target: [B, 100], encoding: [2, 100], starts: [21], gates: [20], delta: [B, 100], row_loss: [B] },
    {},
    { starts: tableStarts, encoding: [2], gates: [100] },
  ),
  stage_combine: work('stage_combine', { y: [B, D], stages: [4, aligned(B * D)], out: [B, D] }, { coefficients }),
  adaptive_stage: work(
    'adaptive_stage',
    { y: [B, D], stages: [7, aligned(B * D)], t: [B], h: [B], out: [B, D], stage_time: [B] },
    { coefficients: [0.1, 0.2, 0.3, 0.1, 0.2], node: 0.5 },
    { h: [0.1] },
  ),
  // an error of 0.9⁵ is accepted and leaves the step as it is, and a step this small is lost in a float32 time this
  // large, so that every launch finds all rows alive
  adaptive_control: work(
    'adaptive_control',
    { y: [B, D], y_new: [B, D], stages: [7, aligned(B * D)], t: [B], h: [B], evaluations: [B] },
    { error: [0, 0, 0, 0, 0, 0, 1], rtol: 0, atol: 1, start: FAR, end: FAR + 1e5, cost: 6 },
    { stages: [1], t: [FAR], h: [0.9 ** 5], evaluations: [0] },
  ),
}
