/**
 * Protocol-buffer messages, written only. A field is a key, 8·number + wire type, and a value: wire type 0 a variable-length
 * integer, 2 bytes with their length before them, 5 four bytes. Of ONNX a dozen fields are written, so the numbers of its schema
 * (https://github.com/onnx/onnx/blob/main/onnx/onnx.proto3) stand in graph.ts beside their names, and no generated code does.
 */

/** A field, or several: pieces of a file in turn, large ones not copied. */
export interface Piece {
  readonly parts: readonly Uint8Array[]
  readonly length: number
}

/** Bytes up to which parts are copied together: a file is written part by part. */
const SMALL = 1 << 16

/** Parts one after another, small ones as one. */
function piece(parts: Iterable<Uint8Array>): Piece {
  const joined: Uint8Array[] = []
  let small: Uint8Array[] = []
  let [length, waiting] = [0, 0]
  const flush = (): void => {
    if (waiting === 0) return
    const copy = new Uint8Array(waiting)
    let at = 0
    for (const part of small) {
      copy.set(part, at)
      at += part.length
    }
    joined.push(copy)
    small = []
    waiting = 0
  }
  for (const part of parts) {
    length += part.length
    if (part.length > SMALL) {
      flush()
      joined.push(part)
      continue
    }
    small.push(part)
    waiting += part.length
    if (waiting > SMALL) flush()
  }
  flush()
  return { parts: joined, length }
}

/** A whole number below 2^53, seven bits at a time, the lowest first. */
function varint(value: number): Uint8Array {
  const bytes: number[] = []
  let rest = value
  while (rest >= 128) {
    bytes.push((rest % 128) + 128)
    rest = Math.floor(rest / 128)
  }
  return Uint8Array.of(...bytes, rest)
}

/** Int64 of any sign in an int64 field: two's complement, of ten bytes where it is below zero. */
function signed(value: number): Uint8Array {
  if (value >= 0) return varint(value)
  let rest = BigInt.asUintN(64, BigInt(value))
  const bytes: number[] = []
  while (rest >= 128n) {
    bytes.push(Number(rest % 128n) + 128)
    rest /= 128n
  }
  return Uint8Array.of(...bytes, Number(rest))
}

export const integer = (field: number, value: number): Piece => piece([varint(8 * field), signed(value)])

export const bytes = (field: number, value: Uint8Array): Piece =>
  piece([varint(8 * field + 2), varint(value.length), value])

export const text = (field: number, value: string): Piece => bytes(field, new TextEncoder().encode(value))

export function float(field: number, value: number): Piece {
  const four = new Uint8Array(4)
  new DataView(four.buffer).setFloat32(0, value, true)
  return piece([varint(8 * field + 5), four])
}

function* partsOf(pieces: Iterable<Piece>): Iterable<Uint8Array> {
  for (const { parts } of pieces) yield* parts
}

/** Fields one after another. */
export const together = (pieces: Iterable<Piece>): Piece => piece(partsOf(pieces))

export function message(field: number, pieces: Iterable<Piece>): Piece {
  const { parts, length } = together(pieces)
  return piece([varint(8 * field + 2), varint(length), ...parts])
}
