/**
 * The autotuner: which of several variants is the fastest for an operation on this adapter. It is measured once for each
 * *class* of operations: a kernel with the widths of its layer, a composite with its network; never the number of rows, so
 * that a row's value does not depend on the batch it is in. Measured is one operation with the class's widths and a few
 * rows, on memory of its own.
 *
 * Before candidates are timed, each has to give the numbers of the plainest one (tuner-check.ts). What was found is
 * remembered (findings.ts) under the class and a hash of the candidates' shaders. All compiling and all timing of a
 * device have their budgets (BUDGETS); a class whose turn comes later keeps the suggestion, and the next device asks again.
 */

import type { Shape } from '../../kernels/contract.js'
import { stepsOf, TABLE_COLUMNS, tableOf } from '../../ode/evaluations.js'
import { expand } from '../../program/lower.js'
import { type Operation, type Program, ProgramBuilder, shapesOf } from '../../program/program.js'
import type { CompilesOn } from './compile.js'
import {
  CompositeChoice,
  compositeClass,
  compositePlanners,
  compositeVariants,
  forcedComposite,
  hasVariants,
  ofOneSubFlow,
  usableCompositeVariants,
} from './composites.js'
import { type Findings, hashOf } from './findings.js'
import { planLaunches, plannedKernels } from './launches.js'
import type { MlpIntegration } from './layered.js'
import type { Line } from './line.js'
import { submit } from './memory.js'
import type { Launch } from './plans.js'
import type { Profiler } from './profiler.js'
import { record } from './record.js'
import type { AdapterTarget, ProductShape } from './target.js'
import { agree, type Results, Sample } from './tuner-check.js'
import { choiceLabel, forcedVariant, usableVariants, variants } from './variants.js'

/** Milliseconds for all measurements of a device: for compiling the candidates, which a GPU's driver does on all cores, and for timing them. */
const BUDGETS = { hardware: { compiling: 20_000, timing: 1500 }, software: { compiling: 1500, timing: 1500 } }
/** Rows that candidates are compared on: more than a tile, and no multiple of one. */
const CHECKED_ROWS = 203
/** Rows that are measured with. */
const ROWS = { hardware: 8192, software: 256 }
/** Replays in one measurement. In each of ROUNDS all candidates have their turn, so that what else runs meets all of them. */
const REPLAYS = { hardware: 8, software: 1 }
const ROUNDS = 4
/** Milliseconds between two words on a measurement that goes on. */
const WORD_EVERY = 5000
/** Another variant is taken where it needs at most this share of the suggested one's time. */
const WORTHWHILE = 0.95

/** Milliseconds of a number of replays of dispatches, each after the one before. */
export type Stopwatch = (encode: (pass: GPUComputePassEncoder) => void) => Promise<number>

/** By the adapter's clock where it has one, else by ours. */
export const stopwatchOf =
  (gpu: GPUDevice, line: Line, clock: Profiler | null): Stopwatch =>
  async (encode) => {
    if (clock) return (await clock.time([encode]))[0] / 1e6
    const began = performance.now()
    submit(gpu, (encoder) => {
      const pass = encoder.beginComputePass()
      encode(pass)
      pass.end()
    })
    await line.wait(gpu.queue.onSubmittedWorkDone() as Promise<void>)
    return performance.now() - began
  }

const adapterKind = ({ target }: CompilesOn): 'software' | 'hardware' => (target.software ? 'software' : 'hardware')

/** What a target takes of measurements. @param answers the fastest variant, by class */
export const choicesOf = (
  answers: ReadonlyMap<string, string>,
): Required<Pick<AdapterTarget, 'tuned' | 'tunedComposite'>> => ({
  tuned: (shape) => answers.get(classOf(shape)),
  tunedComposite: (operation) => answers.get(compositeClass(operation)),
})

/** A class of operations, its candidates, the suggested one first, and an operation of it to measure. */
interface Question {
  readonly name: string
  /** whether factors are float16 */
  readonly half: boolean
  readonly kernel: string
  readonly candidates: readonly string[]
  readonly operation: Operation
}

export class Tuner {
  /** by class */
  private readonly answers = new Map<string, string>()
  private readonly left: { compiling: number; timing: number }
  /** questions that were measured, and those that there was no time for */
  private measured = 0
  private postponed = 0
  private turn: Promise<unknown> = Promise.resolve()

  constructor(
    private readonly on: CompilesOn,
    private readonly line: Line,
    private readonly findings: Findings,
    private readonly stopwatch: Stopwatch,
    private readonly report: (line: string) => void,
    budget: { readonly compiling: number; readonly timing: number } = BUDGETS[adapterKind(on)],
    /** told now and then, while measuring takes seconds */
    private readonly progress: (line: string) => void = () => undefined,
  ) {
    this.left = { ...budget }
  }

  /** For a target that takes what was found out. */
  readonly choices = choicesOf(this.answers)

  /** What was found out so far: the fastest variant, by class. */
  known(): Readonly<Record<string, string>> {
    return Object.fromEntries(this.answers)
  }

  /** Finds out what compiling this program wants to know; one program at a time. */
  decide(program: Program): Promise<void> {
    const decided = this.turn.then(() => this.decideAll(program))
    this.turn = decided.catch(() => undefined)
    return decided
  }

  private async decideAll(program: Program): Promise<void> {
    const began = performance.now()
    const before = this.measured
    this.postponed = 0
    const words = setInterval(() => {
      const seconds = ((performance.now() - began) / 1000).toFixed(0)
      const done = this.measured - before
      if (done > 0)
        this.progress(`measuring which variants are the fastest on this adapter: operation ${done}, ${seconds} s.`)
    }, WORD_EVERY)
    try {
      for (const question of this.products(program)) await this.answer(question)
      // a composite's expansion is measured with the products that it will have
      for (const question of this.composites(program)) await this.answer(question)
    } finally {
      clearInterval(words)
    }
    const measured = this.measured - before
    if (measured > 0) {
      const seconds = ((performance.now() - began) / 1000).toFixed(1)
      this.report(
        `measured the variants of ${measured} operations in ${seconds} s; they are remembered for this adapter.` +
          (this.postponed > 0 ? ` ${this.postponed} more are measured the next time.` : ''),
      )
    }
  }

  private async answer(question: Question): Promise<void> {
    const key = `${question.name} ${await this.hash(question)}`
    let answer = this.findings.get('tuned', key)
    if (answer === undefined || !question.candidates.includes(answer)) {
      if (this.left.compiling <= 0 || this.left.timing <= 0) {
        this.postponed++
        return
      }
      answer = await this.line.inLine(() => this.measure(question))
      this.findings.set('tuned', { [key]: answer })
    }
    this.answers.set(question.name, answer)
  }

  /** Composites of a program that have several candidates and no answer, each class once. */
  private composites(program: Program): Question[] {
    const { target } = this.on
    const questions = new Map<string, Question>()
    // a core with workgroup memory, as all fused ones have, is not measured on a processor
    for (const operation of target.software ? [] : ofOneSubFlow(program.operations).filter(hasVariants)) {
      const name = compositeClass(operation)
      const candidates = usableCompositeVariants(operation, target)
      const open = candidates.length > 1 && !this.answers.has(name) && forcedComposite(operation, target) === undefined
      if (open)
        questions.set(name, {
          name,
          half: false,
          kernel: operation.contract.name,
          candidates,
          operation: ofOneStep(operation),
        })
    }
    return [...questions.values()]
  }

  /** Products of a program that have several candidates and no answer, each class once. */
  private products(program: Program): Question[] {
    const { target } = this.on
    const questions = new Map<string, Question>()
    for (const operation of expand(program, () => false)) {
      for (const shape of productsOf(operation, target)) {
        const name = classOf(shape)
        const candidates = candidatesFor(shape, target)
        const open = candidates.length > 1 && !this.answers.has(name) && forcedVariant(shape, target) === undefined
        const before = questions.get(name)
        // of a class's operations the largest one counts
        if (!open || (before && flopsOf(before.operation) >= flopsOf(operation))) continue
        questions.set(name, { name, half: shape.half === true, kernel: shape.kernel, candidates, operation })
      }
    }
    return [...questions.values()]
  }

  /** Of the texts and constants of all candidates: another shader is another question. */
  private async hash(question: Question): Promise<string> {
    const parts = await Promise.all(
      question.candidates.map(async (candidate) => {
        const launches = launchesOf(this.sample(question), this.forcing(question, candidate))
        return Promise.all(
          launches.map(async (launch) => [(await this.on.pipelines.text(launch)).hash, launch.constants]),
        )
      }),
    )
    return hashOf(JSON.stringify([question.candidates, parts]))
  }

  /**
   * Compiles all candidates at the same time, leaves out those that compute something else, and times the others in turns:
   * the least of the rounds counts, after one that warms up. A candidate that this adapter's driver does not compile is none.
   */
  private async measure(question: Question): Promise<string> {
    const [suggested] = question.candidates
    this.measured++
    const began = performance.now()
    const sample = new Sample(this.sample(question), this.on.memory)
    const compiled = await Promise.allSettled(
      question.candidates.map((one) => sample.compile({ ...this.on, target: this.forcing(question, one) })),
    )
    const replays = REPLAYS[adapterKind(this.on)]
    const times = question.candidates.map(() => Number.POSITIVE_INFINITY)
    try {
      const [first] = compiled
      if (first.status === 'rejected' && compiled.every(({ status }) => status === 'rejected')) throw first.reason
      const wrong = await this.wrongOnes(question)
      this.left.compiling -= performance.now() - began
      const timed = performance.now()
      for (let round = 0; round < ROUNDS; round++) {
        for (const [i, one] of compiled.entries()) {
          if (one.status === 'rejected' || wrong.includes(question.candidates[i])) continue
          const time = await this.stopwatch((pass) => record(pass, one.value.dispatches, replays))
          if (round > 0) times[i] = Math.min(times[i], time)
        }
      }
      this.left.timing -= performance.now() - timed
      const least = Math.min(...times)
      // none is right: the plainest is what the others were held against
      if (least === Number.POSITIVE_INFINITY) return plainest(question) ?? suggested
      return least <= WORTHWHILE * times[0] ? question.candidates[times.indexOf(least)] : suggested
    } finally {
      for (const one of compiled) {
        if (one.status === 'fulfilled') for (const buffer of one.value.owned) this.on.memory.release(buffer)
      }
      sample.dispose()
    }
  }

  /** The candidates that compute something else than the plainest implementation does, on few rows; they are named in a line. */
  private async wrongOnes(question: Question): Promise<readonly string[]> {
    const reference = plainest(question)
    if (reference === undefined) return []
    const sample = new Sample(withRows(question.operation, CHECKED_ROWS), this.on.memory)
    const resultOf = (candidate: string): Promise<Results> =>
      sample.results({ ...this.on, target: this.forcing(question, candidate) })
    try {
      const expected = await resultOf(reference)
      const wrong: string[] = []
      for (const candidate of question.candidates) {
        if (candidate === reference) continue
        const results = await resultOf(candidate).catch(() => null)
        if (results && !agree(expected, results, question.half)) wrong.push(candidate)
      }
      if (wrong.length > 0) {
        this.report(
          `${question.kernel}: ${wrong.join(', ')} computed other numbers here than ${reference}, so this adapter's driver ` +
            'cannot be trusted with them; they are left out.',
        )
      }
      return wrong
    } finally {
      sample.dispose()
    }
  }

  private forcing({ kernel }: Question, candidate: string): AdapterTarget {
    return { ...this.on.target, ...this.choices, forced: { [kernel]: candidate } }
  }

  /** The operation with few rows. */
  private sample({ operation }: Question): Operation {
    return withRows(operation, ROWS[adapterKind(this.on)])
  }
}

/** The implementation that the others are held against: without workgroup memory or subgroups, or kernel by kernel. */
function plainest({ kernel, half, candidates }: Question): string | undefined {
  if (kernel in compositeVariants) return candidates.includes('expanded') ? 'expanded' : undefined
  if (!half) return 'storage'
  return candidates.find((name) => name === 'half32')
}

const classOf = (shape: ProductShape): string => `${shape.kernel}${shape.half ? '_half' : ''}${choiceLabel(shape, '')}`

/** The products that an operation's launches are, found by planning them. */
function productsOf(operation: Operation, target: AdapterTarget): ProductShape[] {
  const shapes: ProductShape[] = []
  launchesOf(operation, { ...target, onChoice: (shape) => shapes.push(shape) })
  return shapes
}

/** Planning looks at shapes and attributes, not at places. */
function launchesOf(operation: Operation, target: AdapterTarget): readonly Launch[] {
  const choice = new CompositeChoice(target)
  const operations = expand(choice.layered({ operations: [operation] }), choice.takes)
  return operations.flatMap(({ contract, operands, attributes }) => {
    const planner = compositePlanners[contract.name] ?? (plannedKernels.has(contract.name) ? planLaunches : undefined)
    if (!planner) return []
    const placed = Object.entries(operands).map(([name, tensor]) => [name, { ...tensor!, place: { kind: 'constant' } }])
    return planner({ contract, attributes, operands: Object.fromEntries(placed) }, target).launches
  })
}

/** An integration of its first step alone, and nothing after it: its time is that of each of many. */
function ofOneStep(operation: Operation): Operation {
  if (operation.contract.name !== 'integrate') return operation
  const attributes = operation.attributes as unknown as MlpIntegration
  const evaluations = stepsOf(attributes.evaluations)[0].map((one) => ({ ...one, carry: 0 }))
  const { ahead_out: _, ...operands } = operation.operands
  const table = new ProgramBuilder().constant(tableOf(evaluations), [evaluations.length, TABLE_COLUMNS])
  return { ...operation, operands: { ...operands, table }, attributes: { ...attributes, evaluations } }
}

const flopsOf = ({ contract, operands, attributes }: Operation): number =>
  contract.cost(shapesOf(operands), attributes).flops

/**
 * What is measured for a product, the suggestion first. On a processor a core with workgroup memory takes seconds to compile
 * and is never the fastest, and one that loads single numbers never is where quads can be loaded.
 */
export function candidatesFor(shape: ProductShape, target: AdapterTarget): string[] {
  const [suggested, ...others] = usableVariants(shape, target)
  // those of float16 all have workgroup memory
  if (shape.half) return target.software ? [suggested] : [suggested, ...others]
  // of convolutions the others take three times as long there (docs/notes/webgpu.md)
  if (target.software && shape.patches) return [suggested]
  const quads = variants[suggested](target.lanes).elements !== 'scalar'
  const worthTrying = (name: string): boolean => {
    // for compilers that do not unroll, where it is the suggestion; elsewhere it is not worth its time to compile
    if (name === 'quads8') return false
    const { workgroupBytes, elements } = variants[name](target.lanes)
    return !target.software || (workgroupBytes === 0 && !(quads && elements === 'scalar'))
  }
  return [suggested, ...others.filter(worthTrying)]
}

/** Operands that belong to the layer: they have no rows of the batch. */
const rowless = new Set([
  'state',
  'parameters',
  'weight',
  'bias',
  'time_weight',
  'dweight',
  'dbias',
  'dtime_weight',
  'gradient',
  'b',
  // of an integration
  'table',
])

/** The same operation on about so many rows, tangents counted; of a convolution pixels are the rows. */
export function withRows(operation: Operation, rows: number): Operation {
  const { contract, operands, attributes } = operation
  const shapes = Object.entries(operands).filter(([name]) => !rowless.has(name))
  const firsts = shapes.map(([, tensor]) => tensor!.shape[0])
  // of a transposed factor the rows are the columns
  const batch = contract.name === 'mat_mul' ? operands.y!.shape[0] : Math.min(...firsts.filter((first) => first > 1))
  const most = contract.name === 'mat_mul' ? batch : Math.max(...firsts)
  const pixels = Math.max(
    1,
    ...shapes.map(([, tensor]) => (tensor!.shape.length === 4 ? tensor!.shape[1] * tensor!.shape[2] : 1)),
  )
  const few = Math.max(1, Math.floor((rows * batch) / most / pixels))
  const changed = (name: string, shape: Shape): Shape => {
    const [first, ...rest] = shape
    if (name === 'a' && attributes.transposeA) return [first, few]
    // one time for all rows stays one
    return rowless.has(name) || first === 1 ? shape : [(first / batch) * few, ...rest]
  }
  return {
    ...operation,
    operands: Object.fromEntries(
      Object.entries(operands).map(([name, tensor]) => [
        name,
        tensor && { ...tensor, shape: changed(name, tensor.shape) },
      ]),
    ),
  }
}
