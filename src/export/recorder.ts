/**
 * A device that runs nothing. It keeps the programs that it is asked to compile and what was written to its buffers, so that a
 * model can be asked for a sample and its own program be read afterwards: what is exported is what a device would have run.
 */

import type { Device, DeviceBuffer, DeviceInfo, Executable, MemoryUse, ProgramMemory } from '../device/device.js'
import type { DType } from '../kernels/contract.js'
import { kernels } from '../kernels/registry.js'
import type { Program } from '../program/program.js'

type Values = Float32Array | Uint32Array

class RecordedBuffer implements DeviceBuffer {
  /** what was written, the latest last; not copied */
  readonly written: { readonly offset: number; readonly values: Values }[] = []
  wasRead = false

  constructor(
    readonly length: number,
    readonly dtype: DType,
  ) {}

  write(values: Values, offset = 0): void {
    this.written.push({ offset, values })
  }

  async read(offset = 0, length = this.length - offset): Promise<Values> {
    this.wasRead = true
    return this.dtype === 'u32' ? new Uint32Array(length) : new Float32Array(length)
  }

  dispose(): void {}
}

export class Recorder implements Device {
  readonly kind = 'reference'
  readonly info: DeviceInfo = {
    kind: 'reference',
    name: 'recorder',
    type: 'cpu',
    cpuTarget: null,
    threads: null,
    details: {},
  }
  readonly kernels: ReadonlySet<string> = new Set(kernels.keys())
  readonly dtypes: ReadonlySet<DType> = new Set(['f32', 'u32'])
  readonly programs: Program[] = []

  createBuffer(length: number, dtype: DType = 'f32'): RecordedBuffer {
    return new RecordedBuffer(length, dtype)
  }

  copy(): void {}

  memoryFor(): ProgramMemory {
    return { slots: [], constants: 0 }
  }

  async compile(program: Program): Promise<Executable> {
    this.programs.push(program)
    return { launches: program.operations.length, variants: {}, run: async () => {}, dispose() {} }
  }

  async profile(): Promise<null> {
    return null
  }

  memory(): MemoryUse {
    return { buffers: 0, bytes: 0, peakBytes: 0 }
  }

  async dispose(): Promise<void> {}
}

/** The elements [offset, offset + length) that the host wrote to a buffer; null where it wrote none of them, or only some. */
export function writtenTo(buffer: object, offset: number, length: number): Float32Array | null {
  if (!(buffer instanceof RecordedBuffer)) return null
  const found = buffer.written.findLast(
    (each) => each.offset <= offset && offset + length <= each.offset + each.values.length,
  )
  if (!(found?.values instanceof Float32Array)) return null
  return found.values.subarray(offset - found.offset, offset - found.offset + length)
}

/** Whether the host read a buffer: it is a result. */
export const wasRead = (buffer: object): boolean => buffer instanceof RecordedBuffer && buffer.wasRead
