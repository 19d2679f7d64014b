/**
 * An ONNX graph that is being built: nodes in order, *initialisers* (values that are in the file), inputs, outputs. Names of
 * values are made here. Operator set 17 and format 8, which runtimes have read since 2022. The numbers are those of the
 * messages' fields in ONNX's schema.
 */

import { bytes, float, integer, message, type Piece, text, together } from './protobuf.js'

const FORMAT = 8
export const OPERATOR_SET = 17

/** Element types of a TensorProto. */
const types = { float: 1, int64: 7, double: 11 } as const
type ElementType = keyof typeof types
/** What an element is, for Cast. */
export const elementType = (type: ElementType): number => types[type]
/** Types of an AttributeProto. */
const attributeTypes = { float: 1, int: 2, string: 3, ints: 7 } as const

/** An attribute of a node: a number is a whole one, `{ float }` is not. */
export type NodeAttribute = number | string | readonly number[] | { readonly float: number }
export type NodeAttributes = Readonly<Record<string, NodeAttribute>>

/** An input or output of the graph. */
export interface GraphValue {
  readonly name: string
  /** default float */
  readonly type?: ElementType
  /** a name stands for an extent that is open */
  readonly shape: readonly (number | string)[]
}

export class Graph {
  private readonly nodes: Piece[] = []
  private readonly initialisers: Piece[] = []
  private readonly inputs: Piece[] = []
  private readonly outputs: Piece[] = []
  /** names of initialisers by what is in them */
  private readonly known = new Map<string, string>()
  private named = 0

  constructor(private readonly name: string) {}

  input(value: GraphValue): string {
    this.inputs.push(message(11, valueInfo(value)))
    return value.name
  }

  /** Hands out a value under the name of an output. */
  output(from: string, value: GraphValue): void {
    this.outputs.push(message(12, valueInfo(value)))
    this.add('Identity', [from], [value.name], {})
  }

  /** A node with one output; returns the output's name. An empty name is an input that is left out. */
  node(operator: string, inputs: readonly string[], attributes: NodeAttributes = {}): string {
    return this.nodeOf(1, operator, inputs, attributes)[0]
  }

  /** A node with several outputs. */
  nodeOf(outputs: number, operator: string, inputs: readonly string[], attributes: NodeAttributes = {}): string[] {
    const names = Array.from({ length: outputs }, () => this.fresh(operator))
    this.add(operator, inputs, names, attributes)
    return names
  }

  /** Float32 values that are in the file once, whoever asks for them: known again by their key. */
  initialiser(stem: string, key: string, shape: readonly number[], values: () => Float32Array): string {
    return this.once(`initialiser ${key}`, () => this.values(stem, types.float, shape, values()))
  }

  /** Float32 numbers, equal ones once. */
  constant(values: readonly number[], shape: readonly number[] = [values.length]): string {
    const floats = Float32Array.from(values)
    const key = `constant ${floats.join()} of ${shape.join()}`
    return this.once(key, () => this.values('constant', types.float, shape, floats))
  }

  /** Whole numbers, such as a shape. */
  integers(values: readonly number[], shape: readonly number[] = [values.length]): string {
    const make = (): string => this.values('integers', types.int64, shape, BigInt64Array.from(values, BigInt))
    return this.once(`integers ${values.join()} of ${shape.join()}`, make)
  }

  /** Float64 numbers. */
  doubles(values: readonly number[], shape: readonly number[] = [values.length]): string {
    const make = (): string => this.values('doubles', types.double, shape, Float64Array.from(values))
    return this.once(`doubles ${values.join()} of ${shape.join()}`, make)
  }

  /** The file, with texts by name beside the graph. */
  model(metadata: Readonly<Record<string, string>>, producer: { name: string; version: string }): Piece {
    const graph = [...this.nodes, text(2, this.name), ...this.initialisers, ...this.inputs, ...this.outputs]
    return together([
      integer(1, FORMAT),
      text(2, producer.name),
      text(3, producer.version),
      message(7, graph),
      // the empty domain, which may be left out, is ONNX's own
      message(8, [integer(2, OPERATOR_SET)]),
      ...Object.entries(metadata).map(([key, value]) => message(14, [text(1, key), text(2, value)])),
    ])
  }

  private once(key: string, make: () => string): string {
    const name = this.known.get(key) ?? make()
    this.known.set(key, name)
    return name
  }

  private fresh(stem: string): string {
    this.named++
    return `${stem}_${this.named}`
  }

  private add(
    operator: string,
    inputs: readonly string[],
    outputs: readonly string[],
    attributes: NodeAttributes,
  ): void {
    this.nodes.push(
      message(1, [
        ...inputs.map((name) => text(1, name)),
        ...outputs.map((name) => text(2, name)),
        text(3, outputs[0]),
        text(4, operator),
        ...Object.entries(attributes).map(([name, value]) => message(5, attribute(name, value))),
      ]),
    )
  }

  private values(
    stem: string,
    type: number,
    shape: readonly number[],
    values: Float32Array | Float64Array | BigInt64Array,
  ): string {
    const name = this.fresh(stem)
    const raw = new Uint8Array(values.buffer, values.byteOffset, values.byteLength)
    this.initialisers.push(
      message(5, [...shape.map((extent) => integer(1, extent)), integer(2, type), text(8, name), bytes(9, raw)]),
    )
    return name
  }
}

function valueInfo({ name, type = 'float', shape }: GraphValue): Piece[] {
  const extents = shape.map((extent) => message(1, [typeof extent === 'number' ? integer(1, extent) : text(2, extent)]))
  return [text(1, name), message(2, [message(1, [integer(1, types[type]), message(2, extents)])])]
}

function attribute(name: string, value: NodeAttribute): Piece[] {
  const of = (type: keyof typeof attributeTypes, ...fields: Piece[]): Piece[] => [
    text(1, name),
    ...fields,
    integer(20, attributeTypes[type]),
  ]
  if (typeof value === 'number') return of('int', integer(3, value))
  if (typeof value === 'string') return of('string', text(4, value))
  if ('float' in value) return of('float', float(2, value.float))
  return of('ints', ...value.map((each) => integer(8, each)))
}
