/**
 * A path that plays: from noise to the data, a rest, and back. Time on a slider runs the other way than chain time: 0 is noise and
 * N the data.
 */

import { type Path, statesAt } from './path.js'

/** Seconds from noise to data for each sub-flow, at rest there, back, and at rest on the other side. */
const THERE = 1.6
const REST = 2.2
const BACK = 0.6
const START = 0.5

/** Where a film that has run for so many seconds is, as a share of the way from noise to data, of N sub-flows. */
function shareAt(seconds: number, N: number): number {
  const [there, back] = [THERE * N, BACK * N]
  const into = seconds % (START + there + REST + back)
  if (into < START) return 0
  if (into < START + there) return (into - START) / there
  if (into < START + there + REST) return 1
  return 1 - (into - START - there - REST) / back
}

export class Player {
  playing = false
  /** 0 … 1 from noise to data */
  private share = 0
  private path: Path | null = null
  private there = new Float32Array(0)
  /** when the film began, in seconds; null: to be found from where it stands */
  private began: number | null = null
  private scheduled = false

  /** @param shown told whenever points move: where they are, and the time, 0 … N from noise to data */
  constructor(private readonly shown: (points: Float32Array, time: number) => void) {}

  get N(): number {
    return this.path?.times[0] ?? 0
  }

  /** The chain time that is shown. */
  get chainTime(): number {
    return this.N * (1 - this.share)
  }

  /** Takes another path at the time that is shown. */
  take(path: Path): void {
    this.path = path
    if (this.there.length !== path.states[0].length) this.there = new Float32Array(path.states[0].length)
    this.show()
  }

  /** Stops at a time, 0 … N from noise to data. */
  goTo(time: number): void {
    this.playing = false
    this.share = this.N > 0 ? time / this.N : 1
    this.show()
  }

  play(): void {
    this.playing = true
    this.began = null
    this.schedule()
  }

  pause(): void {
    this.playing = false
  }

  private schedule(): void {
    if (this.scheduled) return
    this.scheduled = true
    requestAnimationFrame((now) => {
      this.scheduled = false
      if (!this.playing) return
      const seconds = now / 1000
      // from the data it begins anew
      this.began ??= seconds - START - (this.share < 1 ? this.share * THERE * this.N : -START)
      this.share = shareAt(Math.max(0, seconds - this.began), this.N || 1)
      this.show()
      this.schedule()
    })
  }

  private show(): void {
    if (this.path) this.shown(statesAt(this.path, this.chainTime, this.there), this.share * this.N)
  }
}
