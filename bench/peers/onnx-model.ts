/**
 * Writes the network as an ONNX file (protocol buffers, https://github.com/onnx/onnx/blob/main/onnx/onnx.proto): input
 * xt [B, D + 1] with the time in the first column, then Gemm and activation for each layer, output v [B, D]. A field of a
 * protocol-buffer message is a key (number·8 + wire type) and a value: wire type 0 a variable-length integer, 2 bytes
 * with their length, 5 four bytes.
 */

import type { MlpShape } from '../shapes.js'
import { normals } from '../values.js'

type Bytes = readonly Uint8Array[]

function varint(value: number): Uint8Array {
  const bytes: number[] = []
  let rest = value
  while (rest >= 128) {
    bytes.push((rest % 128) + 128)
    rest = Math.floor(rest / 128)
  }
  return Uint8Array.of(...bytes, rest)
}

const integer = (field: number, value: number): Bytes => [varint(8 * field), varint(value)]
const bytes = (field: number, value: Uint8Array): Bytes => [varint(8 * field + 2), varint(value.length), value]
const string = (field: number, value: string): Bytes => bytes(field, new TextEncoder().encode(value))
const float = (field: number, value: number): Bytes => [
  varint(8 * field + 5),
  new Uint8Array(Float32Array.of(value).buffer),
]
const message = (field: number, parts: readonly Bytes[]): Bytes => bytes(field, Buffer.concat(parts.flat()))

const FLOAT = 1

const tensor = (name: string, shape: readonly number[], values: Float32Array): Bytes =>
  message(5, [
    ...shape.map((extent) => integer(1, extent)),
    integer(2, FLOAT),
    string(8, name),
    bytes(9, new Uint8Array(values.buffer, values.byteOffset, values.byteLength)),
  ])

const node = (operation: string, inputs: readonly string[], output: string, attributes: readonly Bytes[] = []): Bytes =>
  message(1, [...inputs.map((name) => string(1, name)), string(2, output), string(4, operation), ...attributes])

const flag = (name: string, value: number): Bytes => message(5, [string(1, name), integer(3, value), integer(20, 2)])
const number = (name: string, value: number): Bytes => message(5, [string(1, name), float(2, value), integer(20, 1)])

/** A matrix of B rows, B open. */
const matrix = (field: number, name: string, columns: number): Bytes =>
  message(field, [
    string(1, name),
    message(2, [
      message(1, [integer(1, FLOAT), message(2, [message(1, [string(2, 'B')]), message(1, [integer(1, columns)])])]),
    ]),
  ])

/** The nodes of one activation, and the constants that they need. */
function activation({ activation: name, beta }: MlpShape, from: string, to: string): Bytes[] {
  switch (name) {
    case 'relu':
      return [node('Relu', [from], to)]
    case 'elu':
      return [node('Elu', [from], to, [number('alpha', 1)])]
    case 'tanh':
      return [node('Tanh', [from], to)]
    case 'softplus':
      return [
        tensor(`${to}.beta`, [], Float32Array.of(beta)),
        node('Mul', [from, `${to}.beta`], `${to}.scaled`),
        node('Softplus', [`${to}.scaled`], `${to}.softplus`),
        node('Div', [`${to}.softplus`, `${to}.beta`], to),
      ]
    case 'silu':
      return [node('Sigmoid', [from], `${to}.sigmoid`), node('Mul', [from, `${to}.sigmoid`], to)]
    default:
      throw new Error(`onnx: no activation '${name}'`)
  }
}

/** The weights of layer i: [N, K] as PyTorch and ONNX's transposed Gemm have them. */
export const layerWeight = (inputs: number, outputs: number): Float32Array =>
  normals(inputs * outputs, 1 / Math.sqrt(3 * inputs))

/** The bytes of a model file. */
export function onnxModel(net: MlpShape): Uint8Array {
  const widths = [net.dimension + 1, ...new Array<number>(net.layers).fill(net.width), net.dimension]
  const graph: Bytes[] = []
  let input = 'xt'
  widths.slice(1).forEach((outputs, i) => {
    const last = i === widths.length - 2
    const z = last ? 'v' : `z${i}`
    graph.push(
      tensor(`w${i}`, [outputs, widths[i]], layerWeight(widths[i], outputs)),
      tensor(`b${i}`, [outputs], new Float32Array(outputs)),
      node('Gemm', [input, `w${i}`, `b${i}`], z, [flag('transB', 1)]),
    )
    if (!last) graph.push(...activation(net, z, `h${i}`))
    input = `h${i}`
  })
  graph.push(string(2, 'velocity'), matrix(11, 'xt', widths[0]), matrix(12, 'v', net.dimension))
  return Buffer.concat([
    ...integer(1, 8),
    ...message(7, graph),
    // operators of version 17; the empty domain is ONNX's own
    ...message(8, [string(1, ''), integer(2, 17)]),
  ])
}
