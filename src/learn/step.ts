/** One training step as a program: a batch with its gradient, part by part, and the update of the parameters by all of them. */

import { adam, stepTable } from '../kernels/adam.js'
import { adamMixed } from '../kernels/adam_mixed.js'
import { seedWords } from '../kernels/draws.js'
import { gradientNorm, normBlocks } from '../kernels/gradient_norm.js'
import { stageCombine } from '../kernels/stage_combine.js'
import { LOSS_SCALE_GROWTH } from '../kernels/state.js'
import type { Network } from '../networks/network.js'
import { ProgramBuilder, type ProgramTensor, type StorageBuffer } from '../program/program.js'
import type { OptimizerSettings } from './optimizer.js'
import type { PoolBuffers } from './pool.js'
import type { Task } from './task.js'
import { partStride } from './team.js'

export type Precision = 'float32' | 'mixed'

export interface FitSettings {
  /** what messages call it, such as «sub-flow 2» */
  readonly name: string
  /** from 1 on: the stream of this fit's random draws */
  readonly number: number
  readonly steps: number
  /** rows of a batch */
  readonly batch: number
  readonly optimizer: OptimizerSettings
  /** mixed: float16 between kernels, with a loss scale; default: float32 */
  readonly precision?: Precision
  readonly seed: number
  /** recompute the inside of a network's blocks in the backward pass, instead of keeping it; default false */
  readonly recompute?: boolean
  /** parts of equal size that a batch goes through the network in, for want of memory, their gradients added up; default 1 */
  readonly microBatches?: number
  /** parts of equal size whose gradients may be computed by different processes (team.ts); default 1 */
  readonly parts?: number
}

/** Memory of a step beside the pool. */
export interface StepBuffers {
  readonly parameters: StorageBuffer
  readonly m: StorageBuffer
  readonly v: StorageBuffer
  readonly average: StorageBuffer | null
  /** the parameters in float16, for mixed precision */
  readonly half?: StorageBuffer | null
  readonly gradient: StorageBuffer
  /** gradients of the second micro-batch on */
  readonly part?: StorageBuffer | null
  /** of the parts of a batch, where there are several: gradients [parts, stride], and the losses of their rows */
  readonly parts?: { readonly gradients: StorageBuffer; readonly losses: StorageBuffer } | null
  readonly ring: StorageBuffer
  readonly table: StorageBuffer
  /** the task's own, by name */
  readonly tables: Readonly<Record<string, StorageBuffer>>
  readonly state: StorageBuffer
}

/** What a step is of. */
export interface StepOf {
  readonly network: Network
  readonly task: Task
  readonly pool: PoolBuffers
  /** output scale of the network */
  readonly scale: number
  readonly settings: FitSettings
}

/** Streams of draws that the parts of a batch have between them: more than there are fits. */
const PART_STREAMS = 2 ** 16

/** One training step as a program. */
export function trainingProgram(
  network: Network,
  task: Task,
  pool: PoolBuffers,
  scale: number,
  settings: FitSettings,
  on: StepBuffers,
): ProgramBuilder {
  const builder = new ProgramBuilder()
  const losses = addGradients(builder, { network, task, pool, scale, settings }, on)
  addUpdate(builder, network, settings, on, losses)
  return builder
}

/**
 * Adds the draw of a batch, and its gradient; of a batch in parts, the gradients of some of them. Every part is drawn, so that a
 * batch does not depend on who computes what.
 * @param range parts [first, end); default all
 * @returns the losses of the batch's rows [B]
 */
export function addGradients(
  builder: ProgramBuilder,
  { network, task, pool, scale, settings }: StepOf,
  on: StepBuffers,
  { first, end } = { first: 0, end: settings.parts ?? 1 },
): ProgramTensor {
  const { batch, seed, number: stream, parts = 1 } = settings
  const mixed = settings.precision === 'mixed'
  if (mixed && !network.addMixedGradient) {
    throw new TypeError('a network without a float16 path was to be trained in it')
  }
  const whole = (buffer: StorageBuffer | null | undefined): ProgramTensor | undefined =>
    buffer ? builder.tensor(buffer) : undefined
  const state = builder.tensor(on.state)
  const parameters = builder.tensor(on.parameters)
  const half = whole(on.half)
  const P = network.parameterLength
  const rows = batch / parts
  let losses = on.parts ? builder.tensor(on.parts.losses) : builder.temporary([batch])
  /** Rows of part k of a tensor of the batch. */
  const rowsOf = <T extends ProgramTensor | undefined>(tensor: T, k: number): T => {
    if (!tensor || parts === 1 || tensor.shape[0] !== batch) return tensor
    const dims = tensor.shape.slice(1)
    const width = dims.reduce((product, d) => product * d, 1)
    return builder.view(tensor, [rows, ...dims], k * rows * width) as T
  }
  const gradientOf = (k: number): ProgramTensor =>
    on.parts ? builder.tensor(on.parts.gradients, [P], k * partStride(P)) : builder.tensor(on.gradient)
  task.addStep(builder, {
    network,
    pool,
    tables: Object.fromEntries(Object.entries(on.tables).map(([name, buffer]) => [name, builder.tensor(buffer)])),
    batch,
    seed,
    stream,
    state,
    inputs: mixed && network.takesHalfInput ? 'f16' : 'f32',
    differentiate: (operands) => network.addDerivative(builder, { parameters, ...operands }, scale),
    evaluate: (operands) => network.addVelocity(builder, { parameters, ...operands }, scale),
    regress({ rowLoss, ...given }) {
      const squared = rowLoss && on.parts ? builder.temporary([batch]) : losses
      for (let k = first; k < end; k++) {
        const operands = {
          parameters,
          x: rowsOf(given.x, k),
          t: rowsOf(given.t, k),
          condition: rowsOf(given.condition, k),
          target: rowsOf(given.target, k),
          gradient: gradientOf(k),
          row_loss: rowsOf(squared, k),
          state,
          part: whole(on.part),
        }
        const mode = {
          draws: { ...seedWords(seed), stream: stream + k * PART_STREAMS },
          recompute: settings.recompute ?? false,
          microBatches: settings.microBatches ?? 1,
        }
        if (mixed) network.addMixedGradient!(builder, { ...operands, half: half! }, scale, mode)
        else network.addGradient(builder, operands, scale, mode)
      }
      if (!rowLoss) return
      if (!on.parts) losses = rowLoss
      else {
        const copied = { y: rowLoss, stages: builder.view(rowLoss, [1, batch]), out: losses }
        builder.add(stageCombine, copied, { coefficients: [] })
      }
    },
  })
  return losses
}

/** Adds the update of the parameters by the batch's gradient: of one in parts by the mean of theirs, added in their order. */
export function addUpdate(
  builder: ProgramBuilder,
  network: Network,
  settings: FitSettings,
  on: StepBuffers,
  losses: ProgramTensor,
): void {
  const { optimizer, parts = 1 } = settings
  const mixed = settings.precision === 'mixed'
  const P = network.parameterLength
  const whole = (buffer: StorageBuffer | null): ProgramTensor | undefined =>
    buffer ? builder.tensor(buffer) : undefined
  const partials = builder.temporary([normBlocks(P)])
  const state = builder.tensor(on.state)
  const parameters = builder.tensor(on.parameters)
  const gradient = builder.tensor(on.gradient)
  const half = whole(on.half ?? null)
  if (on.parts) {
    const stages = builder.tensor(on.parts.gradients, [parts, partStride(P)])
    const operands = { y: builder.constant(new Float32Array(P)), stages, out: gradient }
    builder.add(stageCombine, operands, { coefficients: new Array<number>(parts).fill(1 / parts) })
  }
  builder.add(gradientNorm, { gradient, row_loss: losses, state, partials, loss_ring: builder.tensor(on.ring) }, {})
  const update = {
    parameters,
    gradient,
    m: whole(on.m),
    v: whole(on.v),
    average: whole(on.average),
    partials,
    table: builder.tensor(on.table, [settings.steps, stepTable.columns]),
    state,
  }
  const rule = {
    beta1: optimizer.betas[0],
    beta2: optimizer.betas[1],
    epsilon: optimizer.eps,
    weightDecay: optimizer.weightDecay,
    decoupled: optimizer.optimizer === 'adamw',
    clip: optimizer.clip,
  }
  if (mixed) builder.add(adamMixed, { ...update, half }, { ...rule, growth: LOSS_SCALE_GROWTH })
  else builder.add(adam, update, rule)
}
