/**
 * The memory of a WebGPU device: *buffers*, which outlive programs, and the GPU's own buffers, which executables
 * allocate as well. All are counted, kept within the adapter's limits, and freed at the latest with the device. The host
 * sees float16 as floats, and reads and writes such a buffer as a whole, since two numbers share a word.
 */

import { DeviceError, InvalidArgumentError } from '../../errors.js'
import type { DType } from '../../kernels/contract.js'
import type { DeviceBuffer, MemoryUse } from '../device.js'
import type { LimitName } from './adapter-info.js'
import { fromHalves, toHalves } from './half-values.js'
import { keepForLater, type Line } from './line.js'

/** Flags of GPUBufferUsage and GPUMapMode: Node has no such globals. */
export const usage = {
  mapRead: 0x1,
  copySource: 0x4,
  copyTarget: 0x8,
  uniform: 0x40,
  storage: 0x80,
  queryResolve: 0x200,
} as const
const MODE_READ = 0x1

type Values = Float32Array | Uint32Array

export class WebgpuBuffer implements DeviceBuffer {
  disposed = false

  constructor(
    private readonly memory: WebgpuMemory,
    readonly gpu: GPUBuffer,
    readonly length: number,
    readonly dtype: DType,
  ) {}

  isOf(memory: WebgpuMemory): boolean {
    return this.memory === memory
  }

  write(values: Values, offset = 0): void {
    this.memory.write(this, values, offset)
  }

  read(offset = 0, length = this.length - offset): Promise<Values> {
    return this.memory.read(this, offset, length)
  }

  dispose(): void {
    if (this.disposed) return
    this.disposed = true
    this.memory.release(this.gpu)
  }
}

export class WebgpuMemory {
  private readonly live = new Set<GPUBuffer>()
  private bytes = 0
  private peakBytes = 0

  constructor(
    private readonly gpu: GPUDevice,
    private readonly line: Line,
    private readonly adapterName: string,
    private readonly limits: Readonly<Record<LimitName, number>>,
  ) {}

  create(length: number, dtype: DType): WebgpuBuffer {
    this.line.alive()
    if (!Number.isInteger(length) || length < 1) {
      throw new InvalidArgumentError(`A buffer has a whole number of elements, at least 1, not ${length}.`)
    }
    const flags = usage.storage | usage.copySource | usage.copyTarget
    return new WebgpuBuffer(this, this.allocate(4 * wordsOf(length, dtype), flags), length, dtype)
  }

  /** WebGPU memory starts as zeros, with every set of toggles that toggles.ts has. */
  allocate(bytes: number, flags: number): GPUBuffer {
    this.withinLimit('maxBufferSize', bytes, `A buffer of ${bytes} bytes`)
    const buffer = this.gpu.createBuffer({ size: bytes, usage: flags })
    this.live.add(buffer)
    this.bytes += bytes
    this.peakBytes = Math.max(this.peakBytes, this.bytes)
    return buffer
  }

  withinLimit(limit: LimitName, wanted: number, what: string): void {
    const allowed = this.limits[limit]
    if (wanted > allowed) {
      throw new DeviceError(`${what} exceeds the limit ${limit} of '${this.adapterName}', which is ${allowed}.`)
    }
  }

  release(buffer: GPUBuffer): void {
    if (!this.live.delete(buffer)) return
    this.bytes -= buffer.size
    buffer.destroy()
  }

  use(): MemoryUse {
    return { buffers: this.live.size, bytes: this.bytes, peakBytes: this.peakBytes }
  }

  releaseAll(): void {
    for (const buffer of this.live) this.release(buffer)
  }

  write(buffer: WebgpuBuffer, values: Values, offset: number): void {
    this.line.alive()
    within(buffer, offset, values.length, 'write')
    if (values instanceof Uint32Array !== (buffer.dtype === 'u32')) {
      throw new InvalidArgumentError(`A buffer of ${buffer.dtype} cannot take a ${values.constructor.name}.`)
    }
    // the caller may change the values before their turn comes; Dawn takes no memory that is shared
    const own = this.line.idle && values.buffer instanceof ArrayBuffer
    const kept = buffer.dtype === 'f16' ? packed(values as Float32Array) : own ? values : values.slice()
    this.line
      .inLine(() => {
        if (!buffer.disposed) this.gpu.queue.writeBuffer(buffer.gpu, 4 * offset, kept as Float32Array<ArrayBuffer>)
      })
      .catch(keepForLater)
  }

  read(buffer: WebgpuBuffer, offset: number, length: number): Promise<Values> {
    within(buffer, offset, length, 'read')
    return this.line.inLine(async () => {
      const bytes = 4 * wordsOf(length, buffer.dtype)
      return valuesOf(
        await this.fetch(
          (encoder, staging) => encoder.copyBufferToBuffer(buffer.gpu, 4 * offset, staging, 0, bytes),
          bytes,
        ),
        buffer,
      )
    })
  }

  /** All of a buffer, for who has the turn in the line. */
  async fetchAll(buffer: WebgpuBuffer): Promise<Values> {
    const { gpu } = buffer
    const copied = await this.fetch(
      (encoder, staging) => encoder.copyBufferToBuffer(gpu, 0, staging, 0, gpu.size),
      gpu.size,
    )
    return valuesOf(copied, buffer)
  }

  /** What commands leave in a buffer that the host can read. */
  async fetch(encode: (encoder: GPUCommandEncoder, staging: GPUBuffer) => void, bytes: number): Promise<ArrayBuffer> {
    const staging = this.gpu.createBuffer({ size: bytes, usage: usage.copyTarget | usage.mapRead })
    try {
      submit(this.gpu, (encoder) => encode(encoder, staging))
      await this.line.wait(staging.mapAsync(MODE_READ))
      return staging.getMappedRange().slice(0)
    } finally {
      staging.destroy()
    }
  }

  copy(from: DeviceBuffer, fromOffset: number, to: DeviceBuffer, toOffset: number, length: number): void {
    this.line.alive()
    const [source, target] = [this.own(from), this.own(to)]
    within(source, fromOffset, length, 'copy from')
    within(target, toOffset, length, 'copy to')
    if (source.dtype === 'f16' || target.dtype === 'f16') {
      throw new InvalidArgumentError('Buffers of float16 are not copied.')
    }
    this.line
      .inLine(() => {
        if (source !== target) {
          submit(this.gpu, (encoder) =>
            encoder.copyBufferToBuffer(source.gpu, 4 * fromOffset, target.gpu, 4 * toOffset, 4 * length),
          )
          return
        }
        // WebGPU copies between two buffers only
        const between = this.gpu.createBuffer({ size: 4 * length, usage: usage.copySource | usage.copyTarget })
        submit(this.gpu, (encoder) => {
          encoder.copyBufferToBuffer(source.gpu, 4 * fromOffset, between, 0, 4 * length)
          encoder.copyBufferToBuffer(between, 0, target.gpu, 4 * toOffset, 4 * length)
        })
        between.destroy()
      })
      .catch(keepForLater)
  }

  own(buffer: unknown): WebgpuBuffer {
    if (buffer instanceof WebgpuBuffer && buffer.isOf(this)) return buffer
    throw new InvalidArgumentError('A buffer belongs to another device.')
  }
}

export function submit(gpu: GPUDevice, encode: (encoder: GPUCommandEncoder) => void): void {
  const encoder = gpu.createCommandEncoder()
  encode(encoder)
  gpu.queue.submit([encoder.finish()])
}

/** Words of so many elements. */
const wordsOf = (length: number, dtype: DType): number => (dtype === 'f16' ? Math.ceil(length / 2) : length)

/** Values in float16, with one behind them where the last word has room for it. */
function packed(values: Float32Array): Uint16Array {
  const words = new Uint16Array(2 * wordsOf(values.length, 'f16'))
  words.set(toHalves(values))
  return words
}

function valuesOf(bytes: ArrayBuffer, { dtype, length }: WebgpuBuffer): Values {
  if (dtype === 'f16') return fromHalves(new Uint16Array(bytes, 0, length))
  return dtype === 'u32' ? new Uint32Array(bytes) : new Float32Array(bytes)
}

function within(buffer: WebgpuBuffer, offset: number, length: number, what: string): void {
  if (buffer.disposed) throw new DeviceError(`Cannot ${what} a buffer that was disposed.`)
  if (
    !Number.isInteger(offset) ||
    !Number.isInteger(length) ||
    offset < 0 ||
    length < 1 ||
    offset + length > buffer.length
  ) {
    throw new InvalidArgumentError(
      `Cannot ${what} ${length} elements at ${offset}: the buffer has ${buffer.length} elements.`,
    )
  }
  if (buffer.dtype === 'f16' && length !== buffer.length) {
    throw new InvalidArgumentError(`Cannot ${what} a part of a buffer of float16: all of it, or nothing.`)
  }
}
