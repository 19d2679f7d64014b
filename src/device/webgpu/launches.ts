/**
 * How each kernel becomes launches: which shader, with which constants and uniforms, on how many workgroups. One row of
 * the table for each contract; those of the matrix products are in products.ts.
 */

import { DeviceError } from '../../errors.js'
import { size } from '../../kernels/contract.js'
import { type DrawBatchAttributes, hasLeftNoise, type Pairing } from '../../kernels/draw_batch.js'
import { MOST_POOL_PIECES } from '../../kernels/pool.js'
import { LEAST_NOISE } from '../../kernels/softmax_segments.js'
import type { LoweredOperation } from '../../program/lower.js'
import { convolutionPlanners } from './convolutions.js'
import { halfPlanners, isHalf } from './half-launches.js'
import { normPlanners } from './norm-launches.js'
import { picturePlanners } from './picture-launches.js'
import type { SharedPartialSums } from './plans.js'
import {
  activationOf,
  flag,
  groupsFor,
  type Launch,
  type LaunchPlan,
  MAX_GROUPS,
  type Planner,
  shapesOf,
  storedAs,
} from './plans.js'
import { productPlanners } from './products.js'
import type { Includes } from './shaders.js'
import type { AdapterTarget, Constants } from './target.js'

const pairingNumbers: Readonly<Record<Pairing, number>> = { own: 0, shuffled: 1, independent: 2, none: 3, stored: 4 }

type Numbers = Readonly<Record<string, number>>

/** A kernel of one invocation for each of `elements`. */
const simple = (
  operation: LoweredOperation,
  elements: number,
  constants: Constants,
  uniforms: Launch['uniforms'],
): LaunchPlan => ({ launches: [{ shader: operation.contract.name, constants, uniforms, groups: groupsFor(elements) }] })

const seedUniforms = (a: Numbers): Numbers => ({ seed_low: a.seedLow, seed_high: a.seedHigh, stream: a.stream })

/**
 * The bindings of a pool of so many words that is larger than one of them may be; null where one is enough. The error that
 * says what to do where several are not comes before training (src/learn/estimate.ts).
 */
function poolPieces(
  length: number,
  { bindingBytes = Number.POSITIVE_INFINITY }: AdapterTarget,
): { words: number; windows: LaunchPlan['windows'] } | null {
  if (4 * length <= bindingBytes) return null
  // windows start at multiples of 64 words, as all bindings do
  const words = Math.floor(bindingBytes / 256) * 64
  const count = Math.ceil(length / words)
  if (count > MOST_POOL_PIECES) {
    throw new DeviceError(
      `A pool of ${4 * length} bytes does not fit into ${MOST_POOL_PIECES} bindings of ${bindingBytes} bytes.`,
    )
  }
  const windows = Array.from({ length: count }, (_, i) => [
    i === 0 ? 'pool' : `pool_${i}`,
    { operand: 'pool', first: i * words, length: Math.min(words, length - i * words) },
  ])
  return { words, windows: Object.fromEntries(windows) }
}

/** Where weight gradients left their parts' sums to it, it adds them up on the way. */
const gradientNorm: Planner = (operation, _target, shared) => {
  const parts = shared?.gradients.get(operation)
  const { gradient, row_loss, partials, loss_ring } = shapesOf(operation)
  const [length] = gradient
  const [blocks] = partials
  const uniforms = { length, blocks, block: Math.ceil(length / blocks), rows: row_loss[0], ring: loss_ring[0] }
  const groups: Launch['groups'] = [blocks + 1, 1, 1]
  if (!parts) return { launches: [{ shader: 'gradient_norm', constants: {}, uniforms, groups }] }
  const summing = { ...uniforms, parts: parts.count }
  return {
    launches: [{ shader: 'gradient_norm_parts', constants: {}, uniforms: summing, groups }],
    scratch: { parts: parts.sums },
  }
}

/** adam and adam_mixed, which share a shader's text (shaders/include/adam_step.wgsl). */
const optimizer: Planner = (operation) => {
  const { parameters, average, partials } = shapesOf(operation)
  const a = operation.attributes as Readonly<Record<string, number | undefined>> & Numbers
  const [length] = parameters
  const launch: Launch = {
    shader: operation.contract.name,
    elements: length % 4 === 0 ? 'wide' : 'scalar',
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
      growth: a.growth ?? 0,
    },
    // sixteen elements an invocation, since each workgroup first adds up the partial sums
    groups: [Math.min(MAX_GROUPS, Math.ceil(length / 1024)), 1, 1],
  }
  return { launches: [launch] }
}

const planners: Readonly<Record<string, Planner>> = {
  activation: (operation) => {
    const { beta } = operation.attributes as Numbers
    const length = size(operation.operands.x.shape)
    const { launches } = simple(operation, length, {}, { length, beta })
    return { launches: launches.map((launch) => ({ ...launch, activation: activationOf(operation) })) }
  },

  ...productPlanners,
  ...convolutionPlanners,
  ...normPlanners,
  ...picturePlanners,

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

  draw_batch: (operation, target) => {
    const { pool, x, condition, quantiles, right, path_table } = shapesOf(operation)
    const a = operation.attributes as unknown as DrawBatchAttributes
    const pairs = x[0] / a.timesPerPair
    const blocks = Math.ceil(x[1] / 4)
    const pieces = poolPieces(size(pool), target)
    if (right && 4 * size(right) > (target.bindingBytes ?? Number.POSITIVE_INFINITY)) {
      throw new DeviceError(
        `The stored right ends take ${4 * size(right)} bytes, and an adapter reads them through one binding, which has ` +
          `${target.bindingBytes} bytes here. Take fewer pairs, or another device.`,
      )
    }
    const plan = simple(
      operation,
      x[0] * blocks,
      {
        ...(pieces && { PIECE: pieces.words }),
        PAIRING: pairingNumbers[a.pairing],
        ...(a.path !== 'table' && { TRIGONOMETRIC: flag(a.path === 'trig') }),
        LEFT_NOISE: flag(hasLeftNoise(a)),
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
        mirror: a.mirror,
        pairs,
        times_per_pair: a.timesPerPair,
        // a batch drawn with replacement may be larger than the pool, and has no epochs
        batches_per_epoch: Math.max(1, Math.floor(pool[0] / pairs)),
        quantiles: quantiles ? quantiles[0] : 0,
        path_knots: path_table ? path_table[0] : 0,
        decay: a.decay,
        spread: a.spread,
        left_decay: a.leftDecay,
        left_spread: a.leftSpread,
        drop: a.drop,
        seed_low: a.seedLow,
        seed_high: a.seedHigh,
        stream: a.stream,
      },
    )
    const includes: Includes = {
      stored: storedAs(operation.operands.x),
      condition: condition ? 'copied' : 'none',
      right: right ? 'stored' : 'drawn',
      path: path_table ? 'table' : 'closed',
      ...(pieces && { pool: 'split' }),
    }
    const launches = plan.launches.map((launch) => ({ ...launch, ...includes }))
    return pieces ? { launches, windows: pieces.windows } : { launches }
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
    const { launches } = simple(
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
    return { launches: launches.map((launch) => ({ ...launch, stored: storedAs(operation.operands.y) })) }
  },

  input_tangent: (operation) => {
    const { x, frequencies, probes, dcondition, dy } = shapesOf(operation)
    const F = frequencies ? frequencies[0] : 0
    const features = dy[1] - 2 * F * x[1]
    return simple(
      operation,
      dy[0] * features,
      { HAS_PROBES: flag(probes), HAS_CONDITION: flag(dcondition) },
      { rows: dy[0], batch: x[0], columns: x[1], frequencies: F, width: dy[1], features },
    )
  },

  convert: (operation) => {
    const length = size(operation.operands.x.shape)
    const shader = operation.attributes.to === 'f16' ? 'convert' : 'convert_back'
    return { launches: [{ shader, constants: {}, uniforms: { length }, groups: groupsFor(length) }] }
  },

  divergence: (operation) => {
    const { dv, divergence, probes } = shapesOf(operation)
    const batch = divergence[0]
    return simple(operation, batch, { HAS_PROBES: flag(probes) }, { batch, columns: dv[1], tangents: dv[0] / batch })
  },

  gradient_norm: gradientNorm,

  adam: optimizer,

  adam_mixed: optimizer,

  softmax_segments: (operation) => {
    const { x, starts, t, path_table: table } = shapesOf(operation)
    const [rows, columns] = x
    const segments = starts[0] - 1
    return simple(
      operation,
      rows * segments,
      { VELOCITY: flag(t), LEAST_NOISE },
      {
        rows,
        columns,
        segments,
        times: t?.[0] ?? 1,
        knots: table?.[0] ?? 2,
        factor: operation.attributes.factor as number,
      },
    )
  },

  segment_loss: (operation) => {
    const { x, gates, rates } = shapesOf(operation)
    const [rows, columns] = x
    const [segments] = gates
    const uniforms = { rows, columns, segments, factor: 1 / (rows * segments) }
    const constants = { RATES: flag(rates) }
    return { launches: [{ shader: 'segment_loss', constants, uniforms, groups: groupsFor(rows, 1) }] }
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

/** The launches of one operation, whose kernel is there; `shared` is what it knows of the others of its program. */
export const planLaunches = (
  operation: LoweredOperation,
  target: AdapterTarget,
  shared?: SharedPartialSums,
): LaunchPlan =>
  ((isHalf(operation) ? halfPlanners[operation.contract.name] : undefined) ?? planners[operation.contract.name])(
    operation,
    target,
    shared,
  )
