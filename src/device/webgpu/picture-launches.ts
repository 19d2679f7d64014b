/** Launches of the kernels on pictures, convolutions and normalisations aside: attention, pooling, embeddings and losses. */

import { invalid } from '../../errors.js'
import type { AdaptiveTargetAttributes } from '../../kernels/adaptive_target.js'
import type { AttentionAttributes } from '../../kernels/attention.js'
import { type Shape, size } from '../../kernels/contract.js'
import type { FlowLossAttributes } from '../../kernels/flow_loss.js'
import type { LoweredOperation } from '../../program/lower.js'
import { flag, groupsFor, type Launch, type Planner, shapesOf } from './plans.js'
import type { AdapterTarget } from './target.js'

type Uniforms = Record<string, number>

const attributesOf = <A>(operation: LoweredOperation): A => operation.attributes as unknown as A

/** Positions of a tile, and channels that one workgroup adds up: see include/attention_tile.wgsl. */
const SIDE = 16
const MOST_CHANNELS = 128
/** Shares of a head's channels that a lane has four of each of: see include/attention_lanes.wgsl. */
const MOST_SHARES = 4
/** Channels of a head, positions that a workgroup meets at a time, and blocks of four rows that it may have: see include/attention_blocks.wgsl. */
const MOST_HEAD_CHANNELS = 64
const OTHERS = 32
const ROW_BLOCKS = [16, 8, 4]

/**
 * The variants of attention: `blocks` for GPUs and `lanes` for software adapters with subgroups, where four channels can be
 * loaded, and `tile` for all.
 */
const attentionVariants = ['blocks', 'lanes', 'tile'] as const

/** Vectors of workgroup memory that attention in blocks takes: positions, tables, and sums of the forward pass. */
const vectorsOf = (blocks: number, quads: number, backward: boolean): number => {
  const [rows, pitch, table] = [4 * blocks, quads + 1, OTHERS * blocks]
  return backward ? 2 * (rows + OTHERS) * pitch + 2 * table : (rows + 2 * OTHERS) * pitch + table + 8 * blocks
}

/** Blocks of rows of a workgroup; undefined where not even the fewest fit. */
const rowBlocks = (headChannels: number, backward: boolean, target: AdapterTarget): number | undefined =>
  headChannels % 4 === 0 && headChannels <= MOST_HEAD_CHANNELS
    ? ROW_BLOCKS.find((blocks) => 16 * vectorsOf(blocks, headChannels / 4, backward) <= target.workgroupBytes)
    : undefined

/** The launch that shader `name` is of, in the form that was forced where it can be, else in the one made for this adapter. */
function attentionLaunch(
  operation: LoweredOperation,
  qkv: Shape,
  target: AdapterTarget,
): { variant: string; launch: Launch } {
  const { name } = operation.contract
  const { heads } = attributesOf<AttentionAttributes>(operation)
  const { software, lanes } = target
  const [B, H, W, S] = qkv
  const positions = H * W
  const channels = S / 3
  const headChannels = channels / heads
  const planes = B * heads
  const alongY = Math.min(planes, 32768)
  const groupsOf = (alongX: number): Launch['groups'] => [alongX, alongY, Math.ceil(planes / alongY)]
  const uniforms = {
    positions,
    heads,
    channels,
    head_channels: headChannels,
    planes,
    scale: 1 / Math.sqrt(headChannels),
  }
  const blocks = rowBlocks(headChannels, name === 'attention_backward', target)
  const shares = Math.ceil(headChannels / 4 / lanes)
  const share = Math.min(MOST_CHANNELS, SIDE * Math.ceil(headChannels / SIDE))
  const tiles = Math.ceil(positions / SIDE)
  const forms: Record<string, Launch | undefined> = {
    blocks:
      blocks === undefined
        ? undefined
        : {
            shader: `${name}_blocks`,
            constants: { QUADS: headChannels / 4, ROW_BLOCKS: blocks },
            uniforms,
            groups: groupsOf(Math.ceil(positions / (4 * blocks))),
          },
    lanes:
      lanes > 0 && lanes <= SIDE && headChannels % 4 === 0 && shares <= MOST_SHARES
        ? { shader: `${name}_lanes`, constants: { LANES: lanes, SHARES: shares }, uniforms, groups: groupsOf(tiles) }
        : undefined,
    tile: {
      shader: name,
      constants: { CHANNELS: share },
      uniforms,
      groups: groupsOf(tiles * Math.ceil(headChannels / share)),
    },
  }
  const forced = target.forced[name]?.split(' ') ?? []
  const unknown = forced.find((one) => !(attentionVariants as readonly string[]).includes(one))
  if (unknown !== undefined) {
    throw invalid(`The variant of ${name}`, `one of ${attentionVariants.join(', ')}`, unknown)
  }
  const wanted = [...forced, software ? 'lanes' : 'blocks', 'tile']
  const variant = wanted.find((one) => forms[one] !== undefined)!
  return { variant, launch: forms[variant]! }
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

  adaptive_target: (operation) => {
    const [rows, columns] = shapesOf(operation).v
    const { offset } = attributesOf<AdaptiveTargetAttributes>(operation)
    const uniforms = { rows, columns, offset }
    return { launches: [{ shader: 'adaptive_target', constants: {}, uniforms, groups: groupsFor(rows, 1) }] }
  },

  attention: (operation, target) => {
    const { variant, launch } = attentionLaunch(operation, operation.operands.qkv.shape, target)
    return { launches: [launch], variant }
  },

  attention_backward: (operation, target) => {
    const { qkv, log_sum_exp } = shapesOf(operation)
    const { variant, launch } = attentionLaunch(operation, qkv, target)
    const { scale: _, planes: __, ...uniforms } = launch.uniforms as Uniforms
    const rows = size(log_sum_exp)
    const of = (keys: boolean): Launch => ({ ...launch, constants: { ...launch.constants, OF_KEYS: flag(keys) } })
    return {
      launches: [
        { shader: 'attention_backward_rows', constants: {}, uniforms: { ...uniforms, rows }, groups: groupsFor(rows) },
        of(false),
        of(true),
      ],
      variant,
      scratch: { along: { elements: rows } },
    }
  },
}
