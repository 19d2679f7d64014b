/**
 * What the UNet composites share: the description of the network (the UNet of Dhariwal and Nichol 2021, guided-diffusion)
 * and its *layout*: every layer with its extents and the place of its parameters in one flat tensor.
 *
 * An encoder goes down through levels, each of half the extents, and a decoder back up. The output of every encoder step is a
 * *skip*: the decoder step on the other side sees it concatenated to its own input. Each step is a
 * residual block, attention where the level has it, and at a level's end a change of size. The time is embedded once
 * (sinusoids, two layers of 4·width), and one product makes the shifts of all residual blocks: `embedding` [B, M].
 *
 * Of sequences (kind unet1d) it is the same network along the steps: rows are [steps, channels], pictures of one row, and
 * kernels have one row too. There is no attention (Chi et al. 2023, arXiv 2303.04137, have none).
 */

import { InvalidArgumentError } from '../../errors.js'
import { aligned } from '../../program/program.js'

export interface UnetSpec {
  readonly kind: 'unet' | 'unet1d'
  /** of a picture: channels, rows and columns; D = channels·height·breadth. Of a sequence: its channels, 1, its steps */
  readonly channels: number
  readonly height: number
  readonly breadth: number
  /** C, columns of the condition, which stand beside the time's sinusoids; 0: none */
  readonly condition: number
  /** the last column of the condition is a second time: its sinusoids stand behind the others, as those of the first do. Default false */
  readonly secondTime?: boolean
  /** channels of the first level for a multiplier of 1 */
  readonly width: number
  /** channels of each level, as multiples of width */
  readonly multipliers: readonly number[]
  /** residual blocks of a level on the way down; one more on the way up */
  readonly depth: number
  /** heights of the levels that have attention */
  readonly attention: readonly number[]
  /** channels of an attention head */
  readonly headChannels: number
  /** groups of every normalisation */
  readonly groups: number
  readonly dropout: number
  /** the time scales and shifts the second normalisation, instead of shifting the first convolution */
  readonly scaleShift: boolean
  /** a change of size is a residual block with pooling or enlargement inside, instead of a convolution */
  readonly residualResampling: boolean
  /** extent of the kernels of residual blocks, of the first and of the last convolution, odd. Default 3 */
  readonly kernel?: number
}

/** Whether rows are sequences [steps, channels]; else they are pictures [channels, height, breadth]. */
export const isOfSequences = ({ kind }: UnetSpec): boolean => kind === 'unet1d'

/** Offsets into the flat parameters, with the extents of what lies there. */
export interface ConvolutionLayer {
  readonly weight: number
  readonly bias: number
  /** extents of the kernel, channels in and out */
  readonly kh: number
  readonly kw: number
  readonly C: number
  readonly N: number
}

export interface NormLayer {
  readonly gamma: number
  readonly beta: number
  readonly C: number
}

export interface LinearLayer {
  readonly weight: number
  readonly bias: number
  readonly inputs: number
  readonly outputs: number
}

export interface ResidualBlock {
  readonly kind: 'residual'
  /** extents of the input */
  readonly H: number
  readonly W: number
  readonly C: number
  readonly N: number
  readonly resample: 'none' | 'down' | 'up'
  readonly norm1: NormLayer
  readonly conv1: ConvolutionLayer
  readonly norm2: NormLayer
  readonly conv2: ConvolutionLayer
  /** 1 × 1, where the channels change */
  readonly skip: ConvolutionLayer | null
  /** first column of the block in the embedding: N of them, or 2·N with scaleShift */
  readonly embeddingFirst: number
  /** index of the block, so that blocks have independent dropout */
  readonly number: number
}

export interface AttentionBlock {
  readonly kind: 'attention'
  readonly H: number
  readonly W: number
  readonly C: number
  readonly heads: number
  readonly norm: NormLayer
  readonly qkv: ConvolutionLayer
  readonly proj: ConvolutionLayer
}

/** A convolution that changes the extents: 'down' has stride 2, 'up' enlarges by nearest neighbours first. */
export interface ResampleLayer {
  readonly kind: 'down' | 'up'
  readonly H: number
  readonly W: number
  /** extents of the output */
  readonly outH: number
  readonly outW: number
  readonly C: number
  readonly conv: ConvolutionLayer
}

export type UnetModule = ResidualBlock | AttentionBlock | ResampleLayer

/** Modules in sequence, with the extents of their output. */
export interface UnetStep {
  readonly modules: readonly UnetModule[]
  readonly H: number
  readonly W: number
  /** channels out */
  readonly C: number
}

/** A named parameter: where it lies, and how a file has it. */
export interface UnetParameter {
  readonly name: string
  /** in PyTorch's layout */
  readonly shape: readonly number[]
  readonly offset: number
  /** a convolution lies as [kh, kw, C, N] on the device, one of sequences as [1, k, C, N]; the others as in the file */
  readonly convolution: boolean
  /** uniform on ±1/√fanIn, or one number */
  readonly start: { readonly fanIn: number } | number
}

export interface UnetLayout {
  readonly net: UnetSpec
  readonly time1: LinearLayer
  readonly time2: LinearLayer
  /** M outputs: the embeddings of all residual blocks */
  readonly embedding: LinearLayer
  readonly first: ConvolutionLayer
  /** the first skip is the first convolution's output; then one for each encoder step */
  readonly encoder: readonly UnetStep[]
  readonly middle: UnetStep
  readonly decoder: readonly UnetStep[]
  readonly lastNorm: NormLayer
  readonly last: ConvolutionLayer
  readonly parameters: readonly UnetParameter[]
  /** P: elements of the flat parameter tensor, gaps included */
  readonly parameterLength: number
}

type Extents = readonly [H: number, W: number]

const count = (shape: readonly number[]): number => shape.reduce((product, extent) => product * extent, 1)

/** Allocates places in the flat tensor, each at a multiple of 64 elements, and records their names. */
class LayoutBuilder {
  readonly parameters: UnetParameter[] = []
  length = 0

  constructor(private readonly sequences: boolean) {}

  take(elements: number): number {
    const offset = this.length
    this.length += aligned(elements)
    return offset
  }

  name(name: string, shape: readonly number[], offset: number, start: UnetParameter['start'], convolution = false) {
    this.parameters.push({ name, shape, offset, convolution, start })
  }

  /** `dimensions` of the kernel in files; attention has convolutions of one there, as sequences have */
  convolution(name: string, k: number, C: number, N: number, zero = false, dimensions = this.sequences ? 1 : 2) {
    const kh = this.sequences ? 1 : k
    const taps = kh * k
    const layer: ConvolutionLayer = { weight: this.take(taps * C * N), bias: this.take(N), kh, kw: k, C, N }
    const start = zero ? 0 : { fanIn: taps * C }
    this.name(`${name}.weight`, [N, C, ...new Array<number>(dimensions).fill(k)], layer.weight, start, true)
    this.name(`${name}.bias`, [N], layer.bias, start)
    return layer
  }

  norm(name: string, C: number): NormLayer {
    const layer = { gamma: this.take(C), beta: this.take(C), C }
    this.name(`${name}.weight`, [C], layer.gamma, 1)
    this.name(`${name}.bias`, [C], layer.beta, 0)
    return layer
  }

  linear(name: string, inputs: number, outputs: number): LinearLayer {
    const layer = { weight: this.take(inputs * outputs), bias: this.take(outputs), inputs, outputs }
    this.name(`${name}.weight`, [outputs, inputs], layer.weight, { fanIn: inputs })
    this.name(`${name}.bias`, [outputs], layer.bias, { fanIn: inputs })
    return layer
  }
}

const layouts = new WeakMap<UnetSpec, UnetLayout>()

/** The layout of a network; throws InvalidArgumentError where its numbers do not fit (checkUnet says how). */
export function unetLayout(net: UnetSpec): UnetLayout {
  const known = layouts.get(net)
  if (known) return known
  const problem = unetProblem(net)
  if (problem) throw new InvalidArgumentError(problem)
  const layout = makeLayout(net)
  layouts.set(net, layout)
  return layout
}

function makeLayout(net: UnetSpec): UnetLayout {
  const { width, multipliers, depth, scaleShift, residualResampling, condition, secondTime, kernel = 3 } = net
  const sequences = isOfSequences(net)
  const builder = new LayoutBuilder(sequences)
  const E = 4 * width
  const time1 = builder.linear('time_embed.0', width + (secondTime ? condition - 1 + width : condition), E)
  const time2 = builder.linear('time_embed.2', E, E)
  const named: { name: string; first: number; columns: number }[] = []
  let M = 0
  let blocks = 0

  const residual = (
    name: string,
    [H, W]: Extents,
    C: number,
    N: number,
    resample: ResidualBlock['resample'] = 'none',
  ): ResidualBlock => {
    const columns = scaleShift ? 2 * N : N
    named.push({ name: `${name}.emb_layers.1`, first: M, columns })
    M += columns
    return {
      kind: 'residual',
      H,
      W,
      C,
      N,
      resample,
      norm1: builder.norm(`${name}.in_layers.0`, C),
      conv1: builder.convolution(`${name}.in_layers.2`, kernel, C, N),
      norm2: builder.norm(`${name}.out_layers.0`, N),
      conv2: builder.convolution(`${name}.out_layers.3`, kernel, N, N, true),
      skip: C === N ? null : builder.convolution(`${name}.skip_connection`, 1, C, N),
      embeddingFirst: M - columns,
      number: blocks++,
    }
  }
  const attention = (name: string, [H, W]: Extents, C: number): AttentionBlock => ({
    kind: 'attention',
    H,
    W,
    C,
    heads: C / net.headChannels,
    norm: builder.norm(`${name}.norm`, C),
    qkv: builder.convolution(`${name}.qkv`, 1, C, 3 * C, false, 1),
    proj: builder.convolution(`${name}.proj_out`, 1, C, C, true, 1),
  })
  const halved = ([H, W]: Extents): Extents => [sequences ? H : H / 2, W / 2]
  const doubled = ([H, W]: Extents): Extents => [sequences ? H : 2 * H, 2 * W]
  const resample = (name: string, [H, W]: Extents, C: number, kind: 'down' | 'up'): UnetModule => {
    if (residualResampling) return residual(name, [H, W], C, C, kind)
    const [outH, outW] = kind === 'down' ? halved([H, W]) : doubled([H, W])
    const conv = builder.convolution(`${name}.${kind === 'down' ? 'op' : 'conv'}`, 3, C, C)
    return { kind, H, W, outH, outW, C, conv }
  }

  let size: Extents = [net.height, net.breadth]
  const attends = (): boolean => net.attention.includes(size[0])
  const channelsOf = (level: number): number => width * multipliers[level]
  const levels = multipliers.length

  let C = channelsOf(0)
  const first = builder.convolution('input_blocks.0.0', kernel, net.channels, C)
  const skips = [C]
  const encoder: UnetStep[] = []
  const down = (modules: (name: string) => UnetModule[], channels: number): void => {
    const made = modules(`input_blocks.${encoder.length + 1}`)
    const shrinks = made.some((m) => m.kind === 'down' || (m.kind === 'residual' && m.resample === 'down'))
    if (shrinks) size = halved(size)
    C = channels
    encoder.push({ modules: made, H: size[0], W: size[1], C })
    skips.push(C)
  }
  for (let level = 0; level < levels; level++) {
    const N = channelsOf(level)
    for (let i = 0; i < depth; i++) {
      down((name) => [residual(`${name}.0`, size, C, N), ...(attends() ? [attention(`${name}.1`, size, N)] : [])], N)
    }
    if (level < levels - 1) down((name) => [resample(`${name}.0`, size, N, 'down')], N)
  }

  const middle: UnetStep = {
    modules: sequences
      ? [residual('middle_block.0', size, C, C), residual('middle_block.1', size, C, C)]
      : [
          residual('middle_block.0', size, C, C),
          attention('middle_block.1', size, C),
          residual('middle_block.2', size, C, C),
        ],
    H: size[0],
    W: size[1],
    C,
  }

  const decoder: UnetStep[] = []
  for (let level = levels - 1; level >= 0; level--) {
    const N = channelsOf(level)
    for (let i = 0; i <= depth; i++) {
      const name = `output_blocks.${decoder.length}`
      const modules: UnetModule[] = [residual(`${name}.0`, size, C + skips.pop()!, N)]
      if (attends()) modules.push(attention(`${name}.1`, size, N))
      if (level > 0 && i === depth) {
        modules.push(resample(`${name}.${modules.length}`, size, N, 'up'))
        size = doubled(size)
      }
      C = N
      decoder.push({ modules, H: size[0], W: size[1], C })
    }
  }
  const lastNorm = builder.norm('out.0', C)
  const last = builder.convolution('out.2', kernel, C, net.channels, true)

  // one product for the embeddings of all blocks; in a file each has its own rows
  const embedding: LinearLayer = { weight: builder.take(E * M), bias: builder.take(M), inputs: E, outputs: M }
  for (const { name, first: row, columns } of named) {
    builder.name(`${name}.weight`, [columns, E], embedding.weight + row * E, { fanIn: E })
    builder.name(`${name}.bias`, [columns], embedding.bias + row, { fanIn: E })
  }
  const { parameters, length: parameterLength } = builder
  return { net, time1, time2, embedding, first, encoder, middle, decoder, lastNorm, last, parameters, parameterLength }
}

/** What is wrong with a network's numbers, named by the config's keys; null where nothing is. */
export function unetProblem(net: UnetSpec): string | null {
  const { height, breadth, width, multipliers, groups, headChannels } = net
  const halvings = multipliers.length - 1
  const divisor = 2 ** halvings
  const sequences = isOfSequences(net)
  if (sequences && breadth % divisor !== 0) {
    const fits = [Math.floor(breadth / divisor), Math.ceil(breadth / divisor)]
      .map((n) => n * divisor)
      .filter((n) => n > 0)
    return (
      `model.multipliers has ${multipliers.length} levels, so sequences are halved ${halvings} times, but ${breadth} steps ` +
      `are no multiple of ${divisor}. Take sequences of ${fits.join(' or ')} steps, or fewer levels.`
    )
  }
  if (!sequences && (height % divisor !== 0 || breadth % divisor !== 0)) {
    const fits = (extent: number): number => Math.max(divisor, Math.round(extent / divisor) * divisor)
    return (
      `model.multipliers has ${multipliers.length} levels, so the pictures are halved ${halvings} times, but ${height} × ${breadth} ` +
      `is no multiple of ${divisor}. Take pictures of ${fits(height)} × ${fits(breadth)}, or fewer levels.`
    )
  }
  for (const [level, multiplier] of multipliers.entries()) {
    const channels = width * multiplier
    if (!Number.isInteger(channels) || channels % groups !== 0) {
      return (
        `model.groups must divide the channels of every level, but level ${level + 1} has model.width ${width} × ` +
        `${multiplier} = ${channels} channels for ${groups} groups.`
      )
    }
  }
  if (sequences) return null
  const extents = multipliers.map((_, level) => height / 2 ** level)
  const unknown = net.attention.find((extent) => !extents.includes(extent))
  if (unknown !== undefined) {
    return `model.attention names a height of ${unknown}, but the levels have the heights ${extents.join(', ')}.`
  }
  for (const [level, multiplier] of multipliers.entries()) {
    const attended = net.attention.includes(extents[level]) || level === halvings
    if (attended && (width * multiplier) % headChannels !== 0) {
      return (
        `model.headChannels must divide the channels of every level with attention (the last one always has it), but ` +
        `level ${level + 1} has ${width * multiplier} channels for heads of ${headChannels}.`
      )
    }
  }
  return null
}

/** Trainable parameters, without the gaps: what a report calls the size of the network. */
export const unetParameterCount = (net: UnetSpec): number =>
  unetLayout(net).parameters.reduce((sum, { shape }) => sum + count(shape), 0)

/** D */
export const unetDimension = ({ channels, height, breadth }: UnetSpec): number => channels * height * breadth

/** Flops of the products of one picture's forward pass: convolutions and attention, counted as direct ones, and the time's layers. */
export function unetRowFlops(net: UnetSpec): number {
  return layerFlops(net).reduce((sum, flops) => sum + flops, 0)
}

/** Three products for each layer, except the first convolution's input gradient, which is not needed; attention's two become five. */
export function unetStepFlops(net: UnetSpec, B: number): number {
  const { first } = unetLayout(net)
  const firstFlops = convolutionFlopsOf(first, net.height, net.breadth)
  return B * (3 * unetRowFlops(net) - firstFlops + attentionFlops(net) / 2)
}

const convolutionFlopsOf = ({ kh, kw, C, N }: ConvolutionLayer, H: number, W: number): number =>
  2 * H * W * kh * kw * C * N

/** The products q kᵀ and p v of all attention blocks of one picture. */
const attentionFlops = (net: UnetSpec): number =>
  allModules(unetLayout(net)).reduce((sum, m) => sum + (m.kind === 'attention' ? 4 * (m.H * m.W) ** 2 * m.C : 0), 0)

/** Every module of the network, in the order of a forward pass. */
export const allModules = ({ encoder, middle, decoder }: UnetLayout): UnetModule[] =>
  [...encoder, middle, ...decoder].flatMap(({ modules }) => [...modules])

function layerFlops(net: UnetSpec): number[] {
  const layout = unetLayout(net)
  const linear = ({ inputs, outputs }: LinearLayer): number => 2 * inputs * outputs
  return [
    linear(layout.time1),
    linear(layout.time2),
    linear(layout.embedding),
    convolutionFlopsOf(layout.first, net.height, net.breadth),
    convolutionFlopsOf(layout.last, net.height, net.breadth),
    ...allModules(layout).map(moduleFlops),
  ]
}

const scaleOf = { none: 1, down: 1 / 2, up: 2 } as const

function moduleFlops(m: UnetModule): number {
  if (m.kind === 'residual') return residualFlops(m)
  if (m.kind === 'attention') {
    return convolutionFlopsOf(m.qkv, m.H, m.W) + convolutionFlopsOf(m.proj, m.H, m.W) + 4 * (m.H * m.W) ** 2 * m.C
  }
  return convolutionFlopsOf(m.conv, m.outH, m.outW)
}

/** Flops of the products of one picture in a residual block. */
export function residualFlops(block: ResidualBlock): number {
  const [H, W] = outputExtents(block)
  const layers = [block.conv1, block.conv2, ...(block.skip ? [block.skip] : [])]
  return layers.reduce((sum, layer) => sum + convolutionFlopsOf(layer, H, W), 0)
}

/** Extents of a residual block's output. */
export const outputExtents = ({ H, W, resample }: ResidualBlock): [number, number] => [
  H * scaleOf[resample],
  W * scaleOf[resample],
]
