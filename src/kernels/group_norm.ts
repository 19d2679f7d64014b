/**
 * Group normalisation (Wu and He 2018) with what follows it in a residual block, for pictures x [B, H, W, C]:
 * x̂ = (x − mean)·rstd over the H × W positions and C/groups channels of a group of one picture,
 * z = (gamma·x̂ + beta)·(1 + scale) + shift, y = dropout(act(z)), y [B, H, W, C].
 *
 * - x may be a window of channels; a group may then lie across two parts of a concatenation.
 * - `modulation` [B, M], or [1, M] for all pictures, holds scale in the C columns from `modulationFirst` on and shift in
 *   the C after them; left out: both are zero. A time embedding that is added before the normalisation is the shift of
 *   the convolution that made x (conv2d.ts).
 * - rstd = 1/√(variance + epsilon) with the variance of the population. `statistics` [B, 2, groups] takes the means and
 *   then the rstd of a picture's groups; the backward pass needs them.
 * - `dropout` p: an element of y is zero where the upper 24 bits of its word are below round(p·2²⁴), else it is divided by
 *   1 − p. Element i of the batch, counted over [rows, H, W, C] from the batch's own first row, has word i mod 4 of the
 *   draw (index ⌊i/4⌋, step, block) for 'dropout': `firstRow` is the number of this operand's first picture in the batch,
 *   `block` tells the layers of a network apart, and the step is in `state`. No mask is stored.
 */

import { InvalidArgumentError } from '../errors.js'
import { activations } from './activations.js'
import { expectShape, extents, type Kernel, type ReferenceTensor, type Shapes, size, traffic } from './contract.js'
import { type DrawAttributes, draw } from './draws.js'
import { expectFirst, expectPictures, pictureExtents, pictureIndex } from './pictures.js'
import { STATE_LENGTH, stateWords } from './state.js'

export interface GroupNormAttributes extends DrawAttributes {
  readonly xFirst: number
  readonly groups: number
  readonly epsilon: number
  readonly activation: 'identity' | 'silu'
  readonly modulationFirst: number
  /** probability with which an element is dropped, from 0 to below 1; 0: none, and no state is needed */
  readonly dropout: number
  readonly block: number
  readonly firstRow: number
}

/** Group normalisation followed by SiLU, in 32 groups; spread it and override what differs. */
export const plainNorm: GroupNormAttributes = {
  xFirst: 0,
  groups: 32,
  epsilon: 1e-5,
  activation: 'silu',
  modulationFirst: 0,
  dropout: 0,
  seedLow: 0,
  seedHigh: 0,
  stream: 0,
  block: 0,
  firstRow: 0,
}

/** Checks what forward and backward share; returns [B, H, W, C]. */
export function checkNorm(kernel: string, shapes: Shapes, a: GroupNormAttributes): [number, number, number, number] {
  const { B, H, W } = pictureExtents(kernel, 'x', shapes.x)
  const [C] = extents(kernel, 'gamma', shapes.gamma, 1)
  expectPictures(kernel, 'x', shapes.x, [B, H, W, C], a.xFirst)
  expectShape(kernel, 'beta', shapes.beta, [C])
  if (!Number.isInteger(a.groups) || a.groups < 1 || C % a.groups !== 0) {
    throw new InvalidArgumentError(`${kernel}: groups must divide the ${C} channels, but is ${a.groups}.`)
  }
  if (!(a.epsilon > 0)) throw new InvalidArgumentError(`${kernel}: epsilon must be positive, but is ${a.epsilon}.`)
  if (a.activation !== 'identity' && a.activation !== 'silu') {
    throw new InvalidArgumentError(`${kernel}: activation must be identity or silu, but is '${a.activation}'.`)
  }
  if (shapes.modulation) {
    const [rows, M] = extents(kernel, 'modulation', shapes.modulation, 2)
    expectShape(kernel, 'modulation', shapes.modulation, [rows === 1 ? 1 : B, M])
    expectFirst(kernel, 'modulation', a.modulationFirst, 2 * C, M)
  }
  expectShape(kernel, 'statistics', shapes.statistics, [B, 2, a.groups])
  if (!(a.dropout >= 0 && a.dropout < 1)) {
    throw new InvalidArgumentError(`${kernel}: dropout must be from 0 to below 1, but is ${a.dropout}.`)
  }
  if (a.dropout > 0) expectShape(kernel, 'state', shapes.state, [STATE_LENGTH])
  return [B, H, W, C]
}

/** What dropout multiplies element i of an operand by. */
export function dropoutFactor(a: GroupNormAttributes, rowSize: number, step: number): (i: number) => number {
  if (a.dropout === 0) return () => 1
  const threshold = Math.round(a.dropout * 2 ** 24)
  return (i) => {
    const element = a.firstRow * rowSize + i
    const word = draw(a, 'dropout', Math.floor(element / 4), step, a.block)[element % 4]
    return word >>> 8 < threshold ? 0 : 1 / (1 - a.dropout)
  }
}

/** 1 + scale and shift of channel c of picture b. */
export function modulationAt(
  modulation: ReferenceTensor | undefined,
  C: number,
  first: number,
): (b: number, c: number) => [number, number] {
  if (!modulation) return () => [1, 0]
  const { data, shape } = modulation
  return (b, c) => {
    const row = (shape[0] === 1 ? 0 : b) * shape[1] + first
    return [1 + data[row + c], data[row + C + c]]
  }
}

export const groupNorm: Kernel<GroupNormAttributes> = {
  kind: 'kernel',
  name: 'group_norm',
  operands: {
    x: { access: 'read' }, // [B, H, W, S]
    gamma: { access: 'read' }, // [C]
    beta: { access: 'read' }, // [C]
    modulation: { access: 'read', optional: true }, // [B, M] or [1, M]
    state: { access: 'read', dtype: 'u32', optional: true },
    y: { access: 'write' }, // [B, H, W, C]
    statistics: { access: 'write' }, // [B, 2, groups]
  },
  check(shapes, a) {
    expectShape('group_norm', 'y', shapes.y, checkNorm('group_norm', shapes, a))
  },
  cost: (shapes) => ({ flops: 8 * size(shapes.y!), bytes: traffic({ ...shapes, x: shapes.y }) }),
  reference(o, a) {
    const [B, H, W, C] = o.y.shape
    const { groups } = a
    const channels = C / groups
    const at = pictureIndex(o.x, a.xFirst)
    const modulation = modulationAt(o.modulation, C, a.modulationFirst)
    const dropped = dropoutFactor(a, H * W * C, o.state ? o.state.data[stateWords.step] : 0)
    const { value } = activations[a.activation]
    for (let b = 0; b < B; b++) {
      for (let g = 0; g < groups; g++) {
        const each = (visit: (x: number, c: number, i: number) => void): void => {
          for (let y = 0; y < H; y++) {
            for (let x = 0; x < W; x++) {
              for (let c = g * channels; c < (g + 1) * channels; c++) {
                visit(o.x.data[at(b, y, x, c)], c, ((b * H + y) * W + x) * C + c)
              }
            }
          }
        }
        const count = H * W * channels
        let mean = 0
        each((x) => {
          mean += x / count
        })
        let variance = 0
        each((x) => {
          variance += (x - mean) ** 2 / count
        })
        const rstd = 1 / Math.sqrt(variance + a.epsilon)
        o.statistics.data[b * 2 * groups + g] = mean
        o.statistics.data[(b * 2 + 1) * groups + g] = rstd
        each((x, c, i) => {
          const [scale, shift] = modulation(b, c)
          const z = (o.gamma.data[c] * (x - mean) * rstd + o.beta.data[c]) * scale + shift
          o.y.data[i] = dropped(i) * value(z, 1)
        })
      }
    }
  },
}
