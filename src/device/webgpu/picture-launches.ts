/** Launches of the kernels on pictures, convolutions aside: normalisation, attention, pooling, embeddings and losses. */

import type { AttentionAttributes } from '../../kernels/attention.js'
import { type Shape, size } from '../../kernels/contract.js'
import type { FlowLossAttributes } from '../../kernels/flow_loss.js'
import type { GroupNormAttributes } from '../../kernels/group_norm.js'
import type { GroupNormBackwardAttributes } from '../../kernels/group_norm_backward.js'
import type { LoweredOperation } from '../../program/lower.js'
import { activationNumbers, flag, groupsFor, type Launch, type Planner, shapesOf } from './plans.js'

type Uniforms = Record<string, number>

const attributesOf = <A>(operation: LoweredOperation): A => operation.attributes as unknown as A

/** Pictures, positions, channels and groups of a normalisation. */
function normExtents([B, H, W, C]: Shape, x: Shape, a: GroupNormAttributes): Uniforms & { pictures: number } {
  return {
    pictures: B,
    pixels: H * W,
    channels: C,
    groups: a.groups,
    group_channels: C / a.groups,
    x_channels: x[3],
    x_first: a.xFirst,
  }
}

/** As include/dropout.wgsl wants them; elements are counted from the batch's first picture on. */
const dropoutUniforms = (a: GroupNormAttributes, pictureSize: number): Uniforms => ({
  seed_low: a.seedLow,
  seed_high: a.seedHigh,
  stream: a.stream,
  block: a.block,
  first_element: a.firstRow * pictureSize,
  drop_below: Math.round(a.dropout * 2 ** 24),
  keep_scale: 1 / (1 - a.dropout),
})

const modulationUniforms = (modulation: Shape | undefined, a: GroupNormAttributes): Uniforms => ({
  modulations: modulation ? modulation[0] : 0,
  modulation_columns: modulation ? modulation[1] : 0,
  modulation_first: a.modulationFirst,
})

const only = ({ ...values }: Uniforms, ...left: string[]): Uniforms => {
  for (const name of left) delete values[name]
  return values
}

/** Positions of a tile, and channels that one workgroup adds up: see include/attention_tile.wgsl. */
const SIDE = 16
const MOST_CHANNELS = 128

function attentionLaunch(
  qkv: Shape,
  { heads }: AttentionAttributes,
): Pick<Launch, 'constants' | 'uniforms' | 'groups'> {
  const [B, H, W, S] = qkv
  const positions = H * W
  const channels = S / 3
  const headChannels = channels / heads
  const share = Math.min(MOST_CHANNELS, SIDE * Math.ceil(headChannels / SIDE))
  return {
    constants: { CHANNELS: share },
    uniforms: { positions, heads, channels, head_channels: headChannels, scale: 1 / Math.sqrt(headChannels) },
    groups: [Math.ceil(positions / SIDE), Math.ceil(headChannels / share), B * heads],
  }
}

export const picturePlanners: Readonly<Record<string, Planner>> = {
  accumulate: (operation) => {
    const [length] = operation.operands.total.shape
    return { launches: [{ shader: 'accumulate', constants: {}, uniforms: { length }, groups: groupsFor(length) }] }
  },

  average_pool: (operation) => {
    const { x, y } = shapesOf(operation)
    const { xFirst, factor } = attributesOf<{ xFirst: number; factor: number }>(operation)
    const length = size(y)
    const uniforms = { length, width: y[2], channels: y[3], x_channels: x[3], x_first: xFirst, factor }
    return { launches: [{ shader: 'average_pool', constants: {}, uniforms, groups: groupsFor(length) }] }
  },

  average_pool_backward: (operation) => {
    const { dy, add, dx } = shapesOf(operation)
    const a = attributesOf<{ dyFirst: number; addFirst: number; factor: number }>(operation)
    const length = size(dx)
    const uniforms = {
      length,
      width: dx[2],
      channels: dx[3],
      dy_channels: dy[3],
      dy_first: a.dyFirst,
      add_channels: add ? add[3] : 0,
      add_first: a.addFirst,
      factor: a.factor,
    }
    const constants = { HAS_ADD: flag(add) }
    return { launches: [{ shader: 'average_pool_backward', constants, uniforms, groups: groupsFor(length) }] }
  },

  time_embedding: (operation) => {
    const [rows, width] = operation.operands.y.shape
    const half = Math.floor(width / 2)
    const pairs = Math.max(1, half)
    const uniforms = { rows, width, half, pairs }
    return { launches: [{ shader: 'time_embedding', constants: {}, uniforms, groups: groupsFor(rows * pairs) }] }
  },

  flow_loss: (operation) => {
    const { v, row_loss } = shapesOf(operation)
    const { scale, firstRow } = attributesOf<FlowLossAttributes>(operation)
    const [rows, columns] = v
    const uniforms = {
      rows,
      columns,
      first_row: firstRow,
      factor: 2 / (row_loss[0] * columns * scale),
      weight: 1 / (columns * scale * scale),
    }
    return { launches: [{ shader: 'flow_loss', constants: {}, uniforms, groups: groupsFor(rows, 1) }] }
  },

  group_norm: (operation) => {
    const { x, y, modulation } = shapesOf(operation)
    const a = attributesOf<GroupNormAttributes>(operation)
    const extents = normExtents(y, x, a)
    const length = size(y)
    const statistics: Launch = {
      shader: 'group_norm_statistics',
      constants: {},
      uniforms: { ...only(extents, 'channels'), epsilon: a.epsilon },
      groups: [a.groups, extents.pictures, 1],
    }
    const normalised: Launch = {
      shader: 'group_norm',
      constants: { ACTIVATION: activationNumbers[a.activation] },
      uniforms: {
        ...only(extents, 'pictures'),
        ...modulationUniforms(modulation, a),
        ...dropoutUniforms(a, length / extents.pictures),
        length,
      },
      groups: groupsFor(length),
    }
    return { launches: [statistics, normalised] }
  },

  group_norm_backward: (operation) => {
    const { x, dy, modulation, add, add2, dgamma, dmodulation } = shapesOf(operation)
    const a = attributesOf<GroupNormBackwardAttributes>(operation)
    const extents = normExtents(dy, x, a)
    const { pictures, channels } = extents
    const length = size(dy)
    const constants = { ACTIVATION: activationNumbers[a.activation] }
    const dropout = dropoutUniforms(a, length / pictures)
    const launches: Launch[] = [
      {
        shader: 'group_norm_backward_sums',
        constants,
        uniforms: { ...only(extents, 'pictures'), ...modulationUniforms(modulation, a), ...dropout },
        groups: [Math.ceil(channels / 16), pictures, 1],
      },
      {
        shader: 'group_norm_backward',
        constants,
        uniforms: {
          ...only(extents, 'pictures'),
          ...dropout,
          length,
          add_channels: add ? add[3] : 0,
          add_first: a.addFirst,
          add2_channels: add2 ? add2[3] : 0,
          add2_first: a.add2First,
        },
        groups: groupsFor(length),
      },
    ]
    if (dgamma || dmodulation) {
      launches.push({
        shader: 'group_norm_backward_parameters',
        constants: { HAS_PARAMETERS: flag(dgamma), HAS_MODULATION: flag(dmodulation) },
        uniforms: { pictures, channels, ...modulationUniforms(modulation, a) },
        groups: groupsFor(channels),
      })
    }
    return { launches, scratch: { sums: { elements: 4 * pictures * channels } } }
  },

  attention: (operation) => {
    const launch = attentionLaunch(operation.operands.qkv.shape, attributesOf<AttentionAttributes>(operation))
    return { launches: [{ shader: 'attention', ...launch }] }
  },

  attention_backward: (operation) => {
    const { qkv, log_sum_exp } = shapesOf(operation)
    const launch = attentionLaunch(qkv, attributesOf<AttentionAttributes>(operation))
    const { scale: _, ...uniforms } = launch.uniforms as Uniforms
    const rows = size(log_sum_exp)
    const of = (keys: boolean): Launch => ({
      shader: 'attention_backward',
      ...launch,
      constants: { ...launch.constants, OF_KEYS: flag(keys) },
    })
    return {
      launches: [
        { shader: 'attention_backward_rows', constants: {}, uniforms: { ...uniforms, rows }, groups: groupsFor(rows) },
        of(false),
        of(true),
      ],
      scratch: { along: { elements: rows } },
    }
  },
}
