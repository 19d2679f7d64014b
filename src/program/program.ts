/**
 * A *program* is a flat list of operations over tensors with static shapes. It is built once, lowered for a device
 * (composites that it has no fused implementation of are expanded, temporaries get their memory) and replayed many times;
 * no JavaScript runs for a single operation.
 *
 * A *tensor* is a window on a *storage*: a device buffer that outlives the program, a constant that is uploaded with it,
 * or a temporary whose contents live within one replay. Windows start at multiples of 64 elements (256 bytes: what GPUs
 * ask of a binding's offset).
 */

import { InvalidArgumentError } from '../errors.js'
import { type Attributes, type DType, type Kernel, type Shape, type Shapes, size } from '../kernels/contract.js'

/** Memory of a device, as a program sees it. */
export interface StorageBuffer {
  readonly dtype: DType
  /** elements */
  readonly length: number
}

export type Storage =
  | { readonly kind: 'buffer'; readonly buffer: StorageBuffer }
  | { readonly kind: 'constant'; readonly values: Float32Array }
  | { readonly kind: 'temporary'; readonly id: number; readonly dtype: DType; readonly length: number }

export interface ProgramTensor {
  readonly storage: Storage
  /** first element within the storage; a multiple of 64 */
  readonly offset: number
  readonly shape: Shape
  readonly dtype: DType
}

export type Operands = Readonly<Record<string, ProgramTensor | undefined>>

/**
 * A contract that expands into kernels. A device with a fused implementation for these shapes runs that, any other runs the
 * expansion; both pass the same parity tests.
 */
export interface Composite<A extends object = Attributes> {
  readonly kind: 'composite'
  readonly name: string
  readonly operands: Kernel['operands']
  check(shapes: Shapes, attributes: A): void
  cost(shapes: Shapes, attributes: A): { readonly flops: number; readonly bytes: number }
  expand(builder: ProgramBuilder, operands: Record<string, ProgramTensor>, attributes: A): void
}

export interface Operation {
  readonly contract: Kernel | Composite
  readonly operands: Operands
  readonly attributes: Attributes
}

export interface Program {
  readonly operations: readonly Operation[]
}

export const ALIGNMENT = 64
export const aligned = (elements: number): number => Math.ceil(elements / ALIGNMENT) * ALIGNMENT

export const shapesOf = (operands: Operands): Shapes =>
  Object.fromEntries(Object.entries(operands).map(([name, tensor]) => [name, tensor?.shape]))

let temporaries = 0

export class ProgramBuilder {
  readonly operations: Operation[] = []

  /** A tensor on a device buffer: all of it, or the window from `offset` (a multiple of 64). */
  tensor(buffer: StorageBuffer, shape: Shape = [buffer.length], offset = 0): ProgramTensor {
    return window({ kind: 'buffer', buffer }, buffer.dtype, buffer.length, offset, shape)
  }

  /** Memory that lives within one replay, from the operation that writes it to the last that reads it. */
  temporary(shape: Shape, dtype: DType = 'f32'): ProgramTensor {
    const storage: Storage = { kind: 'temporary', id: temporaries++, dtype, length: aligned(size(shape)) }
    return { storage, offset: 0, shape, dtype }
  }

  /** Values that are uploaded when the program is compiled. */
  constant(values: readonly number[] | Float32Array, shape: Shape = [values.length]): ProgramTensor {
    return { storage: { kind: 'constant', values: Float32Array.from(values) }, offset: 0, shape, dtype: 'f32' }
  }

  /** A window on a tensor's storage, `offset` elements (a multiple of 64) after the tensor's own first. */
  view(tensor: ProgramTensor, shape: Shape, offset = 0): ProgramTensor {
    const length = tensor.storage.kind === 'buffer' ? tensor.storage.buffer.length : lengthOf(tensor.storage)
    return window(tensor.storage, tensor.dtype, length, tensor.offset + offset, shape)
  }

  /** Appends an operation; shapes and attributes are checked against the contract here, once. */
  add<A extends object>(contract: Kernel<A> | Composite<A>, operands: Operands, attributes: A): void {
    for (const name of Object.keys(operands)) {
      if (operands[name] && !contract.operands[name]) {
        throw new InvalidArgumentError(`${contract.name} has no operand '${name}'.`)
      }
    }
    for (const [name, spec] of Object.entries(contract.operands)) {
      const tensor = operands[name]
      if (!tensor && !spec.optional) throw new InvalidArgumentError(`${contract.name}: operand ${name} is missing.`)
      const dtype = spec.dtype ?? 'f32'
      const fits = dtype === 'either' || (dtype === 'float' ? tensor?.dtype !== 'u32' : tensor?.dtype === dtype)
      if (tensor && !fits) throw new InvalidArgumentError(`${contract.name}: operand ${name} must be ${dtype}.`)
    }
    const floats = Object.keys(operands).filter((name) => operands[name] && contract.operands[name].dtype === 'float')
    const other = floats.find((name) => operands[name]!.dtype !== operands[floats[0]]!.dtype)
    if (other) {
      throw new InvalidArgumentError(
        `${contract.name}: operands ${floats[0]} and ${other} must both be f32 or both f16, but are ` +
          `${operands[floats[0]]!.dtype} and ${operands[other]!.dtype}.`,
      )
    }
    const given = Object.fromEntries(Object.entries(operands).filter(([, tensor]) => tensor !== undefined))
    contract.check(shapesOf(given), attributes)
    this.operations.push({
      contract: contract as unknown as Kernel,
      operands: given,
      attributes: attributes as Attributes,
    })
  }

  build(): Program {
    return { operations: [...this.operations] }
  }
}

const lengthOf = (storage: Exclude<Storage, { kind: 'buffer' }>): number =>
  storage.kind === 'constant' ? storage.values.length : storage.length

function window(storage: Storage, dtype: DType, length: number, offset: number, shape: Shape): ProgramTensor {
  if (offset % ALIGNMENT !== 0 || offset < 0) {
    throw new InvalidArgumentError(
      `A tensor must start at a multiple of ${ALIGNMENT} elements, but starts at ${offset}.`,
    )
  }
  if (offset + size(shape) > length) {
    throw new InvalidArgumentError(
      `A tensor of shape [${shape.join(', ')}] at ${offset} does not fit into a storage of ${length} elements.`,
    )
  }
  return { storage, dtype, offset, shape }
}
