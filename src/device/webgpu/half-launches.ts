/**
 * Launches of the products whose factors are stored in float16 (mixed precision; the contracts are those of float32). Their
 * shaders are named as the contract with _half after it, and their variants have a table of their own: all share the
 * indices of shaders/include/half_product.wgsl, and differ in the tile and in who multiplies, plain invocations or an
 * adapter's matrix units (half-variants.ts).
 */

import { DeviceError } from '../../errors.js'
import type { ActivationName } from '../../kernels/activations.js'
import type { LoweredOperation } from '../../program/lower.js'
import { chooseHalfVariant, halfVariants } from './half-variants.js'
import {
  activationNumbers,
  flag,
  groupsFor,
  type Launch,
  type Plan,
  type Planner,
  partRows,
  shapesOf,
  times,
} from './plans.js'
import type { UnitsProduct } from './units.js'
import type { Constants, Target } from './variants.js'

/** Whether an operation's factors are stored in float16. */
export const isHalf = ({ contract, operands }: LoweredOperation): boolean =>
  Object.entries(operands).some(([name, { dtype }]) => dtype === 'f16' && contract.operands[name].dtype === 'float')

interface Chosen {
  readonly variant: string
  readonly product: string
  readonly tile: readonly [number, number]
  readonly constants: Constants
}

/** `dense`: the widths along which the factors lie dense; four numbers are loaded at a time where they are multiples of it. */
function choose({ contract }: LoweredOperation, target: Target, dense: readonly number[]): Chosen {
  if (!target.f16) {
    throw new DeviceError(
      `${contract.name} was given float16 operands, and this adapter has no shader-f16 (docs/gpu-servers.md says where ` +
        'drivers hide it).',
    )
  }
  const variant = chooseHalfVariant(contract.name, target)
  const { units, tile, constants } = halfVariants[variant]
  const wide = dense.every((width) => width % 4 === 0)
  const product = units ? unitsProduct(target.units!, wide) : wide ? 'half_wide' : 'half'
  return { variant, product, tile, constants: product === 'units_old' ? {} : constants }
}

const unitsProduct = (form: UnitsProduct, wide: boolean): UnitsProduct =>
  form === 'units_wide' && !wide ? 'units' : form

/** Launch of a product that sums all inner indices in one workgroup. */
function product(
  operation: LoweredOperation,
  { product, tile, constants: tiles }: Chosen,
  [rows, columns, inner]: readonly [number, number, number],
  constants: Constants,
  uniforms: Launch['uniforms'],
): Launch {
  const rowTiles = Math.ceil(rows / tile[0])
  // whole_product.wgsl counts the tiles of rows along y and then z
  const alongY = Math.min(rowTiles, 32768)
  return {
    shader: `${operation.contract.name}_half`,
    product,
    constants: { ...tiles, ...constants },
    uniforms: { rows, columns, inner, ...uniforms },
    groups: [Math.ceil(columns / tile[1]), alongY, Math.ceil(rowTiles / alongY)],
  }
}

function backwardWeight(operation: LoweredOperation, target: Target): Plan {
  const shapes = shapesOf(operation)
  const [B, K] = shapes.x
  const N = shapes.dy[1]
  const { variant, product, tile, constants } = choose(operation, target, [N, K])
  const flags = { HAS_TIME: flag(shapes.t), HAS_STATE: flag(shapes.state) }
  const columnTiles = Math.ceil(K / tile[1])
  const rowTiles = Math.ceil(N / tile[0])
  const part = partRows(B, columnTiles * rowTiles, target)
  const splits = Math.ceil(B / part)
  const sums: Launch = {
    shader: 'linear_backward_weight_half',
    product,
    constants: { ...constants, SPLIT: splits > 1 ? 1 : 0, ...flags },
    uniforms: { rows: N, columns: K, inner: B, part, column_tiles: columnTiles },
    groups: [columnTiles + 1, rowTiles, splits],
  }
  if (splits === 1) return { launches: [sums], variant }
  const length = N * (K + 2)
  const total: Launch = {
    shader: 'linear_backward_weight_half_sum',
    constants: flags,
    uniforms: { weights: N * K, rows: N, splits },
    groups: groupsFor(length),
  }
  return { launches: [sums, total], variant, scratch: { parts: { elements: splits * length } } }
}

type Numbers = Readonly<Record<string, number>>

export const halfPlanners: Readonly<Record<string, Planner>> = {
  linear_forward: (operation, target) => {
    const { x, y, z, t } = shapesOf(operation)
    const a = operation.attributes as { activation: ActivationName; beta: number; scale: number }
    const constants = { ACTIVATION: activationNumbers[a.activation], HAS_Z: flag(z) }
    const uniforms = { times: times(t), beta: a.beta, scale: a.scale }
    const chosen = choose(operation, target, [x[1]])
    const launch = product(operation, chosen, [y[0], y[1], x[1]], constants, uniforms)
    return { launches: [launch], variant: chosen.variant }
  },

  linear_loss: (operation, target) => {
    const { x, delta, t, state } = shapesOf(operation)
    const [B, D] = delta
    const { scale } = operation.attributes as Numbers
    const chosen = choose(operation, target, [x[1]])
    const residuals = product(operation, chosen, [B, D, x[1]], {}, { times: times(t), scale })
    const rows: Launch = {
      shader: 'linear_loss_half_rows',
      constants: { HAS_STATE: flag(state) },
      uniforms: { rows: B, columns: D, scale, factor: 2 / (B * D * scale) },
      groups: groupsFor(B),
    }
    return { launches: [residuals, rows], variant: chosen.variant, scratch: { residuals: { elements: B * D } } }
  },

  linear_backward_input: (operation, target) => {
    const { dy, dx } = shapesOf(operation)
    const { activation, beta } = operation.attributes as { activation: ActivationName; beta: number }
    const chosen = choose(operation, target, [dy[1], dx[1]])
    const constants = { ACTIVATION: activationNumbers[activation] }
    const launch = product(operation, chosen, [dx[0], dx[1], dy[1]], constants, { beta })
    return { launches: [launch], variant: chosen.variant }
  },

  linear_backward_weight: backwardWeight,
}
