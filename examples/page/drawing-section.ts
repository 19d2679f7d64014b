/** The third section: a density is painted, a chain is trained on it in this tab, and its samples play beside it. */

import { type Device, LocalFlow, type Progress, type TrainArguments } from 'local-flow-matching/browser'
import { normals } from '../../src/kernels/draws.js'
import { philox4x32 } from '../../src/random/philox.js'
import { button, canvas, element, write } from './elements.js'
import { smoothPath } from './live.js'
import { LossCurve } from './loss-curve.js'
import { moved, type Place, Plane } from './plane.js'
import { Player } from './player.js'
import { FIRST_SEED } from './source.js'

/** Rows that are drawn from what was painted, and the standard deviation of a dab of the brush. */
const ROWS = 8192
const BRUSH = 0.09
/** Between two dabs of a stroke. */
const SPACING = 0.05
/** Samples that are shown. */
const SHOWN = 2000

/** Three sub-flows that any drawing can be learnt with in some seconds. */
const settings = {
  model: { hidden: [64, 64, 64], activation: 'silu', fourier: [Math.PI / 4, Math.PI / 2, Math.PI, 2 * Math.PI] },
  flow: { gammas: [0.03, 0.15, null], coupling: 'dependent' },
  train: { batch: 512, steps: [1200, 800, 1000], lr: 0.012, warmup: 50, schedule: 'cosine' },
  ode: { push: { steps: 4 } },
  seed: FIRST_SEED,
} satisfies TrainArguments

export class DrawingSection {
  private readonly brush = new Plane(canvas('brush-plane'))
  private readonly result = new Plane(canvas('result-plane'))
  private readonly losses = new LossCurve(canvas('losses'))
  private readonly player = new Player((points) => this.result.draw((plane) => plane.points(points)))
  private readonly trainButton = button('train')
  private dabs: Place[] = spiral()
  /** what is there was not painted by anybody: the first stroke takes its place */
  private untouched = true
  private last: Place | null = null
  private cursor: Place | null = null
  private device: Device | null = null
  private training: AbortController | null = null

  /** @param still whether what was learnt is shown at rest */
  constructor(private readonly still: () => boolean) {
    const target = this.brush.canvas
    target.addEventListener('pointerdown', (event) => {
      target.setPointerCapture(event.pointerId)
      this.last = null
      this.paint(this.brush.placeOf(event))
    })
    target.addEventListener('pointermove', (event) => {
      if (target.hasPointerCapture(event.pointerId)) this.paint(this.brush.placeOf(event))
    })
    target.addEventListener('keydown', (event) => this.key(event))
    target.addEventListener('blur', () => {
      this.cursor = null
      this.draw()
    })
    button('clear').addEventListener('click', () => {
      this.dabs = []
      this.draw()
    })
    this.trainButton.addEventListener('click', () => {
      if (this.training) this.training.abort()
      else void this.train()
    })
    this.draw()
  }

  /** From now on there is a device to train on; null: there is none, for a reason. */
  allow(device: Device | null, reason = ''): void {
    this.device = device
    if (!device) write('training-status', reason)
    this.draw()
  }

  private paint(place: Place): void {
    if (this.untouched) this.dabs = []
    this.untouched = false
    const from = this.last ?? place
    const steps = Math.max(1, Math.ceil(Math.hypot(place[0] - from[0], place[1] - from[1]) / SPACING))
    for (let i = 1; i <= steps; i++) {
      this.dabs.push([from[0] + (i / steps) * (place[0] - from[0]), from[1] + (i / steps) * (place[1] - from[1])])
    }
    this.last = place
    this.draw()
  }

  private key(event: KeyboardEvent): void {
    const place = moved(this.cursor ?? [0, 0], event)
    if (!place && event.key !== ' ') return
    event.preventDefault()
    this.cursor = place ?? this.cursor ?? [0, 0]
    if (event.key === ' ') {
      this.last = null
      this.paint(this.cursor)
    } else this.draw()
  }

  private draw(): void {
    const shown = rowsOf(this.dabs, SHOWN)
    this.brush.draw((plane) => {
      plane.points(shown)
      if (this.cursor) plane.cross(this.cursor)
    })
    write('brush-caption', this.untouched || this.dabs.length === 0 ? 'Draw here.' : '')
    this.trainButton.disabled = !this.device || (this.dabs.length === 0 && !this.training)
  }

  private async train(): Promise<void> {
    this.training = new AbortController()
    const { signal } = this.training
    this.trainButton.textContent = 'Stop'
    this.player.pause()
    this.losses.clear()
    element('progress', HTMLProgressElement).value = 0
    element('progress', HTMLProgressElement).parentElement!.classList.add('begun')
    write('training-status', 'Preparing the kernels.')
    try {
      const onProgress = (progress: Progress): void => this.tell(progress)
      const x = { values: rowsOf(this.dabs, ROWS), shape: [ROWS, 2] }
      const began = performance.now()
      const flow = await LocalFlow.train(x, { ...settings, on: this.device!, signal, onProgress })
      const seconds = (performance.now() - began) / 1000
      try {
        await this.shown(flow)
      } finally {
        await flow.dispose()
      }
      const steps = settings.train.steps.reduce((sum, count) => sum + count, 0)
      write('training-status', `Trained: ${steps} steps in ${seconds.toFixed(1)} s, on ${this.device!.info.name}.`)
    } catch (error) {
      write('training-status', signal.aborted ? 'Stopped.' : String((error as Error).message))
    }
    this.training = null
    this.trainButton.textContent = 'Train'
    this.draw()
  }

  private async shown(flow: LocalFlow): Promise<void> {
    const path = await smoothPath(flow, FIRST_SEED, SHOWN)
    this.player.take(path)
    if (this.still()) this.player.goTo(flow.stages.length)
    else {
      this.player.goTo(0)
      this.player.play()
    }
    write('result-caption', `${SHOWN} samples.`)
  }

  private tell(progress: Progress): void {
    const { subFlow, subFlows } = progress
    const done = progress.phase === 'train' ? progress.step / progress.steps : 1
    element('progress', HTMLProgressElement).value = (subFlow - 1 + done) / subFlows
    const where = `Sub-flow ${subFlow} of ${subFlows}`
    if (progress.phase === 'push') write('training-status', `${where}: carrying the rows on.`)
    else {
      this.losses.add(subFlow - 1 + done, subFlows, progress.loss)
      const { step, steps, stepsPerSecond, loss } = progress
      const words = `${where}: step ${step} of ${steps}, ${stepsPerSecond.toFixed(0)} steps/s, loss ${loss.toFixed(3)}.`
      write('training-status', words)
    }
  }
}

/** Rows around the dabs, evenly over them. The same dabs give the same rows. */
function rowsOf(dabs: readonly Place[], n: number): Float32Array {
  if (dabs.length === 0) return new Float32Array(0)
  const rows = new Float32Array(2 * n)
  for (let i = 0; i < n; i++) {
    const [x, y] = dabs[Math.floor((i * dabs.length) / n + (i % 7) / 7) % dabs.length]
    const [dx, dy] = normals(philox4x32([i, 0, 0, 0], [FIRST_SEED, 0]))
    rows[2 * i] = x + BRUSH * dx
    rows[2 * i + 1] = y + BRUSH * dy
  }
  return rows
}

/** Two arms of a spiral. */
function spiral(): Place[] {
  const turns = 1.6
  return [0, Math.PI].flatMap((offset) =>
    Array.from({ length: 120 }, (_, i): Place => {
      const share = Math.sqrt((i + 4) / 124)
      const angle = offset + 2 * Math.PI * turns * share
      return [3.3 * share * Math.cos(angle), 3.3 * share * Math.sin(angle)]
    }),
  )
}
