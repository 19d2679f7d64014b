/**
 * The velocity v(x, t, condition) of a UNet for B rows of data, pictures [C, H, W] or sequences [steps, C]:
 * out [B, D] = scale·v.
 *
 * For a Runge–Kutta method around the network, `stages` [S, stride ≥ B·D] holds velocities of earlier stages: the network
 * sees x + Σ_s inputCoefficients_s·stage_s, combined by the first convolution, and where `base` [B, D] is given the last
 * convolution writes out = base + Σ_s outputCoefficients_s·stage_s + scale·v. Empty coefficients: nothing is added.
 */

import { type Cost, expectShape, extents, type Shapes, traffic } from '../../kernels/contract.js'
import type { Conv2dAttributes } from '../../kernels/conv2d.js'
import { inputFeatures } from '../../kernels/input_features.js'
import { linearForward } from '../../kernels/linear_forward.js'
import { timeEmbedding } from '../../kernels/time_embedding.js'
import type { Composite, ProgramBuilder, ProgramTensor } from '../../program/program.js'
import {
  type AttentionKept,
  addAttention,
  addConvolution,
  addNorm,
  addResample,
  asPictures,
  dataLayout,
  dense,
  type LayerParameters,
  linearTensors,
  type Window,
} from './layers.js'
import { type Kept, keptOperands, keptShapes, type ResidualBlockAttributes, residualBlock } from './residual_block.js'
import {
  outputExtents,
  type UnetLayout,
  type UnetModule,
  type UnetSpec,
  unetDimension,
  unetLayout,
  unetRowFlops,
} from './spec.js'

export interface UnetAttributes {
  readonly net: UnetSpec
  /** multiplies the last convolution's output; 1 without output scaling */
  readonly scale: number
}

export interface UnetForwardAttributes extends UnetAttributes {
  readonly inputCoefficients: readonly number[]
  readonly outputCoefficients: readonly number[]
}

/** Checks parameters [P], x [B, D], t [B] or [1] and condition [B, C] against the network; returns B. */
export function checkUnetInputs(composite: string, shapes: Shapes, net: UnetSpec): number {
  const [B] = extents(composite, 'x', shapes.x, 2)
  expectShape(composite, 'x', shapes.x, [B, unetDimension(net)])
  expectShape(composite, 'parameters', shapes.parameters, [unetLayout(net).parameterLength])
  expectShape(composite, 't', shapes.t, [shapes.t?.[0] === 1 ? 1 : B])
  if (net.condition > 0) expectShape(composite, 'condition', shapes.condition, [B, net.condition])
  return B
}

/** Intermediate tensors of `embedding` that the backward pass needs. */
export interface EmbeddingKept {
  readonly sinusoids: ProgramTensor
  readonly z1: ProgramTensor
  readonly h1: ProgramTensor
  readonly z2: ProgramTensor
  readonly h2: ProgramTensor
  readonly embedding: ProgramTensor
}

/**
 * embedding = W₃ silu(W₂ silu(W₁ sinusoids(t))), biases included: the shifts of all residual blocks. A condition [B, C] stands
 * behind the sinusoids; of a second time, its last column, it is the sinusoids of that.
 */
export function addEmbedding(
  builder: ProgramBuilder,
  layout: UnetLayout,
  parameters: ProgramTensor,
  t: ProgramTensor,
  condition?: ProgramTensor,
): EmbeddingKept {
  const [R] = (condition ?? t).shape
  const { time1, time2, embedding: last } = layout
  const kept: EmbeddingKept = {
    sinusoids: builder.temporary([R, time1.inputs]),
    z1: builder.temporary([R, time1.outputs]),
    h1: builder.temporary([R, time1.outputs]),
    z2: builder.temporary([R, time2.outputs]),
    h2: builder.temporary([R, time2.outputs]),
    embedding: builder.temporary([R, last.outputs]),
  }
  const { sinusoids, z1, h1, z2, h2, embedding } = kept
  const silu = { activation: 'silu', beta: 1, scale: 1 } as const
  addSinusoids(builder, layout.net, t, condition, sinusoids)
  builder.add(linearForward, { x: sinusoids, ...linearTensors(builder, parameters, time1), y: h1, z: z1 }, silu)
  builder.add(linearForward, { x: h1, ...linearTensors(builder, parameters, time2), y: h2, z: z2 }, silu)
  builder.add(
    linearForward,
    { x: h2, ...linearTensors(builder, parameters, last), y: embedding },
    { ...silu, activation: 'identity' },
  )
  return kept
}

/** sinusoids(t), and behind them the condition [R, C], or the sinusoids of a second time. */
function addSinusoids(
  builder: ProgramBuilder,
  { width, secondTime, condition: C }: UnetSpec,
  t: ProgramTensor,
  condition: ProgramTensor | undefined,
  out: ProgramTensor,
): void {
  if (!condition) {
    builder.add(timeEmbedding, { t, y: out }, {})
    return
  }
  const [R] = out.shape
  const embed = (time: ProgramTensor): ProgramTensor => {
    const y = builder.temporary([R, width])
    builder.add(timeEmbedding, { t: time, y }, {})
    return y
  }
  let first = t
  if (t.shape[0] !== R) {
    // one t for all rows, beside a condition of each: 0·condition + t
    const spread = builder.temporary([R, 1])
    const zero = builder.constant([0])
    const zeros = builder.constant(new Float32Array(C))
    builder.add(
      linearForward,
      {
        x: condition,
        weight: builder.view(zeros, [1, C]),
        bias: zero,
        t,
        time_weight: builder.constant([1]),
        y: spread,
      },
      { activation: 'identity', beta: 1, scale: 1 },
    )
    first = builder.view(spread, [R])
  }
  builder.add(inputFeatures, { x: embed(first), condition: secondTime ? besideSecond() : condition, y: out }, {})

  /** What is told, and behind it the sinusoids of the second time. */
  function besideSecond(): ProgramTensor {
    if (C === 1) return embed(builder.view(condition!, [R]))
    const second = embed(builder.view(picked(C - 1, 1), [R]))
    const y = builder.temporary([R, C - 1 + width])
    builder.add(inputFeatures, { x: picked(0, C - 1), condition: second, y }, {})
    return y
  }

  /** Columns [from, from + many) of the condition, by a product with ones at their places. */
  function picked(from: number, many: number): ProgramTensor {
    const y = builder.temporary([R, many])
    const weight = new Float32Array(many * C)
    for (let k = 0; k < many; k++) weight[k * C + from + k] = 1
    const nothing = builder.constant(new Float32Array(many))
    builder.add(
      linearForward,
      { x: condition!, weight: builder.constant(weight, [many, C]), bias: nothing, y },
      { activation: 'identity', beta: 1, scale: 1 },
    )
    return y
  }
}

/** One module of a forward pass, with what its backward pass needs. */
export interface Taped {
  readonly module: UnetModule
  readonly x: Window
  readonly kept: Kept | AttentionKept | null
  /** the skip that this module's input is, where it is one */
  readonly skipIn: number | null
  /** for the first module of a decoder step: the skip, which follows `channels` of the decoder's own */
  readonly joins: { readonly skip: number; readonly channels: number } | null
}

export interface Pass {
  readonly tape: readonly Taped[]
  /** [B, H, W, C]: what the last normalisation sees */
  readonly features: ProgramTensor
  readonly normal: ProgramTensor
  readonly statistics: ProgramTensor
}

export interface PassOptions {
  /** what a backward pass over residual blocks needs: kept, or computed again by them */
  readonly keep: 'all' | 'inputs'
  readonly training: ResidualBlockAttributes['training']
  /** of the first convolution, and the stages that it combines */
  readonly first?: Partial<Conv2dAttributes>
  readonly stages?: ProgramTensor
}

/** All layers but the last convolution. x as rows of data lie (layers.ts: asPictures). */
export function addPass(
  builder: ProgramBuilder,
  layout: UnetLayout,
  o: LayerParameters & { embedding: ProgramTensor },
  x: ProgramTensor,
  { keep, training, first, stages }: PassOptions,
): Pass {
  const { net, encoder, middle, decoder } = layout
  const [B] = x.shape
  const tape: Taped[] = []

  // Decoder step j sees skip last − j after its own channels; their joint tensor is made before either part is computed.
  const last = encoder.length
  const joined = decoder.map(({ modules: [block] }) => {
    const { H, W, C } = block
    return builder.temporary([B, H, W, C])
  })
  const skipChannels = [layout.first.N, ...encoder.map(({ C }) => C)]
  const ownChannels = decoder.map(({ modules: [{ C }] }, j) => C - skipChannels[last - j])
  const skipWindow = (i: number): Window => ({ tensor: joined[last - i], first: ownChannels[last - i] })

  const run = (modules: readonly UnetModule[], input: Window, output: Window, at: Partial<Taped>): void => {
    modules.forEach((module, i) => {
      const from = i === 0 ? input : dense(tapeEnd)
      const [H, W, C] = outputOf(module)
      const to = i === modules.length - 1 ? output : dense(builder.temporary([B, H, W, C]))
      const kept = addModule(builder, o, module, layout.net, from, to, keep, training)
      tape.push({ module, x: from, kept, skipIn: null, joins: null, ...(i === 0 ? at : {}) })
      tapeEnd = to.tensor
    })
  }
  let tapeEnd: ProgramTensor = x

  addFirst(builder, { parameters: o.parameters }, layout, x, skipWindow(0), first, stages)
  encoder.forEach(({ modules }, i) => {
    run(modules, skipWindow(i), skipWindow(i + 1), { skipIn: i })
  })
  run(middle.modules, skipWindow(last), { tensor: joined[0], first: 0 }, { skipIn: last })
  let features = joined[0]
  decoder.forEach(({ modules, H, W, C: channels }, j) => {
    const next = joined[j + 1] ?? builder.temporary([B, H, W, channels])
    run(modules, dense(joined[j]), { tensor: next, first: 0 }, { joins: { skip: last - j, channels: ownChannels[j] } })
    features = next
  })

  const normal = builder.temporary(features.shape)
  const statistics = builder.temporary([B, 2, net.groups])
  addNorm(builder, o.parameters, layout.lastNorm, net, { x: dense(features), y: normal, statistics, attributes: {} })
  return { tape, features, normal, statistics }
}

function outputOf(module: UnetModule): [number, number, number] {
  if (module.kind === 'residual') return [...outputExtents(module), module.N]
  return module.kind === 'attention' ? [module.H, module.W, module.C] : [module.outH, module.outW, module.C]
}

function addFirst(
  builder: ProgramBuilder,
  o: LayerParameters,
  layout: UnetLayout,
  x: ProgramTensor,
  y: Window,
  attributes: Partial<Conv2dAttributes> | undefined,
  stages: ProgramTensor | undefined,
): void {
  addConvolution(builder, o, layout.first, {
    x: dense(x),
    y,
    stages,
    attributes: { xLayout: dataLayout(layout.net), ...attributes },
  })
}

function addModule(
  builder: ProgramBuilder,
  o: LayerParameters & { embedding: ProgramTensor },
  module: UnetModule,
  net: UnetSpec,
  x: Window,
  y: Window,
  keep: PassOptions['keep'],
  training: PassOptions['training'],
): Taped['kept'] {
  if (module.kind === 'attention') return addAttention(builder, o, module, net, x, y)
  if (module.kind !== 'residual') {
    addResample(builder, o, module, x, y)
    return null
  }
  const shapes = keptShapes(x.tensor.shape[0], { net, block: module })
  const kept =
    keep === 'all'
      ? (Object.fromEntries(keptOperands.map((name) => [name, builder.temporary(shapes[name])])) as unknown as Kept)
      : null
  builder.add(
    residualBlock,
    { ...o, x: x.tensor, ...kept, y: y.tensor },
    { net, block: module, xFirst: x.first, yFirst: y.first, training },
  )
  return kept
}

/** The last convolution: out as rows of data lie. */
export function addLast(
  builder: ProgramBuilder,
  layout: UnetLayout,
  parameters: ProgramTensor,
  { normal }: Pass,
  out: ProgramTensor,
  scale: number,
  extra: { base?: ProgramTensor; stages?: ProgramTensor; coefficients?: readonly number[] } = {},
): void {
  const { base, stages, coefficients = [] } = extra
  addConvolution(builder, { parameters }, layout.last, {
    x: dense(normal),
    y: dense(out),
    residual: base && dense(base),
    stages,
    attributes: { yLayout: dataLayout(layout.net), scale, combine: stages ? 'output' : 'none', coefficients },
  })
}

export const unetForward: Composite<UnetForwardAttributes> = {
  kind: 'composite',
  name: 'unet_forward',
  operands: {
    parameters: { access: 'read' }, // [P]
    x: { access: 'read' }, // [B, D]
    t: { access: 'read' }, // [B] or [1]
    condition: { access: 'read', optional: true }, // [B, C]
    stages: { access: 'read', optional: true }, // [S, stride]
    base: { access: 'read', optional: true }, // [B, D]
    out: { access: 'write' }, // [B, D]
  },
  check(shapes, { net }) {
    const B = checkUnetInputs('unet_forward', shapes, net)
    expectShape('unet_forward', 'out', shapes.out, [B, unetDimension(net)])
    if (shapes.base) expectShape('unet_forward', 'base', shapes.base, [B, unetDimension(net)])
  },
  cost: (shapes, { net }): Cost => ({ flops: shapes.x![0] * unetRowFlops(net), bytes: traffic(shapes) }),
  expand(builder, o, { net, scale, inputCoefficients, outputCoefficients }) {
    const layout = unetLayout(net)
    const { embedding } = addEmbedding(builder, layout, o.parameters, o.t, o.condition)
    const combines = (coefficients: readonly number[]): boolean => coefficients.some((c) => c !== 0)
    const pass = addPass(builder, layout, { parameters: o.parameters, embedding }, asPictures(builder, o.x, net), {
      keep: 'inputs',
      training: null,
      ...(combines(inputCoefficients)
        ? { stages: o.stages, first: { combine: 'input', coefficients: inputCoefficients } }
        : {}),
    })
    addLast(builder, layout, o.parameters, pass, asPictures(builder, o.out, net), scale, {
      base: o.base && asPictures(builder, o.base, net),
      ...(combines(outputCoefficients) ? { stages: o.stages, coefficients: outputCoefficients } : {}),
    })
  },
}
