/** Launches of the kernels on pictures, convolutions and normalisations aside: attention, pooling, embeddings and losses. */

import type { AttentionAttributes } from '../../kernels/attention.js'
import { type Shape, size } from '../../kernels/contract.js'
import type { FlowLossAttributes } from '../../kernels/flow_loss.js'
import type { LoweredOperation } from '../../program/lower.js'
import { flag, groupsFor, type Launch, type Planner, shapesOf } from './plans.js'
import type { Target } from './target.js'

type Uniforms = Record<string, number>

const attributesOf = <A>(operation: LoweredOperation): A => operation.attributes as unknown as A

/** Positions of a tile, and channels that one workgroup adds up: see include/attention_tile.wgsl. */
const SIDE = 16
const MOST_CHANNELS = 128
/** Shares of a head's channels that a lane has four of each of: see include/attention_lanes.wgsl. */
const MOST_SHARES = 4

/** The launch that shader `name` is of; the _lanes form on software adapters with subgroups, where four channels can be loaded. */
function attentionLaunch(
  name: string,
  qkv: Shape,
  { heads }: AttentionAttributes,
  { software, lanes }: Target,
): Launch {
  const [B, H, W, S] = qkv
  const positions = H * W
  const channels = S / 3
  const headChannels = channels / heads
  const tiles = Math.ceil(positions / SIDE)
  const uniforms = { positions, heads, channels, head_channels: headChannels, scale: 1 / Math.sqrt(headChannels) }
  const shares = Math.ceil(headChannels / 4 / lanes)
  if (software && lanes > 0 && lanes <= SIDE && headChannels % 4 === 0 && shares <= MOST_SHARES) {
    const constants = { LANES: lanes, SHARES: shares }
    return { shader: `${name}_lanes`, constants, uniforms, groups: [tiles, 1, B * heads] }
  }
  const share = Math.min(MOST_CHANNELS, SIDE * Math.ceil(headChannels / SIDE))
  const groups = [tiles, Math.ceil(headChannels / share), B * heads] as const
  return { shader: name, constants: { CHANNELS: share }, uniforms, groups }
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

  attention: (operation, target) => ({
    launches: [
      attentionLaunch('attention', operation.operands.qkv.shape, attributesOf<AttentionAttributes>(operation), target),
    ],
  }),

  attention_backward: (operation, target) => {
    const { qkv, log_sum_exp } = shapesOf(operation)
    const launch = attentionLaunch('attention_backward', qkv, attributesOf<AttentionAttributes>(operation), target)
    const { scale: _, ...uniforms } = launch.uniforms as Uniforms
    const rows = size(log_sum_exp)
    const of = (keys: boolean): Launch => ({ ...launch, constants: { ...launch.constants, OF_KEYS: flag(keys) } })
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
