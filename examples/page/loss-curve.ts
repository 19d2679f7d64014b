/**
 * Losses of a training as they come, on a canvas: a line for each sub-flow between two borders, from 0 to the largest of its own, since
 * sub-flows' losses are of different sizes.
 */

export class LossCurve {
  private readonly places: { at: number; loss: number }[] = []
  private subFlows = 1

  constructor(private readonly canvas: HTMLCanvasElement) {
    new ResizeObserver(() => this.draw()).observe(canvas)
    matchMedia('(prefers-color-scheme: dark)').addEventListener('change', () => this.draw())
  }

  clear(): void {
    this.places.length = 0
    this.draw()
  }

  /** @param at 0 … subFlows */
  add(at: number, subFlows: number, loss: number): void {
    this.subFlows = subFlows
    this.places.push({ at, loss })
    this.draw()
  }

  private draw(): void {
    const { canvas, places, subFlows } = this
    const ratio = Math.min(2, devicePixelRatio || 1)
    const [width, height] = [canvas.clientWidth * ratio, canvas.clientHeight * ratio].map(Math.round)
    if (width === 0) return
    canvas.width = width
    canvas.height = height
    const context = canvas.getContext('2d')!
    const style = getComputedStyle(canvas)
    context.strokeStyle = style.getPropertyValue('--faint')
    context.lineWidth = ratio
    context.beginPath()
    for (let n = 1; n < subFlows; n++) {
      context.moveTo((n * width) / subFlows, 0)
      context.lineTo((n * width) / subFlows, height)
    }
    context.stroke()
    const subFlowOf = ({ at }: { at: number }): number => Math.ceil(at) - 1
    const most = new Array<number>(subFlows).fill(Number.MIN_VALUE)
    for (const place of places) most[subFlowOf(place)] = Math.max(most[subFlowOf(place)], place.loss)
    context.strokeStyle = style.getPropertyValue('--accent')
    context.lineWidth = 1.5 * ratio
    context.beginPath()
    let before = -1
    for (const place of places) {
      const subFlow = subFlowOf(place)
      const [x, y] = [(place.at * width) / subFlows, height * (0.95 - (0.9 * place.loss) / most[subFlow])]
      if (subFlow === before) context.lineTo(x, y)
      else context.moveTo(x, y)
      before = subFlow
    }
    context.stroke()
  }
}
