/// <reference lib="esnext.disposable" preserve="true" />
/**
 * A trained model: stages that carry rows between data and noise, whatever recipe made them. It samples, scores, and carries
 * points along the chain. Values go in and come out in the units of the data: the scaler, if there is one, is applied and
 * undone here, and accounted for in likelihoods.
 */

import { type RowsLike, rowsOf } from '../data/rows.js'
import { applyScaler, logDeterminant, type Scaler, undoScaler } from '../data/scaler.js'
import type { Tensor } from '../data/tensor.js'
import type { Device, DeviceInfo } from '../device/device.js'
import { InvalidArgumentError, invalid } from '../errors.js'
import type { SegmentTables } from '../kernels/segments.js'
import type { Network } from '../networks/network.js'
import type { AngleRange } from '../ode/clock.js'
import { checkSolver, type Evaluations, overridden, type SolverSettings } from '../ode/solver.js'
import type {
  CarryOptions,
  Latents,
  LogProbOptions,
  SampleBlocksOptions,
  SampleOptions,
  Samples,
  TrajectoryOptions,
} from './call-options.js'
import { velocityOfChoices } from './choices.js'
import { type Condition, conditionRows, conditionsOfBlock, conditionWidth, guidanceWeights } from './condition.js'
import { isKept, KeptProgram } from './kept.js'
import { cutPath, guidedLinks, jumpsThrough, type Stops, widestOf } from './legs.js'
import { type Asked, LastPlan, type Plan } from './plan.js'
import { type BoundOptions, boundOfRows, evaluationsOfBound } from './row-bounds.js'
import {
  blockRows,
  type Jump,
  type Link,
  plannedEvaluations,
  type RowSource,
  type Trace,
  Transport,
  takesSecondTime,
  wholePath,
} from './transport.js'
import { modelValues } from './values.js'

/** One stage of a trained model, between two borders of its chain. */
export interface Stage {
  /** flat [P] */
  readonly parameters: Float32Array
  /** output scale of its network */
  readonly outputScale: number
  /** the noising that it undoes: a step γ, or straight to noise */
  readonly gamma: number | null
  /** where it lies on the chain's angle; null: not known, and the clock `angle` is refused */
  readonly angle: AngleRange | null
  /** of a student that is no flow: how it carries rows in one evaluation. All stages have one, or none */
  readonly jump?: Jump
}

/** How a model's rows are carried by default. */
export interface CarrySettings {
  readonly sample: SolverSettings
  readonly evaluate: SolverSettings & { readonly trace: 'exact' | 'hutchinson'; readonly probes: number }
  readonly seed: number
}

export interface FlowModel {
  readonly network: Network
  /** from the data's side to the noise's */
  readonly stages: readonly Stage[]
  /** […dims] of one row */
  readonly rowShape: readonly number[]
  readonly scaler: Scaler | null
  readonly settings: CarrySettings
  /** jumps of a sample through a stage that is an average velocity, by default; default 1 */
  readonly jumps?: number
  /** what it was told of its rows; null or left out: nothing */
  readonly condition?: Condition | null
  /** numbers of what it is told, where its caller writes these as its networks take them; left out: those of its condition */
  readonly toldWidth?: number
  /** how the columns of a row lie together, where its networks give logits of choices; null or left out: they give velocities */
  readonly segments?: SegmentTables | null
  /** whether its networks are told which numbers of a row are given, as masks; left out: no */
  readonly fills?: boolean
}

/** Elements of the parameters of all stages that are kept in one buffer: 64 MiB, which every adapter has. */
const SHARED_ELEMENTS = 16 * 1024 * 1024

/** Noise is numbered by words of 32 bits. */
const MOST_SAMPLES = 2 ** 32

/** Throws InvalidArgumentError where samples [first, first + n) are none, or more than have numbers. */
function expectRange(n: number, first: number): void {
  if (!Number.isSafeInteger(n) || n < 1) throw invalid('n', 'a whole number of samples, at least 1', n)
  if (n > MOST_SAMPLES) throw invalid('n', `at most ${MOST_SAMPLES} samples, which have a number of 32 bits each`, n)
  if (!Number.isSafeInteger(first) || first < 0 || first + n > MOST_SAMPLES) {
    throw invalid('first', `a whole number from 0 on, first + n at most ${MOST_SAMPLES}`, first)
  }
}

/** Values of a block of samples by default: 16 MiB of float32. */
const BLOCK_VALUES = 2 ** 22

/** Jumps of a sample, at most: more than a student is ever asked for. */
const MOST_JUMPS = 1024

/** Where rows come from and how they are numbered; with `given` numbers, some of them. */
interface Carried {
  readonly source?: RowSource
  /** number of the first row; default 0 */
  readonly from?: number
  readonly given?: { readonly values: Float32Array; readonly known: Float32Array } | null
}

export class Flow {
  readonly stages: readonly Stage[]
  readonly rowShape: readonly number[]
  readonly scaler: Scaler | null
  readonly field: Network
  /** function evaluations of the last call that carried rows */
  evaluations: Evaluations | null = null
  readonly settings: CarrySettings
  /** what the model was told of its training rows, and a call tells it of its own; null: nothing */
  readonly condition: Condition | null
  private readonly jumps: number
  private readonly segments: SegmentTables | null
  /** whether it has learnt rows of which some columns are given */
  readonly fills: boolean
  /** whether the device is disposed of with the model */
  protected ownsDevice = false
  private linksOnDevice: Promise<Link[]> | null = null
  private readonly kept = new KeptProgram()
  private readonly lastPlan = new LastPlan()

  /**
   * @param device the caller's, who disposes of it; null: none yet
   * @param open opens one when it is first needed and none was given; it is the model's own then
   */
  constructor(
    {
      network,
      stages,
      rowShape,
      scaler,
      settings,
      jumps = 1,
      condition = null,
      segments = null,
      fills = false,
      toldWidth,
    }: FlowModel,
    private device: Device | null,
    private readonly open: () => Promise<Device>,
  ) {
    // another operand would be read as zeros; that of jumps may be their second time
    const own = (fills ? network.dimension : 0) + (toldWidth ?? conditionWidth(condition))
    const width = own + (stages.every(({ jump }) => takesSecondTime(jump)) ? 1 : 0)
    if (network.condition !== width) {
      throw new InvalidArgumentError(
        `This network takes a condition of ${network.condition} numbers, but the model's has ${width}.`,
      )
    }
    this.condition = condition
    this.field = network
    this.stages = stages
    this.rowShape = rowShape
    this.scaler = scaler
    this.settings = settings
    this.jumps = jumps
    this.segments = segments
    this.fills = fills
    if (segments && stages.some(({ angle, outputScale }) => !angle || outputScale !== 1)) {
      throw new InvalidArgumentError('Logits of choices need stages of known paths, without output scaling.')
    }
  }

  /** Whether it can be followed from data to noise too, and has a likelihood: students that are maps cannot, and have none. */
  get isFlow(): boolean {
    return this.stages.every(({ jump }) => !jump)
  }

  /** Whether it can be followed from data to noise, which a model of choices cannot: at the data its velocity has no bound. */
  get isInvertible(): boolean {
    return this.isFlow && !this.segments
  }

  /** n samples: noise back through the sub-flows N … 1. */
  async sample(n: number, options: SampleOptions = {}): Promise<Samples> {
    const { first = 0 } = options
    expectRange(n, first)
    const seed = checkSeed(options.seed ?? this.settings.seed)
    const source = { kind: 'noise', seed } as const
    const { states } = await this.carry(n, null, options, this.settings.sample, null, 'decode', { source, from: first })
    return this.restore(states[0])
  }

  /**
   * The same n samples block by block, as `for await` takes them, so that memory does not grow with n.
   * @throws as `sample`, when the first block is asked for
   */
  async *sampleBlocks(n: number, options: SampleBlocksOptions = {}): AsyncGenerator<Samples, void> {
    const { block = Math.ceil(BLOCK_VALUES / this.field.dimension), first = 0, skip = 0, onProgress, ...rest } = options
    expectRange(n, first)
    if (!Number.isSafeInteger(block) || block < 1)
      throw invalid('block', 'a whole number of samples, at least 1', block)
    if (!Number.isSafeInteger(skip) || skip < 0) throw invalid('skip', 'a whole number of samples from 0 on', skip)
    for (let done = skip; done < n; done += block) {
      const count = Math.min(block, n - done)
      yield await this.sample(count, {
        ...rest,
        ...conditionsOfBlock(this.condition, rest, n, done, count),
        first: first + done,
        onProgress: (rows) => onProgress?.(done + rows),
      })
    }
  }

  /**
   * Rows of which some numbers are given, the others drawn: one sample for each, whose numbers at the given places have no meaning.
   * @param given `values` [n, D] as the model takes them, and `known` [n, D], 1 where a number is given, else 0
   * @throws InvalidArgumentError of a model that has not learnt it
   */
  async fill(given: { values: Float32Array; known: Float32Array }, options: SampleOptions = {}): Promise<Samples> {
    if (!this.fills) {
      throw new InvalidArgumentError(
        'This model has learnt whole rows alone; train one with train.masks: true to fill in rows of which a part is given.',
      )
    }
    const { first = 0 } = options
    const n = given.values.length / this.field.dimension
    expectRange(n, first)
    const seed = checkSeed(options.seed ?? this.settings.seed)
    const source = { kind: 'noise', seed } as const
    const { states } = await this.carry(n, null, options, this.settings.sample, null, 'decode', {
      source,
      from: first,
      given,
    })
    return this.restore(states[0])
  }

  /** Data to noise: z = T_N ∘ … ∘ T_1 (x), [n, …dims]. */
  async encode(x: RowsLike, options: CarryOptions = {}): Promise<Latents> {
    this.expectFlow('Encoding')
    const { values: rows, n } = this.rows('x', x)
    const { states } = await this.carry(n, rows, options, this.settings.evaluate, null, 'encode')
    return { values: states[0], shape: [n, ...this.rowShape] }
  }

  /** Noise to data, the inverse of `encode`. */
  async decode(z: RowsLike, options: CarryOptions = {}): Promise<Samples> {
    const { values: rows, n } = this.latents(z)
    const { states } = await this.carry(n, rows, options, this.settings.evaluate, null, 'decode')
    return this.restore(states[0])
  }

  /**
   * log p(x) = log N(T(x); 0, I) + Σ_n ∫ div v_n dt − Σ log σ, nats for each row (σ of the scaler; Chen et al. 2018). Where the
   * chain ends in a number instead of the free sub-flow, N(0, I) stands for the chain's true end.
   */
  async logProb(x: RowsLike, options: LogProbOptions = {}): Promise<Float32Array> {
    this.expectFlow('A likelihood')
    const { values: rows, n } = this.rows('x', x)
    const { evaluate } = this.settings
    const kind = options.trace ?? evaluate.trace
    if (kind !== 'exact' && kind !== 'hutchinson') throw invalid('trace', "'exact' or 'hutchinson'", kind)
    const seed = checkSeed(options.seed ?? this.settings.seed)
    const trace: Trace = kind === 'exact' ? { kind } : { kind, probes: options.probes ?? evaluate.probes, seed }
    const { first = 0 } = options
    expectRange(n, first)
    const { states, logDet } = await this.carry(n, rows, options, evaluate, trace, 'encode', { from: first })
    const [z, D] = [states[0], this.field.dimension]
    const constant = (D / 2) * Math.log(2 * Math.PI) + (this.scaler ? logDeterminant(this.scaler) : 0)
    return Float32Array.from({ length: n }, (_, i) => {
      let squares = 0
      for (let d = 0; d < D; d++) squares += z[i * D + d] ** 2
      return logDet![i] - squares / 2 - constant
    })
  }

  /** Whether it predicts levels (train.objective: variational): then it has a variational bound in place of a likelihood. */
  get hasBound(): boolean {
    return this.segments !== null
  }

  /**
   * The variational bound on log p(x) of a model that predicts levels (train.objective: variational), nats for each row: at most the log of
   * the chance of its levels and the density of its numbers as they are learnt, in expectation over the noise that it is computed with
   * (src/model/bound.ts; Kingma, Salimans, Poole and Ho 2021).
   *
   * @param x encoded rows [n, D] of the table
   * @throws InvalidArgumentError of a model without levels, which has `logProb`
   */
  async logProbBound(x: RowsLike, options: BoundOptions = {}): Promise<Float32Array> {
    const { segments, field, stages } = this
    if (!segments) {
      throw new InvalidArgumentError(
        'A variational bound is of models that predict levels (train.objective: variational); this one has a likelihood: logProb.',
      )
    }
    const { values: rows, n } = this.rows('x', x)
    const evaluations = evaluationsOfBound(options)
    const { first = 0 } = options
    expectRange(n, first)
    const seed = checkSeed(options.seed ?? this.settings.seed)
    const told = conditionRows(this.condition, options, n)
    options.signal?.throwIfAborted()
    const angles = stages.map(({ angle }) => angle!)
    const model = { field, segments, angles, links: await this.links(), device: this.device! }
    const bounds = await boundOfRows(model, rows, told, { ...options, evaluations, first, seed })
    this.evaluations = { mean: evaluations, max: evaluations }
    return bounds
  }

  /** States along the chain, one for each of the times, each [n, …dims] in the units of the data: noise z as μ + σz. */
  async trajectory(start: RowsLike, options: TrajectoryOptions = {}): Promise<{ times: number[]; states: Samples[] }> {
    const direction = options.direction ?? 'decode'
    if (direction !== 'decode' && direction !== 'encode') throw invalid('direction', "'decode' or 'encode'", direction)
    if (direction === 'encode') this.expectFlow('A trajectory from the data')
    const N = this.stages.length
    const { values: rows, n } = direction === 'decode' ? this.latents(start) : this.rows('start', start)
    const forward = direction === 'encode'
    const all = options.times ?? Array.from({ length: N + 1 }, (_, i) => i)
    for (const time of all) {
      if (!(time >= 0 && time <= N)) throw invalid('times', `numbers from 0 (data) to ${N} (noise)`, time)
      if (!Number.isInteger(time) && this.stages.some(({ jump }) => jump?.kind === 'map')) {
        throw invalid('times', `whole numbers from 0 (data) to ${N} (noise), the ends of the maps`, time)
      }
    }
    const times = [...new Set(all)].sort((a, b) => (forward ? a - b : b - a))
    const origin = forward ? 0 : N
    const stops = times.filter((time) => time !== origin)
    const states = times[0] === origin ? [this.restore(rows.slice())] : []
    if (stops.length > 0) {
      const path = { stops, forward }
      const carried = await this.carry(n, rows, options, this.settings.evaluate, null, path)
      states.push(...carried.states.map((state) => this.restore(state)))
    }
    return { times, states }
  }

  /** Frees the device's memory, and the device where this flow opened it. */
  async dispose(): Promise<void> {
    this.kept.dispose()
    const links = await this.linksOnDevice?.catch(() => [])
    for (const buffer of new Set((links ?? []).map(({ parameters }) => parameters))) buffer.dispose()
    this.linksOnDevice = null
    if (this.ownsDevice) await this.device?.dispose()
    this.device = null
  }

  /** The device that the flow runs on; null before one was needed. */
  get deviceInfo(): DeviceInfo | null {
    return this.device?.info ?? null
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.dispose()
  }

  private async carry(
    n: number,
    rows: Float32Array | null,
    options: CarryOptions,
    configured: SolverSettings,
    trace: Trace,
    path: 'encode' | 'decode' | Stops,
    { source = { kind: 'input' }, from = 0, given = null }: Carried = {},
  ): Promise<{ states: Float32Array[]; logDet: Float32Array | null }> {
    const asked = { n, options, configured, trace, path, source, given: given !== null }
    const known = this.lastPlan.of(asked)
    const weights = known?.weights ?? guidanceWeights(options.guidance, this.condition, this.stages.length)
    const untold = weights.every((weight) => weight === 0)
    const missing = options.cond === undefined && options.class === undefined
    const told = untold && missing ? null : conditionRows(this.condition, options, n)
    // without a condition they are the zeros that the transport has
    const conditions = untold ? null : told
    if (!this.isFlow && !untold && weights.some((weight) => weight !== 1)) {
      throw new InvalidArgumentError(
        'guidance is of velocities, but this model makes jumps by their averages, which two passes do not guide; leave guidance out, or ' +
          'distil a flow under distill.guidance.',
      )
    }
    if (this.fills && !untold && weights.some((weight) => weight !== 1)) {
      throw new InvalidArgumentError(
        'guidance is not for a model that fills in rows (train.masks), whose networks are told what is given in the place of a second ' +
          'pass; leave guidance out, or train without masks.',
      )
    }
    options.signal?.throwIfAborted()
    const plan = known && known.links === (await this.links()) ? known : await this.plan(asked, weights)
    const { legs, solver, block, key } = plan
    const D = this.field.dimension
    const transport =
      this.kept.take(key) ?? (await Transport.open(this.device!, { legs, solver, trace, rows: block, source }))
    let done = false
    try {
      const C = conditionWidth(this.condition)
      const behind = this.fills ? 2 * transport.rows * D : 0
      const load = (first: number, count: number): void => {
        if (given) {
          transport.condition!.write(given.known.subarray(first * D, (first + count) * D))
          transport.condition!.write(given.values.subarray(first * D, (first + count) * D), transport.rows * D)
        }
        if (conditions) transport.condition!.write(conditions.subarray(first * C, (first + count) * C), behind)
        if (rows) transport.input.write(rows.subarray(first * D, (first + count) * D))
      }
      const { signal, onProgress } = options
      const { states, logDet, evaluations } = await transport.run(n, load, { from, signal, onProgress })
      signal?.throwIfAborted()
      this.evaluations = evaluations
      done = true
      return { states, logDet }
    } finally {
      if (done && this.linksOnDevice && plan.kept) this.kept.keep(key, transport)
      else transport.dispose()
    }
  }

  private async plan(asked: Asked, weights: readonly number[]): Promise<Plan> {
    const { n, options, configured, trace, path, source, given } = asked
    const solver = this.isFlow ? overridden(configured, options) : configured
    if (this.isFlow) checkSolver('solver', solver, this.stages.length)
    const jumps = this.jumpsOf(options)
    const links = await this.links()
    const guided = guidedLinks(links, weights)
    const legs =
      typeof path !== 'string'
        ? cutPath(guided, path)
        : this.isFlow
          ? wholePath(guided, path)
          : jumpsThrough(guided, jumps)
    const widest = widestOf(legs)
    const block = blockRows(n, widest, trace, this.device!.info, plannedEvaluations(solver, legs))
    const key = JSON.stringify([weights, path, solver, trace, jumps, block, source, given])
    const plan = { weights, links, legs, solver, block, key, kept: isKept(n, block * widest.widest) }
    this.lastPlan.keep(asked, plan)
    return plan
  }

  /**
   * Opens a transport of fresh noise that keeps the noise and the states at chain times, in the order of travel: what students
   * learn from. The caller disposes of it.
   * @param stops falling chain times
   * @param n rows that are wanted in all, of which a block may have fewer
   * @param guidance of a conditional model, whose conditions the caller writes; above 0, default 1
   */
  async openStates(
    stops: readonly number[],
    {
      n,
      solver,
      seed,
      stream,
      guidance = 1,
    }: {
      n: number
      solver: SolverSettings
      seed: number
      stream: number
      guidance?: number
    },
  ): Promise<{ transport: Transport; rows: number }> {
    const weights = guidanceWeights(guidance, this.condition, this.stages.length)
    const legs = cutPath(guidedLinks(await this.links(), weights), { stops, forward: false })
    const device = this.device!
    const rows = blockRows(n, widestOf(legs), null, device.info, plannedEvaluations(solver, legs))
    const source = { kind: 'noise', seed, stream, keep: true } as const
    return { transport: await Transport.open(device, { legs, solver, trace: null, rows, source }), rows }
  }

  /** Throws InvalidArgumentError where a stage is no flow. */
  private expectFlow(what: string): void {
    if (this.isInvertible) return
    if (this.segments) {
      throw new InvalidArgumentError(
        `${what} needs a velocity that has bounds at the data, but this model predicts the levels of categories ` +
          '(train.objective: variational), from which a path to noise cannot begin. Its rows have a variational bound in place of a ' +
          'likelihood (logProbBound, lfm score); a model of train.objective: flow-matching has both ways.',
      )
    }
    throw new InvalidArgumentError(
      `${what} needs a flow, but this model's stages are maps from noise to data, which have no inverse and no divergence; ` +
        'take the teacher, or distil by the kind reflow, whose students stay flows (of mean-flow: train.objective flow-matching).',
    )
  }

  /** Jumps that a call asks for. Throws InvalidArgumentError for what maps cannot do. */
  private jumpsOf({ evaluations, ...options }: CarryOptions): number {
    if (this.isFlow) return 0
    for (const key of ['solver', 'steps', 'clock'] as const) {
      if (options[key] !== undefined)
        throw invalid(key, 'left out: no solver integrates the maps of a student', options[key])
    }
    const K = this.stages.length
    if (this.stages[0].jump!.kind === 'map') {
      if (evaluations !== undefined && evaluations !== K) {
        throw invalid('evaluations', `${K}, one for each of the student's maps, or left out`, evaluations)
      }
      return K
    }
    const jumps = evaluations ?? this.jumps
    if (!Number.isInteger(jumps) || jumps < 1 || jumps > MOST_JUMPS) {
      throw invalid('evaluations', `a whole number from 1 to ${MOST_JUMPS}`, jumps)
    }
    return jumps
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
      this.device = await this.open()
      this.ownsDevice = true
    }
    const device = this.device
    const { field, stages, segments, fills } = this
    const P = field.parameterLength
    const chain = stages.map(({ angle }) => angle)
    // stages that share a buffer are carried through as one
    const shared = P * stages.length <= SHARED_ELEMENTS ? device.createBuffer(P * stages.length) : null
    return stages.map(({ parameters, outputScale, jump }, number) => {
      const buffer = shared ?? device.createBuffer(P)
      const offset = shared ? number * P : 0
      buffer.write(parameters, offset)
      const { angle } = stages[number]
      const moves = segments && angle ? velocityOfChoices(field, segments, angle, fills) : field
      return { field: moves, parameters: buffer, offset, outputScale, place: { number, chain }, jump }
    })
  }

  /** Rows of data, standardised, as a copy: the caller may refill its array meanwhile. */
  private rows(name: string, given: RowsLike): { values: Float32Array; n: number } {
    const x = rowsOf(name, given, this.rowShape)
    this.checkRowShape(name, x)
    return { values: this.scaler ? applyScaler(this.scaler, x).values : modelValues(x), n: x.shape[0] }
  }

  private latents(given: RowsLike): { values: Float32Array; n: number } {
    const z = rowsOf('z', given, this.rowShape)
    this.checkRowShape('z', z)
    return { values: z.values instanceof Float32Array ? z.values : Float32Array.from(z.values), n: z.shape[0] }
  }

  private checkRowShape(name: string, x: Tensor): void {
    if (x.shape.slice(1).join() !== this.rowShape.join()) {
      throw new InvalidArgumentError(
        `${name} must have the shape [n, ${this.rowShape.join(', ')}] that the model was trained on, but has ` +
          `[${x.shape.join(', ')}].`,
      )
    }
  }

  /** Back to the units of the data. */
  private restore(values: Float32Array): Samples {
    const shape = [values.length / this.field.dimension, ...this.rowShape]
    return { values: this.scaler ? undoScaler(this.scaler, { values, shape }).values : values, shape }
  }
}

function checkSeed(seed: number): number {
  if (!Number.isSafeInteger(seed) || seed < 0) throw invalid('seed', 'a whole number from 0 to 2^53 - 1', seed)
  return seed
}
