/**
 * What a kernel is. A *kernel* is one launch with a contract: named operands (tensors) with the way each is accessed,
 * attributes (numbers and names that are fixed when a program is compiled), a check of shapes, its cost, and a
 * *reference*: plain loops in float64 that say what the result is. WGSL and C++ implementations of the same name are
 * tested against the reference. A *composite* (src/networks/, src/ode/) is a contract whose reference is its expansion into
 * kernels; a device may have a fused implementation of it.
 *
 * Shapes are written with one letter each: B rows of a batch, D data dimension, C condition dimension, K inputs and N
 * outputs of a linear layer, T tangents, P parameters. All tensors are dense and row-major.
 */

import { InvalidArgumentError } from '../errors.js'

/** 'f16' is a way to store float operands between kernels; sums are float32 in any case. */
export type DType = 'f32' | 'u32' | 'f16'
/** How a launch uses an operand; one that is written is an output. */
export type Access = 'read' | 'write' | 'readwrite'
/** Extents of a tensor, outermost first; the last one is contiguous in memory. */
export type Shape = readonly number[]

/** What a contract says of an operand. */
export interface OperandSpec {
  /** read, written, or both */
  readonly access: Access
  /**
   * default 'f32'. 'float': f32 or f16, the same for all operands of an operation that are marked so. 'either': any;
   * an attribute of the kernel says which
   */
  readonly dtype?: DType | 'float' | 'either'
  /** An optional operand may be left out; what that means is part of the contract. */
  readonly optional?: boolean
}

/** Attributes are fixed at compile time: numbers, names, lists of numbers, and for composites plain objects. */
export type AttributeValue = number | string | boolean | readonly number[] | object
/** The attributes of a launch, by name. */
export type Attributes = Readonly<Record<string, AttributeValue>>

/** A tensor as the reference sees it: it computes in float64 whatever the array holds; Uint32Array for 'u32'. */
export interface ReferenceTensor {
  /** row-major */
  readonly data: Float64Array | Float32Array | Uint32Array
  /** extents, outermost first */
  readonly shape: Shape
}

/** Shapes of operands by name; undefined for one that is left out. */
export type Shapes = Readonly<Record<string, Shape | undefined>>

/** What a launch costs at least. */
export interface Cost {
  /** multiply-add counted as two */
  readonly flops: number
  /** compulsory traffic: each operand once, four bytes an element (but see `costOf`) */
  readonly bytes: number
}

/** A contract: what a launch of this name takes, costs and computes, on every device. docs/kernels.md has them all. */
export interface Kernel<A extends object = Attributes> {
  /** a composite of several launches is another kind */
  readonly kind: 'kernel'
  /** as the implementations are called in shaders/ and native/ */
  readonly name: string
  /** by name; inputs first */
  readonly operands: Readonly<Record<string, OperandSpec>>
  /** Throws InvalidArgumentError where the shapes or attributes do not fit the contract. */
  check(shapes: Shapes, attributes: A): void
  /** floating-point operations and bytes of a launch on operands of these shapes */
  cost(shapes: Shapes, attributes: A): Cost
  /** plain loops in float64 that write the outputs: what every implementation is tested against */
  reference(operands: Record<string, ReferenceTensor>, attributes: A): void
}

/** The cost of an operation on these tensors: of those in float16 an element has two bytes. */
export function costOf<A extends object>(
  { cost }: Pick<Kernel<A>, 'cost'>,
  tensors: Readonly<Record<string, { readonly shape: Shape; readonly dtype: DType } | undefined>>,
  attributes: A,
): Cost {
  const given = Object.entries(tensors)
  const { flops, bytes } = cost(Object.fromEntries(given.map(([name, tensor]) => [name, tensor?.shape])), attributes)
  const halves = given.reduce((sum, [, tensor]) => sum + (tensor?.dtype === 'f16' ? size(tensor.shape) : 0), 0)
  return { flops, bytes: bytes - 2 * halves }
}

export const size = (shape: Shape): number => shape.reduce((product, extent) => product * extent, 1)

/** Asserts that an operand has the shape that the contract derives from the others. */
export function expectShape(kernel: string, operand: string, actual: Shape | undefined, expected: Shape): void {
  if (actual === undefined || actual.length !== expected.length || actual.some((n, i) => n !== expected[i])) {
    throw new InvalidArgumentError(
      `${kernel}: operand ${operand} must have the shape [${expected.join(', ')}], but has ` +
        `${actual === undefined ? 'none (it was left out)' : `[${actual.join(', ')}]`}.`,
    )
  }
}

/** Asserts the rank of an operand and returns its extents. */
export function extents(kernel: string, operand: string, shape: Shape | undefined, rank: number): number[] {
  if (shape === undefined || shape.length !== rank || shape.some((n) => !Number.isInteger(n) || n < 1)) {
    throw new InvalidArgumentError(
      `${kernel}: operand ${operand} must have ${rank} positive extents, but has ` +
        `${shape === undefined ? 'none (it was left out)' : `[${shape.join(', ')}]`}.`,
    )
  }
  return [...shape]
}

/** Two operands that only make sense together. */
export function expectBoth(kernel: string, a: string, b: string, shapes: Shapes): void {
  if ((shapes[a] === undefined) !== (shapes[b] === undefined)) {
    throw new InvalidArgumentError(`${kernel}: operands ${a} and ${b} are given together or not at all.`)
  }
}

/** Bytes of all operands that are there, once each, four for an element: `costOf` knows of float16. */
export const traffic = (shapes: Shapes): number =>
  Object.values(shapes).reduce((sum, shape) => sum + (shape === undefined ? 0 : 4 * size(shape)), 0)
