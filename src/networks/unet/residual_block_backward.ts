/**
 * Gradients of a residual block (residual_block.ts; the terms are defined there): dx [B, H, W, C] including `add`, the gradient
 * of x from another path; the block's parameters' gradients in its windows of `gradient` [P]; and its columns of
 * dembedding [B, M]. Without `gradient` only dx is computed. Where a, h, b and the statistics are not given, the block's
 * inside is computed again, with the same dropout.
 */

import { averagePool } from '../../kernels/average_pool.js'
import { averagePoolBackward } from '../../kernels/average_pool_backward.js'
import { type Cost, expectShape, traffic } from '../../kernels/contract.js'
import { expectPictures } from '../../kernels/pictures.js'
import type { Composite, ProgramBuilder, ProgramTensor } from '../../program/program.js'
import { addConvolutionInput, addConvolutionWeight, addNormBackward, dense, type Window } from './layers.js'
import {
  addInside,
  checkBlock,
  type Kept,
  keptOperands,
  keptShapes,
  type ResidualBlockAttributes,
  secondNorm,
} from './residual_block.js'
import { outputExtents, residualFlops } from './spec.js'

export interface ResidualBlockBackwardAttributes extends ResidualBlockAttributes {
  readonly dyFirst: number
  readonly addFirst: number
}

export const residualBlockBackward: Composite<ResidualBlockBackwardAttributes> = {
  kind: 'composite',
  name: 'residual_block_backward',
  operands: {
    parameters: { access: 'read' }, // [P]
    x: { access: 'read' }, // [B, H, W, S]
    embedding: { access: 'read' }, // [B, M] or [1, M]
    state: { access: 'read', dtype: 'u32', optional: true },
    half: { access: 'read', dtype: 'f16', optional: true }, // [P]
    a: { access: 'read', optional: true },
    h: { access: 'read', optional: true }, // [B, H′, W′, N]
    b: { access: 'read', optional: true }, // [B, H′, W′, N]
    statistics1: { access: 'read', optional: true }, // [B, 2, groups]
    statistics2: { access: 'read', optional: true }, // [B, 2, groups]
    dy: { access: 'read' }, // [B, H′, W′, S]
    add: { access: 'read', optional: true }, // [B, H, W, S]
    dx: { access: 'write' }, // [B, H, W, C]
    gradient: { access: 'write', optional: true }, // [P]
    dembedding: { access: 'write', optional: true }, // [B, M]
  },
  check(shapes, a) {
    const B = checkBlock('residual_block_backward', shapes, a)
    const { H, W, C, N } = a.block
    expectPictures('residual_block_backward', 'dy', shapes.dy, [B, ...outputExtents(a.block), N], a.dyFirst)
    if (shapes.add) expectPictures('residual_block_backward', 'add', shapes.add, [B, H, W, C], a.addFirst)
    expectShape('residual_block_backward', 'dx', shapes.dx, [B, H, W, C])
    if (shapes.gradient) {
      expectShape('residual_block_backward', 'gradient', shapes.gradient, shapes.parameters!)
      expectShape('residual_block_backward', 'dembedding', shapes.dembedding, [B, shapes.embedding![1]])
    }
  },
  cost: (shapes, a): Cost => {
    const products = (shapes.gradient ? 2 : 1) + (shapes.b ? 0 : 1)
    return { flops: products * shapes.x![0] * residualFlops(a.block), bytes: traffic(shapes) }
  },
  expand(builder, o, attributes) {
    const { net, block } = attributes
    const { H, W, C, resample } = block
    const [outH, outW] = outputExtents(block)
    const B = o.x.shape[0]
    const x: Window = { tensor: o.x, first: attributes.xFirst }
    const dy: Window = { tensor: o.dy, first: attributes.dyFirst }
    const add = o.add && { tensor: o.add, first: attributes.addFirst }
    const { parameters, gradient } = o
    const layers = { parameters, gradient, state: o.state, half: o.half }
    const kept = keptOrAgain(builder, o, x, attributes)

    const db = builder.temporary(kept.b.shape)
    addConvolutionInput(builder, layers, block.conv2, 'none', dy, dense(db))
    addConvolutionWeight(builder, layers, block.conv2, 'none', dense(kept.b), dy)

    const dh = builder.temporary(kept.h.shape)
    addNormBackward(builder, parameters, gradient, block.norm2, net, {
      x: dense(kept.h),
      statistics: kept.statistics2,
      dy: db,
      dx: dh,
      dmodulation: net.scaleShift ? o.dembedding : undefined,
      ...secondNorm(attributes, { embedding: o.embedding, state: o.state }),
    })

    const along = resample === 'up' ? 'up' : 'none'
    addConvolutionWeight(
      builder,
      layers,
      block.conv1,
      along,
      dense(kept.a),
      dense(dh),
      net.scaleShift ? undefined : o.dembedding,
      net.scaleShift ? {} : { shiftFirst: block.embeddingFirst },
    )
    let da = builder.temporary(kept.a.shape)
    addConvolutionInput(builder, layers, block.conv1, along, dense(dh), dense(da))
    if (resample === 'down') {
      const pooled = da
      da = builder.temporary([B, H, W, C])
      builder.add(averagePoolBackward, { dy: pooled, dx: da }, { dyFirst: 0, addFirst: 0, factor: 1 / 4 })
    }

    // the gradient along the skip, and what of `add` is left to add
    let skip = dy
    let rest: Window | undefined = add
    if (block.skip) {
      skip = dense(builder.temporary([B, H, W, C]))
      addConvolutionInput(builder, layers, block.skip, 'none', dy, skip, add)
      addConvolutionWeight(builder, layers, block.skip, 'none', x, dy)
      rest = undefined
    } else if (resample === 'down') {
      skip = dense(builder.temporary([B, H, W, C]))
      builder.add(
        averagePoolBackward,
        { dy: dy.tensor, add: add?.tensor, dx: skip.tensor },
        { dyFirst: dy.first, addFirst: add?.first ?? 0, factor: 1 / 4 },
      )
      rest = undefined
    } else if (resample === 'up') {
      // a pixel became 2 × 2 of them
      skip = dense(builder.temporary([B, outH / 2, outW / 2, C]))
      builder.add(averagePool, { x: dy.tensor, y: skip.tensor }, { xFirst: dy.first, factor: 1 })
    }
    addNormBackward(builder, parameters, gradient, block.norm1, net, {
      x,
      statistics: kept.statistics1,
      dy: da,
      dx: o.dx,
      add: skip,
      add2: rest,
      attributes: {},
    })
  },
}

/** What was kept of the forward pass, or the same computed again. */
function keptOrAgain(
  builder: ProgramBuilder,
  o: Record<string, ProgramTensor>,
  x: Window,
  attributes: ResidualBlockAttributes,
): Kept {
  if (o.b) return o as unknown as Kept
  const shapes = keptShapes(x.tensor.shape[0], attributes)
  const kept = Object.fromEntries(
    keptOperands.map((name) => [name, builder.temporary(shapes[name])]),
  ) as unknown as Kept
  const { parameters, embedding, state, half } = o
  addInside(builder, { parameters, embedding, state, half }, x, kept, attributes)
  return kept
}
