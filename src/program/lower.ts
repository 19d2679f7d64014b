/**
 * Lowering: from a program to what a device executes. Composites that the device has no fused implementation of are
 * expanded; then temporaries are placed by lifetime into *slots*. Two temporaries
 * whose lives overlap never share a slot, so an operation never reads and writes one slot through different tensors
 * (WebGPU forbids that within a dispatch, and tracks hazards buffer by buffer).
 */

import { LocalFlowError } from '../errors.js'
import type { Attributes, DType, Kernel, Shape } from '../kernels/contract.js'
import {
  type Composite,
  type Operation,
  type Program,
  ProgramBuilder,
  type ProgramTensor,
  type StorageBuffer,
} from './program.js'

export type Place =
  | { readonly kind: 'buffer'; readonly buffer: StorageBuffer }
  | { readonly kind: 'slot'; readonly slot: number }
  /** offset is within the one table of constants */
  | { readonly kind: 'constant' }

export interface PlacedTensor {
  readonly place: Place
  readonly offset: number
  readonly shape: Shape
  readonly dtype: DType
}

export interface LoweredOperation {
  readonly contract: Kernel | Composite
  readonly operands: Readonly<Record<string, PlacedTensor>>
  readonly attributes: Attributes
}

export interface LoweredProgram {
  readonly operations: readonly LoweredOperation[]
  /** elements (of four bytes) of each slot */
  readonly slots: readonly number[]
  /** all constants, each at a multiple of 64 elements */
  readonly constants: Float32Array
}

/** Expands the composites for which `takes` is false. */
export function expand(program: Program, takes: (operation: Operation) => boolean): Operation[] {
  return program.operations.flatMap((operation) => {
    if (operation.contract.kind === 'kernel' || takes(operation)) return [operation]
    const builder = new ProgramBuilder()
    operation.contract.expand(builder, operation.operands as Record<string, ProgramTensor>, operation.attributes)
    return expand(builder.build(), takes)
  })
}

/** `packed`: the device stores two float16 numbers in the four bytes of an element; else each takes an element. */
export function lower(program: Program, takes: (operation: Operation) => boolean, packed = false): LoweredProgram {
  const operations = expand(program, takes)
  const lives = lifetimes(operations, packed)
  const { slotOf, slots } = assignSlots(lives)
  const constants = new ConstantTable()
  const place = (tensor: ProgramTensor): PlacedTensor => {
    const { storage, shape, dtype } = tensor
    if (storage.kind === 'buffer') return { place: storage, offset: tensor.offset, shape, dtype }
    if (storage.kind === 'temporary') {
      return { place: { kind: 'slot', slot: slotOf.get(storage.id)! }, offset: tensor.offset, shape, dtype }
    }
    return { place: { kind: 'constant' }, offset: constants.add(storage.values) + tensor.offset, shape, dtype }
  }
  const lowered = operations.map(({ contract, operands, attributes }) => ({
    contract,
    attributes,
    operands: Object.fromEntries(Object.entries(operands).map(([name, tensor]) => [name, place(tensor!)])),
  }))
  return { operations: lowered, slots, constants: constants.values() }
}

interface Life {
  readonly length: number
  readonly first: number
  last: number
}

/** First and last operation of every temporary; a temporary that is read before it is written is a mistake in a builder. */
function lifetimes(operations: readonly Operation[], packed: boolean): Map<number, Life> {
  const lives = new Map<number, Life>()
  operations.forEach(({ contract, operands }, index) => {
    for (const [name, tensor] of Object.entries(operands)) {
      if (tensor?.storage.kind !== 'temporary') continue
      const life = lives.get(tensor.storage.id)
      if (life) life.last = index
      else if (contract.operands[name].access === 'write') {
        const { dtype, length } = tensor.storage
        lives.set(tensor.storage.id, {
          length: packed && dtype === 'f16' ? length / 2 : length,
          first: index,
          last: index,
        })
      } else {
        throw new LocalFlowError(
          `${contract.name} (operation ${index}) reads operand ${name} before anything wrote it.`,
        )
      }
    }
  })
  return lives
}

/**
 * Greedy by size: the largest temporary first, each into the smallest slot that holds nothing while it lives, else into a
 * new one of its length. A slot is as long as its first temporary, so those that share it cost no memory.
 */
function assignSlots(lives: ReadonlyMap<number, Life>): { slotOf: Map<number, number>; slots: number[] } {
  const slots: { length: number; taken: Life[] }[] = []
  const slotOf = new Map<number, number>()
  for (const [id, life] of [...lives].sort(([, a], [, b]) => b.length - a.length || a.first - b.first)) {
    // slots were made in order of falling length: the last one that is free is the smallest
    let best = slots.length - 1
    while (best >= 0 && !take(slots[best].taken, life)) best--
    if (best < 0) best = slots.push({ length: life.length, taken: [life] }) - 1
    slotOf.set(id, best)
  }
  return { slotOf, slots: slots.map((slot) => slot.length) }
}

/** Inserts a lifetime among others, which are in order and disjoint, unless it overlaps one of them. */
function take(taken: Life[], life: Life): boolean {
  let [low, high] = [0, taken.length]
  while (low < high) {
    const middle = (low + high) >> 1
    if (taken[middle].last < life.first) low = middle + 1
    else high = middle
  }
  if (low < taken.length && taken[low].first <= life.last) return false
  taken.splice(low, 0, life)
  return true
}

/** Constants, equal ones once, each at a multiple of 64 elements. */
class ConstantTable {
  private readonly offsets = new Map<string, number>()
  private readonly parts: { offset: number; values: Float32Array }[] = []
  private length = 0

  add(values: Float32Array): number {
    const key = values.join()
    const known = this.offsets.get(key)
    if (known !== undefined) return known
    const offset = this.length
    this.parts.push({ offset, values })
    this.offsets.set(key, offset)
    this.length = Math.ceil((offset + values.length) / 64) * 64
    return offset
  }

  values(): Float32Array {
    const all = new Float32Array(this.length)
    for (const { offset, values } of this.parts) all.set(values, offset)
    return all
  }
}
