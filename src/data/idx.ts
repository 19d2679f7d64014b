/**
 * IDX files, the format of MNIST: two zero bytes, the type of the values (8: unsigned bytes), the number of dimensions, each
 * extent as a big-endian 32-bit number, then the values. A file that begins as gzip does is unpacked first.
 */

import { readFile } from 'node:fs/promises'
import { promisify } from 'node:util'
import { gunzip } from 'node:zlib'
import { DataError } from '../errors.js'
import { cannotRead } from '../files/reasons.js'
import { checkLabels, type Pictures } from './pictures.js'

const unpack = promisify(gunzip)
const UNSIGNED_BYTES = 8
/** More than any set in this format has; gzip alone could claim without end. */
const MOST_BYTES = 2 ** 31 - 1

/**
 * Decodes the bytes of an IDX file of unsigned bytes.
 *
 * @param name what the file is called in messages
 * @throws DataError for anything that is not such a file of its own length
 */
export function decodeIdx(bytes: Uint8Array, name = 'the file'): { values: Uint8Array; shape: number[] } {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  if (bytes.length < 4 || view.getUint16(0) !== 0) {
    throw new DataError(`${name} is no IDX file: it does not begin with two zero bytes.`)
  }
  const [type, rank] = [bytes[2], bytes[3]]
  if (type !== UNSIGNED_BYTES) {
    throw new DataError(`${name} holds values of IDX type 0x${type.toString(16)}, but must hold unsigned bytes (0x8).`)
  }
  const start = 4 + 4 * rank
  if (rank < 1 || bytes.length < start) {
    throw new DataError(`${name} is cut off or damaged: its header is of ${rank} dimensions.`)
  }
  const shape = Array.from({ length: rank }, (_, i) => view.getUint32(4 + 4 * i))
  const size = shape.reduce((product, extent) => product * extent, 1)
  if (size !== bytes.length - start) {
    throw new DataError(
      `${name} has ${bytes.length - start} bytes of values, but its header [${shape.join(', ')}] asks for ${size}.`,
    )
  }
  return { values: new Uint8Array(bytes.buffer, bytes.byteOffset + start, size), shape }
}

async function readIdx(path: string): Promise<{ values: Uint8Array; shape: number[] }> {
  const file = await readFile(path).catch((error) => {
    throw cannotRead(path, error)
  })
  const packed = file[0] === 0x1f && file[1] === 0x8b
  const bytes = packed
    ? await unpack(file, { maxOutputLength: MOST_BYTES }).catch((error: Error) => {
        throw new DataError(`${path} cannot be unpacked: ${error.message}.`)
      })
    : file
  return decodeIdx(bytes, path)
}

/**
 * Reads grey pictures, and their classes where `labels` is given.
 *
 * @throws DataError as decodeIdx does, for zero pictures, for extents that are no list of pictures, and for another number
 *   of labels
 */
export async function readIdxPictures(path: string, labels?: string): Promise<Pictures> {
  const { values, shape } = await readIdx(path)
  if (shape.length !== 3 || shape.includes(0)) {
    throw new DataError(`${path} must hold pictures [n, height, width], but has the extents [${shape.join(', ')}].`)
  }
  const [n, H, W] = shape
  const tensor = { values, shape: [n, 1, H, W] }
  if (!labels) return { tensor, labels: null }
  const read = await readIdx(labels)
  if (read.shape.length !== 1) {
    throw new DataError(`${labels} must hold labels [n], but has the extents [${read.shape.join(', ')}].`)
  }
  checkLabels(labels, read.values, n)
  return { tensor, labels: Uint16Array.from(read.values) }
}
