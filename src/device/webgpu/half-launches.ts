/**
 * Launches of the products whose factors are stored in float16 (mixed precision; the contracts are those of float32). Their
 * shaders are named as the contract with _half after it, and their variants have a table of their own: all share the
 * indices of shaders/include/half_product.wgsl, and differ in the tile and in who multiplies, plain invocations or an
 * adapter's matrix units (half-variants.ts).
 */

import { DeviceError } from '../../errors.js'
import { size } from '../../kernels/contract.js'
import type { LoweredOperation } from '../../program/lower.js'
import { halfVariants } from './half-variants.js'
import type { WeightGradient, Window } from './plans.js'
import { activationOf, flag, groupsFor, type Launch, type LaunchPlan, type Planner, shapesOf, times } from './plans.js'
import type { AdapterTarget, Constants, ProductShape, UnitsProduct } from './target.js'
import { chooseVariant } from './variants.js'

/** Elements that a binding of float16 begins at a multiple of: 256 bytes. */
const BINDING_HALVES = 128

/** Whether an operation's factors are stored in float16. */
export const isHalf = ({ contract, operands }: LoweredOperation): boolean =>
  Object.entries(operands).some(([name, { dtype }]) => dtype === 'f16' && contract.operands[name].dtype === 'float')

export interface ChosenHalf {
  readonly variant: string
  readonly product: string
  readonly tile: readonly [number, number]
  readonly team: Launch['team']
  readonly constants: Constants
}

/** The variant for a product of float16, and its core. */
export function chooseHalf(
  { contract }: LoweredOperation,
  target: AdapterTarget,
  of: Omit<ProductShape, 'kernel' | 'half'>,
): ChosenHalf {
  if (!target.f16) {
    throw new DeviceError(
      `${contract.name} was asked for products of float16, and this adapter has no shader-f16 (docs/gpu-servers.md says where ` +
        'drivers hide it).',
    )
  }
  const variant = chooseVariant({ ...of, kernel: contract.name, half: true }, target)
  const { units, tile, team, constants } = halfVariants[variant]
  // four numbers are loaded at a time where the widths along which the factors lie dense are multiples of it
  const wide =
    of.patches !== undefined ||
    [of.left === 'rows' ? of.rows : of.inner, of.right === 'columns' ? of.columns : of.inner].every(
      (width) => width! % 4 === 0,
    )
  const product = units ? unitsProduct(target.units!, wide) : wide ? 'half_wide' : 'half'
  return { variant, product, tile, team, constants: product === 'units_old' ? {} : constants }
}

const unitsProduct = (form: UnitsProduct, wide: boolean): UnitsProduct =>
  form === 'units_wide' && !wide ? 'units' : form

interface Product {
  readonly rows: number
  readonly columns: number
  readonly inner: number
  readonly right: ProductShape['right']
}

/**
 * The window of a weight in float16. It is one on the copy of all parameters and begins at a multiple of 64 elements, a binding at
 * one of 128: `before` elements are between, for a uniform.
 */
export function halfWeight({ operands }: LoweredOperation): { before: number; window: Window } {
  const { offset, shape } = operands.weight
  const before = offset % BINDING_HALVES
  return { before, window: { operand: 'weight', first: -before / 2, length: Math.ceil((before + size(shape)) / 2) } }
}

/** Launch of a product with the weight as its right factor, that sums all inner indices in one workgroup. */
function product(
  operation: LoweredOperation,
  target: AdapterTarget,
  { rows, columns, inner, right }: Product,
  constants: Constants,
  uniforms: Launch['uniforms'],
): LaunchPlan & { readonly variant: string } {
  const {
    variant,
    product,
    tile,
    team,
    constants: tiles,
  } = chooseHalf(operation, target, {
    rows: null,
    columns,
    inner,
    left: 'inner',
    right,
  })
  const rowTiles = Math.ceil(rows / tile[0])
  // whole_product.wgsl counts the tiles of rows along y and then z
  const alongY = Math.min(rowTiles, 32768)
  const { before, window: weight } = halfWeight(operation)
  const launch: Launch = {
    shader: `${operation.contract.name}_half`,
    activation: activationOf(operation),
    product,
    team,
    constants: { ...tiles, ...constants },
    uniforms: { rows, columns, inner, weight_at: before, ...uniforms },
    groups: [Math.ceil(columns / tile[1]), alongY, Math.ceil(rowTiles / alongY)],
  }
  return { launches: [launch], variant, windows: { weight } }
}

/** A weight gradient's launch for any number of parts (weight-gradients.ts). */
export function halfWeightGradient(operation: LoweredOperation, target: AdapterTarget): WeightGradient {
  const shapes = shapesOf(operation)
  const [B, K] = shapes.x
  const N = shapes.dy[1]
  const of = { rows: N, columns: K, inner: null, left: 'rows', right: 'columns' } as const
  const { variant, product, tile, team, constants } = chooseHalf(operation, target, of)
  const columnTiles = Math.ceil(K / tile[1])
  return {
    variant,
    shader: 'linear_backward_weight_half',
    product,
    team,
    constants: { ...constants, HAS_STATE: flag(shapes.state) },
    uniforms: { rows: N, columns: K, inner: B, column_tiles: columnTiles },
    groups: [columnTiles + 1, Math.ceil(N / tile[0])],
  }
}

type Numbers = Readonly<Record<string, number>>

export const halfPlanners: Readonly<Record<string, Planner>> = {
  linear_forward: (operation, target) => {
    const { x, y, z, t } = shapesOf(operation)
    const a = operation.attributes as Numbers
    const constants = { HAS_Z: flag(z) }
    const uniforms = { times: times(t), beta: a.beta, scale: a.scale }
    return product(operation, target, { rows: y[0], columns: y[1], inner: x[1], right: 'inner' }, constants, uniforms)
  },

  linear_loss: (operation, target) => {
    const { x, delta, t, state } = shapesOf(operation)
    const [B, D] = delta
    const { scale } = operation.attributes as Numbers
    const of: Product = { rows: B, columns: D, inner: x[1], right: 'inner' }
    const { launches, ...plan } = product(operation, target, of, {}, { times: times(t), scale })
    const rows: Launch = {
      shader: 'linear_loss_half_rows',
      constants: { HAS_STATE: flag(state) },
      uniforms: { rows: B, columns: D, scale, factor: 2 / (B * D * scale) },
      groups: groupsFor(B),
    }
    return { ...plan, launches: [...launches, rows], scratch: { residuals: { elements: B * D } } }
  },

  linear_backward_input: (operation, target) => {
    const { dy, dx } = shapesOf(operation)
    const { beta } = operation.attributes as Numbers
    const of: Product = { rows: dx[0], columns: dx[1], inner: dy[1], right: 'columns' }
    return product(operation, target, of, {}, { beta })
  },
}
