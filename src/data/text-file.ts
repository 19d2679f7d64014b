/**
 * Tables of text as they come: from a file or from standard input (`-`), packed by gzip or not. A file is read once, from the
 * front; the first line is looked at before the rest.
 */

import { createReadStream } from 'node:fs'
import { pipeline, Readable } from 'node:stream'
import { createGunzip } from 'node:zlib'
import { DataError } from '../errors.js'
import { expectRegular, mostUnpacked } from '../files/reading.js'
import { cannotRead, isOfSystem } from '../files/reasons.js'

/** Characters of a line, at most: 2^20 columns of numbers have room. */
export const LONGEST_LINE = 1 << 24

/** Ends of lines. Left to itself, csv-parse looks for them in every byte of a first line as if it were the first one. */
export const LINE_ENDS = ['\r\n', '\n', '\r']

export const tooLong = (name: string, most = LONGEST_LINE): DataError =>
  new DataError(`${name} is no table: a line of it has more than ${most} characters.`)

/** The name by which standard input is asked for. */
export const STANDARD_INPUT = '-'

/** What a file is called in messages. */
export const nameOf = (path: string): string => (path === STANDARD_INPUT ? 'standard input' : path)

const CHUNK = 1 << 16

export interface TextFile {
  /** that is not blank; '' where there is none */
  firstLine: string
  /** the whole text, the first line too */
  stream: Readable
}

/** Chunks that were read, then what follows. */
async function* chain(read: readonly Buffer[], rest: AsyncIterator<Buffer>): AsyncGenerator<Buffer> {
  try {
    yield* read
    for (let next = await rest.next(); !next.done; next = await rest.next()) yield next.value
  } finally {
    await rest.return?.()
  }
}

/** Bytes of a stream packed by gzip. Throws DataError for one that unpacks to more than its size allows. */
async function* unpacked(name: string, packed: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
  const gunzip = createGunzip({ chunkSize: CHUNK })
  let [taken, given] = [0, 0]
  const counted = async function* (): AsyncGenerator<Buffer> {
    for await (const chunk of packed) {
      taken += chunk.length
      yield chunk
    }
  }
  // a failure of either side reaches the loop below
  pipeline(Readable.from(counted()), gunzip, () => {})
  try {
    for await (const chunk of gunzip as AsyncIterable<Buffer>) {
      given += chunk.length
      if (given > mostUnpacked(taken)) {
        throw new DataError(
          `${name} unpacks to more than ${mostUnpacked(taken)} bytes, which is more than it is given.`,
        )
      }
      yield chunk
    }
  } catch (error) {
    if (error instanceof DataError || isOfSystem(error)) throw error
    throw new DataError(`${name} cannot be unpacked: ${(error as Error).message}.`)
  }
}

/** The source's bytes and the first few of them, which say how it is packed. */
async function bytesOf(path: string): Promise<AsyncIterable<Buffer>> {
  const name = nameOf(path)
  if (path !== STANDARD_INPUT) await expectRegular(path)
  const source = path === STANDARD_INPUT ? process.stdin : createReadStream(path, { highWaterMark: CHUNK })
  const rest = source[Symbol.asyncIterator]() as AsyncIterator<Buffer>
  const read: Buffer[] = []
  while (read.reduce((sum, { length }) => sum + length, 0) < 2) {
    const next = await rest.next()
    if (next.done) break
    read.push(next.value)
  }
  const [first = 0, second = 0] = Buffer.concat(read.slice(0, 2))
  if ((first === 0xff && second === 0xfe) || (first === 0xfe && second === 0xff)) {
    throw new DataError(`${name} is text in UTF-16; save it in UTF-8.`)
  }
  const whole = chain(read, rest)
  return first === 0x1f && second === 0x8b ? unpacked(name, whole) : whole
}

/**
 * Opens a text.
 *
 * @param longest characters of its first line, at most
 * @throws DataError where it cannot be read, and for a first line without end
 */
export async function openText(path: string, longest = LONGEST_LINE): Promise<TextFile> {
  const name = nameOf(path)
  try {
    const rest = (await bytesOf(path))[Symbol.asyncIterator]()
    const read: Buffer[] = []
    const parts: string[] = []
    const decoder = new TextDecoder()
    let length = 0
    for (let next = await rest.next(); !next.done; next = await rest.next()) {
      read.push(next.value)
      const text = decoder.decode(next.value, { stream: true })
      const part = length === 0 ? text.replace(/^[\uFEFF\r\n]+/, '') : text
      const end = part.search(/[\r\n]/)
      parts.push(end >= 0 ? part.slice(0, end) : part)
      length += parts[parts.length - 1].length
      if (length > longest) throw tooLong(name, longest)
      if (end >= 0) break
    }
    return { firstLine: parts.join(''), stream: Readable.from(chain(read, rest)) }
  } catch (error) {
    throw error instanceof DataError ? error : cannotRead(name, error)
  }
}
