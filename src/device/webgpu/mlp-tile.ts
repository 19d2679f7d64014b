/**
 * How much of an MLP fits into a workgroup: the *tile* of shaders/include/mlp_tile.wgsl, whose rows go through all layers
 * in workgroup memory. Its size follows from the adapter's memory and from the network, never from the number of rows.
 */

import { inputWidth, type MlpSpec } from '../../networks/mlp/spec.js'
import { flag, type Launch } from './plans.js'
import type { Constants } from './target.js'

/** Invocations of a workgroup: what every adapter allows. */
const THREADS = 256
/** Hidden layers, and frequencies, that the lists in the shaders' uniforms hold. */
const MOST_ITEMS = 16
/** Vectors of sums that an invocation keeps in registers. */
const MOST_SUMS = 8
/** Rows of an invocation below which slices of half the depth are taken, where these leave room for more rows. */
const FEW_ROWS = 4
/** Invocations that share one number of the last layer. */
const MOST_LANES = 32

export interface MlpTile {
  readonly constants: Constants
  /** rows of the batch that a workgroup carries */
  readonly points: number
  /** rows that it multiplies: the points and their tangents */
  readonly rows: number
  readonly workgroupBytes: number
}

/** The uniforms that shaders/include/mlp_tile.wgsl takes of a network. */
export const tileUniforms = (net: MlpSpec): Launch['uniforms'] => ({
  hidden: net.hidden,
  frequencies: net.frequencies,
  layers: net.hidden.length,
  conditions: net.condition,
  inputs: inputWidth(net),
  every_time: flag(net.time === 'every'),
  beta: net.beta,
})

/** The largest tile of a network with so many tangents a row; null where not even one row an invocation fits. */
export function mlpTile(net: MlpSpec, tangents: number, workgroupBytes: number): MlpTile | null {
  const widest = Math.max(...net.hidden)
  const columnVectors = 2 ** Math.ceil(Math.log2(Math.ceil(widest / 4)))
  const threadColumns = Math.min(64, Math.max(8, columnVectors))
  const vectors = Math.max(1, columnVectors / threadColumns)
  if (vectors > 2 || net.hidden.length > MOST_ITEMS || net.frequencies.length > MOST_ITEMS) return null
  const tileOf = (depth: number): MlpTile | null => {
    const group = 1 + tangents
    for (let rows = Math.floor(MOST_SUMS / vectors / group) * group; rows > 0; rows -= group) {
      const tile = sized(net, tangents, { threadColumns, vectors, depth, rows })
      if (tile.workgroupBytes <= workgroupBytes) return tile
    }
    return null
  }
  const [deep, shallow] = [tileOf(2), tileOf(1)]
  const enough = deep !== null && (deep.rows >= FEW_ROWS * (THREADS / threadColumns) || deep.rows >= shallow!.rows)
  return enough ? deep : shallow
}

interface Arrangement {
  readonly threadColumns: number
  readonly vectors: number
  readonly depth: number
  /** of an invocation */
  readonly rows: number
}

function sized(net: MlpSpec, tangents: number, { threadColumns, vectors, depth, rows }: Arrangement): MlpTile {
  const D = net.dimension
  const threadRows = THREADS / threadColumns
  const points = (threadRows * rows) / (1 + tangents)
  const widest = Math.max(inputWidth(net), ...net.hidden)
  // odd, so that rows of one warp do not meet in one memory bank
  const pitch = (Math.ceil(widest / (4 * depth)) * depth) | 1
  const outputs = D + tangents
  let lanes = 1
  while (2 * lanes <= MOST_LANES && points * outputs * 2 * lanes <= THREADS) lanes *= 2
  // the shaders' workgroup variables, integrate's among them
  const vectorsOf = (floats: number): number => 16 * Math.ceil(floats / 4)
  const workgroupBytes =
    16 * threadRows * rows * pitch +
    16 * 4 * depth * (threadColumns * vectors + 1) +
    3 * vectorsOf(points * D) +
    vectorsOf(points * outputs * lanes) +
    vectorsOf(points)
  return {
    constants: {
      TANGENTS: tangents,
      DIMENSION: D,
      THREAD_ROWS: threadRows,
      THREAD_COLUMNS: threadColumns,
      ROWS: rows,
      VECTORS: vectors,
      DEPTH: depth,
      PITCH: pitch,
      LANES: lanes,
    },
    points,
    rows: threadRows * rows,
    workgroupBytes,
  }
}
