/**
 * Draws one training batch on the device: rows of the pool, their right ends, times, interpolants and targets
 * (Xu et al. 2024; the right end is the Ornstein–Uhlenbeck image x_r = a·x_l + b·z, or z in the free sub-flow).
 *
 * The B rows are P = B / timesPerPair pairs (x_l, x_r), each with timesPerPair times; row i belongs to pair
 * ⌊i / timesPerPair⌋. With s = state.step:
 * - the row of pair p: 'epochs' takes position (s mod E)·P + p of the permutation of the pool of epoch ⌊s / E⌋, where
 *   E = ⌊n / P⌋ (the incomplete last batch of an epoch is dropped); 'replacement' draws one.
 * - x_l: that row, or leftDecay·row + leftSpread·z_l with fresh noise z_l for every pair and step.
 * - x_r = decay·x_o + spread·z, where the pairing says which row x_o is: 'own' the pair's own x_l; 'shuffled' the x_l of
 *   another pair, by a permutation of the batch; 'independent' a row drawn anew from the pool. With 'none' it is z alone;
 *   with 'stored' it is the pair's row of `right`, and no noise is added.
 * - t of row i: uniform on (0, 1), or the quantile function given as a table, linear between its knots.
 * - the pool is floats, or pixels (src/kernels/pool.ts), which are scaled to [−1, 1] here. Where `mirror` is the width of
 *   a picture, the x_l of every pair is a picture or its mirror image, each with probability ½; a right end that comes
 *   from x_l of some pair is mirrored with it, and so is a stored one.
 * - x = A(t) x_l + B(t) x_r and the target is its derivative A′(t) x_l + B′(t) x_r. 'linear': A = 1 − t, B = t; 'trig':
 *   A = cos(πt/2), B = sin(πt/2); 'table': the rows (A, B, A′, B′) of `path_table` at times that are evenly spaced on
 *   [0, 1], linear between them. 4097 of them are as good as a closed form in float32.
 * - the condition of row i is that of the pair's row of the pool, or zeros with probability `drop`, drawn for every row and
 *   step: what a model without a condition is learnt from (Ho and Salimans 2022, classifier-free guidance).
 */

import { InvalidArgumentError } from '../errors.js'
import {
  expectBoth,
  expectShape,
  extents,
  type Kernel,
  type ReferenceTensor,
  type Shapes,
  traffic,
} from './contract.js'
import { below, type DrawAttributes, draw, normals, permutationKeys, permute, uniform } from './draws.js'
import { checkMirror, expectPool, type PoolAttributes, poolValue } from './pool.js'
import { STATE_LENGTH, stateWords } from './state.js'

/** Which row the right end is made from. */
export type Pairing = 'own' | 'shuffled' | 'independent' | 'none' | 'stored'
export type Path = 'linear' | 'trig' | 'table'
export type Sampling = 'epochs' | 'replacement'

export interface DrawBatchAttributes extends DrawAttributes, PoolAttributes {
  readonly pairing: Pairing
  readonly path: Path
  readonly sampling: Sampling
  /** a = e^{−γ} and b = √(1 − e^{−2γ}); unused by 'none' and 'stored' */
  readonly decay: number
  readonly spread: number
  /** factor of the row of the pool, and standard deviation of the noise added to it: `cleanLeft` for the row as it is */
  readonly leftDecay: number
  readonly leftSpread: number
  readonly timesPerPair: number
  /** probability that a row's condition is zeros; without a condition 0 */
  readonly drop: number
}

/** Left ends that are rows of the pool, without noise. */
export const cleanLeft = { leftDecay: 1, leftSpread: 0 } as const

/** Whether left ends have noise. */
export const hasLeftNoise = (a: Pick<DrawBatchAttributes, 'leftDecay' | 'leftSpread'>): boolean =>
  a.leftDecay !== cleanLeft.leftDecay || a.leftSpread !== cleanLeft.leftSpread

/** Columns of path_table: A, B and their derivatives. */
export const PATH_COLUMNS = 4

export const drawBatch: Kernel<DrawBatchAttributes> = {
  kind: 'kernel',
  name: 'draw_batch',
  operands: {
    pool: { access: 'read', dtype: 'either' }, // [n, D], or [n, ⌈D/4⌉] of pixels
    pool_condition: { access: 'read', optional: true }, // [n, C]
    state: { access: 'read', dtype: 'u32' }, // [8]
    quantiles: { access: 'read', optional: true }, // [Q], t = quantiles(u); left out: t = u
    right: { access: 'read', optional: true }, // [n, D], where the pairing is 'stored'
    path_table: { access: 'read', optional: true }, // [K, 4], where the path is 'table'
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
    if (!(a.drop >= 0 && a.drop < 1) || (a.drop > 0 && !shapes.condition)) {
      throw new InvalidArgumentError(
        `draw_batch: drop must be a probability from 0 to below 1, and 0 without a condition, but is ${a.drop}.`,
      )
    }
    checkEnds(shapes, [n, D], a)
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
    bytes: traffic({ ...shapes, pool: shapes.x, pool_condition: shapes.condition, right: shapes.right && shapes.x }),
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

    const noised = hasLeftNoise(a)
    const mirrored = (p: number, word: 0 | 1): boolean =>
      a.mirror > 0 && (draw(a, 'mirror', p, step, 0)[word] & 1) === 1

    for (let i = 0; i < B; i++) {
      const p = Math.floor(i / M)
      const left = rowOf(p)
      const leftMirrored = mirrored(p, 0)
      let [right, rightMirrored] = [left, leftMirrored]
      if (a.pairing === 'shuffled') {
        const other = permute(p, P, batchKeys)
        ;[right, rightMirrored] = [rowOf(other), mirrored(other, 0)]
      } else if (a.pairing === 'independent') {
        ;[right, rightMirrored] = [below(draw(a, 'row', p, step, 0)[1], n), mirrored(p, 1)]
      }
      const [timeWord, dropWord] = draw(a, 'time', i, step, 0)
      const t = timeOf(uniform(timeWord), o.quantiles)
      o.t.data[i] = t
      const at = pathAt(t, a.path, o.path_table)
      for (let d = 0; d < D; d++) {
        const z = normals(draw(a, 'noise', p, step, d >> 2))[d & 3]
        let xl = poolValue(o.pool, left, d, leftMirrored, a)
        if (noised) xl = a.leftDecay * xl + a.leftSpread * normals(draw(a, 'leftNoise', p, step, d >> 2))[d & 3]
        let xr = z
        if (a.pairing === 'own') xr = a.decay * xl + a.spread * z
        else if (a.pairing === 'stored') xr = poolValue(o.right, left, d, leftMirrored, { ...a, values: 'floats' })
        else if (a.pairing !== 'none') xr = a.decay * poolValue(o.pool, right, d, rightMirrored, a) + a.spread * z
        ;[o.x.data[i * D + d], o.target.data[i * D + d]] = at(xl, xr)
      }
      if (o.condition) {
        const C = o.condition.shape[1]
        const dropped = uniform(dropWord) < Math.fround(a.drop)
        for (let c = 0; c < C; c++) o.condition.data[i * C + c] = dropped ? 0 : o.pool_condition.data[left * C + c]
      }
    }
  },
}

/** Asserts that stored right ends, a tabulated path and noise of left ends are given if the attributes ask for them, else not. */
function checkEnds(shapes: Shapes, [n, D]: readonly [number, number], a: DrawBatchAttributes): void {
  const given = (operand: string, wanted: boolean, when: string): void => {
    if ((shapes[operand] !== undefined) === wanted) return
    throw new InvalidArgumentError(
      wanted
        ? `draw_batch: with ${when} the operand ${operand} must be given, but it was left out.`
        : `draw_batch: the operand ${operand} is for ${when} alone and must be left out.`,
    )
  }
  given('right', a.pairing === 'stored', "pairing 'stored'")
  given('path_table', a.path === 'table', "path 'table'")
  if (shapes.right) expectShape('draw_batch', 'right', shapes.right, [n, D])
  if (shapes.path_table) {
    const [K] = extents('draw_batch', 'path_table', shapes.path_table, 2)
    expectShape('draw_batch', 'path_table', shapes.path_table, [Math.max(2, K), PATH_COLUMNS])
  }
  if (!hasLeftNoise(a) || a.pairing === 'own' || a.pairing === 'none') return
  throw new InvalidArgumentError(
    `draw_batch: leftDecay ${a.leftDecay} and leftSpread ${a.leftSpread} put noise on left ends, which goes with pairing ` +
      `'own' or 'none'; with '${a.pairing}' ` +
      (a.pairing === 'stored'
        ? 'the stored right ends belong to the rows of the pool as they are.'
        : 'the right end is made of another row, whose noise is not drawn with it.'),
  )
}

/** A place u in (0, 1) among evenly spaced knots: the one before it, and how far it is to the next. */
function between(u: number, knots: number): { knot: number; fraction: number } {
  const knot = Math.min(Math.floor(u * (knots - 1)), knots - 2)
  return { knot, fraction: u * (knots - 1) - knot }
}

function timeOf(u: number, quantiles: ReferenceTensor | undefined): number {
  if (!quantiles) return u
  const { knot, fraction } = between(u, quantiles.data.length)
  return quantiles.data[knot] + fraction * (quantiles.data[knot + 1] - quantiles.data[knot])
}

/** The interpolant and its derivative at t, of two ends. */
function pathAt(t: number, path: Path, table?: ReferenceTensor): (xl: number, xr: number) => [number, number] {
  if (path === 'linear') return (xl, xr) => [xl + t * (xr - xl), xr - xl]
  if (path === 'trig') {
    const [cos, sin] = [Math.cos((Math.PI / 2) * t), Math.sin((Math.PI / 2) * t)]
    return (xl, xr) => [cos * xl + sin * xr, (Math.PI / 2) * (cos * xr - sin * xl)]
  }
  const { data, shape } = table!
  const { knot, fraction } = between(t, shape[0])
  const [A, B, leftRate, rightRate] = Array.from({ length: PATH_COLUMNS }, (_, j) => {
    const first = knot * PATH_COLUMNS + j
    return data[first] + fraction * (data[first + PATH_COLUMNS] - data[first])
  })
  return (xl, xr) => [A * xl + B * xr, leftRate * xl + rightRate * xr]
}
