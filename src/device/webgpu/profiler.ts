/**
 * Times launches by the GPU's own clock (the feature timestamp-query, its values not rounded: see toggles.ts). A *timed*
 * replay gives every dispatch a compute pass of its own, with a timestamp at its begin and end; that costs more than the
 * replay itself, so only the first few replays of a program are timed, and only where profiling was asked for.
 */

import type { DeviceTimes, TimedLaunch } from '../profile.js'
import type { Line } from './line.js'
import { submit, usage, type WebgpuMemory } from './memory.js'
import type { Pipelines } from './pipelines.js'
import { record } from './record.js'

/** Timestamps of one query set. */
const MOST_QUERIES = 4096
/** The first replay touches its memory for the first time; these follow it, fewer where they take long. */
const TIMED_REPLAYS = 32
const LEAST_REPLAYS = 3
const TIMED_MS = 1000
/** Dependent launches of nothing. */
const EMPTY_LAUNCHES = 500
const RECORD_ROUNDS = 9

export interface TimedDispatch {
  readonly name: string
  readonly flops: number
  readonly bytes: number
  /** sets pipeline and bind group, and dispatches */
  readonly encode: (pass: GPUComputePassEncoder) => void
}

/** What is known of one program: nanoseconds of each launch, summed over `timed` replays. */
export class ProgramTimes {
  replays = 0
  /** the first replay, which is left out once there are others */
  private cold: number[] | undefined
  private sums: number[]
  private timed = 0
  private spent = 0

  constructor(readonly dispatches: readonly TimedDispatch[]) {
    this.sums = dispatches.map(() => 0)
  }

  get wanting(): boolean {
    return this.timed < LEAST_REPLAYS || (this.timed < TIMED_REPLAYS && this.spent < TIMED_MS)
  }

  add(nanoseconds: readonly number[], milliseconds: number): void {
    if (!this.cold) {
      this.cold = [...nanoseconds]
      return
    }
    this.sums = this.sums.map((sum, i) => sum + nanoseconds[i])
    this.timed++
    this.spent += milliseconds
  }

  launches(): TimedLaunch[] {
    const times = this.timed > 0 ? this.sums.map((sum) => sum / this.timed) : (this.cold ?? [])
    return times.map((ns, i) => {
      const { name, flops, bytes } = this.dispatches[i]
      return { name, flops, bytes, us: ns / 1000 }
    })
  }
}

export class Profiler {
  private readonly programs: ProgramTimes[] = []

  constructor(
    private readonly gpu: GPUDevice,
    private readonly line: Line,
    private readonly memory: WebgpuMemory,
    private readonly pipelines: Pipelines,
  ) {}

  watch(dispatches: readonly TimedDispatch[]): ProgramTimes {
    const program = new ProgramTimes(dispatches)
    this.programs.push(program)
    return program
  }

  /** Replays a program once, every launch timed. */
  async replay(program: ProgramTimes): Promise<void> {
    const began = performance.now()
    const times: number[] = []
    const { dispatches } = program
    for (let first = 0; first < dispatches.length; first += MOST_QUERIES / 2) {
      const part = dispatches.slice(first, first + MOST_QUERIES / 2)
      times.push(...(await this.time(part.map(({ encode }) => encode))))
    }
    program.add(times, performance.now() - began)
  }

  /** Nanoseconds of each of these passes, of which each is done before the next begins. */
  async time(passes: readonly ((pass: GPUComputePassEncoder) => void)[]): Promise<number[]> {
    const count = 2 * passes.length
    const querySet = this.gpu.createQuerySet({ type: 'timestamp', count })
    const resolved = this.gpu.createBuffer({ size: 8 * count, usage: usage.queryResolve | usage.copySource })
    try {
      const bytes = await this.memory.fetch((encoder, staging) => {
        passes.forEach((encode, i) => {
          const timestampWrites = { querySet, beginningOfPassWriteIndex: 2 * i, endOfPassWriteIndex: 2 * i + 1 }
          const pass = encoder.beginComputePass({ timestampWrites })
          encode(pass)
          pass.end()
        })
        encoder.resolveQuerySet(querySet, 0, count, resolved, 0)
        encoder.copyBufferToBuffer(resolved, 0, staging, 0, 8 * count)
      }, 8 * count)
      const stamps = new BigUint64Array(bytes)
      return passes.map((_, i) => Number(stamps[2 * i + 1] - stamps[2 * i]))
    } finally {
      querySet.destroy()
      resolved.destroy()
    }
  }

  /**
   * Microseconds of a launch that does nothing but has to wait for the one before, by the difference of many and few; and
   * those that JavaScript needs to record a launch, with another pipeline and other bindings each time, the least of
   * several measurements.
   */
  async emptyDispatch(): Promise<Pick<DeviceTimes, 'emptyDispatchUs' | 'recordUs'>> {
    const prepared = await Promise.all(
      [1, 2].map((KIND) =>
        this.pipelines.prepare({ shader: 'empty', constants: { KIND }, uniforms: {}, groups: [1, 1, 1] }),
      ),
    )
    const word = this.gpu.createBuffer({ size: 16, usage: usage.storage })
    const uniforms = this.gpu.createBuffer({ size: 16, usage: usage.uniform })
    try {
      const entries = [uniforms, word].map((buffer, binding) => ({ binding, resource: { buffer } }))
      const launches = prepared.map(({ pipeline, layout }) => ({
        pipeline,
        bindGroup: this.gpu.createBindGroup({ layout, entries }),
        groups: [1, 1, 1] as const,
      }))
      const encode = (times: number) => (pass: GPUComputePassEncoder) => {
        for (let i = 0; i < times; i++) record(pass, launches)
      }
      const [, few, many] = await this.time([1, 1, 3].map((times) => encode((times * EMPTY_LAUNCHES) / 2)))
      const records: number[] = []
      for (let round = 0; round < RECORD_ROUNDS; round++) {
        const began = performance.now()
        submit(this.gpu, (encoder) => {
          const pass = encoder.beginComputePass()
          encode(EMPTY_LAUNCHES / 2)(pass)
          pass.end()
        })
        records.push(performance.now() - began)
        await this.line.wait(this.gpu.queue.onSubmittedWorkDone() as Promise<void>)
      }
      return {
        emptyDispatchUs: Math.max(0, many - few) / (2 * EMPTY_LAUNCHES) / 1000,
        recordUs: (1000 * Math.min(...records)) / EMPTY_LAUNCHES,
      }
    } finally {
      word.destroy()
      uniforms.destroy()
    }
  }

  times(): Promise<DeviceTimes> {
    return this.line.inLine(async () => ({
      ...(await this.emptyDispatch()),
      programs: this.programs.map((program) => ({ replays: program.replays, launches: program.launches() })),
    }))
  }
}
