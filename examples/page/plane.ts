/** A square part of the plane on a canvas: points, lines and marks in coordinates of the data, with y upwards. */

/** Half a side, in units of the data. */
const REACH = 4.3

/** Colours of the page's theme, as it has them at the moment. */
interface Ink {
  readonly point: string
  readonly accent: string
  readonly faint: string
}

function inkOf(element: Element): Ink {
  const style = getComputedStyle(element)
  const colour = (name: string): string => style.getPropertyValue(`--${name}`).trim()
  return { point: colour('point'), accent: colour('accent'), faint: colour('faint') }
}

export type Place = readonly [number, number]

export class Plane {
  private readonly context: CanvasRenderingContext2D
  private side = 1
  private ratio = 1
  private ink: Ink
  private again: () => void = () => undefined

  constructor(readonly canvas: HTMLCanvasElement) {
    this.context = canvas.getContext('2d')!
    this.ink = inkOf(canvas)
    new ResizeObserver(() => this.fit()).observe(canvas)
    matchMedia('(prefers-color-scheme: dark)').addEventListener('change', () => {
      this.ink = inkOf(canvas)
      this.again()
    })
    this.fit()
  }

  /** Draws now, and whenever size or colours change. */
  draw(drawing: (plane: Plane) => void): void {
    this.again = () => {
      this.context.clearRect(0, 0, this.canvas.width, this.canvas.height)
      drawing(this)
    }
    this.again()
  }

  /** Rows [n, 2] as dots: darker where there are more. */
  points(values: Float32Array): void {
    const { context, side, ratio } = this
    const scale = side / (2 * REACH)
    const size = Math.max(1, ratio * Math.min(2, side / ratio / 200))
    context.fillStyle = this.ink.point
    context.globalAlpha = values.length > 8000 ? 0.6 : 0.75
    for (let i = 0; i < values.length; i += 2) {
      const [x, y] = [(values[i] + REACH) * scale, (REACH - values[i + 1]) * scale]
      context.fillRect(x - size / 2, y - size / 2, size, size)
    }
    context.globalAlpha = 1
  }

  line(places: readonly Place[]): void {
    const { context } = this
    context.strokeStyle = this.ink.accent
    context.lineWidth = 1.75 * this.ratio
    context.lineJoin = 'round'
    context.beginPath()
    for (const place of places) context.lineTo(...this.pixel(place))
    context.stroke()
  }

  /** A disc, or a ring where it is hollow. */
  disc(place: Place, radius: number, hollow = false): void {
    const { context, ratio } = this
    context.beginPath()
    context.arc(...this.pixel(place), radius * ratio, 0, 2 * Math.PI)
    context.lineWidth = 1.75 * ratio
    context.strokeStyle = context.fillStyle = this.ink.accent
    if (hollow) context.stroke()
    else context.fill()
  }

  /** Where the keyboard is. */
  cross([x, y]: Place): void {
    const { context, ratio } = this
    const [px, py] = this.pixel([x, y])
    context.strokeStyle = this.ink.accent
    context.lineWidth = ratio
    context.beginPath()
    for (const [dx, dy] of [
      [1, 0],
      [0, 1],
    ]) {
      for (const sign of [-1, 1]) {
        context.moveTo(px + 4 * ratio * sign * dx, py + 4 * ratio * sign * dy)
        context.lineTo(px + 11 * ratio * sign * dx, py + 11 * ratio * sign * dy)
      }
    }
    context.stroke()
  }

  /** Where on the plane an event of the pointer is. */
  placeOf(event: { clientX: number; clientY: number }): Place {
    const box = this.canvas.getBoundingClientRect()
    const unit = (2 * REACH) / box.width
    return [(event.clientX - box.left) * unit - REACH, REACH - (event.clientY - box.top) * unit]
  }

  /** Units of the data that so many pixels of the page are. */
  unitsOf(pixels: number): number {
    return (pixels * this.ratio * 2 * REACH) / this.side
  }

  private pixel([x, y]: Place): [number, number] {
    const scale = this.side / (2 * REACH)
    return [(x + REACH) * scale, (REACH - y) * scale]
  }

  private fit(): void {
    this.ratio = Math.min(2, devicePixelRatio || 1)
    const side = Math.max(1, Math.round(this.canvas.clientWidth * this.ratio))
    if (side === this.side) return
    this.side = this.canvas.width = this.canvas.height = side
    this.again()
  }
}

/** How far an arrow key moves a place, and farther with Shift; null for other keys. */
export function moved([x, y]: Place, { key, shiftKey }: KeyboardEvent): Place | null {
  const step = shiftKey ? 0.5 : 0.1
  const steps: Readonly<Record<string, Place>> = {
    ArrowLeft: [-step, 0],
    ArrowRight: [step, 0],
    ArrowUp: [0, step],
    ArrowDown: [0, -step],
  }
  const by = steps[key]
  const within = (value: number): number => Math.max(-REACH, Math.min(REACH, value))
  return by ? [within(x + by[0]), within(y + by[1])] : null
}
