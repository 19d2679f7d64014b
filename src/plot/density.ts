/**
 * Many points as a picture: a histogram over a grid of bins, coloured by density. A bin's density is its share of all the
 * points divided by its area, so that panels with different numbers of points compare; the colour follows asinh(d / d₀),
 * which is linear in thin regions and logarithmic in dense ones, so that detail shows in both.
 */
import { loadSharp } from '../files/native-parts.js'
import type { Numbers } from './axis.js'
import { DENSITY_RAMP } from './theme.js'

/** The part of the plane that a panel shows, in the units of the data: [least, greatest] of each axis. */
export interface Bounds {
  x: [number, number]
  y: [number, number]
}

/** A 2-D histogram: `density` is row-major [rows, columns], top row first, as share of the points for a unit of area. */
export interface Density {
  columns: number
  rows: number
  density: Float64Array
}

/** Where the colours change from linear to logarithmic, as a share of the density that is drawn darkest. */
const KNEE = 1 / 8

/** The share of the filled bins that is drawn lighter than the darkest colour. */
const WHITE_POINT = 0.995

/**
 * Bins along the longer side for n points: more points carry finer detail, from 96 bins for a few thousand to 256 for
 * a hundred thousand and more.
 */
export function binsFor(n: number): number {
  return Math.round(Math.min(256, Math.max(96, 1.15 * Math.sqrt(n))))
}

/**
 * Counts points in bins. `x` and `y` hold n values each; points outside the bounds, and those with a value that is not
 * finite, fall in no bin but count in n.
 */
export function histogram2d(x: Numbers, y: Numbers, bounds: Bounds, columns: number, rows: number): Density {
  const density = new Float64Array(rows * columns)
  const [left, right] = bounds.x
  const [bottom, top] = bounds.y
  const share = (rows * columns) / (x.length * (right - left) * (top - bottom))
  for (let i = 0; i < x.length; i++) {
    const column = Math.floor(((x[i] - left) / (right - left)) * columns)
    const row = Math.floor(((top - y[i]) / (top - bottom)) * rows)
    if (column >= 0 && column < columns && row >= 0 && row < rows) density[row * columns + column] += share
  }
  return { columns, rows, density }
}

/** The density that is drawn darkest in a set of panels which share one scale: a high quantile of all filled bins. */
export function darkest(panels: readonly Density[]): number {
  const filled = panels.flatMap(({ density }) => Array.from(density.filter((value) => value > 0))).sort((a, b) => a - b)
  return filled.length === 0 ? 1 : filled[Math.floor(WHITE_POINT * (filled.length - 1))]
}

/** A density as a PNG in a data URI, one pixel a bin; `most` is drawn darkest. */
export async function densityImage({ columns, rows, density }: Density, most: number): Promise<string> {
  const sharp = await loadSharp()
  const pixels = new Uint8Array(rows * columns * 3)
  const knee = most * KNEE
  const full = Math.asinh(1 / KNEE)
  density.forEach((value, i) => {
    pixels.set(rampColor(Math.min(1, Math.asinh(value / knee) / full)), 3 * i)
  })
  const png = await sharp(pixels, { raw: { width: columns, height: rows, channels: 3 } })
    .png({ compressionLevel: 9 })
    .toBuffer()
  return `data:image/png;base64,${png.toString('base64')}`
}

/** The ramp's colour at a share from 0 to 1, linear between its stops. */
function rampColor(part: number): number[] {
  const place = part * (DENSITY_RAMP.length - 1)
  const stop = Math.min(Math.floor(place), DENSITY_RAMP.length - 2)
  return DENSITY_RAMP[stop].map((from, k) => Math.round(from + (place - stop) * (DENSITY_RAMP[stop + 1][k] - from)))
}
