/**
 * The launches of the kernels that are matrix products. Each takes one of the variants of variants.ts; a weight gradient,
 * whose sum over the batch is long and whose result is small, cuts the batch into *parts* that are summed at the same
 * time. Their sums are added in order: by a launch of its own, or, in a training step, by the launch of gradient_norm,
 * which reads all of the gradient anyway (`partsOfGradients`).
 */

import type { ActivationName } from '../../kernels/activations.js'
import type { LoweredOperation, PlacedTensor } from '../../program/lower.js'
import { isHalf } from './half-launches.js'
import {
  activationNumbers,
  flag,
  groupsFor,
  type Launch,
  type Plan,
  type Planner,
  partRows,
  type Scratch,
  shapesOf,
  times,
} from './plans.js'
import { type Constants, chooseVariant, type ProductShape, type Target, variants } from './variants.js'

interface Product {
  readonly rows: number
  readonly columns: number
  readonly inner: number
  readonly left: ProductShape['left']
  readonly right: ProductShape['right']
}

/** Launch of a product that sums all inner indices in one workgroup; its rows are those of a batch. */
function product(
  operation: LoweredOperation,
  target: Target,
  { rows, columns, inner, left, right }: Product,
  constants: Constants,
  uniforms: Launch['uniforms'],
): Plan & { readonly variant: string } {
  const kernel = operation.contract.name
  // a factor that lies dense along the rows is read in their quads: then their number counts
  const shape = { kernel, rows: left === 'rows' ? rows : null, columns, inner, left, right }
  const variant = chooseVariant(shape, target)
  const row = variants[variant](target.lanes)
  const rowTiles = Math.ceil(rows / row.tile[0])
  // whole_product.wgsl counts the tiles of rows along y and then z
  const alongY = Math.min(rowTiles, 32768)
  const few: Constants =
    row.elements === 'thin' ? { INNER: inner } : row.elements === 'dots' ? { COLUMNS: columns } : {}
  const launch: Launch = {
    shader: kernel,
    product: row.product,
    elements: row.elements,
    constants: { ...row.constants, ...few, ...constants },
    uniforms: { rows, columns, inner, ...uniforms },
    groups: [Math.ceil(columns / row.tile[1]), alongY, Math.ceil(rowTiles / alongY)],
  }
  return { launches: [launch], variant }
}

// --- weight gradients ------------------------------------------------------------------------------------------------

/** Parts of a batch, and where their sums go. */
export interface Parts {
  /** rows of a part */
  readonly part: number
  readonly count: number
  readonly sums: Scratch
  /** elements from one part's sums to the next's */
  readonly pitch: number
  /** where a result's sums start in a part's */
  at(result: 'dweight' | 'dbias' | 'dtime_weight'): number
}

/** What a weight gradient's launch is for any number of parts. */
interface WeightGradient {
  readonly variant: string
  readonly shader: string
  readonly product?: string
  readonly elements?: Launch['elements']
  readonly constants: Constants
  readonly uniforms: Launch['uniforms']
  readonly groups: readonly [number, number]
}

function weightGradient(operation: LoweredOperation, target: Target): WeightGradient {
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

const backwardWeight: Planner = (operation, target, shared) => {
  const given = shared?.parts.get(operation)
  const { x, dy, t } = shapesOf(operation)
  const [B, K] = x
  const N = dy[1]
  const { variant, groups, ...gradient } = weightGradient(operation, target)
  const rows = given?.part ?? partRows(B, groups[0] * groups[1], target)
  const count = Math.ceil(B / rows)
  const own = { dweight: 0, dbias: N * K, dtime_weight: N * (K + 1) }
  const parts: Parts =
    given ??
    ({ part: rows, count, sums: { elements: count * N * (K + 2) }, pitch: N * (K + 2), at: (r) => own[r] } as Parts)
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

/** The parts whose sums the launch of gradient_norm adds up. */
export interface GradientParts {
  readonly count: number
  readonly sums: Scratch
}

/** How operations of a whole program are planned that know of one another. */
export interface SharedParts {
  /** by weight gradient */
  readonly parts: ReadonlyMap<LoweredOperation, Parts>
  /** by operation of gradient_norm */
  readonly gradients: ReadonlyMap<LoweredOperation, GradientParts>
}

/** Where nothing but weight gradients writes a gradient before gradient_norm reads it, that launch can add up the parts. */
export function partsOfGradients(operations: readonly LoweredOperation[], target: Target): SharedParts {
  const parts = new Map<LoweredOperation, Parts>()
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
      const at: Parts['at'] = (result) => writer.operands[result].offset - gradient.offset
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
      !isHalf(operation) &&
      operands.x.shape[0] === touching[0].operands.x.shape[0] &&
      [operands.dweight, operands.dbias, operands.dtime_weight].every(
        (tensor) => !tensor || (samePlace(tensor, gradient) && tensor.offset >= gradient.offset && tensor.offset < end),
      )
    )
  }
  return touching.length > 0 && touching.every(writes) ? touching : undefined
}

// --- the table -------------------------------------------------------------------------------------------------------

type Numbers = Readonly<Record<string, number>>
type Activated = { readonly activation: ActivationName; readonly beta: number; readonly scale: number }

export const productPlanners: Readonly<Record<string, Planner>> = {
  linear_forward: (operation, target) => {
    const { x, y, z, t } = shapesOf(operation)
    const a = operation.attributes as unknown as Activated
    const constants = { ACTIVATION: activationNumbers[a.activation], HAS_Z: flag(z) }
    const uniforms = { times: times(t), beta: a.beta, scale: a.scale }
    const of: Product = { rows: y[0], columns: y[1], inner: x[1], left: 'inner', right: 'inner' }
    return product(operation, target, of, constants, uniforms)
  },

  linear_loss: (operation, target) => {
    const { x, delta, t } = shapesOf(operation)
    const [B, D] = delta
    const { scale } = operation.attributes as Numbers
    const uniforms = { times: times(t), scale, factor: 2 / (B * D * scale) }
    const of: Product = { rows: B, columns: D, inner: x[1], left: 'inner', right: 'inner' }
    const { launches, variant } = product(operation, target, of, {}, uniforms)
    if (variants[variant](target.lanes).finishesRows) return { launches, variant }
    const rows: Launch = {
      shader: 'linear_loss_rows',
      constants: {},
      uniforms: { rows: B, columns: D, factor: (B * D) / 2 },
      groups: groupsFor(B),
    }
    return { launches: [...launches, rows], variant }
  },

  linear_backward_input: (operation, target) => {
    const { dy, dx } = shapesOf(operation)
    const { activation, beta } = operation.attributes as unknown as Activated
    const of: Product = { rows: dx[0], columns: dx[1], inner: dy[1], left: 'inner', right: 'columns' }
    return product(operation, target, of, { ACTIVATION: activationNumbers[activation] }, { beta })
  },

  linear_backward_weight: backwardWeight,

  linear_tangent: (operation, target) => {
    const { dx, dy, saved } = shapesOf(operation)
    const a = operation.attributes as unknown as Activated
    const constants = { ACTIVATION: activationNumbers[a.activation], HAS_SAVED: flag(saved) }
    const uniforms = { batch: saved ? saved[0] : dy[0], beta: a.beta, scale: a.scale }
    const of: Product = { rows: dy[0], columns: dy[1], inner: dx[1], left: 'inner', right: 'inner' }
    return product(operation, target, of, constants, uniforms)
  },

  mat_mul: (operation, target) => {
    const { a, y } = shapesOf(operation)
    const { transposeA, transposeB } = operation.attributes
    const of: Product = {
      rows: y[0],
      columns: y[1],
      inner: a[transposeA ? 0 : 1],
      left: transposeA ? 'rows' : 'inner',
      right: transposeB ? 'inner' : 'columns',
    }
    return product(operation, target, of, { TRANSPOSE_A: flag(transposeA), TRANSPOSE_B: flag(transposeB) }, {})
  },
}
