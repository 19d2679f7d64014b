/**
 * Measures one case on one device beside the peers that do it, as a group (rounds.ts). All sides of a group take turns in
 * every round; where a side cannot do the whole batch in the time given to it, it and we are measured with fewer rows as
 * well, and the number is kept with the ratio.
 */

import { performance } from 'node:perf_hooks'
import { setTimeout as rest } from 'node:timers/promises'
import type { Device } from '../src/device/device.js'
import type { Profile } from '../src/device/profile.js'
import { DeviceError } from '../src/errors.js'
import { type Case, flopsOf, type NetWork, rowsOn, type Work } from './cases.js'
import { leastStepBytes } from './least-bytes.js'
import { CRAWL, calibrate, fittingRows, quote, type Runner, timed, timeOnce } from './measure.js'
import { dataBytes, openOurs } from './ours.js'
import type { Peer } from './peers/peer.js'
import { profileWork } from './profile.js'
import type { Row } from './result.js'
import type { Group } from './rounds.js'

export interface Pace {
  readonly rounds: number
  /** milliseconds that one side takes in one round */
  readonly round: number
  /** milliseconds of one repetition beyond which a slow side gets fewer rows */
  readonly cap: number
}

export const paces: Readonly<Record<'full' | 'quick', Pace>> = {
  full: { rounds: 7, round: 600, cap: 500 },
  quick: { rounds: 3, round: 60, cap: 100 },
}

/** What a training step of ours takes beside its time. */
export interface Footprint {
  /** memory of the device, the data set and the table of learning rates aside */
  readonly bytes: number
  /** parameters, gradient, moments, average, and the activations of one batch */
  readonly leastBytes: number
  /** microseconds of a step that the event loop was busy */
  readonly hostMicros: number
}

/** Milliseconds between two sides: the threads of onnxruntime and OpenMP spin for a while after their work is done. */
const SETTLE = 10

/** Rounds in which a side takes part that needs minutes for all. */
const CRAWLING_ROUNDS = 3

/** One runner of a group with its samples, milliseconds of one repetition in each round. */
interface Side {
  readonly peer: string | null
  readonly rows: number
  readonly work: Work
  readonly runner: Runner
  readonly n: number
  /** one repetition takes longer than CRAWL */
  readonly crawls: boolean
  readonly samples: number[]
  /** of our own sides: the peak around each sample */
  readonly peaks: number[]
}

/** GFLOP/s of what the device does at most; null where it has no such measurement. */
export type Peak = (() => number | Promise<number>) | null

export class CaseGroup implements Group {
  readonly name: string
  private readonly sides: Side[] = []
  private cost: Footprint | null = null
  private profile: Profile | null = null

  constructor(
    private readonly device: Device,
    private readonly measured: Case,
    private readonly peers: readonly Peer[],
    private readonly pace: Pace,
    private readonly peak: Peak,
    private readonly note: (message: string) => void,
    /** a second device, which times launches one by one; null: no profile */
    private readonly profiled: Device | null,
    private readonly done: (
      own: Row,
      beside: readonly Row[],
      peaks: readonly number[],
      footprint: Footprint | null,
    ) => void,
  ) {
    this.name = measured.name
  }

  /** A case that the device has no kernels or no memory for is one line, not an end. */
  async setUp(): Promise<void> {
    try {
      await this.open()
    } catch (error) {
      if (!(error instanceof DeviceError)) throw error
      await this.tearDown()
      this.note(`${this.name} is left out: ${error.message.split('\n')[0]}`)
    }
  }

  private async open(): Promise<void> {
    const { measured, device } = this
    const openHere = (rows: number): Promise<Runner> => openOurs(device, measured.work(rows))
    const whole = rowsOn(measured, device)
    const slow = device.kind === 'reference' || device.info.type === 'software'
    const own = slow && measured.rows !== null ? await this.fitting(openHere, whole) : whole
    const memory = device.memory().bytes
    await this.add(null, own, openHere)
    if (measured.suite === 'step') this.cost = await this.footprint(memory)
    if (this.profiled) this.profile = await profileWork(this.profiled, measured.work(own))
    for (const peer of this.peers) {
      if (!peer.does(measured.work(own))) continue
      const open = (rows: number): Promise<Runner> => peer.open(measured.work(rows))
      const rows = measured.rows === null ? 0 : await this.fitting(open, own)
      if (measured.rows === null && (await this.tooSlow(peer, open))) continue
      if (!this.sides.some((side) => side.peer === null && side.rows === rows)) await this.add(null, rows, openHere)
      await this.add(peer.name, rows, open)
    }
  }

  async round(): Promise<void> {
    for (const side of this.sides) {
      if (side.crawls && side.samples.length === CRAWLING_ROUNDS) continue
      await rest(SETTLE)
      if (side.n > 1) await side.runner.run(1)
      const peak = side.peer === null ? this.peak : null
      const before = await peak?.()
      side.samples.push(await (side.crawls ? timed(side.runner, 1) : timeOnce(side.runner, side.n)))
      if (peak) side.peaks.push((before! + (await peak())) / 2)
    }
  }

  report(): void {
    if (this.sides.length === 0) return
    const [own, ...beside] = this.sides.filter((side, i) => i === 0 || side.peer !== null).map((side) => this.row(side))
    const { profile } = this
    this.done(profile ? { ...own, profile } : own, beside, this.sides[0].peaks, this.cost)
  }

  async tearDown(): Promise<void> {
    for (const { runner } of this.sides) await runner.dispose()
    this.sides.length = 0
  }

  private fitting(open: (rows: number) => Promise<Runner>, rows: number): Promise<number> {
    const { first, patience } = this.measured.sizing
    return fittingRows(open, rows, patience * this.pace.cap, first)
  }

  private async add(peer: string | null, rows: number, open: (rows: number) => Promise<Runner>): Promise<void> {
    const runner = await open(rows)
    const first = await timed(runner, 1)
    const crawls = first > CRAWL
    if (crawls) {
      const whom = peer ?? this.device.kind
      this.note(
        `${this.name}: ${whom} takes ${(first / 1000).toFixed(0)} s for B ${rows}, so only ${CRAWLING_ROUNDS} times.`,
      )
    }
    const n = crawls ? 1 : await calibrate(runner, this.pace.round)
    this.sides.push({ peer, rows, work: this.measured.work(rows), runner, n, crawls, samples: [], peaks: [] })
  }

  /** What our own training step takes beside its time; `before` are the device's bytes before it was opened. */
  private async footprint(before: number): Promise<Footprint> {
    const { runner, n, work } = this.sides[0]
    const bytes = this.device.memory().bytes - before - dataBytes(work as NetWork)
    // by the difference of 3n and n, as times are
    const busy = async (times: number): Promise<number> => {
      const start = performance.eventLoopUtilization()
      await runner.run(times)
      return performance.eventLoopUtilization(start).active
    }
    const short = await busy(n)
    const hostMicros = Math.max(0, (1000 * ((await busy(3 * n)) - short)) / (2 * n))
    return { bytes, leastBytes: leastStepBytes(work as NetWork), hostMicros }
  }

  /** A case of one size that would take minutes is left out. */
  private async tooSlow(peer: Peer, open: (rows: number) => Promise<Runner>): Promise<boolean> {
    const runner = await open(0)
    try {
      await runner.run(1)
      const took = await timed(runner, 1)
      if (took <= 4 * this.pace.cap) return false
      this.note(`${peer.name} is left out of ${this.name}: one repetition takes ${took.toFixed(0)} ms.`)
      return true
    } finally {
      await runner.dispose()
    }
  }

  private row(side: Side): Row {
    const { measured, device } = this
    const ms = quote(side.samples)
    const flops = flopsOf(side.work)
    const ours = this.sides.find((other) => other.peer === null && other.rows === side.rows)!
    const ratio = side.peer === null ? null : quote(side.samples.map((sample, i) => sample / ours.samples[i]))
    const share = this.peak && quote(side.samples.map((sample, i) => flops / sample / 1e6 / ours.peaks[i]))
    return {
      suite: measured.suite,
      shape: measured.shape,
      rows: measured.rows === null ? null : side.rows,
      device: device.kind,
      peer: side.peer,
      ms: ms.median,
      gflops: flops / ms.median / 1e6,
      peakShare: share?.median ?? null,
      ratio: ratio?.median ?? null,
      spread: (ratio ?? ms).spread,
    }
  }
}
