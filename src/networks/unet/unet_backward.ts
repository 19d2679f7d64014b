/**
 * Gradient of the flow-matching loss of a UNet: with v = unet_forward(x, t), dropout on, row_loss[b] = Σ_d (v − target)² /
 * (D·scale²), loss = mean row_loss, gradient = ∂loss/∂parameters. The forward pass is part of it.
 *
 * The batch may go through the network in `microBatches` parts of equal size one after another, whose gradients add up in
 * `gradient`; `part` [P] takes those of the second part on, and must be zero in the gaps of the flat layout. With `recompute`
 * nothing inside a residual block is kept: the backward pass computes it again. Neither changes the result, apart from
 * rounding. Gaps of the flat layout are left as they are (zero).
 *
 * With `half`, a copy of the parameters in float16 (adam_mixed), convolutions of channels in fours multiply in float16, the
 * gradients among their factors with the loss scale of `state` (mixed precision, Micikevicius et al. 2018); all that lies in
 * memory, the sums and everything else stay float32. The first convolution and the last, of a picture's own channels,
 * multiply in float32 at all times, as do attention and the time's layers.
 */

import { InvalidArgumentError } from '../../errors.js'
import { accumulate } from '../../kernels/accumulate.js'
import { type Cost, expectShape, traffic } from '../../kernels/contract.js'
import { conv2dBackwardInput, plainBackwardInput } from '../../kernels/conv2d_backward_input.js'
import type { DrawAttributes } from '../../kernels/draws.js'
import { flowLoss } from '../../kernels/flow_loss.js'
import { linearBackwardInput } from '../../kernels/linear_backward_input.js'
import { linearBackwardWeight } from '../../kernels/linear_backward_weight.js'
import { ALIGNMENT, type Composite, type ProgramBuilder, type ProgramTensor } from '../../program/program.js'
import {
  type AttentionKept,
  addAttentionBackward,
  addConvolutionWeight,
  addNormBackward,
  addResampleBackward,
  asPictures,
  convolutionTensors,
  dataLayout,
  dense,
  geometryOf,
  type LayerGradients,
  linearTensors,
  type Window,
} from './layers.js'
import type { Kept, ResidualBlockAttributes } from './residual_block.js'
import { residualBlockBackward } from './residual_block_backward.js'
import { type LinearLayer, type UnetLayout, type UnetSpec, unetDimension, unetLayout, unetStepFlops } from './spec.js'
import {
  addEmbedding,
  addLast,
  addPass,
  checkUnetInputs,
  type EmbeddingKept,
  type Pass,
  type Taped,
  type UnetAttributes,
} from './unet_forward.js'

export interface UnetBackwardAttributes extends UnetAttributes {
  /** seed and stream of dropout; null: no dropout */
  readonly draws: DrawAttributes | null
  readonly recompute: boolean
  readonly microBatches: number
}

interface BackwardOperands extends LayerGradients {
  readonly embedding: ProgramTensor
  readonly dembedding?: ProgramTensor
}

/**
 * The backward pass from dlast, as rows of data lie, the gradient of the last convolution's output, to the first convolution's
 * output; returns the gradient there.
 */
export function addPassBackward(
  builder: ProgramBuilder,
  layout: UnetLayout,
  o: BackwardOperands,
  pass: Pass,
  dlast: ProgramTensor,
  training: ResidualBlockAttributes['training'],
): ProgramTensor {
  const { net } = layout
  const { parameters, gradient } = o
  const dnormal = builder.temporary(pass.normal.shape)
  const { weight } = convolutionTensors(builder, parameters, layout.last)
  builder.add(
    conv2dBackwardInput,
    { dy: dlast, weight, dx: dnormal },
    { ...plainBackwardInput, ...geometryOf(layout.last), dyLayout: dataLayout(net) },
  )
  addConvolutionWeight(builder, { gradient }, layout.last, 'none', dense(pass.normal), dense(dlast), undefined, {
    dyLayout: dataLayout(net),
  })
  const dfeatures = builder.temporary(pass.features.shape)
  addNormBackward(builder, parameters, gradient, layout.lastNorm, net, {
    x: dense(pass.features),
    statistics: pass.statistics,
    dy: dnormal,
    dx: dfeatures,
    attributes: {},
  })

  // gradients of the skips, as decoder steps find them
  const skips = new Map<number, Window>()
  let dy = dense(dfeatures)
  for (const taped of [...pass.tape].reverse()) {
    const add = taped.skipIn === null ? undefined : skips.get(taped.skipIn)
    const dx = addModuleBackward(builder, layout.net, o, taped, dy, add, training)
    if (taped.joins) skips.set(taped.joins.skip, { tensor: dx, first: taped.joins.channels })
    dy = dense(dx)
  }
  return dy.tensor
}

function addModuleBackward(
  builder: ProgramBuilder,
  net: UnetSpec,
  o: BackwardOperands,
  { module, x, kept }: Taped,
  dy: Window,
  add: Window | undefined,
  training: ResidualBlockAttributes['training'],
): ProgramTensor {
  if (module.kind === 'attention') {
    return addAttentionBackward(builder, o, module, net, kept as AttentionKept, dy, add)
  }
  if (module.kind !== 'residual') return addResampleBackward(builder, o, module, x, dy, add)
  const { H, W, C } = module
  const dx = builder.temporary([x.tensor.shape[0], H, W, C])
  builder.add(
    residualBlockBackward,
    { ...o, x: x.tensor, ...(kept as Kept | null), dy: dy.tensor, add: add?.tensor, dx },
    {
      net,
      block: module,
      xFirst: x.first,
      yFirst: 0,
      dyFirst: dy.first,
      addFirst: add?.first ?? 0,
      training,
    },
  )
  return dx
}

/** Gradients of the time's layers from that of `embedding` [B, M]. */
function addEmbeddingBackward(
  builder: ProgramBuilder,
  layout: UnetLayout,
  parameters: ProgramTensor,
  gradient: ProgramTensor,
  { sinusoids, z1, h1, z2, h2 }: EmbeddingKept,
  dembedding: ProgramTensor,
): void {
  const weights = (layer: LinearLayer, x: ProgramTensor, dy: ProgramTensor): void => {
    const { weight, bias } = linearTensors(builder, gradient, layer)
    builder.add(linearBackwardWeight, { x, dy, dweight: weight, dbias: bias }, {})
  }
  const input = (layer: LinearLayer, dy: ProgramTensor, saved: ProgramTensor): ProgramTensor => {
    const dx = builder.temporary(saved.shape)
    const { weight } = linearTensors(builder, parameters, layer)
    builder.add(linearBackwardInput, { dy, weight, saved, dx }, { activation: 'silu', beta: 1 })
    return dx
  }
  weights(layout.embedding, h2, dembedding)
  const dz2 = input(layout.embedding, dembedding, z2)
  weights(layout.time2, h1, dz2)
  weights(layout.time1, sinusoids, input(layout.time2, dz2, z1))
}

/** Why a batch of B rows cannot be cut into so many parts; null where it can. */
export function microBatchProblem(net: UnetSpec, B: number, microBatches: number): string | null {
  if (microBatches === 1) return null
  const rows = B / microBatches
  if (!Number.isInteger(rows)) {
    return `train.microBatches must divide train.batch, but ${B} is no multiple of ${microBatches}.`
  }
  const widths = [unetDimension(net), unetLayout(net).embedding.outputs]
  if (widths.every((width) => (rows * width) % ALIGNMENT === 0)) return null
  return (
    `train.microBatches makes parts of ${rows} rows, but ${rows} × ${widths.join(` and ${rows} × `)} must be multiples of ` +
    `${ALIGNMENT}; choose it so that a part has more factors of two.`
  )
}

export const unetBackward: Composite<UnetBackwardAttributes> = {
  kind: 'composite',
  name: 'unet_backward',
  operands: {
    parameters: { access: 'read' }, // [P]
    x: { access: 'read' }, // [B, D]
    t: { access: 'read' }, // [B]
    condition: { access: 'read', optional: true }, // [B, C]
    state: { access: 'read', dtype: 'u32', optional: true },
    half: { access: 'read', dtype: 'f16', optional: true }, // [P]
    target: { access: 'read' }, // [B, D]
    gradient: { access: 'write' }, // [P]
    part: { access: 'write', optional: true }, // [P]
    row_loss: { access: 'write' }, // [B]
  },
  check(shapes, { net, microBatches }) {
    const B = checkUnetInputs('unet_backward', shapes, net)
    expectShape('unet_backward', 't', shapes.t, [B])
    expectShape('unet_backward', 'target', shapes.target, [B, unetDimension(net)])
    expectShape('unet_backward', 'gradient', shapes.gradient, shapes.parameters!)
    expectShape('unet_backward', 'row_loss', shapes.row_loss, [B])
    if (shapes.half) expectShape('unet_backward', 'half', shapes.half, shapes.parameters!)
    const problem = microBatchProblem(net, B, microBatches)
    if (problem) throw new InvalidArgumentError(`unet_backward: ${problem}`)
    if (microBatches > 1) expectShape('unet_backward', 'part', shapes.part, shapes.parameters!)
  },
  cost: (shapes, { net }): Cost => ({ flops: unetStepFlops(net, shapes.x![0]), bytes: traffic(shapes) }),
  expand(builder, o, { net, scale, draws, recompute, microBatches }) {
    const layout = unetLayout(net)
    const D = unetDimension(net)
    const M = layout.embedding.outputs
    const B = o.x.shape[0]
    const rows = B / microBatches
    const kept = addEmbedding(builder, layout, o.parameters, o.t, o.condition)
    const dembedding = builder.temporary([B, M])
    const partOf = (tensor: ProgramTensor, width: number, i: number): ProgramTensor =>
      microBatches === 1 ? tensor : builder.view(tensor, [rows, width], i * rows * width)

    for (let i = 0; i < microBatches; i++) {
      const gradient = i === 0 ? o.gradient : o.part
      const training = draws && { ...draws, firstRow: i * rows }
      const x = asPictures(builder, partOf(o.x, D, i), net)
      const operands = {
        parameters: o.parameters,
        embedding: partOf(kept.embedding, M, i),
        state: o.state,
        half: o.half,
      }
      const pass = addPass(builder, layout, operands, x, { keep: recompute ? 'inputs' : 'all', training })
      const v = builder.temporary([rows, D])
      addLast(builder, layout, o.parameters, pass, asPictures(builder, v, net), scale)
      const delta = builder.temporary([rows, D])
      builder.add(
        flowLoss,
        { v, target: partOf(o.target, D, i), delta, row_loss: o.row_loss },
        { scale, firstRow: i * rows },
      )
      const dfirst = addPassBackward(
        builder,
        layout,
        { ...operands, gradient, dembedding: partOf(dembedding, M, i) },
        pass,
        asPictures(builder, delta, net),
        training,
      )
      addConvolutionWeight(builder, { gradient }, layout.first, 'none', dense(x), dense(dfirst), undefined, {
        xLayout: dataLayout(net),
      })
      if (i > 0) builder.add(accumulate, { part: o.part, total: o.gradient }, {})
    }
    addEmbeddingBackward(builder, layout, o.parameters, o.gradient, kept, dembedding)
  },
}
