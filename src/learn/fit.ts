/**
 * How one network learns a task: a batch and its gradient (task.ts), the gradient's norm, Adam. The program is compiled once
 * and replayed; a few times a second, while the steps go on, the host reads the losses (step-runs.ts), and does nothing else.
 */

import type { Device, DeviceBuffer, Executable } from '../device/device.js'
import { TrainingError } from '../errors.js'
import { stepTable } from '../kernels/adam.js'
import { convert } from '../kernels/convert.js'
import {
  FIRST_LOSS_EXPONENT,
  HALTED_GRADIENT,
  HALTED_LOSS,
  SKIPS_BEFORE_HALT,
  STATE_LENGTH,
  stateWords,
} from '../kernels/state.js'
import type { Network } from '../networks/network.js'
import { ProgramBuilder } from '../program/program.js'
import { type OptimizerSettings, optimizerTable } from './optimizer.js'
import type { PoolBuffers } from './pool.js'
import {
  addGradients,
  addUpdate,
  type FitSettings,
  type Precision,
  type StepBuffers,
  type StepOf,
  trainingProgram,
} from './step.js'
import { LOSS_RING, readRing, runSteps } from './step-runs.js'
import type { Task } from './task.js'
import { type PartBuffers, partStride, partsOf, readAfter, type Team, teamStep } from './team.js'
import {
  bestOf,
  isExhausted,
  noValidation,
  openValidator,
  type ValidationSettings,
  type ValidationState,
  type Validator,
} from './validation.js'

export type { FitSettings, Precision } from './step.js'

/** The whole state of training after a step; what a checkpoint holds. All flat [P]. */
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
  /** left out: nothing was measured */
  readonly validation?: ValidationState
}

/** The parameters that a fit ends with: of the least validation loss where these are kept, else the average where one is. */
export const modelOf = ({ validation, average, parameters }: TrainingState): Float32Array =>
  validation?.best ?? average ?? parameters

/** A validation loss, as it is measured. */
export interface Measured {
  readonly step: number
  readonly loss: number
  /** whether no loss before was less */
  readonly best: boolean
  /** whether the fit stops here, its patience being exhausted */
  readonly stops: boolean
}

export interface FitHooks {
  readonly signal?: AbortSignal
  /** losses of the steps (first, first + losses.length], a few times a second */
  readonly onLosses?: (first: number, losses: Float32Array, skipped: number) => void
  /** steps between two checkpoints; 0: none */
  readonly checkpointEvery: number
  /** what is made anew on the device every so many steps, told before each such stretch which one it is, from 0 */
  readonly renewal?: { readonly every: number; renew(stretch: number): Promise<void> }
  /** rows to validate on; null or left out: none */
  readonly validation?: ValidationSettings | null
  readonly onValidation?: (measured: Measured) => void
  /** who shares the work of each step; null or left out: nobody */
  readonly team?: Team | null
}

/** What the steps taken here have cost so far. */
export interface StepsSpent {
  /** wall time, without compilation and checkpoints */
  readonly seconds: number
  readonly stepsTaken: number
  /** chosen variants of kernels and composites */
  readonly variants: Readonly<Record<string, string>>
}

/** The state of a fit after some of its steps. */
export interface FitState extends StepsSpent {
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

/**
 * Runs the steps from `start.step` to settings.steps. Yields its state at checkpoints, and before it ends by an abort or an
 * error; returns the final state.
 * @param scale output scale of the network
 * @throws TrainingError where the loss or ten gradients in a row are not finite
 */
export async function* fitNetwork(
  device: Device,
  network: Network,
  task: Task,
  pool: PoolBuffers,
  start: TrainingState,
  scale: number,
  settings: FitSettings,
  hooks: FitHooks,
): AsyncGenerator<FitState, FitState> {
  const P = network.parameterLength
  const buffers: DeviceBuffer[] = []
  const make = (length: number, values?: Float32Array): DeviceBuffer => {
    const buffer = device.createBuffer(length)
    buffers.push(buffer)
    if (values) buffer.write(values)
    return buffer
  }
  let executable: Executable | undefined
  let validator: Validator | undefined
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
    const { parts: count = 1, batch } = settings
    const parts = count > 1 ? { gradients: make(count * partStride(P)), losses: make(batch) } : null
    const ring = make(LOSS_RING)
    const table = make(settings.steps * stepTable.columns, optimizerTable(settings.steps, settings.optimizer))
    const tables = Object.fromEntries(
      Object.entries(task.tables).map(([name, values]) => [name, make(values.length, values)]),
    )
    const state = device.createBuffer(STATE_LENGTH, 'u32')
    buffers.push(state)
    const words = new Uint32Array(STATE_LENGTH)
    words[stateWords.step] = start.step
    words[stateWords.skipped] = start.skipped
    words[stateWords.skippedInARow] = start.skippedInARow
    words[stateWords.lossExponent] = start.lossExponent
    words[stateWords.goodSteps] = start.goodSteps
    state.write(words)

    const ofStep = { network, task, pool, scale, settings }
    const on = { parameters, m, v, average, half, gradient, part, parts, ring, table, tables, state }
    const { team = null } = hooks
    executable = team
      ? await openTeamStep(device, team, ofStep, { ...on, parts: parts! })
      : await device.compile(trainingProgram(network, task, pool, scale, settings, on).build())

    const { validation = null } = hooks
    const patience = validation?.patience ?? 0
    let measured = start.validation ?? noValidation
    // who is not patient any more takes the last parameters
    if (patience === 0) measured = { ...measured, best: null }
    const kept = patience > 0 ? make(P, measured.best ?? undefined) : null
    if (validation) {
      const fit = { ...settings, batch: settings.batch / (settings.microBatches ?? 1), ...validation }
      validator = await openValidator(device, network, task, validation.pool, scale, fit, average ?? parameters)
    }
    /** Measures, and keeps the parameters where they are the best so far. */
    const validate = async (): Promise<void> => {
      const loss = await validator!.measure()
      measured = { ...measured, steps: [...measured.steps, step], losses: [...measured.losses, loss] }
      const best = bestOf(measured.losses) === measured.losses.length - 1
      if (best && kept) {
        device.copy(average ?? parameters, 0, kept, 0, P)
        measured = { ...measured, best: (await kept.read()) as Float32Array }
      }
      hooks.onValidation?.({ step, loss, best, stops: isExhausted(measured, patience) })
    }

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
        ...(measured.steps.length > 0 && { validation: measured }),
      }
    }

    let step = start.step
    let seconds = 0
    const { variants } = executable
    const standing = async (): Promise<FitState> => {
      const now = await snapshot()
      return { state: now, seconds, stepsTaken: now.step - start.step, variants }
    }
    const pace = { steps: 1 }
    // the steps of a team go through the host, and reads do not wait for what the host has still to ask for
    const program = team
      ? { executable, ring: readAfter(ring, executable), state: readAfter(state, executable) }
      : { executable, ring, state }
    const due = (): boolean =>
      validation !== null &&
      step > 0 &&
      (step % validation.every === 0 || step === settings.steps) &&
      measured.steps.at(-1) !== step
    // where the steps before were stopped between a step and its measurement
    if (due()) await validate()
    while (step < settings.steps && !isExhausted(measured, patience)) {
      const toCheckpoint = hooks.checkpointEvery > 0 ? hooks.checkpointEvery - (step % hooks.checkpointEvery) : Infinity
      const { renewal } = hooks
      const toRenewal = renewal ? renewal.every - (step % renewal.every) : Infinity
      if (renewal && (step === start.step || toRenewal === renewal.every)) {
        const began = performance.now()
        await renewal.renew(Math.floor(step / renewal.every))
        seconds += (performance.now() - began) / 1000
      }
      const toValidation = validation ? validation.every - (step % validation.every) : Infinity
      const end = Math.min(settings.steps, step + Math.min(toCheckpoint, toRenewal, toValidation))
      let last = performance.now()
      try {
        for await (const look of runSteps(program, step, end, pace, hooks.signal)) {
          const { losses, state: now } = look
          seconds += look.seconds
          last = performance.now()
          if (now[stateWords.halted] !== 0) {
            const done = now[stateWords.step] - step
            hooks.onLosses?.(step, losses.subarray(0, done), now[stateWords.skipped])
            yield await standing()
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
          yield await standing()
        }
        throw error
      }
      const began = performance.now()
      if (due()) await validate()
      seconds += (performance.now() - began) / 1000
      const goesOn = step < settings.steps && !isExhausted(measured, patience)
      if (goesOn && toCheckpoint <= Math.min(toRenewal, toValidation)) yield await standing()
    }
    return await standing()
  } finally {
    executable?.dispose()
    validator?.dispose()
    for (const buffer of buffers) buffer.dispose()
  }
}

/** The step of a team: the gradients of this member's parts, and the update, with what the others say in between. */
async function openTeamStep(
  device: Device,
  team: Team,
  { network, task, pool, scale, settings }: StepOf,
  on: StepBuffers & { readonly parts: PartBuffers; readonly state: DeviceBuffer },
): Promise<Executable> {
  const parts = settings.parts ?? 1
  const [own, rest] = [new ProgramBuilder(), new ProgramBuilder()]
  addGradients(own, { network, task, pool, scale, settings }, on, partsOf(team, parts))
  addUpdate(rest, network, settings, on, rest.tensor(on.parts.losses))
  const gradients = await device.compile(own.build())
  try {
    return teamStep(
      team,
      [gradients, await device.compile(rest.build())],
      { ...on.parts, state: on.state },
      parts,
      network.parameterLength,
    )
  } catch (error) {
    gradients.dispose()
    throw error
  }
}

/** The parameters in float16, rounded by the device, as they are after every step (adam_mixed). */
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

function haltedError(state: Float32Array | Uint32Array, settings: FitSettings, loss: number): TrainingError {
  const step = state[stateWords.step]
  const remedy = 'Try a smaller train.lr, train.clip: 1, or a longer train.warmup.'
  const where = settings.name
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
