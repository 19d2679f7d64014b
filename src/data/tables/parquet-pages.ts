/**
 * Looks through the pages of a Parquet file before hyparquet decodes them. hyparquet takes every count at its word: a run of 2³⁰
 * values in ten bytes is written out, blocks of −1 parts are read for ever. Here counts are held against the rows that the file
 * claims, and these, like what its pages unpack to, against its size.
 */

import type { AsyncBuffer, DataReader, FileMetaData, PageHeader } from 'hyparquet'
import { DataError, show } from '../../errors.js'
import {
  compressors,
  decompressPage,
  deltaBinaryUnpack,
  parquetHeader,
  readRleBitPackedHybrid,
  readVarInt,
  readZigZagBigInt,
} from './parquet.js'

type Chunk = NonNullable<FileMetaData['row_groups'][number]['columns'][number]['meta_data']>
type Element = FileMetaData['schema'][number]

/** Values of a file of so many bytes, at most: equal ones take next to nothing in it, and 8 bytes each when they are read. */
const mostValues = (bytes: number): number => (2 << 20) + 50 * bytes
/** Bytes that its pages may unpack to. */
const mostUnpacked = (bytes: number): number => (16 << 20) + 50 * bytes
/** Values in a block of differences, at most; writers take 128 to 1024. */
const LARGEST_BLOCK = 1 << 20

const isCount = (value: unknown, most: number): value is number =>
  typeof value === 'number' && Number.isInteger(value) && value >= 0 && value <= most

const damaged = (what: string): Error => new Error(`${what}: it is damaged`)

const readerOf = (bytes: Uint8Array): DataReader => ({
  view: new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength),
  offset: 0,
})

/** Types of Thrift's compact protocol that have no bytes of their own, one, some, or others inside. */
const [TRUE, FALSE, BYTE, DOUBLE, BINARY, LIST, STRUCT] = [1, 2, 3, 7, 8, 9, 12]
/** Structures in structures; Parquet's own go four deep. */
const DEEPEST = 32

/** Goes over a structure, and throws where a list in it has more entries than there are bytes left: room is made for all of them. */
function walk(at: DataReader, depth = 0): void {
  if (depth > DEEPEST) throw damaged('Its description has too many levels')
  const left = (): number => at.view.byteLength - at.offset
  const skip = (type: number): void => {
    if (type === STRUCT) walk(at, depth + 1)
    else if (type === LIST) {
      const byte = at.view.getUint8(at.offset++)
      const [short, entry] = [byte >> 4, byte & 15]
      const count = short === 15 ? readVarInt(at) : short
      if (!isCount(count, left())) throw damaged('Its description has an odd list')
      for (let i = 0; i < count; i++) skip(entry === TRUE || entry === FALSE ? BYTE : entry)
    } else if (type === BINARY) {
      const length = readVarInt(at)
      if (!isCount(length, left())) throw damaged('Its description has an odd text')
      at.offset += length
    } else if (type === BYTE || type === DOUBLE) at.offset += type === BYTE ? 1 : 8
    else if (type !== TRUE && type !== FALSE) readZigZagBigInt(at)
  }
  for (let byte = at.view.getUint8(at.offset++); (byte & 15) !== 0; byte = at.view.getUint8(at.offset++)) {
    if (byte >> 4 === 0) readVarInt(at)
    skip(byte & 15)
  }
}

/** Throws where the description at a file's end cannot be read in the memory that goes with its size. */
export async function expectDescription(file: AsyncBuffer): Promise<void> {
  const { byteLength: size } = file
  const length = new DataView(await file.slice(size - 8, size - 4)).getUint32(0, true)
  if (length > size - 12) throw damaged('Its description is longer than the file')
  walk({ view: new DataView(await file.slice(size - 8 - length, size - 8)), offset: 0 })
}

/** Throws where runs of equal values are longer than all values that are left. */
function expectRuns({ view, offset }: DataReader, width: number, count: number): void {
  const at = { view, offset }
  for (let seen = 0; seen < count; ) {
    const header = readVarInt(at)
    const run = header >>> 1
    const packed = (header & 1) === 1
    // values that are packed have bits of their own, so that the page's size bounds them
    if (header < 0 || (packed ? run === 0 || width === 0 : run > count - seen)) throw damaged('A page has an odd run')
    at.offset += packed ? run * width : (width + 7) >> 3
    seen += packed ? 8 * run : run
  }
}

/** Throws where blocks of differences are of an odd size. */
function expectBlocks({ view, offset }: DataReader): void {
  const at = { view, offset }
  const [size, parts] = [readVarInt(at), readVarInt(at)]
  if (!isCount(size, LARGEST_BLOCK) || !(parts > 0) || size === 0 || size % parts !== 0) {
    throw damaged('A page has blocks of an odd size')
  }
}

/** Throws where texts made of their predecessors' beginnings take more than `most` bytes. Moves the reader. */
function expectPrefixes(reader: DataReader, count: number, most: number): void {
  const [prefixes, rests] = [new Int32Array(count), new Int32Array(count)]
  for (const lengths of [prefixes, rests]) {
    expectBlocks(reader)
    deltaBinaryUnpack(reader, count, lengths)
  }
  let [length, all] = [0, 0]
  for (let i = 0; i < count; i++) {
    if (!isCount(prefixes[i], length) || rests[i] < 0) throw damaged('A page has texts of odd lengths')
    length = prefixes[i] + rests[i]
    all += length
    if (all > most) throw damaged('A page has texts of odd lengths')
  }
}

/** Whether the values of a page, at which a reader stands, can be decoded. */
function expectValues(
  reader: DataReader,
  { encoding, type }: { encoding: string; type: string },
  count: number,
  most: number,
): void {
  const left = reader.view.byteLength - reader.offset
  switch (encoding) {
    case 'RLE':
    case 'RLE_DICTIONARY':
    case 'PLAIN_DICTIONARY': {
      // truths come with their length before them, places in a dictionary with their width
      const isTruth = type === 'BOOLEAN'
      const width = isTruth ? 1 : reader.view.getUint8(reader.offset)
      if (width > 32) throw damaged(`A page has places in a dictionary of ${width} bits`)
      reader.offset += isTruth ? 4 : 1
      if (width > 0) expectRuns(reader, width, count)
      break
    }
    case 'DELTA_BINARY_PACKED':
    case 'DELTA_LENGTH_BYTE_ARRAY':
      expectBlocks(reader)
      break
    case 'DELTA_BYTE_ARRAY':
      expectPrefixes(reader, count, most)
      break
    case 'BYTE_STREAM_SPLIT': {
      const width = type === 'INT32' || type === 'FLOAT' ? 4 : 8
      if (type === 'FIXED_LEN_BYTE_ARRAY' || count * width > left) throw damaged('A page is too short for its values')
    }
  }
}

/** How many of a page's rows have no value. Moves the reader behind the marks that say so. */
function nullsOf(reader: DataReader, count: number): number {
  const length = reader.view.getUint32(reader.offset, true)
  expectRuns({ view: reader.view, offset: reader.offset + 4 }, 1, count)
  const marks = new Uint8Array(count)
  readRleBitPackedHybrid(reader, 1, marks)
  if (length > reader.view.byteLength) throw damaged('A page is too short for its marks')
  return marks.reduce((nulls, mark) => nulls + (mark === 0 ? 1 : 0), 0)
}

/** The rows of a page, all of whose counts can be believed. */
function rowsOf(
  packed: Uint8Array,
  header: PageHeader,
  { type, codec }: Chunk,
  optional: boolean,
  most: number,
): number {
  const size = header.uncompressed_page_size
  if (header.type === 'DICTIONARY_PAGE') {
    if (!isCount(header.dictionary_page_header?.num_values, 8 * size)) throw damaged('A dictionary has an odd size')
    return 0
  }
  const plain = header.data_page_header
  if (header.type === 'DATA_PAGE' && plain) {
    if (!isCount(plain.num_values, most)) throw damaged('A page has more values than rows are claimed')
    const reader = readerOf(decompressPage(packed, size, codec, compressors))
    const nulls = optional ? nullsOf(reader, plain.num_values) : 0
    expectValues(reader, { encoding: plain.encoding, type }, plain.num_values - nulls, mostUnpacked(size))
    return plain.num_values
  }
  const second = header.data_page_header_v2
  if (header.type === 'DATA_PAGE_V2' && second) {
    const { num_values: count, num_nulls: nulls, definition_levels_byte_length: marks } = second
    if (!isCount(count, most) || !isCount(nulls, count) || !isCount(second.num_rows, most)) {
      throw damaged('A page has more values than rows are claimed')
    }
    if (!isCount(marks, packed.length) || second.repetition_levels_byte_length !== 0) {
      throw damaged('A page is too short for its marks')
    }
    if (optional) expectRuns(readerOf(packed.subarray(0, marks)), 1, count)
    const rest = packed.subarray(marks)
    const page = second.is_compressed === false ? rest : decompressPage(rest, size - marks, codec, compressors)
    expectValues(readerOf(page), { encoding: second.encoding, type }, count - nulls, mostUnpacked(size))
    return count
  }
  throw damaged('A page is of an unknown kind')
}

/**
 * Throws where the pages of a column cannot be decoded in time and memory that go with the file's size.
 *
 * @param elements the columns to be read, each of which is flat
 */
export async function expectPages(
  file: AsyncBuffer,
  { row_groups: groups }: FileMetaData,
  elements: readonly Element[],
): Promise<void> {
  const size = file.byteLength
  let [values, unpacked] = [0, 0]
  for (const { columns, num_rows } of groups) {
    const rows = Number(num_rows)
    values += rows * elements.length
    if (rows < 0 || values > mostValues(size)) {
      throw new DataError(`It claims ${values} values and more, which is more than a file of ${size} bytes is given.`)
    }
    for (const element of elements) {
      const chunks = columns.filter(({ meta_data }) => meta_data?.path_in_schema[0] === element.name)
      const meta = chunks[0]?.meta_data
      if (!meta || chunks.length > 1 || meta.path_in_schema.length > 1 || meta.type !== element.type) {
        throw new DataError(`Column ${show(element.name)} is not there as the file's schema says.`)
      }
      const begin = Number(meta.dictionary_page_offset || meta.data_page_offset)
      const end = begin + Number(meta.total_compressed_size)
      if (!(begin >= 4 && begin <= end && end <= size)) throw damaged('A column lies outside of the file')
      const reader = { view: new DataView(await file.slice(begin, end)), offset: 0 }
      let left = rows
      while (left > 0 && reader.offset < reader.view.byteLength - 1) {
        walk({ ...reader })
        const header = parquetHeader(reader)
        const { compressed_page_size: packed, uncompressed_page_size: whole } = header
        if (
          !isCount(packed, reader.view.byteLength - reader.offset) ||
          !isCount(whole, mostUnpacked(size) - unpacked)
        ) {
          throw damaged('A page has an odd size')
        }
        unpacked += whole
        const page = new Uint8Array(reader.view.buffer, reader.offset, packed)
        left -= rowsOf(page, header, meta, element.repetition_type === 'OPTIONAL', left)
        reader.offset += packed
      }
    }
  }
}
