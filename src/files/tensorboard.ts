/**
 * Event files as TensorBoard reads them: scalars by tag and step. A file is a list of records (TFRecord): the length of the data
 * as 64 bits, the masked CRC-32C of these 8 bytes, the data, and their masked CRC-32C, all little-endian. The data are a
 * protocol-buffers message Event { wall_time = 1, step = 2, file_version = 3, summary = 5 }, whose Summary has values
 * { tag = 1, simple_value = 2 } (tensorflow/core/util/event.proto, framework/summary.proto).
 */

import { randomBytes } from 'node:crypto'
import { appendFileSync } from 'node:fs'
import { hostname } from 'node:os'
import { join } from 'node:path'
import { cannotWrite } from './reasons.js'

/** CRC-32C (Castagnoli), reflected polynomial 0x82f63b78. */
const table = Uint32Array.from({ length: 256 }, (_, byte) => {
  let crc = byte
  for (let bit = 0; bit < 8; bit++) crc = crc & 1 ? (crc >>> 1) ^ 0x82f63b78 : crc >>> 1
  return crc >>> 0
})

export function crc32c(bytes: Uint8Array): number {
  let crc = 0xffffffff
  for (const byte of bytes) crc = table[(crc ^ byte) & 0xff] ^ (crc >>> 8)
  return (crc ^ 0xffffffff) >>> 0
}

/** Turned by 15 bits and shifted by a constant, so that the CRC of data that hold CRCs is no trivial one. */
export const maskedCrc = (bytes: Uint8Array): number => {
  const crc = crc32c(bytes)
  return (((crc >>> 15) | (crc << 17)) + 0xa282ead8) >>> 0
}

function record(data: Uint8Array): Uint8Array {
  const framed = new Uint8Array(8 + 4 + data.length + 4)
  const view = new DataView(framed.buffer)
  view.setBigUint64(0, BigInt(data.length), true)
  view.setUint32(8, maskedCrc(framed.subarray(0, 8)), true)
  framed.set(data, 12)
  view.setUint32(12 + data.length, maskedCrc(data), true)
  return framed
}

/** A whole number from 0 on, seven bits a byte, the lowest first. */
function varint(value: number): number[] {
  const bytes: number[] = []
  let rest = value
  for (; rest > 127; rest = Math.floor(rest / 128)) bytes.push((rest % 128) | 128)
  return [...bytes, rest]
}

const bytesField = (number: number, bytes: Iterable<number>): number[] => {
  const list = [...bytes]
  return [(number << 3) | 2, ...varint(list.length), ...list]
}
const floating = (number: number, value: number, size: 4 | 8): number[] => {
  const view = new DataView(new ArrayBuffer(size))
  if (size === 8) view.setFloat64(0, value, true)
  else view.setFloat32(0, value, true)
  return [(number << 3) | (size === 8 ? 1 : 5), ...new Uint8Array(view.buffer)]
}
const text = (value: string): Uint8Array => new TextEncoder().encode(value)

/** One scalar of an event. */
export interface Scalar {
  /** names with a slash are grouped by what stands before it */
  readonly tag: string
  readonly value: number
}

const event = (seconds: number, fields: readonly number[]): Uint8Array =>
  record(Uint8Array.from([...floating(1, seconds, 8), ...fields]))

/** @param seconds since 1970 */
export const scalarEvent = (seconds: number, step: number, scalars: readonly Scalar[]): Uint8Array =>
  event(seconds, [
    16,
    ...varint(step),
    ...bytesField(
      5,
      scalars.flatMap(({ tag, value }) => bytesField(1, [...bytesField(1, text(tag)), ...floating(2, value, 4)])),
    ),
  ])

/** The first event of a file. */
export const versionEvent = (seconds: number): Uint8Array => event(seconds, bytesField(3, text('brain.Event:2')))

/** Appends scalars to a new file of a folder that is there; a reader may follow it. Throws DataError where it cannot be written. */
export class EventFile {
  readonly path: string

  constructor(
    folder: string,
    private readonly now: () => number = () => Date.now() / 1000,
  ) {
    const seconds = Math.floor(now())
    // several of one second have names of their own
    const own = `${process.pid}.${randomBytes(3).toString('hex')}`
    this.path = join(folder, `events.out.tfevents.${seconds}.${hostname()}.${own}.v2`)
    this.append(versionEvent(now()))
  }

  write(step: number, scalars: readonly Scalar[]): void {
    this.append(scalarEvent(this.now(), step, scalars))
  }

  private append(bytes: Uint8Array): void {
    try {
      appendFileSync(this.path, bytes)
    } catch (error) {
      throw cannotWrite(this.path, error)
    }
  }
}
