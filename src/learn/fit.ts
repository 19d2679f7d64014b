/**
 * Trains one sub-flow (Xu et al. 2024): draw a batch, gradient of the flow-matching loss, its norm, Adam. The
 * program is compiled once and replayed; the host looks at the losses a few times a second, while the steps go on
 * (step-runs.ts), and does nothing else.
 */

import type { Device, DeviceBuffer, Executable } from '../device/device.js'
import { TrainingError } from '../errors.js'
import { adam, stepTable } from '../kernels/adam.js'
import { adamMixed } from '../kernels/adam_mixed.js'
import { convert } from '../kernels/convert.js'
import { cleanLeft, drawBatch, type Sampling } from '../kernels/draw_batch.js'
import { seedWords } from '../kernels/draws.js'
import { gradientNorm, normBlocks } from '../kernels/gradient_norm.js'
import { type PoolAttributes, poolWords } from '../kernels/pool.js'
import {
  FIRST_LOSS_EXPONENT,
  HALTED_GRADIENT,
  HALTED_LOSS,
  LOSS_SCALE_GROWTH,
  SKIPS_BEFORE_HALT,
  STATE_LENGTH,
  stateWords,
} from '../kernels/state.js'
import type { Network } from '../networks/network.js'
import { ProgramBuilder, type StorageBuffer, type Tensor } from '../program/program.js'
import { ouStep, pairingOf, type SubFlowKind } from './interpolant.js'
import { LOSS_RING, readRing, runSteps } from './step-runs.js'

export type RateSchedule =
  | { readonly kind: 'constant' }
  | { readonly kind: 'cosine' }
  | { readonly kind: 'step'; readonly every: number; readonly factor: number }

export interface OptimizerSettings {
  readonly optimizer: 'adam' | 'adamw'
  readonly lr: number
  readonly betas: readonly [number, number]
  readonly eps: number
  readonly weightDecay: number
  /** decay of the parameters' moving average; 0: none is kept */
  readonly ema: number
  /** largest global gradient norm; 0: no clipping */
  readonly clip: number
  readonly schedule: RateSchedule
  /** steps of linear warm-up */
  readonly warmup: number
}

export type Precision = 'float32' | 'mixed'

export interface SubFlowSettings extends SubFlowKind {
  /** 1 … N: the stream of this sub-flow's random draws */
  readonly number: number
  readonly steps: number
  /** rows of a batch; batch / timesPerPair pairs */
  readonly batch: number
  readonly timesPerPair: number
  /** quantile function of t; null: uniform */
  readonly quantiles: Float32Array | null
  readonly sampling: Sampling
  readonly optimizer: OptimizerSettings
  /** mixed: float16 between kernels, with a loss scale; default: float32 */
  readonly precision?: Precision
  /** output scale of the network */
  readonly scale: number
  readonly seed: number
  /** compute the inside of a network's blocks again in the backward pass, instead of keeping it; default false */
  readonly recompute?: boolean
  /** parts of equal size that a batch goes through the network in, their gradients added up; default 1 */
  readonly microBatches?: number
}

/** Everything that training is at the end of a step; what a checkpoint holds. All flat [P]. */
export interface TrainingState {
  readonly step: number
  readonly skipped: number
  readonly skippedInARow: number
  /** binary logarithm of the loss scale, 0 without one, and the steps since it changed (kernels/state.ts) */
  readonly lossExponent: number
  readonly goodSteps: number
  readonly parameters: Float32Array
  readonly m: Float32Array
  readonly v: Float32Array
  readonly average: Float32Array | null
}

export interface TrainingHooks {
  readonly signal?: AbortSignal
  /** losses of the steps (first, first + losses.length], a few times a second */
  readonly onLosses?: (first: number, losses: Float32Array, skipped: number) => void
  /** steps between two checkpoints; 0: none */
  readonly checkpointEvery: number
  readonly onCheckpoint?: (state: TrainingState, spent: StepsSpent) => Promise<void>
}

/** What the steps taken here have cost so far. */
export interface StepsSpent {
  /** wall time, without compilation and checkpoints */
  readonly seconds: number
  readonly stepsTaken: number
  /** chosen variants of kernels and composites */
  readonly variants: Readonly<Record<string, string>>
}

export interface TrainedSubFlow extends StepsSpent {
  readonly state: TrainingState
}

/** Fresh state for starting parameters: moments zero, the average equal to the parameters. */
export const freshState = (
  parameters: Float32Array,
  optimizer: OptimizerSettings,
  precision: Precision = 'float32',
): TrainingState => ({
  step: 0,
  skipped: 0,
  skippedInARow: 0,
  lossExponent: precision === 'mixed' ? FIRST_LOSS_EXPONENT : 0,
  goodSteps: 0,
  parameters,
  m: new Float32Array(parameters.length),
  v: new Float32Array(parameters.length),
  average: optimizer.ema > 0 ? parameters.slice() : null,
})

/** The learning rate of step k = 0, 1, …: linear warm-up, then constant, falling by a cosine to 0, or by a factor every so many steps. */
export function rateAt(k: number, steps: number, { lr, schedule, warmup }: OptimizerSettings): number {
  if (k < warmup) return (lr * (k + 1)) / warmup
  switch (schedule.kind) {
    case 'constant':
      return lr
    case 'cosine':
      return (lr * (1 + Math.cos((Math.PI * (k - warmup)) / Math.max(1, steps - warmup)))) / 2
    case 'step':
      return lr * schedule.factor ** Math.floor((k - warmup) / schedule.every)
  }
}

/** Rows of adam's table for all steps of a sub-flow; the average follows the parameters until the warm-up ends. */
export function optimizerTable(steps: number, optimizer: OptimizerSettings): Float32Array {
  const table = new Float32Array(steps * stepTable.columns)
  const [beta1, beta2] = optimizer.betas
  for (let k = 0; k < steps; k++) {
    const row = k * stepTable.columns
    table[row + stepTable.rate] = rateAt(k, steps, optimizer)
    table[row + stepTable.correction1] = 1 / (1 - beta1 ** (k + 1))
    table[row + stepTable.correction2] = 1 / (1 - beta2 ** (k + 1))
    table[row + stepTable.averageDecay] = k < optimizer.warmup ? 0 : optimizer.ema
  }
  return table
}

export interface TrainingBuffers {
  readonly pool: StorageBuffer
  /** n, rows of the pool */
  readonly rows: number
  /** how the pool is read; default: as floats, none mirrored */
  readonly reading?: PoolAttributes
  readonly condition?: StorageBuffer
}

/** Runs the steps from `start.step` to settings.steps. Throws TrainingError where the loss or ten gradients in a row are not finite. */
export async function trainSubFlow(
  device: Device,
  field: Network,
  data: TrainingBuffers,
  start: TrainingState,
  settings: SubFlowSettings,
  hooks: TrainingHooks,
): Promise<TrainedSubFlow> {
  const P = field.parameterLength
  const buffers: DeviceBuffer[] = []
  const make = (length: number, values?: Float32Array): DeviceBuffer => {
    const buffer = device.createBuffer(length)
    buffers.push(buffer)
    if (values) buffer.write(values)
    return buffer
  }
  let executable: Executable | undefined
  try {
    const parameters = make(P, start.parameters)
    const [m, v] = [make(P, start.m), make(P, start.v)]
    const average = start.average ? make(P, start.average) : null
    const half = settings.precision === 'mixed' ? device.createBuffer(P, 'f16') : null
    if (half) {
      buffers.push(half)
      await copyToHalf(device, parameters, half)
    }
    const gradient = make(P)
    const part = (settings.microBatches ?? 1) > 1 ? make(P) : null
    const ring = make(LOSS_RING)
    const table = make(settings.steps * stepTable.columns, optimizerTable(settings.steps, settings.optimizer))
    const quantiles = settings.quantiles && make(settings.quantiles.length, settings.quantiles)
    const state = device.createBuffer(STATE_LENGTH, 'u32')
    buffers.push(state)
    const words = new Uint32Array(STATE_LENGTH)
    words[stateWords.step] = start.step
    words[stateWords.skipped] = start.skipped
    words[stateWords.skippedInARow] = start.skippedInARow
    words[stateWords.lossExponent] = start.lossExponent
    words[stateWords.goodSteps] = start.goodSteps
    state.write(words)

    const program = trainingProgram(field, data, settings, {
      parameters,
      m,
      v,
      average,
      half,
      gradient,
      part,
      ring,
      table,
      quantiles,
      state,
    })
    executable = await device.compile(program.build())

    const snapshot = async (): Promise<TrainingState> => {
      const [p, first, second, mean, now] = await Promise.all([
        parameters.read(),
        m.read(),
        v.read(),
        average?.read() ?? null,
        state.read(),
      ])
      return {
        step: now[stateWords.step],
        skipped: now[stateWords.skipped],
        skippedInARow: now[stateWords.skippedInARow],
        lossExponent: now[stateWords.lossExponent],
        goodSteps: now[stateWords.goodSteps],
        parameters: p as Float32Array,
        m: first as Float32Array,
        v: second as Float32Array,
        average: mean as Float32Array | null,
      }
    }

    let step = start.step
    let seconds = 0
    const { variants } = executable
    const checkpoint = async (): Promise<void> => {
      const state = await snapshot()
      await hooks.onCheckpoint?.(state, { seconds, stepsTaken: state.step - start.step, variants })
    }
    const pace = { steps: 1 }
    while (step < settings.steps) {
      const toCheckpoint = hooks.checkpointEvery > 0 ? hooks.checkpointEvery - (step % hooks.checkpointEvery) : Infinity
      const end = Math.min(settings.steps, step + toCheckpoint)
      let last = performance.now()
      try {
        for await (const look of runSteps({ executable, ring, state }, step, end, pace, hooks.signal)) {
          const { losses, state: now } = look
          seconds += look.seconds
          last = performance.now()
          if (now[stateWords.halted] !== 0) {
            const done = now[stateWords.step] - step
            hooks.onLosses?.(step, losses.subarray(0, done), now[stateWords.skipped])
            await checkpoint()
            throw haltedError(now, settings, losses[done])
          }
          hooks.onLosses?.(step, losses, now[stateWords.skipped])
          step += losses.length
        }
      } catch (error) {
        if (hooks.signal?.aborted) {
          const now = await state.read()
          const done = now[stateWords.step] - step
          if (done > 0) hooks.onLosses?.(step, await readRing(ring, step, done), now[stateWords.skipped])
          seconds += (performance.now() - last) / 1000
          await checkpoint()
        }
        throw error
      }
      if (step < settings.steps) await checkpoint()
    }
    return { state: await snapshot(), seconds, stepsTaken: step - start.step, variants }
  } finally {
    executable?.dispose()
    for (const buffer of buffers) buffer.dispose()
  }
}

/** The parameters in float16, rounded by the device, which rounds them after every step (adam_mixed). */
async function copyToHalf(device: Device, parameters: DeviceBuffer, half: DeviceBuffer): Promise<void> {
  const builder = new ProgramBuilder()
  builder.add(convert, { x: builder.tensor(parameters), y: builder.tensor(half) }, { to: 'f16' })
  const executable = await device.compile(builder.build())
  try {
    await executable.run()
  } finally {
    executable.dispose()
  }
}

interface StepBuffers {
  readonly parameters: StorageBuffer
  readonly m: StorageBuffer
  readonly v: StorageBuffer
  readonly average: StorageBuffer | null
  /** the parameters in float16, for mixed precision */
  readonly half?: StorageBuffer | null
  readonly gradient: StorageBuffer
  /** gradients of the second micro-batch on */
  readonly part?: StorageBuffer | null
  readonly ring: StorageBuffer
  readonly table: StorageBuffer
  readonly quantiles: StorageBuffer | null
  readonly state: StorageBuffer
}

/** One training step as a program. */
export function trainingProgram(
  field: Network,
  data: TrainingBuffers,
  settings: SubFlowSettings,
  on: StepBuffers,
): ProgramBuilder {
  const { batch: B, optimizer } = settings
  const { dimension: D, condition: C, parameterLength: P } = field
  const { values, mirror } = data.reading ?? { values: 'floats', mirror: 0 }
  const builder = new ProgramBuilder()
  const mixed = settings.precision === 'mixed'
  const x = builder.temporary([B, D], mixed && field.takesHalfInput ? 'f16' : 'f32')
  const target = builder.temporary([B, D])
  const t = builder.temporary([B])
  const condition = C > 0 ? builder.temporary([B, C]) : undefined
  const rowLoss = builder.temporary([B])
  const partials = builder.temporary([normBlocks(P)])
  const state = builder.tensor(on.state)
  const parameters = builder.tensor(on.parameters)
  const gradient = builder.tensor(on.gradient)
  const whole = (buffer: StorageBuffer | null): Tensor | undefined => (buffer ? builder.tensor(buffer) : undefined)

  builder.add(
    drawBatch,
    {
      pool: builder.tensor(data.pool, [data.rows, poolWords(D, values)]),
      pool_condition: data.condition && builder.tensor(data.condition, [data.rows, C]),
      state,
      quantiles: whole(on.quantiles),
      x,
      t,
      target,
      condition,
    },
    {
      ...seedWords(settings.seed),
      ...ouStep(settings.gamma),
      stream: settings.number,
      ...cleanLeft,
      pairing: pairingOf(settings),
      path: settings.interpolant,
      sampling: settings.sampling,
      timesPerPair: settings.timesPerPair,
      values,
      mirror,
    },
  )
  const operands = {
    parameters,
    x,
    t,
    condition,
    target,
    gradient,
    row_loss: rowLoss,
    state,
    part: whole(on.part ?? null),
  }
  const mode = {
    draws: { ...seedWords(settings.seed), stream: settings.number },
    recompute: settings.recompute ?? false,
    microBatches: settings.microBatches ?? 1,
  }
  const half = whole(on.half ?? null)
  if (mixed && !field.addMixedGradient) throw new TypeError('a network without a float16 path was to be trained in it')
  if (mixed) field.addMixedGradient!(builder, { ...operands, half: half! }, settings.scale)
  else field.addGradient(builder, operands, settings.scale, mode)
  builder.add(gradientNorm, { gradient, row_loss: rowLoss, state, partials, loss_ring: builder.tensor(on.ring) }, {})
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
  return builder
}

function haltedError(state: Float32Array | Uint32Array, settings: SubFlowSettings, loss: number): TrainingError {
  const step = state[stateWords.step]
  const remedy = 'Try a smaller train.lr, train.clip: 1, or a longer train.warmup.'
  const where = `sub-flow ${settings.number}`
  if (state[stateWords.halted] === HALTED_LOSS) {
    return new TrainingError(
      `The loss became ${loss} at step ${step + 1} of ${where}; training stopped. The parameters are kept as they were ` +
        `after step ${step}, the last finite ones. ${remedy}`,
    )
  }
  if (state[stateWords.halted] === HALTED_GRADIENT) {
    return new TrainingError(
      `The gradient was not finite for ${SKIPS_BEFORE_HALT} steps in a row, the last of them step ${step} of ${where}; ` +
        `training stopped. The parameters are kept as they were before these steps. ${remedy}`,
    )
  }
  throw new RangeError(`unknown halt code ${state[stateWords.halted]}`)
}
