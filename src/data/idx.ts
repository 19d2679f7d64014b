/**
 * IDX files, the format of MNIST: two zero bytes, the type of the values (8: unsigned bytes), the number of dimensions, each
 * extent as a big-endian 32-bit number, then the values. A file that begins as gzip does is unpacked first.
 */

import { createGunzip } from 'node:zlib'
import { DataError } from '../errors.js'
import { mostUnpacked, readData } from '../files/reading.js'
import { checkLabels, type Pictures } from './pictures.js'

const UNSIGNED_BYTES = 8
const MOST_DIMENSIONS = 8
const LONGEST_HEADER = 4 + 4 * MOST_DIMENSIONS

/** Where the values begin, their extents, and how many there are. Throws DataError for another header. */
function headerOf(bytes: Uint8Array, name: string): { start: number; shape: number[]; size: number } {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  if (bytes.length < 4 || view.getUint16(0) !== 0) {
    throw new DataError(`${name} is no IDX file: it does not begin with two zero bytes.`)
  }
  const [type, rank] = [bytes[2], bytes[3]]
  if (type !== UNSIGNED_BYTES) {
    throw new DataError(`${name} holds values of IDX type 0x${type.toString(16)}, but must hold unsigned bytes (0x8).`)
  }
  const start = 4 + 4 * rank
  if (rank < 1 || rank > MOST_DIMENSIONS || bytes.length < start) {
    throw new DataError(`${name} is cut off or damaged: its header is of ${rank} dimensions.`)
  }
  const shape = Array.from({ length: rank }, (_, i) => view.getUint32(4 + 4 * i))
  return { start, shape, size: shape.reduce((product, extent) => product * extent, 1) }
}

/**
 * Decodes the bytes of an IDX file of unsigned bytes.
 *
 * @param name what the file is called in messages
 * @throws DataError for anything that is not such a file of its own length
 */
export function decodeIdx(bytes: Uint8Array, name = 'the file'): { values: Uint8Array; shape: number[] } {
  const { start, shape, size } = headerOf(bytes, name)
  if (size !== bytes.length - start) {
    throw new DataError(
      `${name} has ${bytes.length - start} bytes of values, but its header [${shape.join(', ')}] asks for ${size}.`,
    )
  }
  return { values: new Uint8Array(bytes.buffer, bytes.byteOffset + start, size), shape }
}

async function readIdx(path: string): Promise<{ values: Uint8Array; shape: number[] }> {
  const file = await readData(path)
  const packed = file[0] === 0x1f && file[1] === 0x8b
  return decodeIdx(packed ? await unpacked(path, file) : file, path)
}

/**
 * The bytes of a packed file. Only the header is unpacked before it is known to be one of a type that is read, and then no
 * more than it asks for.
 */
async function unpacked(path: string, file: Buffer): Promise<Uint8Array> {
  const most = mostUnpacked(file.length)
  const stream = createGunzip({ chunkSize: 1 << 14 })
  let head = Buffer.alloc(0)
  let whole: Uint8Array | null = null
  let total = 0
  const put = (part: Uint8Array): void => {
    if (total + part.length > whole!.length) {
      throw new DataError(`${path} unpacks to more bytes of values than the ${whole!.length} that its header asks for.`)
    }
    whole!.set(part, total)
    total += part.length
  }
  stream.end(file)
  try {
    for await (const part of stream as AsyncIterable<Buffer>) {
      if (whole) {
        put(part)
        continue
      }
      head = Buffer.concat([head, part])
      if (head.length < LONGEST_HEADER) continue
      const { start, size } = headerOf(head, path)
      if (start + size > most) {
        throw new DataError(
          `${path} asks for ${size} bytes unpacked, which is more than a file of ${file.length} bytes is given (${most}): unpack it ` +
            '(gunzip) and give what comes out, for which there is no such limit.',
        )
      }
      // at once, or its pieces and the whole would be there together
      whole = new Uint8Array(start + size)
      put(head)
    }
  } catch (error) {
    throw error instanceof DataError ? error : new DataError(`${path} cannot be unpacked: ${(error as Error).message}.`)
  } finally {
    stream.destroy()
  }
  return whole ? whole.subarray(0, total) : head
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
