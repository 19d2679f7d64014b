/**
 * The launches of weight gradients, whose sum over the batch is long and whose result is small: they cut the batch into
 * *parts* that are summed at the same time. The parts' sums are added in order: by a launch of its own, or, in a training
 * step, by the launch of gradient_norm, which reads all of the gradient anyway (`partsOfGradients`).
 */

import type { LoweredOperation, PlacedTensor } from '../../program/lower.js'
import { halfWeightGradient, isHalf } from './half-launches.js'
import {
  flag,
  type GradientParts,
  groupsFor,
  type Launch,
  type PartialSums,
  type Planner,
  partRows,
  type SharedPartialSums,
  shapesOf,
  type WeightGradient,
} from './plans.js'
import type { AdapterTarget, ProductShape } from './target.js'
import { chooseVariant, variants } from './variants.js'

function weightGradient(operation: LoweredOperation, target: AdapterTarget): WeightGradient {
  if (isHalf(operation)) return halfWeightGradient(operation, target)
  const { x, dy } = shapesOf(operation)
  const [B, K] = x
  const N = dy[1]
  const kernel = operation.contract.name
  const shape: ProductShape = { kernel, rows: N, columns: K, inner: null, left: 'rows', right: 'columns' }
  const variant = chooseVariant(shape, target)
  const { product, elements, tile, constants } = variants[variant](target.lanes)
  const uniforms = { rows: N, columns: K, inner: B }
  if (elements === 'thin') {
    const thinIsX = K <= N
    // beside x stand ones and the times
    const wide = thinIsX ? N : K + (operation.operands.t ? 2 : 1)
    const thin = thinIsX ? K + (operation.operands.t ? 2 : 1) : N
    return {
      variant,
      shader: 'linear_backward_weight_thin',
      constants: { THIN_IS_X: flag(thinIsX), THIN: thin },
      uniforms,
      groups: [Math.ceil(wide / tile[1]), 1],
    }
  }
  const [columnTiles, rowTiles] = [Math.ceil(K / tile[1]), Math.ceil(N / tile[0])]
  return {
    variant,
    shader: kernel,
    product,
    elements,
    constants,
    uniforms: { ...uniforms, column_tiles: columnTiles },
    groups: [columnTiles + 1, rowTiles],
  }
}

export const backwardWeight: Planner = (operation, target, shared) => {
  const given = shared?.parts.get(operation)
  const { x, dy, t } = shapesOf(operation)
  const [B, K] = x
  const N = dy[1]
  const { variant, groups, ...gradient } = weightGradient(operation, target)
  const rows = given?.part ?? partRows(B, groups[0] * groups[1], target)
  const count = Math.ceil(B / rows)
  const own = { dweight: 0, dbias: N * K, dtime_weight: N * (K + 1) }
  const parts: PartialSums =
    given ??
    ({
      part: rows,
      count,
      sums: { elements: count * N * (K + 2) },
      pitch: N * (K + 2),
      at: (r) => own[r],
    } as PartialSums)
  const split = count > 1
  const sums: Launch = {
    ...gradient,
    constants: { ...gradient.constants, SPLIT: flag(split), HAS_TIME: flag(t) },
    uniforms: {
      ...gradient.uniforms,
      part: rows,
      pitch: parts.pitch,
      weight_at: parts.at('dweight'),
      bias_at: parts.at('dbias'),
      time_at: t ? parts.at('dtime_weight') : 0,
    },
    groups: [...groups, count],
  }
  if (!split) return { launches: [sums], variant }
  const scratch = { parts: parts.sums }
  if (given) return { launches: [sums], variant, scratch }
  const total: Launch = {
    shader: 'linear_backward_weight_sum',
    constants: { HAS_TIME: flag(t) },
    uniforms: { weights: N * K, rows: N, splits: count },
    groups: groupsFor(parts.pitch),
  }
  return { launches: [sums, total], variant, scratch }
}

// --- sums left to gradient_norm --------------------------------------------------------------------------------------

/** Where nothing but weight gradients writes a gradient before gradient_norm reads it, that launch can add up the parts. */
export function partsOfGradients(operations: readonly LoweredOperation[], target: AdapterTarget): SharedPartialSums {
  const parts = new Map<LoweredOperation, PartialSums>()
  const gradients = new Map<LoweredOperation, GradientParts>()
  operations.forEach((operation, i) => {
    if (operation.contract.name !== 'gradient_norm') return
    const { gradient } = operation.operands
    const writers = writersOf(gradient, operations.slice(0, i))
    if (!writers) return
    // the largest layer decides on the parts of all
    const flops = (one: LoweredOperation): number => one.operands.x.shape[1] * one.operands.dy.shape[1]
    const largest = writers.reduce((a, b) => (flops(b) > flops(a) ? b : a))
    const { groups } = weightGradient(largest, { ...target, onChoice: undefined })
    const B = largest.operands.x.shape[0]
    const part = partRows(B, groups[0] * groups[1], target)
    const count = Math.ceil(B / part)
    const [pitch] = gradient.shape
    const sums = { elements: count * pitch }
    for (const writer of writers) {
      const at: PartialSums['at'] = (result) => writer.operands[result].offset - gradient.offset
      parts.set(writer, { part, count, sums, pitch, at })
    }
    if (count > 1) gradients.set(operation, { count, sums })
  })
  return { parts, gradients }
}

const samePlace = (a: PlacedTensor, b: PlacedTensor): boolean =>
  a.place.kind === 'buffer' && b.place.kind === 'buffer'
    ? a.place.buffer === b.place.buffer
    : a.place.kind === 'slot' && b.place.kind === 'slot' && a.place.slot === b.place.slot

/** The weight gradients that write into a gradient; undefined where anything else touches it, or batches differ. */
function writersOf(gradient: PlacedTensor, before: readonly LoweredOperation[]): LoweredOperation[] | undefined {
  const touching = before.filter(({ operands }) =>
    Object.values(operands).some((tensor) => samePlace(tensor, gradient)),
  )
  const end = gradient.offset + gradient.shape[0]
  const writes = (operation: LoweredOperation): boolean => {
    const { contract, operands } = operation
    return (
      contract.name === 'linear_backward_weight' &&
      operands.x.shape[0] === touching[0].operands.x.shape[0] &&
      [operands.dweight, operands.dbias, operands.dtime_weight].every(
        (tensor) => !tensor || (samePlace(tensor, gradient) && tensor.offset >= gradient.offset && tensor.offset < end),
      )
    )
  }
  return touching.length > 0 && touching.every(writes) ? touching : undefined
}
