/**
 * Grids of pictures: tiles in rows and columns, with headings above the columns if wanted. Small pictures are enlarged, a pixel
 * as a square.
 */

import { InvalidArgumentError } from '../errors.js'
import { loadSharp } from '../files/native-parts.js'
import { renderPixels } from './render.js'
import { COLOR, FONT, SIZE } from './theme.js'

export interface TilesFigure {
  /** [n, C, H, W] of bytes, C one (grey) or three */
  pictures: { values: Uint8Array; shape: readonly number[] }
  columns: number
  /** a gap after the first column; default false */
  lead?: boolean
  /** headings of the columns, '' for none; a heading may extend over columns without one */
  heads?: readonly string[]
  /** least width of a picture on the page, in pixels, as nearly as whole factors allow; default 56 */
  shown?: number
  /** colour between the tiles; 'clear' is transparent. Default 'white' */
  background?: 'white' | 'clear'
}

const GAP = 2
const LEAD_GAP = 12
const HEAD = 24

/** The tiles as a PNG file's bytes: picture i stands in row ⌊i / columns⌋. */
export async function tilesPng({ pictures, columns, lead = false, ...style }: TilesFigure): Promise<Buffer> {
  const { values, shape } = pictures
  const { heads, shown = 56, background = 'white' } = style
  const [n, C, H, W] = shape
  if (shape.length !== 4 || (C !== 1 && C !== 3)) {
    throw new InvalidArgumentError(`Pictures must be [n, 1 or 3, height, width], but are [${shape.join(', ')}].`)
  }
  const scale = Math.max(1, Math.round(shown / W))
  const [tileWidth, tileHeight] = [scale * W, scale * H]
  const rows = Math.ceil(n / columns)
  const setApart = lead ? LEAD_GAP : 0
  const head = heads ? HEAD : 0
  const leftOf = (column: number): number => GAP + column * (tileWidth + GAP) + (column > 0 ? setApart : 0)
  const width = columns * (tileWidth + GAP) + GAP + setApart
  const height = head + rows * (tileHeight + GAP) + GAP
  const pixels = new Uint8Array(width * height * 4)
  if (background === 'white') pixels.fill(255)
  for (let i = 0; i < n; i++) {
    const left = leftOf(i % columns)
    const top = head + GAP + Math.floor(i / columns) * (tileHeight + GAP)
    for (let y = 0; y < tileHeight; y++) {
      const row = Math.floor(y / scale)
      let to = ((top + y) * width + left) * 4
      for (let x = 0; x < tileWidth; x++) {
        const at = row * W + Math.floor(x / scale)
        for (let c = 0; c < 3; c++) pixels[to++] = values[(i * C + Math.min(c, C - 1)) * H * W + at]
        pixels[to++] = 255
      }
    }
  }
  const sharp = await loadSharp()
  const tiles = sharp(pixels, { raw: { width, height, channels: 4 } })
  if (heads) {
    const words = await renderPixels(
      headSvg(
        heads.map((head, column) => [head, leftOf(column)] as const),
        width,
      ),
      1,
    )
    const { pixels: input, ...size } = words
    tiles.composite([{ input: Buffer.from(input), raw: { ...size, channels: 4 }, top: 0, left: 0 }])
  }
  // all opaque where the background is
  return (background === 'white' ? tiles.removeAlpha() : tiles).png({ compressionLevel: 9 }).toBuffer()
}

const escapes: Readonly<Record<string, string>> = { '&': '&amp;', '<': '&lt;' }

/** Headings at places of a line, in a grey that is legible on white and on black. */
function headSvg(words: readonly (readonly [string, number])[], width: number): string {
  const lines = words.map(
    ([word, x]) => `<text x="${x}" y="${HEAD - 7}">${word.replace(/[&<]/g, (character) => escapes[character])}</text>`,
  )
  return (
    `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${HEAD}" font-family="${FONT}" ` +
    `font-size="${SIZE.title}" fill="${COLOR.either}">${lines.join('')}</svg>`
  )
}

/** Picture i as a PNG file of its own size. */
export async function picturePng({ values, shape }: TilesFigure['pictures'], i: number): Promise<Buffer> {
  const [, C, H, W] = shape
  const plane = H * W
  const pixels = new Uint8Array(C * plane)
  for (let k = 0; k < plane; k++) for (let c = 0; c < C; c++) pixels[k * C + c] = values[(i * C + c) * plane + k]
  const sharp = await loadSharp()
  const image = sharp(pixels, { raw: { width: W, height: H, channels: C as 1 | 3 } })
  return (C === 1 ? image.toColourspace('b-w') : image).png({ compressionLevel: 9 }).toBuffer()
}
