/**
 * The layers of a UNet as operations: convolutions, normalisations and attention over *windows* (a picture tensor and the
 * first of its channels that belong to the layer), forward and backward. Parameters and gradients are windows of one flat
 * tensor each, of the same layout. Where no gradient tensor is given, only the gradient of the input is computed.
 */

import { attention } from '../../kernels/attention.js'
import { attentionBackward } from '../../kernels/attention_backward.js'
import { type Conv2dAttributes, conv2d, plainConvolution } from '../../kernels/conv2d.js'
import { conv2dBackwardInput, plainBackwardInput } from '../../kernels/conv2d_backward_input.js'
import {
  type Conv2dBackwardWeightAttributes,
  conv2dBackwardWeight,
  plainBackwardWeight,
} from '../../kernels/conv2d_backward_weight.js'
import type { ConvolutionGeometry } from '../../kernels/convolution.js'
import { type GroupNormAttributes, groupNorm, plainNorm } from '../../kernels/group_norm.js'
import { type GroupNormBackwardAttributes, groupNormBackward } from '../../kernels/group_norm_backward.js'
import type { Layout } from '../../kernels/pictures.js'
import type { ProgramBuilder, ProgramTensor } from '../../program/program.js'
import {
  type AttentionBlock,
  type ConvolutionLayer,
  isOfSequences,
  type LinearLayer,
  type NormLayer,
  type ResampleLayer,
  type UnetSpec,
} from './spec.js'

/** Channels from `first` on of a tensor [B, H, W, S]; how many is known from the layer. */
export interface Window {
  readonly tensor: ProgramTensor
  readonly first: number
}

export const dense = (tensor: ProgramTensor): Window => ({ tensor, first: 0 })

/** What a convolution does to the extents: nothing, halve or double them. */
export type Resample = 'none' | 'down' | 'up'

/** Padded so that the extents are those. */
export const geometryOf = ({ kw }: ConvolutionLayer, resample: Resample = 'none'): ConvolutionGeometry => ({
  stride: resample === 'down' ? 2 : 1,
  padding: (kw - 1) / 2,
  upsample: resample === 'up' ? 2 : 1,
})

/** How rows of data lie as pictures: sequences have their channels last already. */
export const dataLayout = (net: UnetSpec): Layout => (isOfSequences(net) ? 'nhwc' : 'nchw')

/** Rows [B, D] of data as pictures. */
export const asPictures = (builder: ProgramBuilder, rows: ProgramTensor, net: UnetSpec): ProgramTensor => {
  const { channels, height, breadth } = net
  const [B] = rows.shape
  return builder.view(rows, isOfSequences(net) ? [B, height, breadth, channels] : [B, channels, height, breadth])
}

/** The parameters [P] that layers read, and, for products of float16, what these need beside them. */
export interface LayerParameters {
  readonly parameters: ProgramTensor
  /** the parameters in float16: with them convolutions of channels in fours multiply in float16 */
  readonly half?: ProgramTensor
  /** u32 [8], with the loss scale */
  readonly state?: ProgramTensor
}

/** The same for a backward pass; without a gradient [P] only that of the input is computed. */
export interface LayerGradients extends LayerParameters {
  readonly gradient?: ProgramTensor
}

/** Whether a layer multiplies in float16: where its channels are in fours (kernels/convolution.ts). */
const inHalf = ({ half }: { readonly half?: ProgramTensor }, { C, N }: ConvolutionLayer): boolean =>
  half !== undefined && C % 4 === 0 && N % 4 === 0

/** A layer's weight, and the format of its factors. */
function weightOf(
  builder: ProgramBuilder,
  o: LayerParameters,
  layer: ConvolutionLayer,
): { weight: ProgramTensor; factors: 'f32' | 'f16' } {
  const half = inHalf(o, layer)
  const { weight } = convolutionTensors(builder, half ? o.half! : o.parameters, layer)
  return { weight, factors: half ? 'f16' : 'f32' }
}

/** Parameters, or gradients, of one layer. */
export const convolutionTensors = (
  builder: ProgramBuilder,
  flat: ProgramTensor,
  { weight, bias, kh, kw, C, N }: ConvolutionLayer,
) => ({
  weight: builder.view(flat, [kh, kw, C, N], weight),
  bias: builder.view(flat, [N], bias),
})
export const normTensors = (builder: ProgramBuilder, flat: ProgramTensor, { gamma, beta, C }: NormLayer) => ({
  gamma: builder.view(flat, [C], gamma),
  beta: builder.view(flat, [C], beta),
})
export const linearTensors = (
  builder: ProgramBuilder,
  flat: ProgramTensor,
  { weight, bias, inputs, outputs }: LinearLayer,
) => ({
  weight: builder.view(flat, [outputs, inputs], weight),
  bias: builder.view(flat, [outputs], bias),
})

export interface ConvolutionCall {
  readonly resample?: Resample
  readonly x: Window
  readonly y: Window
  readonly shift?: ProgramTensor
  readonly residual?: Window
  readonly stages?: ProgramTensor
  readonly attributes?: Partial<Conv2dAttributes>
}

export function addConvolution(
  builder: ProgramBuilder,
  o: LayerParameters,
  layer: ConvolutionLayer,
  { resample, x, y, shift, residual, stages, attributes }: ConvolutionCall,
): void {
  const { weight, factors } = weightOf(builder, o, layer)
  builder.add(
    conv2d,
    {
      x: x.tensor,
      ...convolutionTensors(builder, o.parameters, layer),
      weight,
      shift,
      residual: residual?.tensor,
      stages,
      y: y.tensor,
    },
    {
      ...plainConvolution,
      ...geometryOf(layer, resample),
      factors,
      xFirst: x.first,
      yFirst: y.first,
      residualFirst: residual?.first ?? 0,
      ...attributes,
    },
  )
}

/** dx of a convolution, `add` included. */
export function addConvolutionInput(
  builder: ProgramBuilder,
  o: LayerParameters,
  layer: ConvolutionLayer,
  resample: Resample,
  dy: Window,
  dx: Window,
  add?: Window,
): void {
  const { weight, factors } = weightOf(builder, o, layer)
  const state = factors === 'f16' ? o.state : undefined
  builder.add(
    conv2dBackwardInput,
    { dy: dy.tensor, weight, add: add?.tensor, state, dx: dx.tensor },
    {
      ...plainBackwardInput,
      ...geometryOf(layer, resample),
      factors,
      dyFirst: dy.first,
      dxFirst: dx.first,
      addFirst: add?.first ?? 0,
    },
  )
}

/** dweight and dbias of a convolution, and dshift where it has one; nothing without a gradient tensor. */
export function addConvolutionWeight(
  builder: ProgramBuilder,
  { gradient, ...o }: Omit<LayerGradients, 'parameters'>,
  layer: ConvolutionLayer,
  resample: Resample,
  x: Window,
  dy: Window,
  dshift?: ProgramTensor,
  attributes: Partial<Conv2dBackwardWeightAttributes> = {},
): void {
  if (!gradient) return
  const { weight, bias } = convolutionTensors(builder, gradient, layer)
  const half = inHalf(o, layer)
  builder.add(
    conv2dBackwardWeight,
    { x: x.tensor, dy: dy.tensor, state: half ? o.state : undefined, dweight: weight, dbias: bias, dshift },
    {
      ...plainBackwardWeight,
      ...geometryOf(layer, resample),
      factors: half ? 'f16' : 'f32',
      xFirst: x.first,
      dyFirst: dy.first,
      ...attributes,
    },
  )
}

export interface NormCall {
  readonly x: Window
  readonly y: ProgramTensor
  readonly statistics: ProgramTensor
  readonly modulation?: ProgramTensor
  readonly state?: ProgramTensor
  readonly attributes: Partial<GroupNormAttributes>
}

export function addNorm(
  builder: ProgramBuilder,
  parameters: ProgramTensor,
  layer: NormLayer,
  { groups }: UnetSpec,
  { x, y, statistics, modulation, state, attributes }: NormCall,
): void {
  builder.add(
    groupNorm,
    { x: x.tensor, ...normTensors(builder, parameters, layer), modulation, state, y, statistics },
    { ...plainNorm, groups, xFirst: x.first, ...attributes },
  )
}

export interface NormBackwardCall extends Omit<NormCall, 'y' | 'attributes'> {
  readonly dy: ProgramTensor
  readonly dx: ProgramTensor
  readonly add?: Window
  readonly add2?: Window
  readonly dmodulation?: ProgramTensor
  readonly attributes: Partial<GroupNormBackwardAttributes>
}

export function addNormBackward(
  builder: ProgramBuilder,
  parameters: ProgramTensor,
  gradient: ProgramTensor | undefined,
  layer: NormLayer,
  { groups }: UnetSpec,
  { x, statistics, modulation, state, dy, dx, add, add2, dmodulation, attributes }: NormBackwardCall,
): void {
  const into = gradient && normTensors(builder, gradient, layer)
  builder.add(
    groupNormBackward,
    {
      x: x.tensor,
      dy,
      ...normTensors(builder, parameters, layer),
      modulation,
      statistics,
      state,
      add: add?.tensor,
      add2: add2?.tensor,
      dx,
      dgamma: into?.gamma,
      dbeta: into?.beta,
      dmodulation,
    },
    {
      ...plainNorm,
      groups,
      xFirst: x.first,
      addFirst: add?.first ?? 0,
      add2First: add2?.first ?? 0,
      ...attributes,
    },
  )
}

/** What the backward pass of an attention block needs of the forward pass. */
export interface AttentionKept {
  readonly x: Window
  readonly normal: ProgramTensor
  readonly statistics: ProgramTensor
  readonly qkv: ProgramTensor
  readonly mixed: ProgramTensor
  readonly logSumExp: ProgramTensor
}

/** y = x + proj(attention(qkv(norm(x)))). */
export function addAttention(
  builder: ProgramBuilder,
  o: LayerParameters,
  block: AttentionBlock,
  net: UnetSpec,
  x: Window,
  y: Window,
): AttentionKept {
  const { H, W, C, heads } = block
  const B = x.tensor.shape[0]
  const kept: AttentionKept = {
    x,
    normal: builder.temporary([B, H, W, C]),
    statistics: builder.temporary([B, 2, net.groups]),
    qkv: builder.temporary([B, H, W, 3 * C]),
    mixed: builder.temporary([B, H, W, C]),
    logSumExp: builder.temporary([B, heads, H * W]),
  }
  const { normal, statistics, qkv, mixed, logSumExp } = kept
  addNorm(builder, o.parameters, block.norm, net, { x, y: normal, statistics, attributes: { activation: 'identity' } })
  addConvolution(builder, o, block.qkv, { x: dense(normal), y: dense(qkv) })
  builder.add(attention, { qkv, y: mixed, log_sum_exp: logSumExp }, { heads })
  addConvolution(builder, o, block.proj, { x: dense(mixed), y, residual: x })
  return kept
}

/** dx [B, H, W, C] of an attention block. */
export function addAttentionBackward(
  builder: ProgramBuilder,
  o: LayerGradients,
  block: AttentionBlock,
  net: UnetSpec,
  { x, normal, statistics, qkv, mixed, logSumExp }: AttentionKept,
  dy: Window,
  add: Window | undefined,
): ProgramTensor {
  const shape = mixed.shape
  const dmixed = builder.temporary(shape)
  addConvolutionInput(builder, o, block.proj, 'none', dy, dense(dmixed))
  addConvolutionWeight(builder, o, block.proj, 'none', dense(mixed), dy)
  const dqkv = builder.temporary(qkv.shape)
  builder.add(attentionBackward, { qkv, y: mixed, log_sum_exp: logSumExp, dy: dmixed, dqkv }, { heads: block.heads })
  const dnormal = builder.temporary(shape)
  addConvolutionInput(builder, o, block.qkv, 'none', dense(dqkv), dense(dnormal))
  addConvolutionWeight(builder, o, block.qkv, 'none', dense(normal), dense(dqkv))
  const dx = builder.temporary(shape)
  addNormBackward(builder, o.parameters, o.gradient, block.norm, net, {
    x,
    statistics,
    dy: dnormal,
    dx,
    add: dy,
    add2: add,
    attributes: { activation: 'identity' },
  })
  return dx
}

/** The convolution of a plain change of size. */
export function addResample(
  builder: ProgramBuilder,
  o: LayerParameters,
  layer: ResampleLayer,
  x: Window,
  y: Window,
): void {
  addConvolution(builder, o, layer.conv, { resample: layer.kind, x, y })
}

/** dx [B, H, W, C] of a plain change of size. */
export function addResampleBackward(
  builder: ProgramBuilder,
  o: LayerGradients,
  { kind, H, W, C, conv }: ResampleLayer,
  x: Window,
  dy: Window,
  add: Window | undefined,
): ProgramTensor {
  const dx = builder.temporary([dy.tensor.shape[0], H, W, C])
  addConvolutionInput(builder, o, conv, kind, dy, dense(dx), add)
  addConvolutionWeight(builder, o, conv, kind, x, dy)
  return dx
}
