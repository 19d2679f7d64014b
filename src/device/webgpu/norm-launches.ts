/**
 * Launches of group normalisation, forward and back. Sums over pixels are taken channel by channel and then by group, so that
 * neighbouring invocations read neighbouring channels. What is computed pixel by pixel takes an *Element* of channels, four of
 * them where channels and windows are multiples of four, through a *span* of pixels: what belongs to the channels is loaded once.
 */

import type { Shape } from '../../kernels/contract.js'
import type { GroupNormAttributes } from '../../kernels/group_norm.js'
import type { GroupNormBackwardAttributes } from '../../kernels/group_norm_backward.js'
import type { LoweredOperation } from '../../program/lower.js'
import { activationOf, flag, groupsFor, type Launch, type Planner, shapesOf } from './plans.js'

type Uniforms = Record<string, number>

/** Pixels of a span. */
const SPAN = 16
/** Elements of channels of a workgroup that sums over pixels. */
const SIDE = 8

/** What the launches of one normalisation share. */
interface Norm {
  readonly B: number
  readonly pixels: number
  readonly channels: number
  readonly groups: number
  readonly groupChannels: number
  /** numbers of an Element */
  readonly width: number
  readonly elements: Launch['elements']
  /** as uniforms */
  readonly extents: Uniforms
  readonly spans: Uniforms & { readonly invocations: number }
  readonly modulation: Uniforms
  readonly dropout: Uniforms
}

/** `first`: where windows begin; `whole`: the channels that they are of, or the columns. */
function normOf(operation: LoweredOperation, shape: Shape, first: readonly number[], whole: readonly number[]): Norm {
  const { x, modulation } = shapesOf(operation)
  const a = operation.attributes as unknown as GroupNormAttributes
  const [B, H, W, channels] = shape
  const pixels = H * W
  const fours = [
    channels,
    x[3],
    a.xFirst,
    ...(modulation ? [modulation[1], a.modulationFirst] : []),
    ...first,
    ...whole,
  ]
  const width = fours.every((n) => n % 4 === 0) ? 4 : 1
  const spans = Math.ceil(pixels / SPAN)
  return {
    B,
    pixels,
    channels,
    groups: a.groups,
    groupChannels: channels / a.groups,
    width,
    elements: width === 4 ? 'wide' : 'scalar',
    extents: {
      pixels,
      channels,
      groups: a.groups,
      group_channels: channels / a.groups,
      x_channels: x[3] / width,
      x_first: a.xFirst / width,
    },
    spans: { span: SPAN, spans, invocations: (B * spans * channels) / width },
    modulation: modulationUniforms(modulation, a, width),
    // elements are counted from the batch's first picture on: see include/dropout.wgsl
    dropout: {
      seed_low: a.seedLow,
      seed_high: a.seedHigh,
      stream: a.stream,
      block: a.block,
      first_element: a.firstRow * pixels * channels,
      drop_below: Math.round(a.dropout * 2 ** 24),
      keep_scale: 1 / (1 - a.dropout),
    },
  }
}

const modulationUniforms = (modulation: Shape | undefined, a: GroupNormAttributes, width: number): Uniforms => ({
  modulations: modulation ? modulation[0] : 0,
  modulation_columns: modulation ? modulation[1] / width : 0,
  modulation_first: a.modulationFirst / width,
})

/** Workgroups that sum over the pixels of each channel of each picture. */
const overPixels = ({ B, channels, width }: Norm): Launch['groups'] => [Math.ceil(channels / width / SIDE), B, 1]

const groupNorm: Planner = (operation) => {
  const { y } = shapesOf(operation)
  const a = operation.attributes as unknown as GroupNormAttributes
  const norm = normOf(operation, y, [], [])
  const { B, pixels, channels, groups, groupChannels, elements, extents } = norm
  const { x_channels, x_first } = extents
  const launches: Launch[] = [
    {
      shader: 'group_norm_moments',
      elements,
      constants: {},
      uniforms: { pixels, channels, x_channels, x_first },
      groups: overPixels(norm),
    },
    {
      shader: 'group_norm_statistics',
      constants: {},
      uniforms: { pictures: B, pixels, channels, groups, group_channels: groupChannels, epsilon: a.epsilon },
      groups: groupsFor(B * groups),
    },
    {
      shader: 'group_norm',
      elements,
      activation: activationOf(operation),
      constants: {},
      uniforms: { ...extents, ...norm.spans, ...norm.modulation, ...norm.dropout },
      groups: groupsFor(norm.spans.invocations),
    },
  ]
  return { launches, scratch: { moments: { elements: 2 * B * channels } } }
}

const groupNormBackward: Planner = (operation) => {
  const { dy, modulation, add, add2, dgamma, dmodulation } = shapesOf(operation)
  const a = operation.attributes as unknown as GroupNormBackwardAttributes
  const added = [add, add2].flatMap((shape) => (shape ? [shape[3]] : []))
  const norm = normOf(operation, dy, [add ? a.addFirst : 0, add2 ? a.add2First : 0], added)
  const { B, pixels, channels, groups, groupChannels, width, elements, extents } = norm
  const activation = activationOf(operation)
  const launches: Launch[] = [
    {
      shader: 'group_norm_backward_sums',
      elements,
      activation,
      constants: {},
      uniforms: { ...extents, ...norm.modulation, ...norm.dropout },
      groups: overPixels(norm),
    },
    {
      shader: 'group_norm_backward_groups',
      constants: {},
      uniforms: { pictures: B, pixels, channels, groups, group_channels: groupChannels },
      groups: groupsFor(B * groups),
    },
    {
      shader: 'group_norm_backward',
      elements,
      activation,
      constants: {},
      uniforms: {
        pictures: B,
        ...extents,
        ...norm.spans,
        ...norm.dropout,
        add_channels: (add ? add[3] : 0) / width,
        add_first: (add ? a.addFirst : 0) / width,
        add2_channels: (add2 ? add2[3] : 0) / width,
        add2_first: (add2 ? a.add2First : 0) / width,
      },
      groups: groupsFor(norm.spans.invocations),
    },
  ]
  if (dgamma || dmodulation) {
    launches.push({
      shader: 'group_norm_backward_parameters',
      constants: { HAS_PARAMETERS: flag(dgamma), HAS_MODULATION: flag(dmodulation) },
      uniforms: { pictures: B, channels, ...modulationUniforms(modulation, a, 1) },
      groups: groupsFor(channels),
    })
  }
  return {
    launches,
    scratch: { sums: { elements: 4 * B * channels }, of_group: { elements: 4 * B * groups } },
  }
}

export const normPlanners: Readonly<Record<string, Planner>> = {
  group_norm: groupNorm,
  group_norm_backward: groupNormBackward,
}
