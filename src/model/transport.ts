/**
 * Carries rows through sub-flows: the one integrator behind push, sampling, encoding, decoding, trajectories and
 * likelihoods. A *path* is a list of legs, each a part [start, end] of one sub-flow's time; forward legs (0 → 1) lead from
 * data to noise. Rows go in blocks of a fixed size through programs that are built once. With a log-determinant the state
 * is (x, ∫ div v dt) along the path (Grathwohl et al. 2019).
 */

import { type Device, type DeviceBuffer, type DeviceInfo, type Executable, mergeVariants } from '../device/device.js'
import { LocalFlowError } from '../errors.js'
import { adaptiveControl } from '../kernels/adaptive_control.js'
import { adaptiveStage } from '../kernels/adaptive_stage.js'
import { seedWords } from '../kernels/draws.js'
import { inputFeatures } from '../kernels/input_features.js'
import { normal } from '../kernels/normal.js'
import { rademacher } from '../kernels/rademacher.js'
import type { Network } from '../networks/network.js'
import type { AngleRange } from '../ode/clock.js'
import type { Evaluation } from '../ode/evaluations.js'
import { addIntegration } from '../ode/integrate.js'
import { type Evaluations, isAdaptive, planEvaluations, type SolverSettings } from '../ode/solver.js'
import { dopri5 } from '../ode/tableaus.js'
import { ALIGNMENT, aligned, ProgramBuilder, type ProgramTensor } from '../program/program.js'

/** A trained sub-flow on a device. */
export interface Link {
  readonly field: Network
  readonly parameters: DeviceBuffer
  /** where its parameters begin: a multiple of P; default 0. Links that share a buffer are carried through as one */
  readonly offset?: number
  /** output scale of its network */
  readonly outputScale: number
  /** distributes steps over sub-flows; left out: the steps are those of the path */
  readonly place?: Place
  /** left out: a flow, which a solver integrates */
  readonly jump?: Jump
}

/**
 * A network that carries rows in one evaluation, from its noise side to its data side alone:
 * - a *map* x − u(x, time), between its two ends; of a network with a second time x − u(x, time, secondTime);
 * - an *average velocity* u(x, t, s), whose condition ends with the second time: x − (t − s)·u(x, t, s) from any t to any s < t.
 */
export type Jump =
  | { readonly kind: 'map'; readonly time: number; readonly secondTime?: number }
  | { readonly kind: 'average' }

/** Whether a jump gives its network a second time. */
export const takesSecondTime = (jump: Jump | undefined): boolean =>
  jump?.kind === 'average' || jump?.secondTime !== undefined

export interface Place {
  /** the sub-flow's number in the chain, from 0 */
  readonly number: number
  /** all sub-flows from the data to the noise; null where the clock `angle` is not defined */
  readonly chain: readonly (AngleRange | null)[]
}

export interface Leg {
  readonly link: Link
  /** local time, 0 at the data side, 1 at the noise side */
  readonly start: number
  readonly end: number
  /** whether the state after this leg is wanted */
  readonly keep: boolean
}

/** How ∫ div v dt is found; null: not at all. */
export type Trace =
  | null
  | { readonly kind: 'exact' }
  | { readonly kind: 'hutchinson'; readonly probes: number; readonly seed: number }

export interface TransportOptions {
  readonly legs: readonly Leg[]
  readonly solver: SolverSettings
  readonly trace: Trace
  /** rows in a block */
  readonly rows: number
  readonly source: RowSource
}

/** Where rows come from: written by the caller into `input`, or standard normals. */
export type RowSource =
  | { readonly kind: 'input' }
  | {
      readonly kind: 'noise'
      readonly seed: number
      /** default 0, that of samples */
      readonly stream?: number
      /** whether the noise is kept too, as the first of the outputs; default false */
      readonly keep?: boolean
    }

const keepsStart = ({ source }: TransportOptions): boolean => source.kind === 'noise' && source.keep === true

export interface TransportResult {
  /** one for each kept leg, [rows, D], after the noise where that is kept */
  readonly states: Float32Array[]
  /** [rows], where a trace was asked for */
  readonly logDet: Float32Array | null
  /** evaluations of each row, summed over the legs; one that is guided counts two */
  readonly evaluations: Evaluations
}

/** Attempted steps between two checks of which rows are done. */
const ATTEMPTS_PER_LOOK = 4
/** No row of a well-posed flow needs this many; more means a field that cannot be integrated to the tolerance. */
const MOST_ATTEMPTS = 20_000
/** Share of a leg that dopri5 tries first. */
const FIRST_STEP = 0.05
/** Elements that the largest temporary of a block may have: 64 MiB, or less where an adapter binds less at a time. */
const BLOCK_ELEMENTS = 16 * 1024 * 1024
const MOST_BLOCK_ROWS = 16_384
/**
 * Rows of a block for each thread of a processor that go through so many evaluations: enough for its matrix products. A carry
 * is stopped between two blocks, so this is also how long an abort has to wait. Of fewer evaluations as many more rows go
 * at a time, up to MOST_TIMES_ROWS: each block packs the weights anew, and is asked for from JavaScript.
 */
const BLOCK_ROWS_PER_THREAD = 256
const BLOCK_EVALUATIONS = 128
const MOST_TIMES_ROWS = 8

/** Flops of one evaluation of a block on a processor: a tenth of a second or so, and enough to share out. */
const BLOCK_FLOPS = 2e10
/** Flops of a row's evaluation from which on a block has as few rows as possible. */
const HEAVY_ROW = 1e6

/**
 * Rows in a block for n rows: bounded by memory for T tangents and by the device's threads, where one is given, and even, so that
 * the last block is not nearly empty. Blocks of light rows are multiples of 64; heavy ones (pictures through a UNet), and fewer than
 * 64 rows, are only as many as windows on them need to begin at multiples of 64 elements: one row is one where there are none.
 * @param evaluations of each row; null: not known beforehand
 */
export function blockRows(
  n: number,
  field: Network,
  trace: Trace,
  info?: DeviceInfo,
  evaluations: number | null = null,
): number {
  const tangents = trace === null ? 1 : trace.kind === 'exact' ? field.dimension : trace.probes
  const few = evaluations === null ? 1 : BLOCK_EVALUATIONS / evaluations
  const times = Math.min(MOST_TIMES_ROWS, Math.max(1, few))
  const wanted =
    info?.type === 'cpu' ? Math.floor(BLOCK_ROWS_PER_THREAD * times) * (info.threads ?? 1) : MOST_BLOCK_ROWS
  const binding = info?.details.maxStorageBufferBindingSize
  const elements = typeof binding === 'number' ? Math.min(BLOCK_ELEMENTS, Math.floor(binding / 4)) : BLOCK_ELEMENTS
  const heavy = field.rowFlops > HEAVY_ROW
  // times and divergences of the two halves of guided rows are windows too
  const windowsOfRows = field.passes !== undefined && (trace !== null || evaluations === null)
  const noWindows =
    trace === null && evaluations !== null && field.passes === undefined && field.conditionRows === undefined
  const fewRows = n < ALIGNMENT
  const finest = fewRows && noWindows ? 1 : ALIGNMENT / divisorWith(ALIGNMENT, field.dimension)
  const grain = (heavy || fewRows) && !windowsOfRows ? finest : ALIGNMENT
  const affordable = info && info.type !== 'hardware' ? Math.floor(BLOCK_FLOPS / field.rowFlops) : MOST_BLOCK_ROWS
  const bounds = [MOST_BLOCK_ROWS, wanted, Math.floor(elements / (field.widest * tangents))]
  const most = Math.max(grain, Math.min(...bounds, ...(heavy ? [affordable] : [])))
  const blocks = Math.ceil(n / most)
  return Math.ceil(Math.ceil(n / blocks) / grain) * grain
}

/** Greatest common divisor of a power of two and a whole number. */
const divisorWith = (power: number, n: number): number => (n % power === 0 ? power : divisorWith(power / 2, n))

export class Transport {
  /** [rows, D]; the caller writes or copies the block's rows here where the source is 'input' */
  readonly input: DeviceBuffer
  /**
   * [rows, C], for fields with a condition, without a second time; twice as many rows where one is guided, of which the caller leaves the second half, and
   * where numbers may be given, which are the second half
   */
  readonly condition: DeviceBuffer | null
  /** the kept states on the device, in the order of the legs, after the noise where that is kept */
  readonly outputs: DeviceBuffer[]
  private readonly buffers: DeviceBuffer[] = []
  private readonly executables: Executable[] = []
  private readonly first: DeviceBuffer
  private readonly logDet: DeviceBuffer | null
  private readonly probes: DeviceBuffer | null
  /** chosen variants of kernels and composites */
  variants: Readonly<Record<string, string>> = {}
  private runBlock!: (count: number, signal?: AbortSignal) => Promise<Evaluations>

  private constructor(
    private readonly device: Device,
    private readonly options: TransportOptions,
  ) {
    const { field } = options.legs[0].link
    const { rows, trace } = options
    this.input = this.buffer(rows * field.dimension)
    const conditionRows = Math.max(...options.legs.map(conditionRowsOf))
    const told = toldWidthOf(options.legs[0].link)
    this.condition = told > 0 ? this.buffer(rows * conditionRows * told) : null
    const kept = options.legs.filter((leg) => leg.keep).length + (keepsStart(options) ? 1 : 0)
    this.outputs = Array.from({ length: kept }, () => this.buffer(rows * field.dimension))
    this.first = this.buffer(1, 'u32')
    this.logDet = trace ? this.buffer(rows) : null
    this.probes = trace?.kind === 'hutchinson' ? this.buffer(trace.probes * rows * field.dimension) : null
  }

  /** rows of a block */
  get rows(): number {
    return this.options.rows
  }

  static async open(device: Device, options: TransportOptions): Promise<Transport> {
    const transport = new Transport(device, options)
    try {
      transport.runBlock = findsSteps(options) ? await transport.adaptive() : await transport.fixed()
    } catch (error) {
      transport.dispose()
      throw error
    }
    return transport
  }

  /**
   * Carries one block. `first` is the number of its first row (what noise and probes are drawn by), `count` ≤ rows.
   * Rows beyond `count` are carried too; their values have no meaning.
   */
  async block(first: number, count: number, signal?: AbortSignal): Promise<Evaluations> {
    this.first.write(Uint32Array.of(first))
    return this.runBlock(count, signal)
  }

  /**
   * Carries n rows block by block; `load` fills `input` (and `condition`) for rows [first, first + count).
   * @param options `from`: number of the first row, which noise and probes are drawn by; default 0
   */
  async run(
    n: number,
    load: (first: number, count: number) => void,
    { from = 0, signal, onProgress }: { from?: number; signal?: AbortSignal; onProgress?: (done: number) => void } = {},
  ): Promise<TransportResult> {
    const { field } = this.options.legs[0].link
    const states = this.outputs.map(() => hostArray(n, field.dimension))
    const logDet = this.logDet ? hostArray(n, 1) : null
    let evaluations = 0
    let most = 0
    for (let first = 0; first < n; first += this.options.rows) {
      signal?.throwIfAborted()
      const count = Math.min(this.options.rows, n - first)
      load(first, count)
      const spent = this.block(from + first, count, signal)
      // a program that runs once is read behind it, without a look at the event loop between them
      if (findsSteps(this.options)) await spent
      const [{ mean, max }, ...read] = await Promise.all([
        spent,
        ...this.outputs.map((output) => output.read(0, count * field.dimension)),
        ...(this.logDet ? [this.logDet.read(0, count)] : []),
      ])
      evaluations += mean * count
      most = Math.max(most, max)
      for (const [i, state] of states.entries()) state.set(read[i] as Float32Array, first * field.dimension)
      if (logDet) logDet.set(read[states.length] as Float32Array, first)
      onProgress?.(first + count)
    }
    return { states, logDet, evaluations: { mean: evaluations / n, max: most } }
  }

  dispose(): void {
    for (const executable of this.executables) executable.dispose()
    for (const buffer of this.buffers) buffer.dispose()
    this.executables.length = 0
    this.buffers.length = 0
  }

  /** All steps of all legs in one program; one operation for consecutive legs of which only the last is kept. */
  private async fixed(): Promise<Transport['runBlock']> {
    const { legs, solver, rows } = this.options
    const { field } = legs[0].link
    const { dimension } = field
    const planned = evaluationsOfLegs(solver, legs)
    const builder = new ProgramBuilder()
    let y = this.source(builder)
    const probes = this.drawProbes(builder)
    let logDet = this.logDet ? builder.constant(new Float32Array(rows), [rows, 1]) : undefined
    let ahead: ProgramTensor | undefined
    let output = keepsStart(this.options) ? 1 : 0
    for (const { first, last } of runsOf(legs)) {
      const { keep, link } = legs[last]
      const shared = sharedParameters(builder, legs.slice(first, last + 1))
      const evaluations = planned
        .slice(first, last + 1)
        .flatMap((own, i) => own.map((evaluation) => ({ ...evaluation, network: shared.numbers[i] })))
      const out = keep
        ? builder.tensor(this.outputs[output++], [rows, dimension])
        : builder.temporary([rows, dimension])
      const logDetOut = this.logDet
        ? last === legs.length - 1
          ? builder.tensor(this.logDet, [rows, 1])
          : builder.temporary([rows, 1])
        : undefined
      const carries = evaluations[evaluations.length - 1].carry !== 0
      const aheadOut = carries ? builder.temporary([rows, dimension]) : undefined
      addIntegration(
        builder,
        link.field,
        {
          parameters: shared.parameters,
          y,
          condition: this.conditionTensor(builder, legs[last]),
          probes,
          log_det: logDet,
          ahead,
          out,
          log_det_out: logDetOut,
          ahead_out: aheadOut,
        },
        shared.scales,
        evaluations,
      )
      y = out
      logDet = logDetOut
      ahead = aheadOut
    }
    const executable = await this.compile(builder)
    const spent = planned.reduce((sum, { length }, i) => sum + length * passesOf(legs[i]), 0)
    return async (_count, signal) => {
      await executable.run(1, { signal })
      return { mean: spent, max: spent }
    }
  }

  /** Two programs a leg: the first stage, and one attempted step that is replayed until every row has arrived. */
  private async adaptive(): Promise<Transport['runBlock']> {
    const { legs, solver, rows, source } = this.options
    const { dimension } = legs[0].link.field
    const S = dopri5.nodes.length
    const y = this.buffer(rows * dimension)
    const stages = this.buffer(S * aligned(rows * dimension))
    const rates = this.logDet ? this.buffer(S * aligned(rows)) : null
    const [t, h] = [this.buffer(rows), this.buffer(rows)]
    const evaluations = this.buffer(rows, 'u32')

    const opening = new ProgramBuilder()
    if (source.kind === 'noise') this.drawNoise(opening, opening.tensor(y, [rows, dimension]))
    this.drawProbes(opening)
    const open = opening.operations.length > 0 ? await this.compile(opening) : null

    const evaluate = (builder: ProgramBuilder, leg: Leg, s: number, x: ProgramTensor, time: ProgramTensor): void => {
      const operands = {
        parameters: builder.tensor(leg.link.parameters, [leg.link.field.parameterLength], leg.link.offset),
        x,
        t: time,
        condition: this.conditionTensor(builder, leg),
        out: builder.tensor(stages, [rows, dimension], s * aligned(rows * dimension)),
      }
      if (!rates) {
        leg.link.field.addVelocity(builder, operands, leg.link.outputScale)
        return
      }
      const divergence = builder.tensor(rates, [rows], s * aligned(rows))
      leg.link.field.addDivergence(
        builder,
        { ...operands, probes: this.probesTensor(builder), divergence },
        leg.link.outputScale,
      )
    }

    const programs = new Map<string, { begin: Executable; attempt: Executable }>()
    const compiled: { leg: Leg; begin: Executable; attempt: Executable }[] = []
    for (const leg of legs) {
      const key = `${legs.findIndex((other) => other.link === leg.link)} ${leg.start} ${leg.end}`
      let pair = programs.get(key)
      if (!pair) {
        const begin = new ProgramBuilder()
        evaluate(begin, leg, 0, begin.tensor(y, [rows, dimension]), begin.tensor(t, [rows]))

        const attempt = new ProgramBuilder()
        const state = attempt.tensor(y, [rows, dimension])
        const allStages = attempt.tensor(stages, [S, aligned(rows * dimension)])
        const [times, step] = [attempt.tensor(t, [rows]), attempt.tensor(h, [rows])]
        let x = state
        for (let s = 1; s < S; s++) {
          x = attempt.temporary([rows, dimension])
          const stageTime = attempt.temporary([rows])
          attempt.add(
            adaptiveStage,
            { y: state, stages: allStages, t: times, h: step, out: x, stage_time: stageTime },
            { coefficients: dopri5.a[s], node: dopri5.nodes[s] },
          )
          evaluate(attempt, leg, s, x, stageTime)
        }
        let carried = {}
        if (this.logDet && rates) {
          const logDet = attempt.tensor(this.logDet, [rows, 1])
          const allRates = attempt.tensor(rates, [S, aligned(rows)])
          const next = attempt.temporary([rows, 1])
          attempt.add(
            adaptiveStage,
            { y: logDet, stages: allRates, t: times, h: step, out: next, stage_time: attempt.temporary([rows]) },
            { coefficients: dopri5.weights, node: 1 },
          )
          carried = { log_det: logDet, log_det_new: next, log_det_stages: allRates }
        }
        attempt.add(
          adaptiveControl,
          // the last stage's input is the fifth-order solution (first same as last)
          {
            y: state,
            y_new: x,
            stages: allStages,
            t: times,
            h: step,
            ...carried,
            evaluations: attempt.tensor(evaluations),
          },
          {
            error: dopri5.error!,
            rtol: solver.rtol,
            atol: solver.atol,
            start: leg.start,
            end: leg.end,
            cost: (S - 1) * passesOf(leg),
          },
        )
        pair = { begin: await this.compile(begin), attempt: await this.compile(attempt) }
        programs.set(key, pair)
      }
      compiled.push({ leg, ...pair })
    }

    return async (count, signal) => {
      if (source.kind === 'input') this.device.copy(this.input, 0, y, 0, rows * dimension)
      await open?.run(1, { signal })
      let output = 0
      if (keepsStart(this.options)) this.device.copy(y, 0, this.outputs[output++], 0, rows * dimension)
      this.logDet?.write(new Float32Array(rows))
      // every leg evaluates its first stage once
      evaluations.write(new Uint32Array(rows).fill(legs.reduce((sum, leg) => sum + passesOf(leg), 0)))
      for (const { leg, begin, attempt } of compiled) {
        t.write(new Float32Array(rows).fill(leg.start))
        // surplus rows of the block stay where they are
        h.write(new Float32Array(rows).fill(FIRST_STEP * (leg.end - leg.start), 0, count))
        await begin.run(1, { signal })
        for (let attempts = 0; ; attempts += ATTEMPTS_PER_LOOK) {
          await attempt.run(ATTEMPTS_PER_LOOK, { signal })
          if (((await h.read(0, count)) as Float32Array).every((step) => step === 0)) break
          if (attempts > MOST_ATTEMPTS) throw this.stoppedShort(count, leg)
        }
        const reached = (await t.read(0, count)) as Float32Array
        const short = reached.reduce((sum, time) => sum + (time === Math.fround(leg.end) ? 0 : 1), 0)
        if (short > 0) throw this.stoppedShort(short, leg)
        if (leg.keep) this.device.copy(y, 0, this.outputs[output++], 0, rows * dimension)
      }
      const spent = (await evaluations.read(0, count)) as Uint32Array
      return { mean: spent.reduce((sum, e) => sum + e, 0) / count, max: spent.reduce((a, b) => Math.max(a, b), 0) }
    }
  }

  private stoppedShort(rows: number, leg: Leg): LocalFlowError {
    const { rtol, atol } = this.options.solver
    return new LocalFlowError(
      `dopri5 could not carry ${rows} rows from t = ${leg.start} to ${leg.end} within rtol ${rtol} and atol ${atol}: the ` +
        'step became too small or the velocity is not finite. Loosen the tolerances, or use rk4 with more steps.',
    )
  }

  private source(builder: ProgramBuilder): ProgramTensor {
    const shape = [this.options.rows, this.options.legs[0].link.field.dimension]
    if (this.options.source.kind === 'input') return builder.tensor(this.input, shape)
    const y = keepsStart(this.options) ? builder.tensor(this.outputs[0], shape) : builder.temporary(shape)
    this.drawNoise(builder, y)
    return y
  }

  private drawNoise(builder: ProgramBuilder, y: ProgramTensor): void {
    const { source } = this.options
    if (source.kind !== 'noise') return
    const { seed, stream = 0 } = source
    builder.add(normal, { first: builder.tensor(this.first), y }, { ...seedWords(seed), stream })
  }

  private drawProbes(builder: ProgramBuilder): ProgramTensor | undefined {
    const { trace } = this.options
    const probes = this.probesTensor(builder)
    if (!probes || trace?.kind !== 'hutchinson') return undefined
    builder.add(
      rademacher,
      { first: builder.tensor(this.first), y: probes },
      { ...seedWords(trace.seed), stream: 0, probes: trace.probes },
    )
    return probes
  }

  private probesTensor(builder: ProgramBuilder): ProgramTensor | undefined {
    const { trace, rows, legs } = this.options
    if (!this.probes || trace?.kind !== 'hutchinson') return undefined
    return builder.tensor(this.probes, [trace.probes * rows, legs[0].link.field.dimension])
  }

  private conditionTensor(builder: ProgramBuilder, leg: Leg): ProgramTensor | undefined {
    const rows = this.options.rows * conditionRowsOf(leg)
    const C = toldWidthOf(leg.link)
    const told = this.condition ? builder.tensor(this.condition, [rows, C]) : undefined
    if (!takesSecondTime(leg.link.jump)) return told
    const second = builder.constant(new Float32Array(rows).fill(secondTimeOf(leg)), [rows, 1])
    if (!told) return second
    const both = builder.temporary([rows, C + 1])
    builder.add(inputFeatures, { x: told, condition: second, y: both }, {})
    return both
  }

  private async compile(builder: ProgramBuilder): Promise<Executable> {
    const executable = await this.device.compile(builder.build())
    this.executables.push(executable)
    this.variants = mergeVariants(this.variants, executable.variants)
    return executable
  }

  private buffer(length: number, dtype: 'f32' | 'u32' = 'f32'): DeviceBuffer {
    const buffer = this.device.createBuffer(length, dtype)
    this.buffers.push(buffer)
    return buffer
  }
}

/** Memory for n rows of `width` values. Throws LocalFlowError where there is not that much. */
function hostArray(n: number, width: number): Float32Array {
  try {
    return new Float32Array(n * width)
  } catch {
    throw new LocalFlowError(`${n} rows of ${width} values do not fit into memory; ask for fewer rows at a time.`)
  }
}

/** Evaluations of a network that one of a leg's field takes. */
const passesOf = ({ link: { field } }: Leg): number => field.passes ?? 1

/** Rows of conditions for each row of a leg. */
const conditionRowsOf = (leg: Leg): number => leg.link.field.conditionRows ?? passesOf(leg)

/** Numbers of what rows are told, beside a second time. */
export const toldWidthOf = ({ field, jump }: Pick<Link, 'field' | 'jump'>): number =>
  field.condition - (takesSecondTime(jump) ? 1 : 0)

const isAverage = ({ link: { jump } }: Leg): boolean => jump?.kind === 'average'

/** Of a leg whose network takes one. */
const secondTimeOf = ({ link: { jump }, end }: Leg): number => (jump?.kind === 'map' ? jump.secondTime! : end)

/** Whether steps are found while rows go. */
const findsSteps = ({ solver, legs }: Pick<TransportOptions, 'solver' | 'legs'>): boolean =>
  isAdaptive(solver) && !legs[0].link.jump

/** Evaluations of each row on its way; null where they are found while it goes. */
export const plannedEvaluations = (solver: SolverSettings, legs: readonly Leg[]): number | null =>
  findsSteps({ solver, legs }) ? null : evaluationsOfLegs(solver, legs).reduce((sum, { length }) => sum + length, 0)

/** The one evaluation of a leg that is a jump: an Euler step, by the whole displacement or by the average velocity. */
const jumpOf = (jump: Jump, { start, end }: Leg): Evaluation => ({
  network: 0,
  time: jump.kind === 'map' ? jump.time : start,
  factor: 1,
  own: 0,
  place: 1,
  share: jump.kind === 'map' ? -1 : end - start,
  reach: 0,
  ends: true,
  carry: 0,
})

/** The evaluations of each leg. */
function evaluationsOfLegs(solver: SolverSettings, legs: readonly Leg[]): Evaluation[][] {
  if (legs[0].link.jump) return legs.map((leg) => [jumpOf(leg.link.jump!, leg)])
  const { place } = legs[0].link
  const links = [...new Set(legs.map(({ link }) => link))]
  const chain = place?.chain ?? links.map(() => null)
  const passages = legs.map(({ link, start, end }) => {
    return { subFlow: link.place?.number ?? links.indexOf(link), start, end }
  })
  return planEvaluations(solver, chain, passages)
}

/**
 * Legs, from `first` to `last`, after which nothing is kept but the last, of one field, and whose parameters lie in one buffer. An average
 * velocity has a condition of its own in every leg.
 */
function runsOf(legs: readonly Leg[]): { first: number; last: number }[] {
  const runs: { first: number; last: number }[] = []
  legs.forEach(({ link }, i) => {
    const before = legs[i - 1]
    const joined =
      before && !before.keep && before.link.parameters === link.parameters && before.link.field === link.field
    if (joined && !isAverage(before)) runs[runs.length - 1].last = i
    else runs.push({ first: i, last: i })
  })
  return runs
}

/** The parameters of the legs' sub-flows as one tensor [N·P], with their scales, and the number of each leg's among them. */
function sharedParameters(builder: ProgramBuilder, legs: readonly Leg[]) {
  const { parameters, field } = legs[0].link
  const P = field.parameterLength
  const places = legs.map(({ link: { offset = 0 } }) => offset / P)
  const first = Math.min(...places)
  const count = Math.max(...places) - first + 1
  const scales = new Array<number>(count).fill(1)
  legs.forEach(({ link }, i) => {
    scales[places[i] - first] = link.outputScale
  })
  return {
    parameters: builder.tensor(parameters, [count * P], first * P),
    scales,
    numbers: places.map((place) => place - first),
  }
}

/** The legs from data to noise through all links, or back; only the last state is kept. */
export function wholePath(links: readonly Link[], direction: 'encode' | 'decode'): Leg[] {
  const order = direction === 'encode' ? links : [...links].reverse()
  const [start, end] = direction === 'encode' ? [0, 1] : [1, 0]
  return order.map((link, i) => ({ link, start, end, keep: i === order.length - 1 }))
}
