/**
 * The safetensors format (https://github.com/huggingface/safetensors): eight bytes with the length of a header, the
 * header as JSON (name → dtype, shape, data_offsets; `__metadata__`: texts by name), and the values of all tensors one
 * after another, little-endian, in C order. A file is input from outside: every number in it is checked before it is
 * used.
 */

import { CheckpointError, extents, show } from '../errors.js'

export type TensorValues =
  | Float32Array
  | Float64Array
  | Uint32Array
  | Int32Array
  | Uint8Array
  | BigInt64Array
  | BigUint64Array

/** The array's class is its dtype; an empty shape is a single number. */
export interface StoredTensor {
  values: TensorValues
  shape: readonly number[]
}

export interface Safetensors {
  tensors: Map<string, StoredTensor>
  metadata: Record<string, string>
}

const dtypes = {
  F32: Float32Array,
  F64: Float64Array,
  U32: Uint32Array,
  I32: Int32Array,
  U8: Uint8Array,
  I64: BigInt64Array,
  U64: BigUint64Array,
} as const

const dtypeOf = (values: TensorValues): string | undefined =>
  Object.entries(dtypes).find(([, Values]) => values instanceof Values)?.[0]

/** The format's own limit. */
const longestHeader = 100_000_000

/** Values begin at multiples of this in files written here, so that they can be read without a copy. */
const alignment = 8

/** As the format's own writer: wide types first, so that each tensor begins at a multiple of its width. */
const widthThenName = (a: [string, StoredTensor], b: [string, StoredTensor]): number =>
  b[1].values.BYTES_PER_ELEMENT - a[1].values.BYTES_PER_ELEMENT || (a[0] < b[0] ? -1 : 1)

/**
 * Encodes tensors as the parts of a file: the header, then each tensor's own memory, not copied.
 *
 * @throws CheckpointError where a shape does not fit its values
 */
export function encodeSafetensors(
  tensors: Readonly<Record<string, StoredTensor>>,
  metadata: Readonly<Record<string, string>> = {},
): Uint8Array[] {
  const header = new Map<string, unknown>()
  if (Object.keys(metadata).length) header.set('__metadata__', metadata)
  const parts: Uint8Array[] = []
  let offset = 0
  for (const [name, { values, shape }] of Object.entries(tensors).sort(widthThenName)) {
    const size = shape.reduce((product, d) => product * d, 1)
    if (size !== values.length) {
      throw new CheckpointError(`${name} has ${values.length} values, but its shape [${shape.join(', ')}] has ${size}.`)
    }
    const end = offset + values.byteLength
    header.set(name, { dtype: dtypeOf(values), shape, data_offsets: [offset, end] })
    parts.push(new Uint8Array(values.buffer, values.byteOffset, values.byteLength))
    offset = end
  }
  const json = new TextEncoder().encode(JSON.stringify(Object.fromEntries(header)))
  const length = Math.ceil(json.length / alignment) * alignment
  const head = new Uint8Array(8 + length).fill(0x20)
  new DataView(head.buffer).setBigUint64(0, BigInt(length), true)
  head.set(json, 8)
  return [head, ...parts]
}

/** Characters of a tensor's name, at most. */
const LONGEST_NAME = 4096

/** Where a text of a JSON text ends that begins at `start`: behind its closing quotation mark. */
function endOfText(json: string, start: number): number {
  for (let at = start + 1; ; at++) {
    at = json.indexOf('"', at)
    let backslashes = 0
    while (json[at - 1 - backslashes] === '\\') backslashes++
    if (backslashes % 2 === 0) return at + 1
  }
}

/**
 * A name that stands twice in one object of a JSON text, which JSON.parse would pass over; null where there is none. The text
 * has been parsed before. No pattern is used: those keep a stack for each character of a long text.
 */
function repeatedName(json: string): string | null {
  const open: (Set<string> | null)[] = []
  let [start, end] = [0, 0]
  for (let at = 0; at < json.length; at++) {
    const character = json[at]
    if (character === '"') {
      ;[start, end] = [at, endOfText(json, at)]
      at = end - 1
    } else if (character === '{') open.push(new Set())
    else if (character === '[') open.push(null)
    else if (character === '}' || character === ']') open.pop()
    else if (character === ':') {
      const names = open.at(-1)
      const name = JSON.parse(json.slice(start, end)) as string
      if (names?.has(name)) return name
      names?.add(name)
    }
  }
  return null
}

interface Entry {
  name: string
  dtype: keyof typeof dtypes
  shape: number[]
  start: number
  end: number
}

const isSize = (value: unknown): value is number => Number.isSafeInteger(value) && (value as number) >= 0

/** Checks one tensor's entry: known dtype, whole numbers, and as many bytes as dtype and shape ask for. */
function checkEntry(name: string, value: unknown): Entry | string {
  const { dtype, shape, data_offsets: offsets, ...others } = (value ?? {}) as Record<string, unknown>
  if (Object.keys(others).length) return `has an unknown field ${show(Object.keys(others)[0])}`
  if (typeof dtype !== 'string' || !Object.hasOwn(dtypes, dtype)) {
    return `has the dtype ${show(dtype)}; ${Object.keys(dtypes).join(', ')} are known`
  }
  if (!Array.isArray(shape) || !shape.every(isSize)) return `has the shape ${show(shape)}`
  if (!Array.isArray(offsets) || offsets.length !== 2 || !offsets.every(isSize))
    return `has the offsets ${show(offsets)}`
  const [start, end] = offsets as [number, number]
  const known = dtype as keyof typeof dtypes
  const bytes = shape.reduce((product, d) => product * d, dtypes[known].BYTES_PER_ELEMENT)
  if (!isSize(bytes) || end - start !== bytes) {
    return `has ${end - start} bytes, but ${dtype} of shape ${extents(shape)} takes ${bytes}`
  }
  return { name, dtype: known, shape, start, end }
}

/**
 * Decodes a file. Tensors are views of `bytes` where they are aligned, else copies.
 *
 * @param name what the file is called in messages
 * @throws CheckpointError for a header that is longer than the file or 100 MB, is no JSON or has a name twice, for
 *   tensors whose offsets, shape and dtype do not fit each other, and for values that are not exactly covered by tensors
 */
export function decodeSafetensors(bytes: Uint8Array, name = 'the file'): Safetensors {
  const fail = (problem: string): never => {
    throw new CheckpointError(`${name} is damaged or no safetensors file: ${problem}.`)
  }
  if (bytes.length < 8) fail(`it has ${bytes.length} bytes, fewer than the header's length takes`)
  const announced = new DataView(bytes.buffer, bytes.byteOffset).getBigUint64(0, true)
  if (announced > BigInt(longestHeader))
    fail(`its header claims ${announced} bytes; at most ${longestHeader} are allowed`)
  if (announced > BigInt(bytes.length - 8))
    fail(`its header claims ${announced} bytes, but ${bytes.length - 8} are there`)
  const data = bytes.subarray(8 + Number(announced))

  let header: Record<string, unknown> = {}
  let json = ''
  try {
    json = new TextDecoder('utf-8', { fatal: true }).decode(bytes.subarray(8, 8 + Number(announced)))
    header = JSON.parse(json)
  } catch {
    fail('its header is no JSON')
  }
  if (!json.startsWith('{')) fail('its header does not begin with {')
  const repeated = repeatedName(json)
  if (repeated !== null) fail(`the name ${show(repeated)} is there twice`)

  const entries: Entry[] = []
  let metadata: Record<string, string> = {}
  for (const [key, value] of Object.entries(header)) {
    if (key === '__metadata__') {
      const texts =
        typeof value === 'object' && value !== null && Object.values(value).every((v) => typeof v === 'string')
      if (!texts) fail('its metadata are not texts by name')
      metadata = value as Record<string, string>
      continue
    }
    if (key.length > LONGEST_NAME) fail(`it has a tensor whose name has ${key.length} characters`)
    const entry = checkEntry(key, value)
    if (typeof entry === 'string') fail(`tensor ${show(key)} ${entry}`)
    else entries.push(entry)
  }
  entries.sort((a, b) => a.start - b.start || a.end - b.end)

  const tensors = new Map<string, StoredTensor>()
  let position = 0
  for (const { name: key, dtype, shape, start, end } of entries) {
    if (start !== position) fail(`tensor ${show(key)} begins at ${start}, but the one before it ends at ${position}`)
    if (end > data.length) fail(`tensor ${show(key)} ends at ${end}, but there are ${data.length} bytes of values`)
    position = end
    const Values = dtypes[dtype]
    const own = data.subarray(start, end)
    const aligned = own.byteOffset % Values.BYTES_PER_ELEMENT === 0 ? own : new Uint8Array(own)
    const length = aligned.byteLength / Values.BYTES_PER_ELEMENT
    tensors.set(key, { values: new Values(aligned.buffer as ArrayBuffer, aligned.byteOffset, length), shape })
  }
  if (position !== data.length) fail(`${data.length - position} bytes after the last tensor belong to none`)
  return { tensors, metadata }
}

/**
 * A float32 tensor of a known name and shape out of a decoded file.
 *
 * @throws CheckpointError where it is missing or has another type or shape: the file is of another architecture
 */
export function takeFloat32({ tensors }: Safetensors, name: string, shape: readonly number[]): Float32Array {
  const found = tensors.get(name)
  const wanted = `float32 of shape [${shape.join(', ')}]`
  if (!found)
    throw new CheckpointError(`The checkpoint has no tensor ${show(name)} (${wanted}); it is of another model.`)
  const { values } = found
  const sameShape = found.shape.length === shape.length && found.shape.every((d, i) => d === shape[i])
  if (!(values instanceof Float32Array) || !sameShape) {
    throw new CheckpointError(
      `The checkpoint's tensor ${show(name)} is ${dtypeOf(values)} of shape ${extents(found.shape)}, ` +
        `but must be ${wanted}; it is of another model.`,
    )
  }
  return values
}
