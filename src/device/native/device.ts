/**
 * The native device. A program becomes a list of kernel calls in C++ once; a run replays it in one call, with the event
 * loop free unless it is shorter than about a millisecond. Everything asked of a device happens in order: writes, copies, reads and
 * runs go through one queue, whose C++ thread (native/queue.h) goes from one run to the next without the event loop.
 */

import { DeviceError, DeviceLostError, show } from '../../errors.js'
import type { DType, Shapes } from '../../kernels/contract.js'
import { type LoweredOperation, lower, type PlacedTensor } from '../../program/lower.js'
import { type Program, shapesOf } from '../../program/program.js'
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
import { expectKernels } from '../gaps.js'
import type { DeviceTimes, TimedLaunch } from '../profile.js'
import type {
  Addon,
  NativeBuffer,
  NativeDevice,
  NativeExecutable,
  NativeInfo,
  NativeProgram,
  NativeStop,
} from './binding.js'
import { VariantChoice, type Variants } from './composites.js'
import { Turns } from './turns.js'

const count = (name: string, value: number, least: number): void => {
  if (!Number.isSafeInteger(value) || value < least) {
    throw new DeviceError(`${name} must be a whole number from ${least} on, but is ${show(value)}.`)
  }
}

/** Why the addon refused. Where its wrapper itself found no memory, the words are C++'s. */
const reason = (error: unknown): string => {
  const { message } = error as Error
  return message.includes('bad_alloc') ? 'There is no memory for it.' : message
}

/** What the addon refuses, mostly for want of memory, is an error of the device. */
function asking<T>(failed: string, ask: () => T): T {
  try {
    return ask()
  } catch (error) {
    throw new DeviceError(`${failed} ${reason(error)}`)
  }
}

async function awaiting<T>(failed: string, ask: () => Promise<T>): Promise<T> {
  try {
    return await ask()
  } catch (error) {
    throw new DeviceError(`${failed} ${reason(error)}`)
  }
}

class EngineBuffer implements DeviceBuffer {
  private disposed = false

  constructor(
    readonly device: NativeEngine,
    readonly memory: NativeBuffer,
    readonly length: number,
    readonly dtype: DType,
  ) {}

  /** Throws unless the elements [offset, offset + length) are there. */
  expect(offset: number, length: number): void {
    if (this.disposed) throw new DeviceError('The buffer was disposed of; it cannot be used any more.')
    count('offset', offset, 0)
    count('length', length, 0)
    if (offset + length > this.length) {
      throw new DeviceError(
        `Elements ${offset} to ${offset + length} were asked for, but the buffer has ${this.length}.`,
      )
    }
  }

  write(values: Float32Array | Uint32Array, offset = 0): void {
    this.expect(offset, values.length)
    const array = this.dtype === 'f32' ? Float32Array : Uint32Array
    const own = values instanceof array && values.buffer instanceof ArrayBuffer ? values : array.from(values)
    asking('Values could not be written to the device.', () => this.memory.write(own, offset))
  }

  async read(offset = 0, length = this.length - offset): Promise<Float32Array | Uint32Array> {
    this.expect(offset, length)
    return awaiting('Values could not be read from the device.', () =>
      this.memory.read(offset, length, this.dtype !== 'f32'),
    )
  }

  dispose(): void {
    if (this.disposed) return
    this.disposed = true
    this.device.forget(this)
    try {
      this.memory.dispose()
    } catch {
      // not even the memory to ask for it: it is freed when nothing refers to it any more
    }
  }
}

/** What the operations of a program have taken so far, all replays together. */
interface ProgramClock {
  replays: number
  /** microseconds of each operation */
  readonly us: Float64Array
  readonly launches: readonly Omit<TimedLaunch, 'us'>[]
}

class EngineExecutable implements Executable {
  private disposed = false

  constructor(
    private readonly device: NativeEngine,
    private readonly program: NativeExecutable,
    private readonly buffers: readonly EngineBuffer[],
    readonly launches: number,
    readonly variants: Variants,
    private readonly cost: Cost,
    private readonly clock: ProgramClock | undefined,
  ) {}

  async run(times = 1, { signal }: RunOptions = {}): Promise<void> {
    count('times', times, 0)
    if (this.disposed) throw new DeviceError('The executable was disposed of; it cannot be run any more.')
    for (const buffer of this.buffers) buffer.expect(0, 0)
    signal?.throwIfAborted()
    const failed = 'The program could not be run.'
    const { turns } = this.device
    const isShort = !this.clock && this.device.isShort(this.cost, times)
    if (isShort && turns.open && asking(failed, () => this.program.runNow(times))) {
      const turn = turns.took()
      if (turn) await turn
      return
    }
    const stop = asking(failed, () => this.device.newStop())
    const abort = (): void => stop.set()
    signal?.addEventListener('abort', abort, { once: true })
    try {
      const done = await awaiting(failed, () => this.program.run(times, stop, this.clock?.us))
      if (this.clock) this.clock.replays += done
      if (done < times) throw signal?.reason
    } finally {
      signal?.removeEventListener('abort', abort)
    }
  }

  dispose(): void {
    if (this.disposed) return
    this.disposed = true
    this.device.forget(this)
    this.program.dispose()
  }
}

/** Of one replay. */
interface Cost {
  readonly flops: number
  readonly bytes: number
}

const shapesIn = ({ operands }: LoweredOperation): Shapes =>
  Object.fromEntries(Object.entries(operands).map(([name, { shape }]) => [name, shape]))

function costOf(operations: readonly LoweredOperation[]): Cost {
  const costs = operations.map((operation) => operation.contract.cost(shapesIn(operation), operation.attributes))
  const sum = (of: (cost: Cost) => number): number => costs.reduce((total, cost) => total + of(cost), 0)
  return { flops: sum(({ flops }) => flops), bytes: sum(({ bytes }) => bytes) }
}

/**
 * What a core does in about a millisecond, at two fifths of what its units could: flops for each lane of a vector, and bytes. A run of
 * no more is done on the thread that asks for it, since to wake another one, and to be woken by it, takes a tenth of a millisecond,
 * and now and then several.
 */
const [FLOPS_A_LANE, BYTES_AT_ONCE] = [2 ** 22, 2 ** 25]
const lanesOf = { avx512: 16, avx2: 8, baseline: 4, neon: 4 } as const

const clockOf = (operations: readonly LoweredOperation[]): ProgramClock => ({
  replays: 0,
  us: new Float64Array(operations.length),
  launches: operations.map((operation) => {
    const { contract, attributes } = operation
    return { name: contract.name, ...contract.cost(shapesIn(operation), attributes) }
  }),
})

export class NativeEngine implements Device {
  readonly kind = 'native'
  readonly dtypes: ReadonlySet<DType> = new Set(['f32', 'u32'])
  readonly info: DeviceInfo
  readonly kernels: ReadonlySet<string>
  private readonly live = new Set<EngineBuffer | EngineExecutable>()
  private readonly clocks: ProgramClock[] = []
  private readonly native: NativeDevice
  private readonly flopsAtOnce: number
  readonly turns = new Turns()
  private disposed = false

  constructor(
    private readonly addon: Addon,
    info: NativeInfo,
    private readonly variants: Variants,
    private readonly profiled: boolean,
  ) {
    this.native = asking('The native device could not be opened.', () => new addon.Device())
    const { cpuTarget, threads, name, supportedTargets, cacheSizes } = info
    this.kernels = new Set(info.kernels)
    this.flopsAtOnce = FLOPS_A_LANE * lanesOf[cpuTarget]
    this.info = {
      kind: 'native',
      name,
      type: 'cpu',
      cpuTarget,
      threads,
      details: {
        supportedTargets,
        // a system that hides its caches says 0
        ...Object.fromEntries(Object.entries(cacheSizes).filter(([, bytes]) => bytes > 0)),
      },
    }
  }

  /** Whether a run takes about a millisecond at most, so that the thread that asks for it may do it. */
  isShort({ flops, bytes }: Cost, times: number): boolean {
    return times * flops <= this.flopsAtOnce && times * bytes <= BYTES_AT_ONCE
  }

  newStop(): NativeStop {
    return new this.addon.Stop()
  }

  forget(resource: EngineBuffer | EngineExecutable): void {
    this.live.delete(resource)
  }

  createBuffer(length: number, dtype: DType = 'f32'): EngineBuffer {
    this.expectOpen()
    count("A buffer's length", length, 1)
    const memory = asking(`A buffer of ${length} elements could not be made.`, () => this.native.createBuffer(length))
    const buffer = new EngineBuffer(this, memory, length, dtype)
    this.live.add(buffer)
    return buffer
  }

  copy(from: DeviceBuffer, fromOffset: number, to: DeviceBuffer, toOffset: number, length: number): void {
    const [source, destination] = [this.own(from), this.own(to)]
    source.expect(fromOffset, length)
    destination.expect(toOffset, length)
    asking('Values could not be copied on the device.', () =>
      source.memory.copyTo(fromOffset, destination.memory, toOffset, length),
    )
  }

  memoryFor(program: Program): ProgramMemory {
    return memoryOf(program, new VariantChoice(this.variants).takes)
  }

  async compile(program: Program): Promise<Executable> {
    this.expectOpen()
    // a program made by hand is checked as one from the builder was: the C++ side trusts its shapes
    for (const { contract, operands, attributes } of program.operations) {
      for (const [name, { optional }] of Object.entries(contract.operands)) {
        if (!optional && !operands[name]) throw new DeviceError(`${contract.name}: operand ${name} is missing.`)
      }
      contract.check(shapesOf(operands), attributes)
    }
    const choice = new VariantChoice(this.variants)
    const { operations, slots, constants } = lower(program, choice.takes)
    expectKernels(this, operations)
    const numbers = new Map<EngineBuffer, number>()
    for (const { operands } of operations) {
      for (const { place } of Object.values(operands)) {
        if (place.kind !== 'buffer') continue
        const buffer = this.own(place.buffer as DeviceBuffer)
        buffer.expect(0, 0)
        if (!numbers.has(buffer)) numbers.set(buffer, numbers.size)
      }
    }
    const buffers = [...numbers.keys()]
    const storage = ({ place }: PlacedTensor): number => {
      if (place.kind === 'buffer') return numbers.get(place.buffer as EngineBuffer)!
      return buffers.length + (place.kind === 'slot' ? place.slot : slots.length)
    }
    const written = operations.flatMap(({ contract, operands }) =>
      Object.entries(operands)
        .filter(([name]) => contract.operands[name].access !== 'read')
        .map(([, tensor]) => storage(tensor)),
    )
    const native: NativeProgram = {
      operations: operations.map((operation) => ({
        kernel: operation.contract.name,
        operands: Object.fromEntries(
          Object.entries(operation.operands).map(([name, tensor]) => [
            name,
            [storage(tensor), tensor.offset, tensor.shape],
          ]),
        ),
        attributes: choice.attributesOf(operation),
      })),
      buffers: buffers.map((buffer) => buffer.memory),
      slots,
      constants,
      written: [...new Set(written)],
    }
    const compiled = asking('The program could not be compiled.', () => this.native.compile(native))
    const clock = this.profiled ? clockOf(operations) : undefined
    if (clock) this.clocks.push(clock)
    const cost = costOf(operations)
    const executable = new EngineExecutable(this, compiled, buffers, operations.length, choice.chosen, cost, clock)
    this.live.add(executable)
    return executable
  }

  async profile(): Promise<DeviceTimes | null> {
    if (!this.profiled) return null
    await awaiting('What the native device was asked for could not be awaited.', () => this.native.finish())
    const programs = this.clocks
      .filter(({ replays }) => replays > 0)
      .map(({ replays, us, launches }) => ({
        replays,
        launches: launches.map((launch, i) => ({ ...launch, us: us[i] / replays })),
      }))
    return { emptyDispatchUs: null, recordUs: null, programs }
  }

  memory(): MemoryUse {
    return this.native.memory()
  }

  async dispose(): Promise<void> {
    this.disposed = true
    for (const resource of [...this.live]) resource.dispose()
    try {
      await this.native.finish()
    } catch {
      // no memory to wait for it: its queue ends by itself, and whoever disposes after an error keeps that one
    }
  }

  private expectOpen(): void {
    if (this.disposed) throw new DeviceLostError('The native device was disposed of; open another one.')
  }

  private own(buffer: DeviceBuffer): EngineBuffer {
    if (buffer instanceof EngineBuffer && buffer.device === this) return buffer
    throw new DeviceError('A buffer of another device was given to the native device.')
  }
}
