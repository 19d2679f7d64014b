/**
 * How each kernel becomes launches: which shader, with which constants and uniforms, on how many workgroups. One row of
 * the table for each contract. A kernel that is a matrix product takes one of the variants of variants.ts.
 */

import type { ActivationName } from '../../kernels/activations.js'
import { type Shape, size } from '../../kernels/contract.js'
import type { LoweredOperation } from '../../program/lower.js'
import { halfPlanners, isHalf } from './half-launches.js'
import { type Constants, chooseVariant, type Target, variants } from './variants.js'

export interface Launch {
  readonly shader: string
  /** core that "product.wgsl" stands for */
  readonly product?: string
  readonly constants: Constants
  readonly uniforms: Readonly<Record<string, number | readonly number[]>>
  readonly groups: readonly [number, number, number]
}

export interface Plan {
  readonly launches: readonly Launch[]
  /** name of the variant, for kernels that have several */
  readonly variant?: string
  /** memory that the launches of one operation share, by binding name, in elements */
  readonly scratch?: Readonly<Record<string, number>>
}

/** Workgroups along one dimension of a launch: the least that every adapter allows. */
const MAX_GROUPS = 65535

// --- products --------------------------------------------------------------------------------------------------------

/** Launch of a product that sums all inner indices in one workgroup. */
function product(
  operation: LoweredOperation,
  target: Target,
  [rows, columns, inner]: readonly [number, number, number],
  constants: Constants,
  uniforms: Launch['uniforms'],
): Plan & { readonly variant: string } {
  const variant = chooseVariant({ kernel: operation.contract.name, columns }, target)
  const { product, tile, constants: tiles } = variants[variant](target.lanes)
  const rowTiles = Math.ceil(rows / tile[0])
  // whole_product.wgsl counts the tiles of rows along y and then z
  const alongY = Math.min(rowTiles, 32768)
  const launch: Launch = {
    shader: operation.contract.name,
    product,
    constants: { ...tiles, ...constants },
    uniforms: { rows, columns, inner, ...uniforms },
    groups: [Math.ceil(columns / tile[1]), alongY, Math.ceil(rowTiles / alongY)],
  }
  return { launches: [launch], variant }
}

/** Workgroups that keep a GPU busy, about; parts of a batch are made until there are so many. */
const BUSY_HARDWARE = 256
const BUSY_SOFTWARE = 8
/** Rows of a batch below which a part is not worth its sum. */
const LEAST_PART = 64

/** Rows of a part of a batch of B, where the result has so many tiles; the parts are summed one after the other. */
export function partRows(B: number, tiles: number, { software }: Target): number {
  const busy = software ? BUSY_SOFTWARE : BUSY_HARDWARE
  return Math.ceil(B / Math.min(Math.ceil(busy / tiles), Math.ceil(B / LEAST_PART)))
}

function backwardWeight(operation: LoweredOperation, target: Target): Plan {
  const shapes = shapesOf(operation)
  const [B, K] = shapes.x
  const N = shapes.dy[1]
  const hasTime = flag(shapes.t)
  const variant = chooseVariant({ kernel: 'linear_backward_weight', columns: K }, target)
  const { product, tile, constants } = variants[variant](target.lanes)
  const columnTiles = Math.ceil(K / tile[1])
  const rowTiles = Math.ceil(N / tile[0])
  const part = partRows(B, columnTiles * rowTiles, target)
  const splits = Math.ceil(B / part)
  const sums: Launch = {
    shader: 'linear_backward_weight',
    product,
    constants: { ...constants, SPLIT: splits > 1 ? 1 : 0, HAS_TIME: hasTime },
    uniforms: { rows: N, columns: K, inner: B, part, column_tiles: columnTiles },
    groups: [columnTiles + 1, rowTiles, splits],
  }
  if (splits === 1) return { launches: [sums], variant }
  const length = N * (K + 2)
  const total: Launch = {
    shader: 'linear_backward_weight_sum',
    constants: { HAS_TIME: hasTime },
    uniforms: { weights: N * K, rows: N, splits },
    groups: groupsFor(length),
  }
  return { launches: [sums, total], variant, scratch: { parts: splits * length } }
}

// --- the table -------------------------------------------------------------------------------------------------------

const GROUP_SIZE = 64

/** Workgroups for so many elements, in two dimensions where one does not hold them; each takes `size` of them. */
export function groupsFor(elements: number, size = GROUP_SIZE): [number, number, number] {
  const groups = Math.ceil(elements / size)
  const y = Math.ceil(groups / MAX_GROUPS)
  return [Math.ceil(groups / y), y, 1]
}

export const shapesOf = (operation: LoweredOperation): Record<string, Shape> =>
  Object.fromEntries(Object.entries(operation.operands).map(([name, { shape }]) => [name, shape]))

export const flag = (value: unknown): number => (value ? 1 : 0)

export const activationNumbers: Readonly<Record<ActivationName, number>> = {
  identity: 0,
  relu: 1,
  elu: 2,
  softplus: 3,
  silu: 4,
  gelu: 5,
  tanh: 6,
}
const couplingNumbers: Readonly<Record<string, number>> = { dependent: 0, shuffled: 1, independent: 2, free: 3 }

type Numbers = Readonly<Record<string, number>>
export type Planner = (operation: LoweredOperation, target: Target) => Plan

/** A kernel of one invocation for each of `elements`. */
const simple = (
  operation: LoweredOperation,
  elements: number,
  constants: Constants,
  uniforms: Launch['uniforms'],
): Plan => ({ launches: [{ shader: operation.contract.name, constants, uniforms, groups: groupsFor(elements) }] })

const seedUniforms = (a: Numbers): Numbers => ({ seed_low: a.seedLow, seed_high: a.seedHigh, stream: a.stream })

export const times = (t: Shape | undefined): number => (t ? t[0] : 0)

const planners: Readonly<Record<string, Planner>> = {
  activation: (operation) => {
    const { activation, beta } = operation.attributes as { activation: ActivationName; beta: number }
    const length = size(operation.operands.x.shape)
    return simple(operation, length, { ACTIVATION: activationNumbers[activation] }, { length, beta })
  },

  linear_forward: (operation, target) => {
    const { x, y, z, t } = shapesOf(operation)
    const a = operation.attributes as { activation: ActivationName; beta: number; scale: number }
    const constants = { ACTIVATION: activationNumbers[a.activation], HAS_Z: flag(z) }
    const uniforms = { times: times(t), beta: a.beta, scale: a.scale }
    return product(operation, target, [y[0], y[1], x[1]], constants, uniforms)
  },

  linear_loss: (operation, target) => {
    const { x, delta, t } = shapesOf(operation)
    const [B, D] = delta
    const { scale } = operation.attributes as Numbers
    const uniforms = { times: times(t), scale, factor: 2 / (B * D * scale) }
    const { launches, variant } = product(operation, target, [B, D, x[1]], {}, uniforms)
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
    const { activation, beta } = operation.attributes as { activation: ActivationName; beta: number }
    return product(operation, target, [dx[0], dx[1], dy[1]], { ACTIVATION: activationNumbers[activation] }, { beta })
  },

  linear_backward_weight: backwardWeight,

  linear_tangent: (operation, target) => {
    const { dx, dy, saved } = shapesOf(operation)
    const a = operation.attributes as { activation: ActivationName; beta: number; scale: number }
    const constants = { ACTIVATION: activationNumbers[a.activation], HAS_SAVED: flag(saved) }
    const uniforms = { batch: saved ? saved[0] : dy[0], beta: a.beta, scale: a.scale }
    return product(operation, target, [dy[0], dy[1], dx[1]], constants, uniforms)
  },

  mat_mul: (operation, target) => {
    const { a, y } = shapesOf(operation)
    const { transposeA, transposeB } = operation.attributes
    const constants = { TRANSPOSE_A: flag(transposeA), TRANSPOSE_B: flag(transposeB) }
    return product(operation, target, [y[0], y[1], a[transposeA ? 0 : 1]], constants, {})
  },

  normal: (operation) => {
    const [rows, columns] = operation.operands.y.shape
    const blocks = Math.ceil(columns / 4)
    const seeds = seedUniforms(operation.attributes as Numbers)
    return simple(operation, rows * blocks, {}, { rows, columns, blocks, ...seeds })
  },

  rademacher: (operation) => {
    const [rows, columns] = operation.operands.y.shape
    const a = operation.attributes as Numbers
    const blocks = Math.ceil(columns / 32)
    return simple(operation, rows * blocks, {}, { rows, columns, blocks, batch: rows / a.probes, ...seedUniforms(a) })
  },

  draw_batch: (operation) => {
    const { pool, x, condition, quantiles } = shapesOf(operation)
    const a = operation.attributes as Readonly<Record<string, number | string>>
    const n = a as Numbers
    const pairs = x[0] / n.timesPerPair
    const blocks = Math.ceil(x[1] / 4)
    return simple(
      operation,
      x[0] * blocks,
      {
        COUPLING: couplingNumbers[a.coupling],
        TRIGONOMETRIC: flag(a.interpolant === 'trig'),
        REPLACEMENT: flag(a.sampling === 'replacement'),
        PIXELS: flag(a.values === 'pixels'),
      },
      {
        rows: x[0],
        columns: x[1],
        blocks,
        conditions: condition ? condition[1] : 0,
        pool_rows: pool[0],
        pool_words: pool[1],
        mirror: n.mirror,
        pairs,
        times_per_pair: n.timesPerPair,
        // a batch drawn with replacement may be larger than the pool, and has no epochs
        batches_per_epoch: Math.max(1, Math.floor(pool[0] / pairs)),
        quantiles: quantiles ? quantiles[0] : 0,
        decay: n.decay,
        spread: n.spread,
        ...seedUniforms(n),
      },
    )
  },

  load_rows: (operation) => {
    const { pool, y } = shapesOf(operation)
    const a = operation.attributes as Numbers
    const blocks = Math.ceil(y[1] / 4)
    return simple(
      operation,
      y[0] * blocks,
      { PIXELS: flag(operation.attributes.values === 'pixels') },
      { rows: y[0], columns: y[1], blocks, pool_words: pool[1], mirror: a.mirror, ...seedUniforms(a) },
    )
  },

  input_features: (operation) => {
    const { x, condition, frequencies, y } = shapesOf(operation)
    const conditions = condition ? condition[1] : 0
    const lanes = Math.max(x[1], conditions)
    return simple(
      operation,
      x[0] * lanes,
      {},
      {
        rows: x[0],
        columns: x[1],
        conditions,
        frequencies: frequencies ? frequencies[0] : 0,
        width: y[1],
        lanes,
      },
    )
  },

  input_tangent: (operation) => {
    const { x, frequencies, probes, dy } = shapesOf(operation)
    const F = frequencies ? frequencies[0] : 0
    const features = dy[1] - 2 * F * x[1]
    return simple(
      operation,
      dy[0] * features,
      { HAS_PROBES: flag(probes) },
      { rows: dy[0], batch: x[0], columns: x[1], frequencies: F, width: dy[1], features },
    )
  },

  convert: (operation) => {
    const length = size(operation.operands.x.shape)
    const shader = operation.attributes.to === 'f16' ? 'convert' : 'convert_back'
    return { launches: [{ shader, constants: {}, uniforms: { length }, groups: groupsFor(length) }] }
  },

  loss_scale: (operation) => {
    const { growth } = operation.attributes as Numbers
    const uniforms = { partials: operation.operands.partials.shape[0], growth }
    return { launches: [{ shader: 'loss_scale', constants: {}, uniforms, groups: [1, 1, 1] }] }
  },

  divergence: (operation) => {
    const { dv, divergence, probes } = shapesOf(operation)
    const batch = divergence[0]
    return simple(operation, batch, { HAS_PROBES: flag(probes) }, { batch, columns: dv[1], tangents: dv[0] / batch })
  },

  gradient_norm: (operation) => {
    const { gradient, row_loss, partials, loss_ring } = shapesOf(operation)
    const [length] = gradient
    const [blocks] = partials
    const uniforms = { length, blocks, block: Math.ceil(length / blocks), rows: row_loss[0], ring: loss_ring[0] }
    return { launches: [{ shader: 'gradient_norm', constants: {}, uniforms, groups: [blocks + 1, 1, 1] }] }
  },

  adam: (operation) => {
    const { parameters, average, partials } = shapesOf(operation)
    const a = operation.attributes as Numbers
    const [length] = parameters
    const launch: Launch = {
      shader: 'adam',
      constants: { DECOUPLED: flag(operation.attributes.decoupled), HAS_AVERAGE: flag(average) },
      uniforms: {
        length,
        partials: partials[0],
        beta1: a.beta1,
        beta2: a.beta2,
        // rounded from float64: 1 − β₂ in float32 would be off by 3e-5 of itself
        one_minus_beta1: 1 - a.beta1,
        one_minus_beta2: 1 - a.beta2,
        epsilon: a.epsilon,
        weight_decay: a.weightDecay,
        clip: a.clip,
      },
      // four elements an invocation, since each workgroup first adds up the partial sums
      groups: [Math.min(MAX_GROUPS, Math.ceil(length / 1024)), 1, 1],
    }
    return { launches: [launch] }
  },

  stage_combine: (operation) => {
    const { y, stages } = shapesOf(operation)
    const coefficients = operation.attributes.coefficients as readonly number[]
    const length = size(y)
    return simple(operation, length, {}, { coefficients, length, count: coefficients.length, stride: stages[1] })
  },

  adaptive_stage: (operation) => {
    const { y, stages } = shapesOf(operation)
    const { coefficients, node } = operation.attributes as { coefficients: readonly number[]; node: number }
    const length = size(y)
    const uniforms = { coefficients, length, columns: y[1], count: coefficients.length, stride: stages[1], node }
    return simple(operation, length, {}, uniforms)
  },

  adaptive_control: (operation) => {
    const { y, stages, log_det, log_det_stages } = shapesOf(operation)
    const { error, ...a } = operation.attributes as unknown as { error: readonly number[] } & Record<string, number>
    return simple(
      operation,
      y[0],
      { HAS_LOG_DET: flag(log_det) },
      {
        error,
        rows: y[0],
        columns: y[1],
        stages: error.length,
        stride: stages[1],
        log_det_stride: log_det_stages ? log_det_stages[1] : 0,
        cost: a.cost,
        rtol: a.rtol,
        atol: a.atol,
        span: a.end - a.start,
        end: a.end,
      },
    )
  },
}

/** Names of the kernels that there is a row for. */
export const plannedKernels: ReadonlySet<string> = new Set(Object.keys(planners))

/** The launches of one operation, whose kernel is there. */
export const plan = (operation: LoweredOperation, target: Target): Plan =>
  (isHalf(operation) ? halfPlanners : planners)[operation.contract.name](operation, target)
