import { describe, expect, it } from 'vitest'
import { decodeSafetensors, encodeSafetensors, type StoredTensor, takeFloat32 } from '../../src/checkpoint/index.js'
import { CheckpointError } from '../../src/errors.js'

const joined = (parts: Uint8Array[]): Uint8Array => new Uint8Array(Buffer.concat(parts))

/** A file with this header (text or object) and this many bytes of values: 0, 1, 2, … */
function file(header: object | string, bytes: number, announced?: bigint): Uint8Array {
  const json = Buffer.from(typeof header === 'string' ? header : JSON.stringify(header))
  const length = Buffer.alloc(8)
  length.writeBigUInt64LE(announced ?? BigInt(json.length))
  return joined([length, json, Uint8Array.from({ length: bytes }, (_, i) => i)])
}

const entry = (dtype: string, shape: unknown, start: unknown, end: unknown) => ({
  dtype,
  shape,
  data_offsets: [start, end],
})

describe('safetensors', () => {
  it('survives writing and reading, in every type', () => {
    const tensors: Record<string, StoredTensor> = {
      'subflow.0.layers.0.weight': { values: Float32Array.of(1, -2.5, 3e-40, 4, 5, 6), shape: [2, 3] },
      odd: { values: Uint8Array.of(1, 2, 3), shape: [3] },
      double: { values: Float64Array.of(Math.PI), shape: [] },
      counters: { values: Uint32Array.of(0xffffffff, 7), shape: [2, 1] },
      signed: { values: Int32Array.of(-1), shape: [1] },
      long: { values: BigInt64Array.of(-(2n ** 60n)), shape: [1] },
      none: { values: new Float32Array(0), shape: [0, 4] },
    }
    const bytes = joined(encodeSafetensors(tensors, { format: 'pt' }))
    const read = decodeSafetensors(bytes)
    expect(Object.fromEntries(read.tensors)).toEqual(tensors)
    expect(read.metadata).toEqual({ format: 'pt' })
  })

  it('lays values out as the format says: aligned, wide types first, one after another', () => {
    const [head, ...parts] = encodeSafetensors({
      b: { values: Uint8Array.of(9), shape: [1] },
      a: { values: Float32Array.of(1), shape: [1] },
    })
    const length = Number(new DataView(head.buffer).getBigUint64(0, true))
    expect(head.length).toBe(8 + length)
    expect(head.length % 8).toBe(0)
    expect(JSON.parse(Buffer.from(head.subarray(8)).toString())).toEqual({
      a: entry('F32', [1], 0, 4),
      b: entry('U8', [1], 4, 5),
    })
    expect(Buffer.concat(parts)).toEqual(Buffer.from([0, 0, 0x80, 0x3f, 9]))
  })

  it('reads what other writers lay out without alignment, from inside a larger buffer too', () => {
    const bytes = file({ a: entry('U8', [1], 0, 1), b: entry('F32', [2], 1, 9) }, 9)
    const expected = Array.from(new Float32Array(Uint8Array.of(1, 2, 3, 4, 5, 6, 7, 8).buffer))
    const within = Buffer.concat([Buffer.alloc(3), bytes]).subarray(3)
    for (const source of [bytes, within]) {
      expect(Array.from(decodeSafetensors(source).tensors.get('b')?.values as Float32Array)).toEqual(expected)
    }
  })

  it('does not mistake texts inside the header for names', () => {
    const metadata = { note: '{"a": 1, "a": 2} \\" : ', 'a:b': 'a' }
    const read = decodeSafetensors(joined(encodeSafetensors({ a: { values: Uint8Array.of(1), shape: [1] } }, metadata)))
    expect(read.metadata).toEqual(metadata)
  })

  it('takes a name that objects have of themselves for a tensor like any other', () => {
    const read = decodeSafetensors(file('{"__proto__":{"dtype":"U8","shape":[1],"data_offsets":[0,1]}}', 1))
    expect(Array.from(read.tensors.keys())).toEqual(['__proto__'])
    expect(decodeSafetensors(file({}, 0)).tensors.get('constructor')).toBeUndefined()
  })

  const a = entry('F32', [1], 0, 4)
  it.each<[string, Uint8Array, RegExp]>([
    ['fewer bytes than the length takes', new Uint8Array(7), /has 7 bytes/],
    ['a header beyond the end', file({ a }, 4, 1000n), /claims 1000 bytes, but/],
    ['a header of more than 100 MB', file({ a }, 4, 100_000_001n), /claims 100000001 bytes; at most 100000000/],
    ['a length of 2^63', file({ a }, 4, 2n ** 63n), /claims 9223372036854775808 bytes; at most/],
    ['a header that is no JSON', file('{"a": ', 4), /no JSON/],
    ['a header that is no UTF-8', joined([file({}, 0, 2n).subarray(0, 8), Uint8Array.of(0xff, 0xfe)]), /no JSON/],
    ['a header that is a list', file('[]', 0), /does not begin with \{/],
    ['a header that begins with blanks', file(' {}', 0), /does not begin with \{/],
    ['a name twice', file(`{"a": ${JSON.stringify(a)}, "a": ${JSON.stringify(a)}}`, 4), /'a' is there twice/],
    [
      'a name twice, once escaped',
      file(`{"a": ${JSON.stringify(a)}, "\\u0061": ${JSON.stringify(a)}}`, 4),
      /'a' is there twice/,
    ],
    [
      'a field twice',
      file('{"a": {"dtype":"F32","shape":[1],"shape":[1],"data_offsets":[0,4]}}', 4),
      /'shape' is there twice/,
    ],
    ['an unknown dtype', file({ a: entry('F8', [4], 0, 4) }, 4), /tensor 'a' has the dtype 'F8'/],
    ['a dtype that objects have', file({ a: entry('constructor', [4], 0, 4) }, 4), /has the dtype 'constructor'/],
    ['a negative dimension', file({ a: entry('F32', [-1], 0, 4) }, 4), /tensor 'a' has the shape/],
    ['half a dimension', file({ a: entry('F32', [0.5, 2], 0, 4) }, 4), /tensor 'a' has the shape/],
    [
      'a shape beyond counting',
      file({ a: entry('F32', [2 ** 40, 2 ** 40], 0, 4) }, 4),
      /tensor 'a' has 4 bytes, but F32/,
    ],
    [
      'a shape of other size than the offsets',
      file({ a: entry('F32', [2], 0, 4) }, 4),
      /has 4 bytes, but F32 of shape \[2\] takes 8/,
    ],
    ['offsets that run backwards', file({ a: entry('F32', [0], 4, 0) }, 4), /has -4 bytes/],
    ['negative offsets', file({ a: entry('F32', [1], -4, 0) }, 4), /has the offsets/],
    ['three offsets', file({ a: { dtype: 'F32', shape: [1], data_offsets: [0, 4, 8] } }, 4), /has the offsets/],
    ['offsets beyond the end', file({ a: entry('F32', [2], 0, 8) }, 4), /ends at 8, but there are 4 bytes/],
    ['a gap', file({ a, b: entry('F32', [1], 8, 12) }, 12), /tensor 'b' begins at 8, but the one before it ends at 4/],
    ['an overlap', file({ a, b: entry('F32', [1], 2, 6) }, 6), /tensor 'b' begins at 2/],
    ['bytes that belong to no tensor', file({ a }, 5), /1 bytes after the last tensor/],
    ['an unknown field', file({ a: { ...a, extra: 1 } }, 4), /unknown field 'extra'/],
    ['a tensor that is null', file({ a: null }, 0), /has the dtype undefined/],
    ['metadata that are no texts', file({ __metadata__: { n: 1 } }, 0), /metadata/],
  ])('is refused for %s', (_, bytes, message) => {
    expect(() => decodeSafetensors(bytes, 'x.safetensors')).toThrow(message)
    expect(() => decodeSafetensors(bytes, 'x.safetensors')).toThrow(CheckpointError)
    expect(() => decodeSafetensors(bytes, 'x.safetensors')).toThrow(/^x\.safetensors is damaged/)
  })

  it('is refused cut off at any byte', () => {
    const bytes = joined(encodeSafetensors({ a: { values: Float32Array.of(1, 2), shape: [2] } }, { format: 'pt' }))
    for (let length = 0; length < bytes.length; length++) {
      expect(() => decodeSafetensors(bytes.subarray(0, length))).toThrow(CheckpointError)
    }
  })

  it('is not written with a shape that does not fit', () => {
    expect(() => encodeSafetensors({ a: { values: Float32Array.of(1), shape: [2] } })).toThrow(CheckpointError)
  })

  it('gives tensors of a known name, type and shape', () => {
    const tensors = new Map<string, StoredTensor>([
      ['w', { values: Float32Array.of(1, 2), shape: [2, 1] }],
      ['n', { values: Uint32Array.of(1), shape: [1] }],
    ])
    const stored = { tensors, metadata: {} }
    expect(takeFloat32(stored, 'w', [2, 1])).toEqual(Float32Array.of(1, 2))
    expect(() => takeFloat32(stored, 'w', [1, 2])).toThrow(
      "'w' is F32 of shape [2, 1], but must be float32 of shape [1, 2]",
    )
    expect(() => takeFloat32(stored, 'w', [2])).toThrow(CheckpointError)
    expect(() => takeFloat32(stored, 'n', [1])).toThrow("'n' is U32")
    expect(() => takeFloat32(stored, 'x', [1])).toThrow("no tensor 'x'")
  })
})
