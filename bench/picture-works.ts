/**
 * Single kernels on pictures, at the sizes of the digits network at 32 × 32: batch 64, widths 32 and 64, attention over
 * 16 × 16 positions with two heads of 32 channels. The 3 × 3 convolution 64 → 64 is the one that goals are stated for.
 */

import { plainConvolution } from '../src/kernels/conv2d.js'
import { plainBackwardInput } from '../src/kernels/conv2d_backward_input.js'
import { plainBackwardWeight } from '../src/kernels/conv2d_backward_weight.js'
import { plainNorm } from '../src/kernels/group_norm.js'
import { plainNormBackward } from '../src/kernels/group_norm_backward.js'
import { STATE_LENGTH } from '../src/kernels/state.js'
import { type KernelWork, work } from './kernel-works.js'

const B = 64
/** Extents and channels of the widest level, and of the attention. */
const whole = [B, 32, 32, 64]
const half = [B, 16, 16, 64]
const qkv = [B, 16, 16, 3 * 64]
/** Parameters of the network, about. */
const P = 1_110_000

const convolution = (
  C: number,
  N: number,
  k: number,
  beside: 'nothing' | 'shift' | 'residual',
  rows = B,
  H = 32,
): KernelWork =>
  work(
    'conv2d',
    {
      x: [rows, H, H, C],
      weight: [k, k, C, N],
      bias: [N],
      y: [rows, H, H, N],
      ...(beside === 'residual' ? { residual: [rows, H, H, N] } : {}),
      ...(beside === 'shift' ? { shift: [rows, N] } : {}),
    },
    { ...plainConvolution, padding: (k - 1) / 2 },
  )

export interface BatchedWork {
  /** B */
  readonly rows: number
  work(rows: number): KernelWork
}

const wide = (rows: number) => [rows, 32, 32, 64]

/** Whether a convolution is one of these, at any size: others have forms that not every library has. */
export const isPlain3x3 = ({ operands, attributes }: KernelWork): boolean =>
  attributes.stride === 1 &&
  attributes.padding === 1 &&
  attributes.upsample === 1 &&
  !operands.shift &&
  !operands.residual &&
  !Object.values(attributes).includes('nchw')

/** Those that other libraries do as well, some of them with fewer pictures. */
export const convolutionWorks: Readonly<Record<string, BatchedWork>> = {
  'conv2d/64x64x3x3': { rows: B, work: (rows) => convolution(64, 64, 3, 'nothing', rows) },
  'conv2d_backward_input/64x64x3x3': {
    rows: B,
    work: (rows) =>
      work(
        'conv2d_backward_input',
        { dy: wide(rows), weight: [3, 3, 64, 64], dx: wide(rows) },
        { ...plainBackwardInput },
      ),
  },
  'conv2d_backward_weight/64x64x3x3': {
    rows: B,
    work: (rows) =>
      work(
        'conv2d_backward_weight',
        { x: wide(rows), dy: wide(rows), dweight: [3, 3, 64, 64], dbias: [64] },
        { ...plainBackwardWeight },
      ),
  },
}

/** The same with factors in float16, which takes a software adapter ten times as long. */
const inHalf = ({ attributes, ...work }: KernelWork): KernelWork => ({
  ...work,
  attributes: { ...attributes, factors: 'f16' },
  half: work.operands.weight ? ['weight'] : [],
  hardwareOnly: true,
})

export const pictureWorks: Readonly<Record<string, KernelWork>> = {
  ...Object.fromEntries(
    Object.entries(convolutionWorks).map(([name, { rows, work }]) => [`${name}-half`, inHalf(work(rows))]),
  ),
  'conv2d/64x64x3x3-residual': convolution(64, 64, 3, 'residual'),
  'conv2d/32x32x3x3': convolution(32, 32, 3, 'shift'),
  'conv2d/128x128x3x3-16': convolution(128, 128, 3, 'shift', B, 16),
  'conv2d/64x64x3x3-8': convolution(64, 64, 3, 'shift', B, 8),
  'conv2d/128x64x1x1': convolution(128, 64, 1, 'residual'),
  'conv2d/first': work(
    'conv2d',
    { x: [B, 1, 32, 32], weight: [3, 3, 1, 32], bias: [32], y: [B, 32, 32, 32] },
    { ...plainConvolution, xLayout: 'nchw' },
  ),
  'conv2d/last': work(
    'conv2d',
    { x: [B, 32, 32, 32], weight: [3, 3, 32, 1], bias: [1], y: [B, 1, 32, 32] },
    { ...plainConvolution, yLayout: 'nchw' },
  ),
  'conv2d/upsample': work(
    'conv2d',
    { x: half, weight: [3, 3, 64, 64], bias: [64], y: whole },
    { ...plainConvolution, upsample: 2 },
  ),
  'conv2d/stride2': work(
    'conv2d',
    { x: whole, weight: [3, 3, 64, 64], bias: [64], y: half },
    { ...plainConvolution, stride: 2 },
  ),
  'conv2d_backward_input/upsample': work(
    'conv2d_backward_input',
    { dy: whole, weight: [3, 3, 64, 64], dx: half },
    { ...plainBackwardInput, upsample: 2 },
  ),
  'conv2d_backward_input/stride2': work(
    'conv2d_backward_input',
    { dy: half, weight: [3, 3, 64, 64], dx: whole },
    { ...plainBackwardInput, stride: 2 },
  ),
  'conv2d_backward_input/128x128x3x3-16': work(
    'conv2d_backward_input',
    { dy: [B, 16, 16, 128], weight: [3, 3, 128, 128], dx: [B, 16, 16, 128] },
    { ...plainBackwardInput },
  ),
  'conv2d_backward_weight/128x128x3x3-16': work(
    'conv2d_backward_weight',
    { x: [B, 16, 16, 128], dy: [B, 16, 16, 128], dweight: [3, 3, 128, 128], dbias: [128] },
    { ...plainBackwardWeight },
  ),
  'conv2d_backward_weight/first': work(
    'conv2d_backward_weight',
    { x: [B, 1, 32, 32], dy: [B, 32, 32, 32], dweight: [3, 3, 1, 32], dbias: [32] },
    { ...plainBackwardWeight, xLayout: 'nchw' },
  ),
  'conv2d_backward_weight/upsample': work(
    'conv2d_backward_weight',
    { x: half, dy: whole, dweight: [3, 3, 64, 64], dbias: [64] },
    { ...plainBackwardWeight, upsample: 2 },
  ),
  'conv2d_backward_weight/stride2': work(
    'conv2d_backward_weight',
    { x: whole, dy: half, dweight: [3, 3, 64, 64], dbias: [64] },
    { ...plainBackwardWeight, stride: 2 },
  ),
  group_norm: work(
    'group_norm',
    { x: whole, gamma: [64], beta: [64], y: whole, statistics: [B, 2, 32] },
    { ...plainNorm },
  ),
  'group_norm/dropout': work(
    'group_norm',
    { x: whole, gamma: [64], beta: [64], state: [STATE_LENGTH], y: whole, statistics: [B, 2, 32] },
    { ...plainNorm, dropout: 0.1 },
    { state: [0] },
  ),
  group_norm_backward: work(
    'group_norm_backward',
    {
      x: whole,
      dy: whole,
      gamma: [64],
      beta: [64],
      statistics: [B, 2, 32],
      add: whole,
      dx: whole,
      dgamma: [64],
      dbeta: [64],
    },
    { ...plainNormBackward },
    { statistics: [1] },
  ),
  attention: work('attention', { qkv, y: half, log_sum_exp: [B, 2, 256] }, { heads: 2 }),
  attention_backward: work(
    'attention_backward',
    { qkv, y: half, log_sum_exp: [B, 2, 256], dy: half, dqkv: qkv },
    { heads: 2 },
    { log_sum_exp: [Math.log(256)] },
  ),
  average_pool: work('average_pool', { x: whole, y: half }, { xFirst: 0, factor: 0.25 }),
  average_pool_backward: work(
    'average_pool_backward',
    { dy: half, dx: whole },
    { dyFirst: 0, addFirst: 0, factor: 0.25 },
  ),
  time_embedding: work('time_embedding', { t: [B], y: [B, 32] }),
  flow_loss: work(
    'flow_loss',
    { v: [B, 1024], target: [B, 1024], delta: [B, 1024], row_loss: [B] },
    { scale: 1, firstRow: 0 },
  ),
  adaptive_target: work(
    'adaptive_target',
    { v: [B, 1024], target: [B, 1024], out: [B, 1024], row_loss: [B] },
    { offset: 1e-3 },
  ),
  accumulate: work('accumulate', { part: [P], total: [P] }, {}, { part: [0] }),
}
