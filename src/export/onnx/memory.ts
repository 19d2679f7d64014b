/**
 * Which value of the graph lies where in a program's memory. A program's tensors are windows on storages, of a batch of fixed
 * size; the graph's values have names and an open batch. A value is found by the window that it was written to. Pictures that
 * a program keeps with their channels last have them second in the graph, as ONNX's operators want it, and a concatenation,
 * which is a shared tensor in a program, is a Concat of the values that were written to parts of it. Rows that are told a condition
 * and rows that are not go through a guided network as one batch (networks/guided/): its halves are written, or read, apart.
 */

import { LocalFlowError } from '../../errors.js'
import { size } from '../../kernels/contract.js'
import { type Layout, pictureExtents } from '../../kernels/pictures.js'
import type { ProgramTensor } from '../../program/program.js'
import { writtenTo } from '../recorder.js'
import type { Graph } from './graph.js'

/** A value in a window of a storage. */
interface Held {
  readonly offset: number
  readonly length: number
  /** of the tensor it was written through */
  readonly shape: readonly number[]
  /** channels last: the window of them that it is; null: memory in the order of the graph's value */
  readonly channels: { readonly first: number; readonly count: number } | null
  /** names by the extents of a row: the same memory seen as rows, or as pictures */
  readonly names: Map<string, string>
}

const overlap = (start: number, length: number, otherStart: number, otherLength: number): boolean =>
  start < otherStart + otherLength && otherStart < start + length

export class Memory {
  private readonly held = new Map<unknown, Held[]>()

  constructor(private readonly graph: Graph) {}

  /**
   * The value of rows [B, …extents]; the graph sees a row in the same extents, or in others of as many elements. What is the same
   * in every row of a batch is one row, [1, …extents].
   */
  rows(tensor: ProgramTensor, extents: readonly number[] = tensor.shape.slice(1)): string {
    if (!this.isConstant(tensor)) return this.dense(tensor, extents)
    const all = this.known(tensor)
    const row = all.subarray(0, all.length / tensor.shape[0])
    if (all.some((value, i) => value !== row[i % row.length])) throw this.unknown(tensor)
    return this.graph.constant([...row], [1, ...extents])
  }

  /** Whether a tensor is in the program itself. */
  isConstant({ storage }: ProgramTensor): boolean {
    return storage.kind === 'constant'
  }

  holdRows(tensor: ProgramTensor, name: string, extents: readonly number[] = tensor.shape.slice(1)): void {
    this.hold(tensor, null, extents, name)
  }

  /** C channels from `first` on of pictures, [B, C, H, W] in the graph. */
  picture(tensor: ProgramTensor, layout: Layout, first = 0, count?: number): string {
    const { H, W, S } = pictureExtents('picture', 'x', tensor.shape, layout)
    const C = count ?? S
    if (layout === 'nchw') return this.dense(tensor, [C, H, W])
    const parts = this.partsOf(tensor)
      .filter(({ channels }) => channels !== null && overlap(channels.first, channels.count, first, C))
      .sort((a, b) => a.channels!.first - b.channels!.first)
    let at = first
    for (const { channels } of parts) {
      if (channels!.first !== at) break
      at += channels!.count
    }
    if (parts.length === 0 && first === 0 && C === S) {
      // rows of data that have their channels last, as sequences do
      return this.graph.node('Transpose', [this.dense(tensor, [H, W, S])], { perm: [0, 3, 1, 2] })
    }
    if (parts.length === 0 || at !== first + C) throw this.unknown(tensor)
    const names = parts.map(({ names }) => [...names.values()][0])
    return names.length === 1 ? names[0] : this.graph.node('Concat', names, { axis: 1 })
  }

  holdPicture(tensor: ProgramTensor, layout: Layout, first: number, count: number, name: string): void {
    const { H, W } = pictureExtents('picture', 'y', tensor.shape, layout)
    this.hold(tensor, layout === 'nhwc' ? { first, count } : null, [count, H, W], name)
  }

  /** Times [B], or [1] for all rows: a column [B, 1] or [1, 1] of the graph. */
  times(tensor: ProgramTensor): string {
    const { storage } = tensor
    if (storage.kind === 'constant') {
      return this.graph.constant([...storage.values.subarray(tensor.offset, tensor.offset + 1)], [1, 1])
    }
    return this.dense(tensor, [1])
  }

  /** Numbers that are known: constants, and what the host wrote before anything ran. */
  known(tensor: ProgramTensor): Float32Array {
    const { storage, offset } = tensor
    const length = size(tensor.shape)
    if (storage.kind === 'constant') return storage.values.subarray(offset, offset + length)
    const written = storage.kind === 'buffer' ? writtenTo(storage.buffer, offset, length) : null
    if (!written) throw this.unknown(tensor)
    return written
  }

  /** An initialiser of such numbers; the same window in the same form is in the file once. */
  parameters(
    name: string,
    tensor: ProgramTensor,
    shape: readonly number[] = tensor.shape,
    form: (values: Float32Array) => Float32Array = (values) => values,
  ): string {
    const { storage, offset } = tensor
    if (storage.kind === 'constant') return this.graph.constant([...form(this.known(tensor))], shape)
    const key = `${name} ${this.numberOf(storage)} ${offset} ${shape.join()}`
    return this.graph.initialiser(name, key, shape, () => form(this.known(tensor)))
  }

  private readonly numbers = new Map<unknown, number>()
  private numberOf(storage: ProgramTensor['storage']): number {
    const key = keyOf(storage)
    const number = this.numbers.get(key) ?? this.numbers.size
    this.numbers.set(key, number)
    return number
  }

  private hold(tensor: ProgramTensor, channels: Held['channels'], extents: readonly number[], name: string): void {
    const { offset, shape } = tensor
    const length = size(shape)
    const key = keyOf(tensor.storage)
    // what is written over is gone; parts of channels stand beside each other
    const kept = (this.held.get(key) ?? []).filter((other) => {
      if (!overlap(other.offset, other.length, offset, length)) return true
      const sameTensor = other.offset === offset && other.shape.join() === shape.join()
      return (
        sameTensor &&
        channels &&
        other.channels &&
        !overlap(other.channels.first, other.channels.count, channels.first, channels.count)
      )
    })
    kept.push({ offset, length, shape, channels, names: new Map([[extents.join(), name]]) })
    this.held.set(key, kept)
  }

  private partsOf({ storage, offset, shape }: ProgramTensor): Held[] {
    const same = (held: Held): boolean => held.offset === offset && held.shape.join() === shape.join()
    return (this.held.get(keyOf(storage)) ?? []).filter(same)
  }

  private dense(tensor: ProgramTensor, extents: readonly number[]): string {
    const { offset, shape } = tensor
    const length = size(shape)
    const key = keyOf(tensor.storage)
    const found =
      this.window(key, offset, length) ?? this.joined(key, offset, length, extents) ?? this.half(key, offset, length)
    if (!found) throw this.unknown(tensor)
    return this.named(found, extents)
  }

  /** What is held, as rows of these extents. */
  private named({ names }: Held, extents: readonly number[]): string {
    const known = names.get(extents.join())
    if (known) return known
    const [any] = names.values()
    // 0 keeps the batch as it is
    const name = this.graph.node('Reshape', [any, this.graph.integers([0, ...extents])])
    names.set(extents.join(), name)
    return name
  }

  private window(key: unknown, offset: number, length: number): Held | undefined {
    const same = this.held.get(key)?.filter((held) => held.offset === offset && held.length === length) ?? []
    const found = same.find(({ channels }) => channels === null)
    if (found) return found
    // a whole picture with its channels last, in the order of memory
    const whole = same.find(({ channels, shape: [, , , S] }) => channels?.count === S)
    if (!whole) return undefined
    const [, H, W, S] = whole.shape
    const [picture] = whole.names.values()
    const turned = this.graph.node('Transpose', [picture], { perm: [0, 2, 3, 1] })
    return this.derived(key, offset, length, [[H, W, S].join(), turned])
  }

  /** Two batches that were written one after the other, as one. */
  private joined(key: unknown, offset: number, length: number, extents: readonly number[]): Held | undefined {
    const halves = [offset, offset + length / 2].map((at) => this.window(key, at, length / 2))
    if (!halves.every((half) => half !== undefined)) return undefined
    const names = halves.map((half) => this.named(half, extents))
    return this.derived(key, offset, length, [extents.join(), this.graph.node('Concat', names, { axis: 0 })])
  }

  /** Half of the batch that was written as a whole. */
  private half(key: unknown, offset: number, length: number): Held | undefined {
    const whole = [offset, offset - length].map((at) => this.window(key, at, 2 * length)).find((held) => held)
    if (!whole) return undefined
    const [[extents, name]] = whole.names
    const halves = this.graph
      .nodeOf(2, 'Split', [name], { axis: 0 })
      .map((part, i) => this.derived(key, whole.offset + i * length, length, [extents, part]))
    return halves[offset === whole.offset ? 0 : 1]
  }

  /** Another view of what is held already, beside it. */
  private derived(key: unknown, offset: number, length: number, name: [string, string]): Held {
    const held: Held = { offset, length, shape: [], channels: null, names: new Map([name]) }
    this.held.get(key)!.push(held)
    return held
  }

  private unknown({ shape, offset, storage }: ProgramTensor): LocalFlowError {
    return new LocalFlowError(
      `The program reads [${shape.join(', ')}] at ${offset} of a ${storage.kind}, which it neither wrote in one piece nor was given.`,
    )
  }
}

const keyOf = (storage: ProgramTensor['storage']): unknown =>
  storage.kind === 'temporary' ? storage.id : storage.kind === 'buffer' ? storage.buffer : storage
