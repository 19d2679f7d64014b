/**
 * NumPy's .npy files: one array, in C or Fortran order, of either order of bytes. The format is eight bytes of magic and
 * version, the length of a header, the header (a Python dictionary with exactly descr, fortran_order and shape), and the
 * values; see numpy.lib.format. Values other than uint8 become float32, and float64 where that would merge them.
 */

import { open } from 'node:fs/promises'
import { DataError, extents, show } from '../errors.js'
import { writeFileAtomic } from '../files/atomic.js'
import { expectRegular, readData } from '../files/reading.js'
import { cannotRead, cannotWrite, isOfSystem } from '../files/reasons.js'
import { narrowed } from './precision.js'
import { rowLength, type Tensor } from './tensor.js'

type Source = { readonly length: number; readonly [index: number]: number | bigint }

interface ValueType {
  readonly bytes: number
  view(buffer: ArrayBuffer, offset: number, length: number): Source
  /** what a stored value means; left out: itself */
  readonly decode?: (stored: number) => number
}

/** By NumPy's letters; before them stand `<` (little-endian), `>` (big-endian) or, where there is one byte, `|`. */
const types: Readonly<Record<string, ValueType>> = {
  u1: { bytes: 1, view: (...at) => new Uint8Array(...at) },
  i1: { bytes: 1, view: (...at) => new Int8Array(...at) },
  b1: { bytes: 1, view: (...at) => new Uint8Array(...at) },
  u2: { bytes: 2, view: (...at) => new Uint16Array(...at) },
  i2: { bytes: 2, view: (...at) => new Int16Array(...at) },
  u4: { bytes: 4, view: (...at) => new Uint32Array(...at) },
  i4: { bytes: 4, view: (...at) => new Int32Array(...at) },
  u8: { bytes: 8, view: (...at) => new BigUint64Array(...at) },
  i8: { bytes: 8, view: (...at) => new BigInt64Array(...at) },
  f2: { bytes: 2, view: (...at) => new Uint16Array(...at), decode: fromHalf },
  f4: { bytes: 4, view: (...at) => new Float32Array(...at) },
  f8: { bytes: 8, view: (...at) => new Float64Array(...at) },
}

/** The number that 16 bits stand for: a sign, 5 bits of exponent, 10 of fraction (IEEE 754 binary16). */
function fromHalf(bits: number): number {
  const [exponent, fraction] = [(bits >> 10) & 0x1f, bits & 0x3ff]
  const size =
    exponent === 0
      ? fraction * 2 ** -24
      : exponent === 0x1f
        ? fraction === 0
          ? Infinity
          : Number.NaN
        : (1 + fraction / 1024) * 2 ** (exponent - 15)
  return bits & 0x8000 ? -size : size
}

/** The type of a description such as '<f4', and whether its bytes stand the other way round; null for what is not read. */
function typeOf(descr: string): { type: ValueType; swapped: boolean } | null {
  const [, order, letters] = /^([<>|])([a-z]\d)$/.exec(descr) ?? []
  if (order === undefined || !Object.hasOwn(types, letters)) return null
  const type = types[letters]
  return (order === '|') === (type.bytes === 1) ? { type, swapped: order === '>' } : null
}

/** A copy of values with the bytes of each the other way round. */
function swap(values: Uint8Array, width: number): Uint8Array {
  const swapped = new Uint8Array(values.length)
  for (let i = 0; i < values.length; i++) swapped[i] = values[i - 2 * (i % width) + width - 1]
  return swapped
}

/** Values in C order (the last index fastest) of those in Fortran order (the first fastest). */
function toC<T extends Tensor['values']>(values: T, shape: readonly number[]): T {
  const result = values.slice() as T
  const strides = shape.map((_, k) => shape.slice(0, k).reduce((product, d) => product * d, 1))
  const index = shape.map(() => 0)
  for (let i = 0, from = 0; i < values.length; i++) {
    result[i] = values[from]
    for (let k = shape.length - 1; k >= 0; k--) {
      from += strides[k]
      if (++index[k] < shape[k]) break
      from -= strides[k] * shape[k]
      index[k] = 0
    }
  }
  return result
}

const magic = '\x93NUMPY'

/** Where the header starts and how its length is written, for each version of the format. */
const headerLengthBytes: Readonly<Record<number, 2 | 4>> = { 1: 2, 2: 4, 3: 4 }

/** As NumPy's own reader: no header that people write is longer. */
const LONGEST_HEADER = 10_000

/** No two parts of it can take the same text, so that a broken header is refused as fast as a right one is read. */
const dictionaryEntry = /\s*'([^'\\]*)'\s*:\s*('[^'\\]*'|True|False|\((?:\s*\d+\s*,)*\s*(?:\d+\s*)?\))\s*(,|(?=\}))/y

/** Reads the header's Python dictionary: strings, booleans and tuples of whole numbers. */
function parseHeader(text: string, name: string): { descr: string; fortranOrder: boolean; shape: number[] } {
  const body = /^\s*\{(.*)\}\s*$/s.exec(text)
  const entries = new Map<string, string>()
  dictionaryEntry.lastIndex = 0
  const inner = `${body?.[1] ?? ''}}`
  while (body && dictionaryEntry.lastIndex < inner.length - 1) {
    const at = dictionaryEntry.lastIndex
    const entry = dictionaryEntry.exec(inner)
    if (!entry) {
      if (inner.slice(at, -1).trim() === '') break
      const problem = `${name} has a header that is no NumPy header`
      throw new DataError(`${problem}: ${show(text.trim())}.`, `${problem}.`)
    }
    if (entries.has(entry[1])) throw new DataError(`${name} has a header with ${show(entry[1])} twice.`)
    entries.set(entry[1], entry[2])
  }
  const [descr, order, shape] = ['descr', 'fortran_order', 'shape'].map((key) => entries.get(key))
  const wellFormed = entries.size === 3 && descr?.startsWith("'") && /^(True|False)$/.test(order ?? '')
  if (!wellFormed || !shape?.startsWith('(')) {
    const problem = `${name} has a header that must have descr, fortran_order and shape and nothing else`
    throw new DataError(`${problem}: ${show(text.trim())}.`, `${problem}.`)
  }
  const dimensions = shape.match(/\d+/g)?.map(Number) ?? []
  return { descr: descr!.slice(1, -1), fortranOrder: order === 'True', shape: dimensions }
}

/**
 * Decodes the bytes of a .npy file. uint8 stays; everything else becomes float32, but a matrix with a
 * column that float32 is too coarse for, as it is for unix times, becomes float64 (precision.ts). The shape is the file's own, so it may have any number of dimensions.
 *
 * @param name what the array is called in messages
 * @throws DataError for anything that is not an array of numbers of the file's own length
 */
export function decodeNpy(bytes: Uint8Array, name = 'the array'): Tensor {
  const { start, descr, fortranOrder, shape, type, swapped } = npyLayout(bytes, name)
  const size = shape.reduce((product, d) => product * d, 1)
  if (!Number.isSafeInteger(size) || size * type.bytes !== bytes.length - start) {
    throw wrongSize(name, bytes.length - start, shape, descr, size * type.bytes)
  }
  const read = decodeValues(bytes.subarray(start), size, { descr, type, swapped })
  return narrowed({ values: fortranOrder && shape.length > 1 ? toC(read, shape) : read, shape })
}

const wrongSize = (name: string, bytes: number, shape: readonly number[], descr: string, asked: number): DataError =>
  new DataError(
    `${name} has ${bytes} bytes of values, but its shape ${extents(shape)} of '${descr}' asks for ${asked}.`,
  )

interface NpyLayout {
  /** of the values */
  readonly start: number
  readonly descr: string
  readonly fortranOrder: boolean
  readonly shape: number[]
  readonly type: ValueType
  readonly swapped: boolean
}

/** What the beginning of a file says, all of whose header it holds. Throws DataError where it does not. */
function npyLayout(bytes: Uint8Array, name: string): NpyLayout {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  if (bytes.length < 10 || String.fromCharCode(...bytes.subarray(0, 6)) !== magic) {
    throw new DataError(`${name} is no .npy file: it does not begin with NumPy's magic bytes.`)
  }
  const [major, minor] = [bytes[6], bytes[7]]
  const lengthBytes = headerLengthBytes[major]
  if (!lengthBytes || minor !== 0) {
    throw new DataError(`${name} has version ${major}.${minor} of the .npy format; 1.0, 2.0 and 3.0 are known.`)
  }
  const from = 8 + lengthBytes
  const headerLength =
    bytes.length < from ? Infinity : lengthBytes === 2 ? view.getUint16(8, true) : view.getUint32(8, true)
  if (headerLength > LONGEST_HEADER && headerLength < Infinity) {
    throw new DataError(`${name} has a header of ${headerLength} bytes; at most ${LONGEST_HEADER} are read.`)
  }
  const start = from + headerLength
  if (start > bytes.length) throw new DataError(`${name} is cut off: its header is longer than the file.`)
  const { descr, fortranOrder, shape } = parseHeader(new TextDecoder().decode(bytes.subarray(from, start)), name)
  const found = typeOf(descr)
  if (!found) {
    throw new DataError(
      `${name} holds values of type ${show(descr)}, but must hold booleans, integers of 8 to 64 bits or floats of 16 to 64; ` +
        "in NumPy: array.astype('float32').",
    )
  }
  return { start, descr, fortranOrder, shape, ...found }
}

/** Values from their bytes: uint8 and float32 as they are, else float64 where float32 might not hold them. */
function decodeValues(
  bytes: Uint8Array,
  size: number,
  { descr, type, swapped }: Pick<NpyLayout, 'descr' | 'type' | 'swapped'>,
): Tensor['values'] {
  // values begin at a multiple of 64 bytes of the file, in memory too where this is a file of its own: then nothing is copied
  const straight = bytes.byteOffset % type.bytes === 0 && !swapped
  const own = swapped ? swap(bytes, type.bytes) : straight ? bytes : new Uint8Array(bytes)
  const source = type.view(own.buffer as ArrayBuffer, straight ? bytes.byteOffset : 0, size)
  if (descr === '|u1' || source instanceof Float32Array) return source as Uint8Array | Float32Array
  const read = type.bytes > 2 ? new Float64Array(size) : new Float32Array(size)
  for (let i = 0; i < size; i++) read[i] = type.decode?.(source[i] as number) ?? Number(source[i])
  return read
}

/** An array in a file, of which rows can be read. */
export interface NpyRows {
  readonly shape: readonly number[]
  /** whether the rows lie one after another; else the file is read as a whole */
  readonly inOrder: boolean
  /** Rows [first, first + count), as exact as they are stored. */
  blocks(rows: number): AsyncGenerator<Tensor, void>
}

/** Opens a .npy file to be read in blocks of rows. Throws DataError as readNpy does. */
export async function openNpyRows(path: string): Promise<NpyRows> {
  await expectRegular(path)
  const reading = <T>(work: Promise<T>): Promise<T> =>
    work.catch((error) => {
      throw isOfSystem(error) ? cannotRead(path, error) : error
    })
  const head = Buffer.alloc(12 + LONGEST_HEADER)
  const file = await reading(open(path, 'r'))
  let layout: NpyLayout
  let size: number
  try {
    const { bytesRead } = await reading(file.read(head, 0, head.length, 0))
    layout = npyLayout(head.subarray(0, bytesRead), path)
    size = (await reading(file.stat())).size
  } finally {
    await file.close()
  }
  const { shape, start, descr, type } = layout
  const [n = 1] = shape
  const width = rowLength(shape)
  const asked = n * width * type.bytes
  if (!Number.isSafeInteger(asked) || asked !== size - start) throw wrongSize(path, size - start, shape, descr, asked)
  return {
    shape,
    inOrder: shape.length > 1 && !layout.fortranOrder,
    async *blocks(rows) {
      const file = await reading(open(path, 'r'))
      try {
        for (let first = 0; first < n; first += rows) {
          const count = Math.min(rows, n - first)
          const bytes = new Uint8Array(count * width * type.bytes)
          for (let done = 0; done < bytes.length; ) {
            const at = start + first * width * type.bytes + done
            const { bytesRead } = await reading(file.read(bytes, done, bytes.length - done, at))
            if (bytesRead === 0) throw new DataError(`${path} has become shorter while it was read.`)
            done += bytesRead
          }
          yield { values: decodeValues(bytes, count * width, layout), shape: [count, ...shape.slice(1)] }
        }
      } finally {
        await file.close()
      }
    },
  }
}

/** Encodes a tensor as a .npy file of version 1.0: float32 as '<f4', float64 as '<f8', uint8 as '|u1'. The parts follow each other. */
export const encodeNpy = ({ values, shape }: Tensor): Uint8Array[] => [npyHeader(values, shape), bytesOf(values)]

/** The bytes of values as they stand in a file. */
export const bytesOf = (values: Tensor['values']): Uint8Array =>
  new Uint8Array(values.buffer, values.byteOffset, values.byteLength)

/** What stands before the values of an array of this shape. @param values some of them, for their type */
export function npyHeader(values: Tensor['values'], shape: readonly number[]): Uint8Array {
  const descr = values instanceof Uint8Array ? '|u1' : values instanceof Float64Array ? '<f8' : '<f4'
  const tuple = shape.length === 1 ? `(${shape[0]},)` : `(${shape.join(', ')})`
  const text = `{'descr': '${descr}', 'fortran_order': False, 'shape': ${tuple}, }`
  // Magic, version and length are 10 bytes; with the header they make a multiple of 64 and end in a newline.
  const length = Math.ceil((10 + text.length + 1) / 64) * 64 - 10
  const header = new Uint8Array(10 + length).fill(0x20)
  header.set([...magic].map((c) => c.charCodeAt(0)))
  header.set([1, 0, length & 0xff, length >> 8], 6)
  header.set(new TextEncoder().encode(text), 10)
  header[header.length - 1] = 0x0a
  return header
}

/** Reads a .npy file, see decodeNpy. Throws DataError where it is missing or not such a file. */
export async function readNpy(path: string): Promise<Tensor> {
  return decodeNpy(await readData(path), path)
}

/** Writes a .npy file atomically, see encodeNpy. Throws DataError where it cannot be written. */
export async function writeNpy(path: string, x: Tensor): Promise<void> {
  await writeFileAtomic(path, encodeNpy(x)).catch((error) => {
    throw cannotWrite(path, error)
  })
}
