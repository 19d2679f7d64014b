/**
 * Gradients of group normalisation with modulation, activation and dropout (group_norm.ts; the terms are defined there).
 * With dz = dropout′(dy) ⊙ act′(z), z computed again from x and the statistics:
 *
 * - dx̂ = dz·(1 + scale)·gamma, dx = rstd·(dx̂ − mean(dx̂) − x̂·mean(dx̂·x̂)) + add + add2, means over a group of one picture;
 * - dgamma[c] = Σ dz·(1 + scale)·x̂, dbeta[c] = Σ dz·(1 + scale), over pictures and positions;
 * - dmodulation [B, M], in the columns of `modulation`: dscale[b, c] = Σ dz·(gamma·x̂ + beta), dshift[b, c] = Σ dz.
 *
 * `add` and `add2` are gradients of x from other paths (a residual's, and a skip connection's); they may be
 * windows of channels (`addFirst`, `add2First`), as x may. dgamma and dbeta are left out together where only dx is wanted.
 * Sums over the batch run in an order that depends on the shapes only, never on the number of threads.
 */

import { InvalidArgumentError } from '../errors.js'
import { activations } from './activations.js'
import { expectBoth, expectShape, type Kernel, size, traffic } from './contract.js'
import { checkNorm, dropoutFactor, type GroupNormAttributes, modulationAt, plainNorm } from './group_norm.js'
import { expectPictures, pictureIndex } from './pictures.js'
import { stateWords } from './state.js'

export interface GroupNormBackwardAttributes extends GroupNormAttributes {
  readonly addFirst: number
  readonly add2First: number
}

/** The gradient of plainNorm; spread it and override what differs. */
export const plainNormBackward: GroupNormBackwardAttributes = { ...plainNorm, addFirst: 0, add2First: 0 }

export const groupNormBackward: Kernel<GroupNormBackwardAttributes> = {
  kind: 'kernel',
  name: 'group_norm_backward',
  operands: {
    x: { access: 'read' }, // [B, H, W, S]
    dy: { access: 'read' }, // [B, H, W, C]
    gamma: { access: 'read' }, // [C]
    beta: { access: 'read' }, // [C]
    modulation: { access: 'read', optional: true }, // [B, M] or [1, M]
    statistics: { access: 'read' }, // [B, 2, groups]
    state: { access: 'read', dtype: 'u32', optional: true },
    add: { access: 'read', optional: true }, // [B, H, W, S]
    add2: { access: 'read', optional: true }, // [B, H, W, S]
    dx: { access: 'write' }, // [B, H, W, C]
    dgamma: { access: 'write', optional: true }, // [C]
    dbeta: { access: 'write', optional: true }, // [C]
    dmodulation: { access: 'write', optional: true }, // [B, M]
  },
  check(shapes, a) {
    const [B, H, W, C] = checkNorm('group_norm_backward', shapes, a)
    expectShape('group_norm_backward', 'dy', shapes.dy, [B, H, W, C])
    expectShape('group_norm_backward', 'dx', shapes.dx, [B, H, W, C])
    if (shapes.add) expectPictures('group_norm_backward', 'add', shapes.add, [B, H, W, C], a.addFirst)
    if (shapes.add2) expectPictures('group_norm_backward', 'add2', shapes.add2, [B, H, W, C], a.add2First)
    expectBoth('group_norm_backward', 'dgamma', 'dbeta', shapes)
    if (shapes.dgamma) {
      expectShape('group_norm_backward', 'dgamma', shapes.dgamma, [C])
      expectShape('group_norm_backward', 'dbeta', shapes.dbeta, [C])
    }
    if (shapes.dmodulation) {
      if (!shapes.modulation) {
        throw new InvalidArgumentError('group_norm_backward: dmodulation is given without modulation.')
      }
      expectShape('group_norm_backward', 'dmodulation', shapes.dmodulation, [B, shapes.modulation[1]])
    }
  },
  cost: (shapes) => ({ flops: 24 * size(shapes.dy!), bytes: traffic({ ...shapes, x: shapes.dy }) }),
  reference(o, a) {
    const [B, H, W, C] = o.dy.shape
    const { groups } = a
    const channels = C / groups
    const at = pictureIndex(o.x, a.xFirst)
    const addAt = o.add && pictureIndex(o.add, a.addFirst)
    const add2At = o.add2 && pictureIndex(o.add2, a.add2First)
    const modulation = modulationAt(o.modulation, C, a.modulationFirst)
    const dropped = dropoutFactor(a, H * W * C, o.state ? o.state.data[stateWords.step] : 0)
    const { derivative } = activations[a.activation]
    const dgamma = new Float64Array(C)
    const dbeta = new Float64Array(C)
    for (let b = 0; b < B; b++) {
      const dscale = new Float64Array(C)
      const dshift = new Float64Array(C)
      for (let g = 0; g < groups; g++) {
        const mean = o.statistics.data[b * 2 * groups + g]
        const rstd = o.statistics.data[(b * 2 + 1) * groups + g]
        const each = (visit: (normal: number, dz: number, c: number, y: number, x: number) => void): void => {
          for (let y = 0; y < H; y++) {
            for (let x = 0; x < W; x++) {
              for (let c = g * channels; c < (g + 1) * channels; c++) {
                const i = ((b * H + y) * W + x) * C + c
                const normal = (o.x.data[at(b, y, x, c)] - mean) * rstd
                const [scale, shift] = modulation(b, c)
                const z = (o.gamma.data[c] * normal + o.beta.data[c]) * scale + shift
                // identity's derivative is a function of its output, silu's of its input: z is both
                visit(normal, dropped(i) * o.dy.data[i] * derivative(z, 1), c, y, x)
              }
            }
          }
        }
        const count = H * W * channels
        let meanOfGradient = 0
        let meanOfProduct = 0
        each((normal, dz, c) => {
          const [scale] = modulation(b, c)
          meanOfGradient += (dz * scale * o.gamma.data[c]) / count
          meanOfProduct += (dz * scale * o.gamma.data[c] * normal) / count
          dgamma[c] += dz * scale * normal
          dbeta[c] += dz * scale
          dscale[c] += dz * (o.gamma.data[c] * normal + o.beta.data[c])
          dshift[c] += dz
        })
        each((normal, dz, c, y, x) => {
          const [scale] = modulation(b, c)
          let sum = rstd * (dz * scale * o.gamma.data[c] - meanOfGradient - normal * meanOfProduct)
          if (addAt) sum += o.add.data[addAt(b, y, x, c)]
          if (add2At) sum += o.add2.data[add2At(b, y, x, c)]
          o.dx.data[((b * H + y) * W + x) * C + c] = sum
        })
      }
      if (o.dmodulation) {
        const row = b * o.dmodulation.shape[1] + a.modulationFirst
        o.dmodulation.data.set(dscale, row)
        o.dmodulation.data.set(dshift, row + C)
      }
    }
    if (o.dgamma) {
      o.dgamma.data.set(dgamma)
      o.dbeta.data.set(dbeta)
    }
  },
}
