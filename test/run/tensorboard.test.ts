/** Event files as TensorBoard reads them: framed, with checksums, and with the losses of the training. */

import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { crc32c, maskedCrc, scalarEvent, versionEvent } from '../../src/files/tensorboard.js'
import { data, LocalFlow, type TrainArguments } from '../../src/index.js'
import { engine, workFolder } from '../cli/lfm.js'

const work = workFolder()

/** Records of a file, whose checksums are checked. */
function* records(bytes: Uint8Array): Generator<Uint8Array> {
  const view = new DataView(bytes.buffer, bytes.byteOffset)
  for (let at = 0; at < bytes.length; ) {
    const length = Number(view.getBigUint64(at, true))
    expect(view.getUint32(at + 8, true)).toBe(maskedCrc(bytes.subarray(at, at + 8)))
    const record = bytes.subarray(at + 12, at + 12 + length)
    expect(view.getUint32(at + 12 + length, true)).toBe(maskedCrc(record))
    yield record
    at += 12 + length + 4
  }
}

/** Fields of a protocol-buffers message by number: bytes, or numbers as they lie there. */
function fields(bytes: Uint8Array): { number: number; value: number | Uint8Array }[] {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length)
  let at = 0
  const varint = (): number => {
    let [value, scale] = [0, 1]
    for (; ; scale *= 128) {
      const byte = bytes[at++]
      value += (byte & 127) * scale
      if (byte < 128) return value
    }
  }
  const found: { number: number; value: number | Uint8Array }[] = []
  while (at < bytes.length) {
    const key = varint()
    const number = key >> 3
    if ((key & 7) === 0) found.push({ number, value: varint() })
    else if ((key & 7) === 1) {
      found.push({ number, value: view.getFloat64(at, true) })
      at += 8
    } else if ((key & 7) === 5) {
      found.push({ number, value: view.getFloat32(at, true) })
      at += 4
    } else {
      const length = varint()
      found.push({ number, value: bytes.subarray(at, at + length) })
      at += length
    }
  }
  return found
}
const field = (bytes: Uint8Array, number: number) => fields(bytes).find((one) => one.number === number)?.value
const textOf = (value: unknown): string => new TextDecoder().decode(value as Uint8Array)

/** [tag, step, value] of every scalar of a folder. */
function scalars(folder: string): [string, number, number][] {
  return readdirSync(folder).flatMap((name) => {
    const [first, ...rest] = records(readFileSync(join(folder, name)))
    expect(textOf(field(first, 3))).toBe('brain.Event:2')
    return rest.flatMap((event) =>
      fields(field(event, 5) as Uint8Array).map(({ value }): [string, number, number] => [
        textOf(field(value as Uint8Array, 1)),
        field(event, 2) as number,
        field(value as Uint8Array, 2) as number,
      ]),
    )
  })
}

// written by tensorboard 2.21.0: summary.writer.record_writer.RecordWriter on event_pb2.Event(wall_time=1, file_version=…) and
// Event(wall_time=2, step=300, summary=…)
const VERSION = '1800000000000000a37f4b2209000000000000f03f1a0d627261696e2e4576656e743a3286bf577a'
const SCALAR = '1b000000000000001a0d9e1309000000000000004010ac022a0d0a0b0a046c6f7373150000003fdfc52b60'

describe('an event file', () => {
  it('has the checksums of CRC-32C, masked', () => {
    // RFC 3720, B.4, and the check value of the CRC catalogue
    expect(crc32c(new TextEncoder().encode('123456789'))).toBe(0xe3069283)
    expect(crc32c(new Uint8Array(32))).toBe(0x8a9136aa)
    expect(crc32c(new Uint8Array(32).fill(0xff))).toBe(0x62a8ab43)
    expect(maskedCrc(new TextEncoder().encode('123456789'))).toBe(0xc78ab0e5)
  })

  it('is byte for byte what TensorBoard’s own writer writes', () => {
    const hex = (bytes: Uint8Array) => Buffer.from(bytes).toString('hex')
    expect(hex(versionEvent(1))).toBe(VERSION)
    expect(hex(scalarEvent(2, 300, [{ tag: 'loss', value: 0.5 }]))).toBe(SCALAR)
  })

  it('holds a training’s losses, validation losses and rates', async () => {
    const folder = join(work, 'events')
    const x = { values: data.toy('moons').sample(200, 1), shape: [200, 2] }
    const settings = {
      model: { kind: 'mlp', hidden: [8] },
      flow: { gammas: [0.3, null] },
      train: { batch: 50, steps: 12, lr: 0.001, logEvery: 5, validateEvery: 6, checkpointEvery: 6 },
      device: engine,
      seed: 2,
    } satisfies TrainArguments
    const flow = await LocalFlow.train(x, { ...settings, tensorboard: folder, validation: x })
    const found = scalars(folder)
    const at = (tag: string) => found.filter(([name]) => name === tag).map(([, step, value]) => [step, value])
    flow.training!.losses.forEach((losses, i) => {
      const mean = (from: number, to: number) =>
        Math.fround(losses.subarray(from, to).reduce((sum, loss) => sum + loss, 0) / (to - from))
      expect(at(`loss/sub-flow ${i + 1}`)).toEqual([
        [5, mean(0, 5)],
        [10, mean(5, 10)],
        [12, mean(10, 12)],
      ])
      const { steps, losses: unseen } = flow.training!.validation[i]
      expect(at(`validation loss/sub-flow ${i + 1}`)).toEqual(steps.map((step, k) => [step, unseen[k]]))
      expect(at(`learning rate/sub-flow ${i + 1}`)[0][1]).toBeCloseTo(0.00075, 4)
    })
    await flow.dispose()
    await expect(LocalFlow.train(x, { ...settings, tensorboard: '/proc/none/events' })).rejects.toThrow(
      'cannot be written',
    )
  })
})
