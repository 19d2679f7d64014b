/**
 * Pictures of pictures: tiles in rows and columns, as a PNG of raw pixels without a letter. Small pictures are shown larger, a
 * pixel as a square.
 */

import { InvalidArgumentError } from '../errors.js'

export interface TilesFigure {
  /** [n, C, H, W] of bytes, C one (grey) or three */
  pictures: { values: Uint8Array; shape: readonly number[] }
  columns: number
  /** a gap that sets the first column apart; default false */
  lead?: boolean
}

/** Width that a picture is shown at least at, in pixels, as nearly as whole factors allow. */
const SHOWN = 56
const GAP = 2
const LEAD_GAP = 12
const BACKGROUND = 255

/** The tiles as a PNG file's bytes: picture i stands in row ⌊i / columns⌋. */
export async function tilesPng({ pictures, columns, lead = false }: TilesFigure): Promise<Buffer> {
  const { values, shape } = pictures
  const [n, C, H, W] = shape
  if (shape.length !== 4 || (C !== 1 && C !== 3)) {
    throw new InvalidArgumentError(`Pictures must be [n, 1 or 3, height, width], but are [${shape.join(', ')}].`)
  }
  const scale = Math.max(1, Math.round(SHOWN / W))
  const [tileWidth, tileHeight] = [scale * W, scale * H]
  const rows = Math.ceil(n / columns)
  const setApart = lead ? LEAD_GAP : 0
  const width = columns * (tileWidth + GAP) + GAP + setApart
  const height = rows * (tileHeight + GAP) + GAP
  const pixels = new Uint8Array(width * height * 3).fill(BACKGROUND)
  for (let i = 0; i < n; i++) {
    const column = i % columns
    const left = GAP + column * (tileWidth + GAP) + (column > 0 ? setApart : 0)
    const top = GAP + Math.floor(i / columns) * (tileHeight + GAP)
    for (let y = 0; y < tileHeight; y++) {
      const row = Math.floor(y / scale)
      let to = ((top + y) * width + left) * 3
      for (let x = 0; x < tileWidth; x++) {
        const at = row * W + Math.floor(x / scale)
        for (let c = 0; c < 3; c++) pixels[to++] = values[(i * C + Math.min(c, C - 1)) * H * W + at]
      }
    }
  }
  const { default: sharp } = await import('sharp')
  return sharp(pixels, { raw: { width, height, channels: 3 } })
    .png({ compressionLevel: 9 })
    .toBuffer()
}

/** Picture i as a PNG file of its own size. */
export async function picturePng({ values, shape }: TilesFigure['pictures'], i: number): Promise<Buffer> {
  const [, C, H, W] = shape
  const plane = H * W
  const pixels = new Uint8Array(C * plane)
  for (let k = 0; k < plane; k++) for (let c = 0; c < C; c++) pixels[k * C + c] = values[(i * C + c) * plane + k]
  const { default: sharp } = await import('sharp')
  const image = sharp(pixels, { raw: { width: W, height: H, channels: C as 1 | 3 } })
  return (C === 1 ? image.toColourspace('b-w') : image).png({ compressionLevel: 9 }).toBuffer()
}
