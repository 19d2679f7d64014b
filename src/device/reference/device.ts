/**
 * The device that runs the contracts' own references: float64 loops in plain TypeScript, no tricks. It is the
 * specification that the other devices are tested against, and the last resort where neither of them is there. Buffers hold
 * float32, so that a run resumed from its files is bit-identical; temporaries are float64.
 */

import { DeviceError } from '../../errors.js'
import { type DType, type ReferenceTensor, size } from '../../kernels/contract.js'
import { kernels } from '../../kernels/registry.js'
import { lower, type PlacedTensor } from '../../program/lower.js'
import type { Program } from '../../program/program.js'
import {
  type Device,
  type DeviceBuffer,
  type DeviceInfo,
  type Executable,
  type MemoryUse,
  memoryOf,
  type ProgramMemory,
  type RunOptions,
} from '../device.js'

/** Time after which a run lets the event loop turn, milliseconds. */
const SLICE_MS = 20

export function openReference(): Device {
  return new ReferenceDevice()
}

class ReferenceBuffer implements DeviceBuffer {
  data: Float32Array | Uint32Array

  constructor(
    readonly length: number,
    readonly dtype: DType,
    private readonly device: ReferenceDevice,
  ) {
    this.data = dtype === 'u32' ? new Uint32Array(length) : new Float32Array(length)
  }

  write(values: Float32Array | Uint32Array, offset = 0): void {
    this.device.enqueue(() => this.data.set(values, offset))
  }

  async read(offset = 0, length = this.length - offset): Promise<Float32Array | Uint32Array> {
    return this.device.enqueue(() => this.data.slice(offset, offset + length))
  }

  dispose(): void {
    this.device.release(this)
    this.device.enqueue(() => {
      this.data = new Uint32Array(0)
    })
  }
}

class ReferenceDevice implements Device {
  readonly kind = 'reference'
  readonly dtypes: ReadonlySet<DType> = new Set(['f32', 'u32'])
  readonly info: DeviceInfo = {
    kind: 'reference',
    name: 'plain TypeScript, float64',
    type: 'cpu',
    cpuTarget: null,
    threads: null,
    details: {},
  }
  readonly kernels: ReadonlySet<string> = new Set(kernels.keys())
  private readonly live = new Set<ReferenceBuffer>()
  /** slots and constants of executables */
  private programBytes = 0
  private peakBytes = 0
  private tail: Promise<unknown> = Promise.resolve()

  /** Runs a task after everything queued before it. */
  enqueue<T>(task: () => T | Promise<T>): Promise<T> {
    const result = this.tail.then(task)
    this.tail = result.catch(() => undefined)
    return result
  }

  createBuffer(length: number, dtype: DType = 'f32'): ReferenceBuffer {
    if (!Number.isInteger(length) || length < 1) {
      throw new DeviceError(`A buffer must have a whole number of elements from 1 on, but was asked for ${length}.`)
    }
    const buffer = new ReferenceBuffer(length, dtype, this)
    this.live.add(buffer)
    this.peakBytes = Math.max(this.peakBytes, this.memory().bytes)
    return buffer
  }

  release(buffer: ReferenceBuffer): void {
    this.live.delete(buffer)
  }

  copy(from: ReferenceBuffer, fromOffset: number, to: ReferenceBuffer, toOffset: number, length: number): void {
    this.enqueue(() => to.data.set(from.data.subarray(fromOffset, fromOffset + length), toOffset))
  }

  memoryFor(program: Program): ProgramMemory {
    return memoryOf(program, () => false, Float64Array.BYTES_PER_ELEMENT)
  }

  async compile(program: Program): Promise<Executable> {
    const { operations, slots, constants } = lower(program, () => false)
    const memory = slots.map((length) => new Float64Array(length))
    const table = Float64Array.from(constants)
    let bytes = memory.reduce((sum, slot) => sum + slot.byteLength, table.byteLength)
    this.count(bytes)
    const bind = ({ place, offset, shape }: PlacedTensor): (() => ReferenceTensor) => {
      const data = (): ReferenceTensor['data'] =>
        place.kind === 'constant'
          ? table
          : place.kind === 'slot'
            ? memory[place.slot]
            : (place.buffer as ReferenceBuffer).data
      return () => ({ data: data().subarray(offset, offset + size(shape)), shape })
    }
    const steps = operations.map(({ contract, operands, attributes }) => {
      const kernel = kernels.get(contract.name)!
      const bound = Object.entries(operands).map(([name, tensor]) => [name, bind(tensor)] as const)
      return () => kernel.reference(Object.fromEntries(bound.map(([name, view]) => [name, view()])), attributes)
    })
    const run = async (times = 1, { signal }: RunOptions = {}): Promise<void> => {
      let slice = Date.now()
      for (let replay = 0; replay < times; replay++) {
        for (const step of steps) {
          step()
          if (Date.now() - slice > SLICE_MS) {
            await new Promise((resolve) => setImmediate(resolve))
            slice = Date.now()
          }
        }
        signal?.throwIfAborted()
      }
    }
    return {
      launches: steps.length,
      variants: {},
      run: (times, options) => this.enqueue(() => run(times, options)),
      dispose: () => {
        this.count(-bytes)
        bytes = 0
      },
    }
  }

  private count(bytes: number): void {
    this.programBytes += bytes
    this.peakBytes = Math.max(this.peakBytes, this.memory().bytes)
  }

  async profile(): Promise<null> {
    return null
  }

  memory(): MemoryUse {
    let bytes = this.programBytes
    for (const buffer of this.live) bytes += 4 * buffer.length
    return { buffers: this.live.size, bytes, peakBytes: Math.max(this.peakBytes, bytes) }
  }

  async dispose(): Promise<void> {
    await this.tail
    for (const buffer of this.live) buffer.dispose()
  }
}
