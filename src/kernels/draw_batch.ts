/**
 * Draws one training batch on the device: rows of the pool, their right ends, times, interpolants and targets
 * (Xu et al. 2024; the right end is the Ornstein–Uhlenbeck image x_r = a·x_l + b·z, or z in the free sub-flow).
 *
 * The B rows are P = B / timesPerPair pairs (x_l, x_r), each with timesPerPair times; row i belongs to pair
 * ⌊i / timesPerPair⌋. With s = state.step:
 * - x_l of pair p: 'epochs' takes position (s mod E)·P + p of the permutation of the pool of epoch ⌊s / E⌋, where
 *   E = ⌊n / P⌋ (a shuffled rest shorter than a batch is left out of that epoch); 'replacement' draws a row.
 * - x_r: coupling 'dependent' a·x_l + b·z; 'shuffled' the same with x_l of another pair, by a permutation of the batch;
 *   'independent' with a row drawn anew from the pool; 'free' z alone.
 * - t of row i: uniform on (0, 1), or the quantile function given as a table, linear between its knots.
 * - the pool is floats, or pixels (src/kernels/pool.ts), which are scaled to [−1, 1] here. Where `mirror` is the width of
 *   a picture, the x_l of every pair is a picture or its mirror image, each with probability ½; a right end that comes
 *   from x_l of some pair is mirrored with it.
 * - linear: x = x_l + t(x_r − x_l), target x_r − x_l; trig: x = cos(πt/2) x_l + sin(πt/2) x_r, target its derivative.
 */

import { InvalidArgumentError } from '../errors.js'
import { expectBoth, expectShape, extents, type Kernel, type ReferenceTensor, traffic } from './contract.js'
import { below, type DrawAttributes, draw, normals, permutationKeys, permute, uniform } from './draws.js'
import { checkMirror, expectPool, type PoolAttributes, poolValue } from './pool.js'
import { STATE_LENGTH, stateWords } from './state.js'

export type Coupling = 'dependent' | 'shuffled' | 'independent' | 'free'
export type Interpolant = 'linear' | 'trig'
export type Sampling = 'epochs' | 'replacement'

export interface DrawBatchAttributes extends DrawAttributes, PoolAttributes {
  readonly coupling: Coupling
  readonly interpolant: Interpolant
  readonly sampling: Sampling
  /** a = e^{−γ} and b = √(1 − e^{−2γ}); unused by 'free' */
  readonly decay: number
  readonly spread: number
  readonly timesPerPair: number
}

export const drawBatch: Kernel<DrawBatchAttributes> = {
  kind: 'kernel',
  name: 'draw_batch',
  operands: {
    pool: { access: 'read', dtype: 'either' }, // [n, D], or [n, ⌈D/4⌉] of pixels
    pool_condition: { access: 'read', optional: true }, // [n, C]
    state: { access: 'read', dtype: 'u32' }, // [8]
    quantiles: { access: 'read', optional: true }, // [Q], t = quantiles(u); left out: t = u
    x: { access: 'write', dtype: 'float' }, // [B, D]
    t: { access: 'write' }, // [B]
    target: { access: 'write' }, // [B, D]
    condition: { access: 'write', optional: true }, // [B, C]
  },
  check(shapes, a) {
    const [n] = extents('draw_batch', 'pool', shapes.pool, 2)
    const [B, D] = extents('draw_batch', 'x', shapes.x, 2)
    expectPool('draw_batch', shapes.pool, [n, D], a)
    checkMirror('draw_batch', D, a)
    expectShape('draw_batch', 't', shapes.t, [B])
    expectShape('draw_batch', 'target', shapes.target, [B, D])
    expectShape('draw_batch', 'state', shapes.state, [STATE_LENGTH])
    expectBoth('draw_batch', 'pool_condition', 'condition', shapes)
    if (shapes.condition) {
      const [, C] = extents('draw_batch', 'condition', shapes.condition, 2)
      expectShape('draw_batch', 'condition', shapes.condition, [B, C])
      expectShape('draw_batch', 'pool_condition', shapes.pool_condition, [n, C])
    }
    if (!Number.isInteger(a.timesPerPair) || a.timesPerPair < 1 || B % a.timesPerPair !== 0) {
      throw new InvalidArgumentError(
        `draw_batch: timesPerPair must be a whole number that divides the batch of ${B} rows, but is ${a.timesPerPair}.`,
      )
    }
    if (a.sampling === 'epochs' && B / a.timesPerPair > n) {
      throw new InvalidArgumentError(
        `draw_batch: a batch of ${B / a.timesPerPair} pairs is larger than the pool of ${n} rows; ` +
          'take a smaller batch, or draw with replacement.',
      )
    }
  },
  // Philox (about 100 integer operations for four words) is not counted as arithmetic.
  cost: (shapes) => ({
    flops: 8 * shapes.x![0] * shapes.x![1],
    bytes: traffic({ ...shapes, pool: shapes.x, pool_condition: shapes.condition }),
  }),
  reference(o, a) {
    const [n] = o.pool.shape
    const [B, D] = o.x.shape
    const M = a.timesPerPair
    const P = B / M
    const step = o.state.data[stateWords.step]
    const perEpoch = Math.floor(n / P)
    const rowKeys = permutationKeys(a, 'shuffleRows', Math.floor(step / perEpoch))
    const batchKeys = permutationKeys(a, 'shuffleBatch', step)
    const rowOf = (p: number): number =>
      a.sampling === 'epochs' ? permute((step % perEpoch) * P + p, n, rowKeys) : below(draw(a, 'row', p, step, 0)[0], n)

    const mirrored = (p: number, word: 0 | 1): boolean =>
      a.mirror > 0 && (draw(a, 'mirror', p, step, 0)[word] & 1) === 1

    for (let i = 0; i < B; i++) {
      const p = Math.floor(i / M)
      const left = rowOf(p)
      const leftMirrored = mirrored(p, 0)
      let [right, rightMirrored] = [left, leftMirrored]
      if (a.coupling === 'shuffled') {
        const other = permute(p, P, batchKeys)
        ;[right, rightMirrored] = [rowOf(other), mirrored(other, 0)]
      } else if (a.coupling === 'independent') {
        ;[right, rightMirrored] = [below(draw(a, 'row', p, step, 0)[1], n), mirrored(p, 1)]
      }
      const t = timeOf(uniform(draw(a, 'time', i, step, 0)[0]), o.quantiles)
      o.t.data[i] = t
      for (let d = 0; d < D; d++) {
        const z = normals(draw(a, 'noise', p, step, d >> 2))[d & 3]
        const xl = poolValue(o.pool, left, d, leftMirrored, a)
        const xr = a.coupling === 'free' ? z : a.decay * poolValue(o.pool, right, d, rightMirrored, a) + a.spread * z
        if (a.interpolant === 'linear') {
          o.x.data[i * D + d] = xl + t * (xr - xl)
          o.target.data[i * D + d] = xr - xl
        } else {
          const [cos, sin] = [Math.cos((Math.PI / 2) * t), Math.sin((Math.PI / 2) * t)]
          o.x.data[i * D + d] = cos * xl + sin * xr
          o.target.data[i * D + d] = (Math.PI / 2) * (cos * xr - sin * xl)
        }
      }
      if (o.condition) {
        const C = o.condition.shape[1]
        for (let c = 0; c < C; c++) o.condition.data[i * C + c] = o.pool_condition.data[left * C + c]
      }
    }
  },
}

function timeOf(u: number, quantiles: ReferenceTensor | undefined): number {
  if (!quantiles) return u
  const last = quantiles.data.length - 1
  const knot = Math.min(Math.floor(u * last), last - 1)
  const fraction = u * last - knot
  return quantiles.data[knot] + fraction * (quantiles.data[knot + 1] - quantiles.data[knot])
}
