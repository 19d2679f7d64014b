/**
 * Picture files through sharp (libvips). A file is looked at before it is decoded: its format is one of those that pictures
 * come in, and its pixels are no more than mostPixels allows, since a small file can claim a picture of any extents.
 * Large ones are decoded one after the other.
 */

import type { Sharp, SharpOptions } from 'sharp'
import { DataError } from '../errors.js'
import { loadSharp } from '../files/native-parts.js'
import { mostUnpacked } from '../files/reading.js'

const formats: readonly string[] = ['png', 'jpeg', 'webp', 'gif', 'tiff', 'avif', 'heif']
/** Of these, the ones that libvips decodes line by line; of the others it holds the whole picture several times. */
const byLines: readonly string[] = ['png', 'jpeg', 'tiff']
/** Bytes of pixels that a file may have. */
const mostPixels = (format: string, size: number): number =>
  byLines.includes(format) ? mostUnpacked(size) : (8 << 20) + 50 * size
/** Bytes of decoded pixels from which on a picture waits for its turn. */
const LARGE = 32 << 20

export interface Pixels {
  /** interleaved channels, row by row */
  data: Uint8Array
  width: number
  height: number
  channels: number
}

let turn: Promise<unknown> = Promise.resolve()

/**
 * Decodes a picture to bytes.
 *
 * @param name what the file is called in messages
 * @throws DataError where the bytes are no picture, or one that is too large for its file
 */
export async function decodePicture(
  file: Uint8Array,
  name: string,
  convert: (image: Sharp) => Sharp,
  options: SharpOptions = {},
): Promise<Pixels> {
  const noPicture = (why: string): DataError => new DataError(`${name} cannot be read as a picture (${why}).`)
  // sharp throws at once for an empty file
  if (file.length === 0) throw noPicture('it is empty')
  const sharp = await loadSharp()
  const { width, height, channels, format } = await sharp(file, options)
    .metadata()
    .catch((error: Error) => {
      throw noPicture(error.message)
    })
  if (!formats.includes(format)) throw noPicture(`it is ${format}, and not one of ${formats.join(', ')}`)
  const bytes = width * height * channels
  const most = mostPixels(format, file.length)
  if (bytes > most) {
    throw new DataError(
      `${name} is of ${width}×${height} pixels in a file of ${file.length} bytes, which is more than such a file is given ` +
        `(${most} bytes of pixels).${byLines.includes(format) ? '' : ' As PNG it is given more.'}`,
    )
  }
  const decode = async (): Promise<Pixels> => {
    const { data, info } = await convert(sharp(file, { ...options, failOn: 'error' }))
      .raw({ depth: 'uchar' })
      .toBuffer({ resolveWithObject: true })
      .catch((error: Error) => {
        throw noPicture(error.message)
      })
    return { data, width: info.width, height: info.height, channels: info.channels }
  }
  if (bytes < LARGE) return decode()
  const mine = turn.then(decode)
  turn = mine.catch(() => {})
  return mine
}
