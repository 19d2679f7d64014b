/**
 * A trained Local Flow: the public face of the method. Training gives one, a run folder holds one; it samples, scores, and
 * carries points between data and noise. Values go in and come out in the units of the data: the scaler, where there is
 * one, is applied and undone here, and counted in likelihoods.
 */

import { type ResolvedOptions, resolveOptions, type TrainOptions } from '../config/index.js'
import { applyScaler, logDeterminant, type Scaler, undoScaler } from '../data/scaler.js'
import { checkTensor, holdsPixels, type Tensor } from '../data/tensor.js'
import type { Device, DeviceInfo, DeviceKind } from '../device/device.js'
import { openDevice } from '../device/select.js'
import { InvalidArgumentError, invalid } from '../errors.js'
import { checkMemory, type PlannedRows, planTraining, type TrainingPlan } from '../learn/plan.js'
import { modelValues, type PoolValues } from '../learn/pool.js'
import { expectMixed } from '../learn/precision.js'
import { betaQuantiles } from '../learn/quantiles.js'
import { blockRows, type Leg, type Link, type Trace, Transport, wholePath } from '../model/transport.js'
import type { Network } from '../networks/network.js'
import { checkTraining, networkFor } from '../networks/registry.js'
import { checkSolver, type Evaluations, type SolverSettings } from '../ode/solver.js'
import {
  type ChainHooks,
  type ChainSettings,
  type ChainState,
  type FinishedSubFlow,
  type Progress,
  type TrainedChain,
  trainChain,
} from '../recipes/local-flow.js'
import { machineBytes } from './machine.js'

export type { Progress } from '../recipes/local-flow.js'

/** Settings of `LocalFlow.train`; everything but the data may be left out (see docs/configuration.md). */
export interface TrainArguments extends TrainOptions {
  /** { values, shape: [n, C] }; refused until a model uses it */
  cond?: Tensor
  /** mirror pictures left to right at random in the first sub-flow; what is pushed keeps one orientation. Default false */
  flips?: boolean
  /** aborting rejects with signal.reason */
  signal?: AbortSignal
  onProgress?: (progress: Progress) => void
}

/** Array results: float32, row-major. */
export interface Samples {
  readonly values: Float32Array
  /** [n, …dims] */
  readonly shape: number[]
}

export interface CarryOptions {
  /** a solver's name, or settings that override those of the config */
  solver?: SolverSettings['solver'] | Partial<SolverSettings>
  cond?: Tensor
  signal?: AbortSignal
  /** rows done so far */
  onProgress?: (rows: number) => void
}

export interface SampleOptions extends CarryOptions {
  /** default: the seed of the config; sample i depends on the seed and i alone */
  seed?: number
}

export interface LogProbOptions extends CarryOptions {
  /** default 'exact' */
  trace?: 'exact' | 'hutchinson'
  /** probes of Hutchinson's estimator for each row */
  probes?: number
  /** seed of the probes; default: the config's */
  seed?: number
}

export interface TrajectoryOptions extends CarryOptions {
  /**
   * Chain times to return: 0 is the data, N the noise, sub-flow n lies between n − 1 and n. Default: 0, 1, … N in the order
   * of travel.
   */
  times?: readonly number[]
  /** 'decode' (default) starts from noise at N, 'encode' from data at 0 */
  direction?: 'decode' | 'encode'
}

/** What stays with a flow from its training. */
export interface FlowParts {
  readonly options: ResolvedOptions
  /** the options as they were written: what a saved run resolves again */
  readonly raw: object
  /** […dims] of one row */
  readonly rowShape: readonly number[]
  readonly scaler: Scaler | null
  readonly subFlows: readonly FinishedSubFlow[]
}

/** The chain's settings from a resolved config. */
export function chainSettings({ flow, train, ode, seed }: ResolvedOptions, mirror = 0): ChainSettings {
  const quantiles = flow.time === 'uniform' ? null : betaQuantiles(...flow.time.beta)
  const optimizer = {
    optimizer: train.optimizer,
    lr: train.lr,
    betas: train.betas,
    eps: train.eps,
    weightDecay: train.weightDecay,
    ema: train.ema,
    clip: train.clip,
    schedule: train.schedule,
    warmup: train.warmup,
  }
  return {
    subFlows: flow.gammas.map((gamma, i) => ({
      number: i + 1,
      gamma,
      interpolant: flow.interpolant[i],
      coupling: flow.coupling,
      steps: train.steps[i],
      batch: train.batch,
      timesPerPair: flow.timesPerPair,
      quantiles,
      sampling: train.sampling,
      optimizer,
      precision: train.precision,
      seed,
      recompute: train.recompute,
      microBatches: train.microBatches,
    })),
    warmStart: flow.warmStart,
    outputScale: flow.outputScale,
    mirror,
    push: ode.push,
    checkpointEvery: train.checkpointEvery,
  }
}

/** Refuses a condition: no model takes one yet. */
function refuseCondition(cond: Tensor | undefined): void {
  if (cond !== undefined) {
    throw new InvalidArgumentError('cond was given, but no model takes a condition yet; leave cond out.')
  }
}

/** Throws InvalidArgumentError where a batch needs more rows than the n there are. */
export function checkBatch({ train, flow }: ResolvedOptions, n: number): void {
  const pairs = train.batch / flow.timesPerPair
  if (train.sampling === 'epochs' && pairs > n) {
    throw new InvalidArgumentError(
      `train.batch asks for ${pairs} pairs, but there are only ${n} training rows. Take train.batch ≤ ` +
        `${n * flow.timesPerPair}, or train.sampling: replacement.`,
    )
  }
}

/** What the longest sub-flow of a chain takes. */
export function planChain(
  field: Network,
  { subFlows }: ChainSettings,
  rows: PlannedRows,
  device: Pick<Device, 'plan'> | null,
): TrainingPlan {
  const [longest] = [...subFlows].sort((a, b) => b.steps - a.steps)
  return planTraining(field, longest, rows, device)
}

export interface TrainFlowHooks extends ChainHooks {
  /** what training will take, once it is known that the device has it */
  readonly onPlan?: (plan: TrainingPlan) => void
  /** where training stands, from a checkpoint */
  readonly start?: ChainState | null
  /** mirror pictures at random in the first sub-flow */
  readonly flips?: boolean
}

/** Rows of data as the chain takes them: pixels stay bytes, anything else is float32 in the scale of the model. */
export function chainRows(x: Tensor, scaler: Scaler | null): PoolValues {
  if (scaler) return modelValues(applyScaler(scaler, x))
  return holdsPixels(x) ? x.values : modelValues(x)
}

/**
 * Trains on a device that stays the caller's.
 * @param x [n, …dims] in the units of the data
 */
export async function trainFlow(
  device: Device,
  x: Tensor,
  scaler: Scaler | null,
  options: ResolvedOptions,
  raw: object,
  hooks: TrainFlowHooks = {},
): Promise<{ flow: LocalFlow; chain: TrainedChain }> {
  const [n, ...rowShape] = x.shape
  checkBatch(options, n)
  checkTraining(options.model, options.train, rowShape)
  if (hooks.flips && rowShape.length < 2) {
    throw invalid(
      'flips',
      'false, or the data pictures, [n, …, height, width]',
      `true, with data [${x.shape.join(', ')}]`,
    )
  }
  const values = chainRows(x, scaler)
  const field = networkFor(options.model, rowShape)
  if (options.train.precision === 'mixed') expectMixed(device, field)
  const settings = chainSettings(options, hooks.flips ? rowShape.at(-1) : 0)
  const plan = planChain(field, settings, { count: n, pixels: values instanceof Uint8Array }, device)
  checkMemory(plan, options, device.info, machineBytes())
  hooks.onPlan?.(plan)
  const chain = await trainChain(device, field, values, settings, hooks, hooks.start ?? null)
  return { flow: new LocalFlow({ options, raw, rowShape, scaler, subFlows: chain.subFlows }, device), chain }
}

export class LocalFlow {
  readonly options: ResolvedOptions
  /** the options as they were written */
  readonly raw: object
  readonly rowShape: readonly number[]
  readonly scaler: Scaler | null
  readonly subFlows: readonly FinishedSubFlow[]
  readonly field: Network
  /** function evaluations of the last call that carried rows */
  evaluations: Evaluations | null = null
  private device: Device | null
  private ownsDevice = false
  private linksOnDevice: Promise<Link[]> | null = null

  /** From parts, on a device of the caller's; without one, a device is opened when it is first needed. */
  constructor(parts: FlowParts, device: Device | null = null) {
    this.options = parts.options
    this.raw = parts.raw
    this.rowShape = parts.rowShape
    this.scaler = parts.scaler
    this.subFlows = parts.subFlows
    this.field = networkFor(parts.options.model, parts.rowShape)
    this.device = device
  }

  /**
   * Trains a Local Flow (Xu, Cheng and Xie 2024) on rows of data.
   *
   * @param x { values, shape: [n, …dims] }, already in the scale to learn (mean 0 and spread about 1 serve best). Bytes in
   *   rows of more than one dimension are pixels b, learnt as (b − 127.5)/127.5; samples of them lie in [−1, 1] too
   * @throws ConfigError for options, DataError for values that are not finite, TrainingError where the loss is not
   */
  static async train(x: Tensor, { cond, flips, signal, onProgress, ...raw }: TrainArguments = {}): Promise<LocalFlow> {
    checkTensor('x', x)
    refuseCondition(cond)
    signal?.throwIfAborted()
    const options = resolveOptions(raw)
    const device = await openDeviceOf(options)
    try {
      const { flow } = await trainFlow(device, x, null, options, raw, { flips, signal, onProgress })
      signal?.throwIfAborted()
      flow.ownsDevice = true
      return flow
    } catch (error) {
      await device.dispose()
      throw error
    }
  }

  /** n samples: noise back through the sub-flows N … 1. */
  async sample(n: number, options: SampleOptions = {}): Promise<Samples> {
    if (!Number.isSafeInteger(n) || n < 1) throw invalid('n', 'a whole number of samples, at least 1', n)
    const seed = checkSeed(options.seed ?? this.options.seed)
    const { states } = await this.carry(n, null, options, this.options.ode.sample, null, 'decode', {
      kind: 'noise',
      seed,
    })
    return this.restore(states[0])
  }

  /** Data to noise: z = T_N ∘ … ∘ T_1 (x), [n, …dims]. */
  async encode(x: Tensor, options: CarryOptions = {}): Promise<Samples> {
    const rows = this.rows('x', x)
    const { states } = await this.carry(x.shape[0], rows, options, this.options.ode.sample, null, 'encode')
    return { values: states[0], shape: [x.shape[0], ...this.rowShape] }
  }

  /** Noise to data, the inverse of `encode`. */
  async decode(z: Tensor, options: CarryOptions = {}): Promise<Samples> {
    const rows = this.latents(z)
    const { states } = await this.carry(z.shape[0], rows, options, this.options.ode.sample, null, 'decode')
    return this.restore(states[0])
  }

  /**
   * log p(x) = log N(T(x); 0, I) + Σ_n ∫ div v_n dt − Σ log σ, nats for each row (σ of the scaler; Chen et al. 2018). Where the
   * chain ends in a number instead of the free sub-flow, N(0, I) stands for the chain's true end.
   */
  async logProb(x: Tensor, options: LogProbOptions = {}): Promise<Float32Array> {
    const rows = this.rows('x', x)
    const { evaluate } = this.options.ode
    const kind = options.trace ?? evaluate.trace
    if (kind !== 'exact' && kind !== 'hutchinson') throw invalid('trace', "'exact' or 'hutchinson'", kind)
    const seed = checkSeed(options.seed ?? this.options.seed)
    const trace: Trace = kind === 'exact' ? { kind } : { kind, probes: options.probes ?? evaluate.probes, seed }
    const n = x.shape[0]
    const { states, logDet } = await this.carry(n, rows, options, evaluate, trace, 'encode')
    const [z, D] = [states[0], this.field.dimension]
    const constant = (D / 2) * Math.log(2 * Math.PI) + (this.scaler ? logDeterminant(this.scaler) : 0)
    return Float32Array.from({ length: n }, (_, i) => {
      let squares = 0
      for (let d = 0; d < D; d++) squares += z[i * D + d] ** 2
      return logDet![i] - squares / 2 - constant
    })
  }

  /** States along the chain, one for each of the times, each [n, …dims] in the units of the data. */
  async trajectory(start: Tensor, options: TrajectoryOptions = {}): Promise<{ times: number[]; states: Samples[] }> {
    const direction = options.direction ?? 'decode'
    if (direction !== 'decode' && direction !== 'encode') throw invalid('direction', "'decode' or 'encode'", direction)
    const N = this.subFlows.length
    const rows = direction === 'decode' ? this.latents(start) : this.rows('start', start)
    const forward = direction === 'encode'
    const all = options.times ?? Array.from({ length: N + 1 }, (_, i) => i)
    for (const time of all) {
      if (!(time >= 0 && time <= N)) throw invalid('times', `numbers from 0 (data) to ${N} (noise)`, time)
    }
    const times = [...new Set(all)].sort((a, b) => (forward ? a - b : b - a))
    const origin = forward ? 0 : N
    const legs = await this.cutPath(
      times.filter((time) => time !== origin),
      forward,
    )
    const states = times[0] === origin ? [this.restore(rows.slice())] : []
    if (legs.length > 0) {
      const n = start.shape[0]
      const carried = await this.carry(n, rows, options, this.options.ode.sample, null, legs)
      states.push(...carried.states.map((state) => this.restore(state)))
    }
    return { times, states }
  }

  /**
   * Writes the flow as a run folder that `LocalFlow.load` and the command line read.
   * @throws CheckpointError where the folder already holds a run (replace it by force: true) or cannot be written
   */
  async save(folder: string, { force = false }: { force?: boolean } = {}): Promise<void> {
    const { saveFlow } = await import('./run.js')
    await saveFlow(this, folder, force)
  }

  /**
   * Reads a finished run; its device is opened when it is first needed.
   * @param device default: the one in the run's config
   * @throws CheckpointError where there is no run, it is not finished, damaged, or of a newer version
   */
  static async load(folder: string, { device }: { device?: DeviceKind | 'auto' } = {}): Promise<LocalFlow> {
    const { loadFlow, openRun } = await import('./run.js')
    return loadFlow(await openRun(folder), device)
  }

  /** Frees the device's memory, and the device where this flow opened it. */
  async dispose(): Promise<void> {
    const links = await this.linksOnDevice?.catch(() => [])
    for (const link of links ?? []) link.parameters.dispose()
    this.linksOnDevice = null
    if (this.ownsDevice) await this.device?.dispose()
    this.device = null
  }

  /** What the flow runs on; null before a device was needed. */
  get deviceInfo(): DeviceInfo | null {
    return this.device?.info ?? null
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.dispose()
  }

  /** Legs that stop at each of the times, in the order of travel. */
  private async cutPath(stops: readonly number[], forward: boolean): Promise<Leg[]> {
    const links = await this.links()
    const legs: Leg[] = []
    let at = forward ? 0 : links.length
    for (const stop of stops) {
      while (at !== stop) {
        const n = forward ? Math.floor(at) : Math.ceil(at) - 1
        const next = forward ? Math.min(stop, n + 1) : Math.max(stop, n)
        legs.push({ link: links[n], start: at - n, end: next - n, keep: next === stop })
        at = next
      }
    }
    return legs
  }

  private async carry(
    n: number,
    rows: Float32Array | null,
    options: CarryOptions,
    configured: SolverSettings,
    trace: Trace,
    path: 'encode' | 'decode' | readonly Leg[],
    source: { kind: 'input' } | { kind: 'noise'; seed: number } = { kind: 'input' },
  ): Promise<{ states: Float32Array[]; logDet: Float32Array | null }> {
    refuseCondition(options.cond)
    options.signal?.throwIfAborted()
    const override = typeof options.solver === 'string' ? { solver: options.solver } : options.solver
    const solver: SolverSettings = { ...configured, ...override }
    checkSolver('solver', solver)
    const links = await this.links()
    const legs = typeof path === 'string' ? wholePath(links, path) : path
    const D = this.field.dimension
    const transport = await Transport.open(this.device!, {
      legs,
      solver,
      trace,
      rows: blockRows(n, this.field, trace, this.device!.info),
      source,
    })
    try {
      const load = (first: number, count: number): void => {
        if (rows) transport.input.write(rows.subarray(first * D, (first + count) * D))
      }
      const { signal, onProgress } = options
      const { states, logDet, evaluations } = await transport.run(n, load, { signal, onProgress })
      signal?.throwIfAborted()
      this.evaluations = evaluations
      return { states, logDet }
    } finally {
      transport.dispose()
    }
  }

  /** The sub-flows' parameters on the device, uploaded once; calls at the same time wait for the same upload. */
  private links(): Promise<Link[]> {
    this.linksOnDevice ??= this.upload().catch((error) => {
      this.linksOnDevice = null
      throw error
    })
    return this.linksOnDevice
  }

  private async upload(): Promise<Link[]> {
    if (!this.device) {
      this.device = await openDeviceOf(this.options)
      this.ownsDevice = true
    }
    const device = this.device
    return this.subFlows.map(({ parameters, scale }) => {
      const buffer = device.createBuffer(parameters.length)
      buffer.write(parameters)
      return { field: this.field, parameters: buffer, scale }
    })
  }

  /** Rows of data in the scale of the model. */
  private rows(name: string, x: Tensor): Float32Array {
    checkTensor(name, x)
    this.checkRowShape(name, x)
    return modelValues(this.scaler ? applyScaler(this.scaler, x) : x)
  }

  private latents(z: Tensor): Float32Array {
    checkTensor('z', z)
    this.checkRowShape('z', z)
    return z.values instanceof Float32Array ? z.values : Float32Array.from(z.values)
  }

  private checkRowShape(name: string, x: Tensor): void {
    if (x.shape.slice(1).join() !== this.rowShape.join()) {
      throw new InvalidArgumentError(
        `${name} must have the shape [n, ${this.rowShape.join(', ')}] that the model was trained on, but has ` +
          `[${x.shape.join(', ')}].`,
      )
    }
  }

  /** Model scale back to the units of the data. */
  private restore(values: Float32Array): Samples {
    const shape = [values.length / this.field.dimension, ...this.rowShape]
    const restored = this.scaler ? undoScaler(this.scaler, { values, shape }).values : values
    return { values: restored as Float32Array, shape }
  }
}

const openDeviceOf = ({ device: { kind, variants, fast } }: ResolvedOptions): Promise<Device> =>
  openDevice(kind, { variants, fast })

function checkSeed(seed: number): number {
  if (!Number.isSafeInteger(seed) || seed < 0) throw invalid('seed', 'a whole number from 0 to 2^53 - 1', seed)
  return seed
}
