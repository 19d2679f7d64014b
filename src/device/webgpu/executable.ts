/**
 * A compiled program and its replays. A run is a number of *replays*; several make one *submission*, about as many as take
 * SUBMISSION_MS, recorded as a list of dispatches in one compute pass. On a GPU two submissions are under way at a time,
 * so that the next is encoded while it works on the one before. A replay that takes long is cut into several, since a
 * system may reset a GPU that is busy with one submission for seconds (a watchdog).
 */

import { DeviceError, InvalidArgumentError } from '../../errors.js'
import type { Executable, RunOptions } from '../device.js'
import { keepForLater, type Line } from './line.js'
import { submit, type WebgpuBuffer, type WebgpuMemory } from './memory.js'
import type { Profiler, ProgramTimes } from './profiler.js'
import { type Recorded, record } from './record.js'

/** Time that one submission should take: long beside what it costs, short beside a wish to stop. */
const SUBMISSION_MS = 25
/** Time that no submission to a GPU should pass, by estimate; a single dispatch cannot be cut. */
const LONGEST_MS = 250
/** What a GPU is taken to do in a millisecond at least, until a replay was measured. */
const SLOW = { flops: 5e8, bytes: 2e7, dispatches: 100 }
/** Expected time below which waiting by polling is better than a timer, and the most that is slept at a time. */
const LEAST_SLEEP_MS = 4
const MOST_SLEEP_MS = 10_000
/** Share of the expected time that is slept: an expectation that was too long shrinks to the truth by this factor. */
const SLEPT = 0.8
/** Dispatches in one submission, so that encoding never blocks the event loop for long. */
const MOST_DISPATCHES = 4096

export interface Dispatch extends Recorded {
  /** shader, and the contract's cost: for profiles */
  readonly name: string
  readonly flops: number
  readonly bytes: number
  /** shader and constants, and bytes of each binding: what a proof is of (proof.ts) */
  readonly identity: string
  readonly sizes: readonly number[]
}

/** A program's part that does not depend on how it is run. */
export interface CompiledProgram {
  readonly dispatches: readonly Dispatch[]
  /** operations: kernels and whole composites */
  readonly launches: number
  readonly variants: Readonly<Record<string, string>>
  /** what the program's tensors are windows on */
  readonly uses: readonly WebgpuBuffer[]
  /** temporaries, constants and uniforms */
  readonly owned: readonly GPUBuffer[]
}

export interface RunsOn {
  readonly gpu: GPUDevice
  readonly line: Line
  readonly memory: WebgpuMemory
  /** whether the adapter computes on the processor */
  readonly software: boolean
  readonly profiler: Profiler | null
}

export class WebgpuExecutable implements Executable {
  readonly launches: number
  readonly variants: Readonly<Record<string, string>>
  private disposed = false
  /** replays in the last submission */
  private replays = 1
  /** measured time of one; of the first, in which drivers compile what they left for later, nothing is learnt */
  private replayMs: number | undefined
  private warm = false
  private readonly times: ProgramTimes | undefined

  /** @param proof what has to be done around the first replay; null: nothing */
  constructor(
    private readonly on: RunsOn,
    private readonly program: CompiledProgram,
    private proof: ((replay: () => Promise<void>) => Promise<void>) | null = null,
  ) {
    this.launches = program.launches
    this.variants = program.variants
    this.times = on.profiler?.watch(
      program.dispatches.map((dispatch) => ({ ...dispatch, encode: (pass) => record(pass, [dispatch]) })),
    )
  }

  run(times = 1, { signal }: RunOptions = {}): Promise<void> {
    if (!Number.isInteger(times) || times < 0) {
      throw new InvalidArgumentError(`A program is run a whole number of times, not ${times}.`)
    }
    return this.on.line.inLine(async () => {
      let done = await this.proved(times, signal)
      done += await this.timedReplays(times - done, signal)
      await this.replay(times - done, signal)
    })
  }

  dispose(): void {
    if (this.disposed) return
    this.disposed = true
    for (const buffer of this.program.owned) this.on.memory.release(buffer)
  }

  /** Where the program still has to be proved, that is the first replay of the first run; returns how many that are. */
  private async proved(most: number, signal: AbortSignal | undefined): Promise<number> {
    if (!this.proof || most === 0) return 0
    if (signal?.aborted) throw signal.reason
    this.usable()
    await this.proof(() => this.replay(1, undefined))
    this.proof = null
    return 1
  }

  /** Where profiling was asked for, the first replays of a run are timed, until there are enough; returns how many. */
  private async timedReplays(most: number, signal: AbortSignal | undefined): Promise<number> {
    const { times } = this
    let done = 0
    if (!times || !this.on.profiler) return done
    times.replays += most
    for (; done < most && times.wanting; done++) {
      if (signal?.aborted) throw signal.reason
      this.usable()
      await this.on.profiler.replay(times)
    }
    return done
  }

  /** The dispatches of one replay, in as many lists as it is cut into. */
  private parts(): readonly (readonly Dispatch[])[] {
    const { dispatches } = this.program
    if (this.on.software) return [dispatches]
    const estimates = dispatches.map(
      ({ flops, bytes }) => Math.max(flops / SLOW.flops, bytes / SLOW.bytes) + 1 / SLOW.dispatches,
    )
    const estimate = estimates.reduce((sum, ms) => sum + ms, 0)
    const pace = this.replayMs === undefined ? 1 : this.replayMs / estimate
    if (pace * estimate <= LONGEST_MS) return [dispatches]
    const parts: Dispatch[][] = []
    let left = 0
    dispatches.forEach((dispatch, i) => {
      const ms = pace * estimates[i]
      if (ms > left || parts.length === 0) {
        parts.push([])
        left = LONGEST_MS
      }
      parts.at(-1)!.push(dispatch)
      left -= ms
    })
    return parts
  }

  private async replay(times: number, signal: AbortSignal | undefined): Promise<void> {
    const { dispatches } = this.program
    const { gpu, software } = this.on
    // two on a GPU, so that it never waits for the next; one on the processor, where nobody else would encode it
    const submissionsUnderWay = software ? 1 : 2
    const most = Math.max(1, Math.floor(MOST_DISPATCHES / Math.max(1, dispatches.length)))
    const underWay: Promise<void>[] = []
    let lastEnd = 0
    try {
      for (let done = 0; done < times; ) {
        if (signal?.aborted) throw signal.reason
        this.usable()
        const fitting = Math.max(1, Math.floor(SUBMISSION_MS / (this.replayMs ?? SUBMISSION_MS)))
        // no more than four times as many as before: a measurement of little work is rough
        const replays = Math.min(fitting, 4 * this.replays, most, times - done)
        this.replays = replays
        const start = performance.now()
        const parts = replays > 1 ? [dispatches] : this.parts()
        for (const part of parts) {
          submit(gpu, (encoder) => {
            const pass = encoder.beginComputePass()
            record(pass, part, replays)
            pass.end()
          })
        }
        done += replays
        const finished = this.finished(replays * (this.replayMs ?? 0)).then(() => {
          const end = performance.now()
          this.learn((end - Math.max(start, lastEnd)) / replays)
          lastEnd = end
        })
        finished.catch(keepForLater)
        underWay.push(finished)
        if (underWay.length >= submissionsUnderWay) await underWay.shift()
      }
    } finally {
      // also where the run stops early: its replays are done when it rejects
      await Promise.allSettled(underWay)
    }
    await Promise.all(underWay)
  }

  /** A process that was stopped for a while took long, and will not again: a measured time counts twice the last at most. */
  private learn(replayMs: number): void {
    if (this.warm) this.replayMs = Math.min(replayMs, 2 * (this.replayMs ?? replayMs))
    this.warm = true
  }

  private usable(): void {
    if (this.disposed) throw new DeviceError('Cannot run a program that was disposed.')
    if (this.program.uses.some((buffer) => buffer.disposed)) {
      throw new DeviceError('Cannot run a program after one of its buffers was disposed.')
    }
  }

  /**
   * Everything submitted until now is done, in about `expected` milliseconds. As long as a promise of Dawn's is pending,
   * Dawn for Node polls on the main thread, which takes one of its cores from a software adapter (measured: half its
   * speed, with two cores). There, most of the time is slept.
   */
  private async finished(expected: number): Promise<void> {
    if (this.on.software && expected > LEAST_SLEEP_MS) {
      await new Promise((resolve) => setTimeout(resolve, Math.min(SLEPT * expected, MOST_SLEEP_MS)))
    }
    await this.on.line.wait(this.on.gpu.queue.onSubmittedWorkDone() as Promise<void>)
  }
}
