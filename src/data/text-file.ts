/**
 * Tables of text as they come: from a file or from standard input (`-`), packed by gzip or not. A file is read once, from the
 * front; the first line is looked at before the rest.
 */

import { createReadStream } from 'node:fs'
import { stat } from 'node:fs/promises'
import { pipeline, Readable } from 'node:stream'
import { createGunzip } from 'node:zlib'
import { DataError } from '../errors.js'
import { expectRegular } from '../files/reading.js'
import { cannotRead, isOfSystem } from '../files/reasons.js'

/** Characters of a line, at most: 2^20 columns of numbers have room. */
export const LONGEST_LINE = 1 << 24

/** What is said of a line without end. */
export const tooLong = (name: string, most: number): DataError =>
  new DataError(`${name} is no table: a line of it has more than ${most} characters.`)

/**
 * What a packed text may unpack to, in bytes. Gzip packs tables of measurements by ten to twenty, ones that repeat themselves by a
 * hundred, and zeros by a thousand. A row of one digit takes up to 20 bytes while it is read, so that a few bytes of gzip take no more
 * than 64 MiB.
 */
const mostText = (packed: number): number => (4 << 20) + 100 * packed

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

/**
 * Bytes of a stream packed by gzip. Throws DataError for one that unpacks to more than its size allows.
 *
 * @param size of the stream in bytes, where it is known before its end
 */
async function* unpacked(name: string, packed: AsyncIterable<Buffer>, size = 0): AsyncGenerator<Buffer> {
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
      const bytes = Math.max(taken, size)
      if (given > mostText(bytes)) {
        throw new DataError(
          `${name} unpacks to more than ${mostText(bytes)} bytes, which is more than ${bytes} bytes of gzip are given: ` +
            'unpack it (gunzip) and give what comes out, for which there is no such limit.',
        )
      }
      yield chunk
    }
  } catch (error) {
    if (error instanceof DataError || isOfSystem(error)) throw error
    throw new DataError(`${name} cannot be unpacked: ${(error as Error).message}.`)
  }
}

/** Unpacks a file and keeps nothing: one that is refused is refused before its text is looked at. */
async function expectUnpackable(path: string, size: number): Promise<void> {
  const source = createReadStream(path, { highWaterMark: CHUNK })
  for await (const _ of unpacked(path, source as AsyncIterable<Buffer>, size));
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
  if (first !== 0x1f || second !== 0x8b) return whole
  if (path === STANDARD_INPUT) return unpacked(name, whole)
  const { size } = await stat(path)
  await expectUnpackable(path, size)
  return unpacked(name, whole, size)
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
