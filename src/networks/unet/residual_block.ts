/**
 * A residual block of a UNet (Dhariwal and Nichol 2021), x [B, H, W, C] to y [B, H′, W′, N]:
 * a = silu(norm₁(x)), h = conv₁(a) + e, b = dropout(silu(norm₂(h))), y = conv₂(b) + skip(x),
 * with e the block's columns of `embedding`; with scaleShift it scales and shifts norm₂ instead. skip is a 1 × 1 convolution
 * where the channels change. A block that changes the size pools a and x, or enlarges both, before conv₁ and skip.
 *
 * x and y may be windows of channels. a, h, b and the statistics are stored in the tensors given for them; the backward pass
 * reads them, or computes them again.
 */

import { averagePool } from '../../kernels/average_pool.js'
import { type Cost, expectShape, extents, type Shapes, traffic } from '../../kernels/contract.js'
import type { DrawAttributes } from '../../kernels/draws.js'
import { expectPictures, pictureExtents } from '../../kernels/pictures.js'
import type { Composite, ProgramBuilder, ProgramTensor } from '../../program/program.js'
import { addConvolution, addNorm, dense, type LayerParameters, type Window } from './layers.js'
import { outputExtents, type ResidualBlock, residualFlops, type UnetSpec, unetLayout } from './spec.js'

export interface ResidualBlockAttributes {
  readonly net: UnetSpec
  readonly block: ResidualBlock
  readonly xFirst: number
  readonly yFirst: number
  /** dropout is on where these are given: the draws' seed and stream, and the number of the first row in its batch */
  readonly training: (DrawAttributes & { readonly firstRow: number }) | null
}

/** The operands that hold what the backward pass needs. */
export const keptOperands = ['a', 'h', 'b', 'statistics1', 'statistics2'] as const
export type Kept = Readonly<Record<(typeof keptOperands)[number], ProgramTensor>>

/** Shapes of what is kept: a is the input of conv₁, after any pooling. */
export function keptShapes(B: number, { net, block }: Pick<ResidualBlockAttributes, 'net' | 'block'>) {
  const { H, W, C, N, resample } = block
  const [outH, outW] = outputExtents(block)
  return {
    a: resample === 'down' ? [B, outH, outW, C] : [B, H, W, C],
    h: [B, outH, outW, N],
    b: [B, outH, outW, N],
    statistics1: [B, 2, net.groups],
    statistics2: [B, 2, net.groups],
  } as const
}

/** Checks what forward and backward share; returns B. */
export function checkBlock(composite: string, shapes: Shapes, a: ResidualBlockAttributes): number {
  const { H, W, C } = a.block
  const { B } = pictureExtents(composite, 'x', shapes.x)
  expectPictures(composite, 'x', shapes.x, [B, H, W, C], a.xFirst)
  expectShape(composite, 'parameters', shapes.parameters, [unetLayout(a.net).parameterLength])
  if (shapes.half) expectShape(composite, 'half', shapes.half, shapes.parameters!)
  const [rows] = extents(composite, 'embedding', shapes.embedding, 2)
  expectShape(composite, 'embedding', shapes.embedding, [rows === 1 ? 1 : B, unetLayout(a.net).embedding.outputs])
  for (const [name, shape] of Object.entries(keptShapes(B, a))) {
    if (shapes[name]) expectShape(composite, name, shapes[name], shape)
  }
  return B
}

/** What the second normalisation adds to its plain form. */
export const secondNorm = (
  { net, block, training }: ResidualBlockAttributes,
  { embedding, state }: { embedding: ProgramTensor; state?: ProgramTensor },
) => {
  const drops = training !== null && net.dropout > 0
  return {
    ...(net.scaleShift ? { modulation: embedding } : {}),
    ...(drops ? { state } : {}),
    attributes: {
      modulationFirst: net.scaleShift ? block.embeddingFirst : 0,
      ...(drops ? { ...training, dropout: net.dropout, block: block.number } : {}),
    },
  }
}

/** The block up to b: what the backward pass repeats where nothing was kept. */
export function addInside(
  builder: ProgramBuilder,
  o: LayerParameters & { embedding: ProgramTensor },
  x: Window,
  kept: Kept,
  attributes: ResidualBlockAttributes,
): void {
  const { net, block } = attributes
  const { H, W, C, resample } = block
  const B = x.tensor.shape[0]
  const normal = resample === 'down' ? builder.temporary([B, H, W, C]) : kept.a
  addNorm(builder, o.parameters, block.norm1, net, { x, y: normal, statistics: kept.statistics1, attributes: {} })
  if (resample === 'down') builder.add(averagePool, { x: normal, y: kept.a }, { xFirst: 0, factor: 1 / 4 })
  addConvolution(builder, o, block.conv1, {
    // pooled before, where it shrinks
    resample: resample === 'up' ? 'up' : 'none',
    x: dense(kept.a),
    y: dense(kept.h),
    ...(net.scaleShift ? {} : { shift: o.embedding, attributes: { shiftFirst: block.embeddingFirst } }),
  })
  addNorm(builder, o.parameters, block.norm2, net, {
    x: dense(kept.h),
    y: kept.b,
    statistics: kept.statistics2,
    ...secondNorm(attributes, o),
  })
}

export const residualBlock: Composite<ResidualBlockAttributes> = {
  kind: 'composite',
  name: 'residual_block',
  operands: {
    parameters: { access: 'read' }, // [P]
    x: { access: 'read' }, // [B, H, W, S]
    embedding: { access: 'read' }, // [B, M] or [1, M]
    state: { access: 'read', dtype: 'u32', optional: true },
    half: { access: 'read', dtype: 'f16', optional: true }, // [P], as in unet_backward.ts
    a: { access: 'write', optional: true },
    h: { access: 'write', optional: true }, // [B, H′, W′, N]
    b: { access: 'write', optional: true }, // [B, H′, W′, N]
    statistics1: { access: 'write', optional: true }, // [B, 2, groups]
    statistics2: { access: 'write', optional: true }, // [B, 2, groups]
    y: { access: 'write' }, // [B, H′, W′, S]
  },
  check(shapes, a) {
    const B = checkBlock('residual_block', shapes, a)
    expectPictures('residual_block', 'y', shapes.y, [B, ...outputExtents(a.block), a.block.N], a.yFirst)
  },
  cost: (shapes, a): Cost => ({ flops: shapes.x![0] * residualFlops(a.block), bytes: traffic(shapes) }),
  expand(builder, o, attributes) {
    const { block } = attributes
    const { H, W, C, N, resample } = block
    const x: Window = { tensor: o.x, first: attributes.xFirst }
    const B = o.x.shape[0]
    const shapes = keptShapes(B, attributes)
    const kept = Object.fromEntries(
      keptOperands.map((name) => [name, o[name] ?? builder.temporary(shapes[name])]),
    ) as unknown as Kept
    const inside = { parameters: o.parameters, embedding: o.embedding, state: o.state, half: o.half }
    addInside(builder, inside, x, kept, attributes)
    let residual = x
    if (block.skip) {
      residual = dense(builder.temporary([B, H, W, N]))
      addConvolution(builder, inside, block.skip, { x, y: residual })
    } else if (resample === 'down') {
      residual = dense(builder.temporary([B, H / 2, W / 2, C]))
      builder.add(averagePool, { x: x.tensor, y: residual.tensor }, { xFirst: x.first, factor: 1 / 4 })
    }
    addConvolution(builder, inside, block.conv2, {
      x: dense(kept.b),
      y: { tensor: o.y, first: attributes.yFirst },
      residual,
    })
  },
}
