/**
 * A picture as a density on the plane: dark pixels are mass. Pixel (r, c) of an h×w picture has the mass 255 − grey,
 * divided by the sum, and sits at (−4 + 8c/(w−1), 4 − 8r/(h−1)); a point is a pixel drawn by its mass plus Gaussian noise
 * with standard deviations 4/w and 4/h, about half a pixel. So the density is a Gaussian mixture, known exactly:
 *
 *   p(x, y) = Σ_{r,c} m_{rc} N(x; x_c, (4/w)²) N(y; y_r, (4/h)²)
 *
 * Grey is ITU-R 601 luma in integers, L = (19595 R + 38470 G + 7471 B + 2^15) / 2^16, as Pillow's convert('L') has it;
 * alpha and colour profiles are ignored.
 */

import { DataError, InvalidArgumentError } from '../errors.js'
import { readData } from '../files/reading.js'
import { RandomStream } from '../random/stream.js'
import { checkRows, type Density, type EntropyOptions, estimateEntropy, rowCount } from './density.js'
import { decodePicture } from './picture-file.js'

/** The density of a picture on the square [−4, 4]². */
export interface ImageDensity extends Density {
  /** pixels across */
  readonly width: number
  /** pixels down */
  readonly height: number
  /** Probability of each pixel, [height, width] in row-major order; the sum is 1. */
  readonly mass: Float64Array
}

/** ITU-R 601 luma of 8-bit R, G, B, rounded in integers. */
export const luma = (r: number, g: number, b: number): number => (r * 19595 + g * 38470 + b * 7471 + 0x8000) >> 16

/** The density of an 8-bit grey picture, [height, width] in row-major order; 0 is black. */
export function imageDensity(grey: Uint8Array, width: number, height: number, name = 'the picture'): ImageDensity {
  if (!(width >= 2 && height >= 2)) {
    throw new DataError(`${name} is ${width}×${height} pixels; a density needs at least 2×2.`)
  }
  if (grey.length !== width * height) {
    throw new InvalidArgumentError(`${name} has ${grey.length} pixels, but ${width}×${height} were announced.`)
  }
  const mass = Float64Array.from(grey, (value) => 255 - value)
  const total = mass.reduce((sum, m) => sum + m, 0)
  if (total === 0) {
    throw new DataError(`${name} has no mass: every pixel is white. Mass is 255 − grey, so draw in dark on white.`)
  }
  for (let i = 0; i < mass.length; i++) mass[i] /= total

  const cumulative = new Float64Array(mass.length)
  mass.reduce((sum, m, i) => {
    cumulative[i] = sum + m
    return cumulative[i]
  }, 0)
  const lastDark = mass.findLastIndex((m) => m > 0)
  const sigmaX = 4 / width
  const sigmaY = 4 / height

  const sample = (n: number, seed: number, stream?: number): Float32Array => {
    checkRows(n)
    const random = new RandomStream(seed, stream)
    const points = new Float32Array(2 * n)
    for (let i = 0; i < n; i++) {
      const u = random.row(i).uniform()
      let pixel = 0
      for (let end = lastDark; pixel < end; ) {
        const middle = (pixel + end) >>> 1
        if (cumulative[middle] > u) end = middle
        else pixel = middle + 1
      }
      const r = Math.floor(pixel / width)
      points[2 * i] = -4 + (8 * (pixel % width)) / (width - 1) + sigmaX * random.normal()
      points[2 * i + 1] = 4 - (8 * r) / (height - 1) + sigmaY * random.normal()
    }
    return points
  }

  const mixture = gridMixture(mass, width, height)
  const density: ImageDensity = {
    width,
    height,
    mass,
    dimension: 2,
    sample,
    logDensity(x) {
      const n = rowCount(x, 2)
      return Float64Array.from({ length: n }, (_, i) => mixture(x[2 * i], x[2 * i + 1]))
    },
    entropy: (options?: EntropyOptions) => estimateEntropy(density, options),
  }
  return density
}

/**
 * log p at a point, by the pixels near it. A window of R standard deviations leaves out at most exp(−R²/2) of kernel
 * sums, so its sum S is taken where S > e^25·exp(−R²/2), an error below 2·10^−11 in log p; else the window is doubled,
 * until it holds the whole picture. Kernel exponents are a sum of one for the column and one for the row, so a window
 * of k×k pixels takes 2k exponentials, shifted by the largest term that is there.
 */
function gridMixture(mass: Float64Array, width: number, height: number): (x: number, y: number) => number {
  // In standard deviations, columns are 2w/(w−1) apart and rows 2h/(h−1).
  const stepX = (2 * width) / (width - 1)
  const stepY = (2 * height) / (height - 1)
  const exponentX = new Float64Array(width)
  const exponentY = new Float64Array(height)
  const kernelX = new Float64Array(width)
  const logMass = mass.map(Math.log)
  const logNorm = Math.log(2 * Math.PI * (4 / width) * (4 / height))
  const margin = 25

  return (x, y) => {
    const column = ((x + 4) / 8) * (width - 1)
    const row = ((4 - y) / 8) * (height - 1)
    for (let radius = 9; ; radius *= 2) {
      const firstColumn = Math.max(0, Math.ceil(column - radius / stepX))
      const lastColumn = Math.min(width - 1, Math.floor(column + radius / stepX))
      const firstRow = Math.max(0, Math.ceil(row - radius / stepY))
      const lastRow = Math.min(height - 1, Math.floor(row + radius / stepY))
      const whole = firstColumn === 0 && firstRow === 0 && lastColumn === width - 1 && lastRow === height - 1
      for (let c = firstColumn; c <= lastColumn; c++) exponentX[c] = -0.5 * ((column - c) * stepX) ** 2
      for (let r = firstRow; r <= lastRow; r++) exponentY[r] = -0.5 * ((row - r) * stepY) ** 2
      let top = -Infinity
      for (let r = firstRow; r <= lastRow; r++) {
        for (let c = firstColumn; c <= lastColumn; c++) {
          top = Math.max(top, logMass[r * width + c] + exponentX[c] + exponentY[r])
        }
      }
      if (top === -Infinity && !whole) continue
      const sum = windowSum(firstRow, lastRow, firstColumn, lastColumn, top)
      const logSum = top + Math.log(sum)
      if (whole || logSum > margin - 0.5 * radius * radius) return logSum - logNorm
    }
  }

  /** Σ exp(log m + exponents − top) over a window; products of one exponential a column where none can underflow. */
  function windowSum(firstRow: number, lastRow: number, firstColumn: number, lastColumn: number, top: number): number {
    let sum = 0
    if (top > -300) {
      for (let c = firstColumn; c <= lastColumn; c++) kernelX[c] = Math.exp(exponentX[c])
      for (let r = firstRow; r <= lastRow; r++) {
        let rowSum = 0
        for (let c = firstColumn; c <= lastColumn; c++) rowSum += mass[r * width + c] * kernelX[c]
        sum += rowSum * Math.exp(exponentY[r] - top)
      }
      return sum
    }
    for (let r = firstRow; r <= lastRow; r++) {
      for (let c = firstColumn; c <= lastColumn; c++) {
        sum += Math.exp(logMass[r * width + c] + exponentX[c] + exponentY[r] - top)
      }
    }
    return sum
  }
}

/**
 * Reads a picture (PNG, JPEG, WebP, GIF, TIFF …) as a density.
 *
 * @throws DataError where the file is missing, is no picture, or has no dark pixel
 */
export async function loadImageDensity(path: string): Promise<ImageDensity> {
  const file = await readData(path)
  const { data, width, height, channels } = await decodePicture(file, path, (image) => image, { ignoreIcc: true })
  const grey = new Uint8Array(width * height)
  // One or two channels are grey (and alpha); three or four are red, green, blue (and alpha).
  for (let i = 0; i < grey.length; i++) {
    const at = i * channels
    grey[i] = channels < 3 ? data[at] : luma(data[at], data[at + 1], data[at + 2])
  }
  return imageDensity(grey, width, height, path)
}
