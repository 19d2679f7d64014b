/**
 * The launches of the kernels that are matrix products. Each takes one of the variants of variants.ts. Weight gradients are
 * in weight-gradients.ts, products of float16 in half-launches.ts.
 */

import type { LoweredOperation } from '../../program/lower.js'
import { activationOf, flag, groupsFor, type Launch, type LaunchPlan, type Planner, shapesOf, times } from './plans.js'
import type { AdapterTarget, Constants, ProductShape } from './target.js'
import { chooseVariant, variants } from './variants.js'
import { backwardWeight } from './weight-gradients.js'

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
  target: AdapterTarget,
  { rows, columns, inner, left, right }: Product,
  constants: Constants,
  uniforms: Launch['uniforms'],
): LaunchPlan & { readonly variant: string } {
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
    activation: activationOf(operation),
    constants: { ...row.constants, ...few, ...constants },
    uniforms: { rows, columns, inner, ...uniforms },
    groups: [Math.ceil(columns / row.tile[1]), alongY, Math.ceil(rowTiles / alongY)],
  }
  return { launches: [launch], variant }
}

type Numbers = Readonly<Record<string, number>>

export const productPlanners: Readonly<Record<string, Planner>> = {
  linear_forward: (operation, target) => {
    const { x, y, z, t } = shapesOf(operation)
    const a = operation.attributes as Numbers
    const constants = { HAS_Z: flag(z) }
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
    const { beta } = operation.attributes as Numbers
    const of: Product = { rows: dx[0], columns: dx[1], inner: dy[1], left: 'inner', right: 'columns' }
    return product(operation, target, of, {}, { beta })
  },

  linear_backward_weight: backwardWeight,

  linear_tangent: (operation, target) => {
    const { dx, dy, saved, dt } = shapesOf(operation)
    const a = operation.attributes as Numbers
    const constants = { HAS_SAVED: flag(saved) }
    const uniforms = { batch: saved ? saved[0] : dy[0], times: times(dt), beta: a.beta, scale: a.scale }
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
