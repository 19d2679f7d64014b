/** The first section: the chain plays, time and evaluations are chosen, a point is asked for its likelihood and path. */

import type { Address } from './address.js'
import { button, canvas, element, input, write } from './elements.js'
import { latest } from './latest.js'
import { borderTimes, lineOf, movedTo, type Path, statesAt } from './path.js'
import { moved, type Place, Plane } from './plane.js'
import { Player } from './player.js'
import { nearestOf } from './recorded.js'
import type { Scored, Source } from './source.js'

/** Pixels within which a click means a point that is shown. */
const NEAR = 14

/** Step sizes of the chain's sub-flows from the data to the noise; null: straight to noise. */
export type Gammas = readonly (number | null)[]

const nameOf = (gamma: number | null): string => (gamma === null ? 'free' : `γ ${gamma}`)

/** Two digits, with a real minus. */
const inDigits = (x: number): string => x.toFixed(2).replace('-', '−')

export class ChainSection {
  private readonly plane = new Plane(canvas('chain-plane'))
  private readonly player: Player
  private source: Source | null = null
  private path: Path | null = null
  private points: Float32Array = new Float32Array(0)
  private picked: { scored: Scored; point: number | null } | null = null
  private cursor: Place | null = null
  private readonly timeInput = input('time')
  private readonly playButton = button('play')

  /** @param failed told what went wrong on the way */
  constructor(
    private readonly gammas: Gammas,
    private readonly failed: (error: unknown) => void,
  ) {
    const N = gammas.length
    this.timeInput.max = String(N)
    const borders = element('borders', HTMLDivElement)
    borders.replaceChildren(
      ...[...gammas].reverse().map((gamma) => {
        const span = document.createElement('span')
        span.textContent = nameOf(gamma)
        return span
      }),
    )
    this.player = new Player((points, time) => this.showAt(points, time))
    this.timeInput.addEventListener('input', () => {
      this.player.goTo(Number(this.timeInput.value))
      this.showButton()
    })
    this.playButton.addEventListener('click', () => this.toggle())
    const target = this.plane.canvas
    target.addEventListener('click', (event) => this.pick(this.plane.placeOf(event)))
    target.addEventListener('keydown', (event) => this.key(event))
    target.addEventListener('blur', () => {
      this.cursor = null
      this.draw()
    })
  }

  /** Takes what there is of a seed and so many evaluations, at the time that is shown. */
  async show(source: Source, { seed, evaluations }: Address): Promise<Float32Array> {
    const smooth = await source.smooth(seed)
    const sampled = await source.sampled(seed, evaluations)
    this.source = source
    this.path = movedTo(smooth, sampled)
    this.picked = null
    this.player.take(this.path)
    write('reading', this.invitation())
    return this.path.states[this.path.states.length - 1]
  }

  play(): void {
    this.player.play()
    this.showButton()
  }

  /** The data's end, without moving. */
  rest(): void {
    this.player.goTo(this.gammas.length)
    this.showButton()
  }

  private toggle(): void {
    if (this.player.playing) this.player.pause()
    else this.player.play()
    this.showButton()
  }

  private showButton(): void {
    this.playButton.textContent = this.player.playing ? 'Pause' : 'Play'
  }

  private invitation(): string {
    return this.source?.live
      ? 'Click a point for its likelihood and its path, or any place at the end of the chain.'
      : 'Click a point for its likelihood and its path.'
  }

  private showAt(points: Float32Array, time: number): void {
    this.points = points
    this.timeInput.value = String(time)
    const N = this.gammas.length
    const words = this.wordsAt(time, N)
    this.timeInput.setAttribute('aria-valuetext', words)
    write('place-in-chain', words)
    this.draw()
  }

  private wordsAt(time: number, N: number): string {
    if (time <= 0) return 'noise'
    if (time >= N) return 'data'
    const number = N - Math.floor(time)
    return `sub-flow ${number} of ${N} (${nameOf(this.gammas[number - 1])})`
  }

  private draw(): void {
    this.plane.draw((plane) => {
      plane.points(this.points)
      if (this.picked && this.path) {
        const { line } = this.picked.scored
        plane.line(line)
        const N = this.gammas.length
        const times = this.path.times
        for (const border of borderTimes(N)) {
          const at = line[times.indexOf(border)]
          if (at) plane.disc(at, border === 0 ? 4 : 2.5, border === N)
        }
        plane.disc(this.placeNow(line), 5)
      }
      if (this.cursor) plane.cross(this.cursor)
    })
  }

  /** Where on its path the picked point is now. */
  private placeNow(line: readonly Place[]): Place {
    const states = line.map(([x, y]) => Float32Array.of(x, y))
    const [x, y] = statesAt({ times: this.path!.times, states }, this.player.chainTime, new Float32Array(2))
    return [x, y]
  }

  private key(event: KeyboardEvent): void {
    const place = moved(this.cursor ?? [0, 0], event)
    if (place) {
      event.preventDefault()
      this.cursor = place
      this.draw()
    } else if (event.key === 'Enter' || event.key === ' ') {
      event.preventDefault()
      this.pick(this.cursor ?? [0, 0])
    }
  }

  /** A point that is shown near the place, or else, at the data, the place itself. */
  private pick(place: Place): void {
    if (!this.source || !this.path) return
    const nearest = nearestOf(this.points, ...place)
    const distance = Math.hypot(this.points[2 * nearest] - place[0], this.points[2 * nearest + 1] - place[1])
    const itself = this.source.live && this.player.chainTime === 0 && distance > this.plane.unitsOf(NEAR)
    const line = lineOf(this.path, nearest)
    this.ask({ place: itself ? place : line[line.length - 1], point: itself ? null : nearest })
  }

  private readonly ask = latest(
    async ({ place, point }: { place: Place; point: number | null }) => {
      const [source, path] = [this.source!, this.path!]
      const scored = await source.score(place)
      if (path !== this.path) return
      const line = point === null ? scored.line : lineOf(path, point)
      this.picked = { scored: { ...scored, line }, point }
      const [x, y] = line[line.length - 1]
      const where = `(${inDigits(x)}, ${inDigits(y)})`
      const what = point === null ? `The place ${where}` : `Sample ${point} ends at ${where}`
      write('reading', `${what}. Its log-likelihood under the chain is ${inDigits(scored.logProb)} nats.`)
      this.draw()
    },
    (error) => this.failed(error),
  )
}
