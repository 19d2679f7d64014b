/**
 * A *device* runs programs. There are three: 'webgpu' (WGSL on Dawn), 'native' (C++ with SIMD and threads) and
 * 'reference' (the contracts' own float64 loops). A device owns *buffers*, memory that outlives programs, and compiles a
 * program into an *executable* that is replayed; no JavaScript runs for a single operation. It knows nothing of flows or
 * networks, only of kernels and the composites it has fused implementations of.
 */

import type { DType } from '../kernels/contract.js'
import { lower } from '../program/lower.js'
import type { Operation, Program, StorageBuffer } from '../program/program.js'
import type { DeviceTimes } from './profile.js'

/** What computes: WGSL on a GPU, C++ on the processor, or the plain loops that both are tested against. */
export type DeviceKind = 'webgpu' | 'native' | 'reference'

/** What is known of a device that is open. */
export interface DeviceInfo {
  /** which of the three it is */
  readonly kind: DeviceKind
  /** adapter or processor, as its driver or the system names it */
  readonly name: string
  /** 'hardware' or 'software' adapter for webgpu, 'cpu' else */
  readonly type: 'hardware' | 'software' | 'cpu'
  /** instruction set of the native kernels: avx512, avx2, baseline or neon; null elsewhere */
  readonly cpuTarget: string | null
  /** worker threads of the native engine; null elsewhere */
  readonly threads: number | null
  /** anything else worth printing: driver, features, limits */
  readonly details: Readonly<Record<string, string | number | boolean | readonly string[]>>
}

/** Memory of a device: a list of numbers that outlives programs. */
export interface DeviceBuffer extends StorageBuffer {
  /** format of its numbers */
  readonly dtype: DType
  /** how many there are */
  readonly length: number
  /** Copies values to the elements from `offset` on; takes effect before any later run. */
  write(values: Float32Array | Uint32Array, offset?: number): void
  /** The elements [offset, offset + length) once all earlier runs are done. */
  read(offset?: number, length?: number): Promise<Float32Array | Uint32Array>
  /** Frees the memory once everything queued before is done. Reading or running with it afterwards is an error. */
  dispose(): void
}

/** How an executable is run. */
export interface RunOptions {
  /** Stops between replays; the run then rejects with `signal.reason`, the replays done until then stay done. */
  readonly signal?: AbortSignal
}

/** A program that a device has compiled, to be replayed any number of times. */
export interface Executable {
  /** Replays the program `times` times, in order after everything queued before it; resolves when all are done. */
  run(times?: number, options?: RunOptions): Promise<void>
  /** launches (kernels and whole composites) in one replay */
  readonly launches: number
  /** chosen variant of each kernel or composite that has several, for a run's manifest */
  readonly variants: Readonly<Record<string, string>>
  /** Frees its memory once everything queued before is done. */
  dispose(): void
}

/** Chosen variants by contract name, for each kind of device that they were chosen on. */
export type VariantsByDevice = Readonly<Record<string, Readonly<Record<string, string>>>>

/** Variants of two programs together; of one kernel there may be several, with a space between. */
export function mergeVariants(
  one: Readonly<Record<string, string>>,
  other: Readonly<Record<string, string>>,
): Record<string, string> {
  const merged = { ...one }
  for (const [name, added] of Object.entries(other)) {
    merged[name] = [...new Set([...(merged[name]?.split(' ') ?? []), ...added.split(' ')])].join(' ')
  }
  return merged
}

/** What a device chose for a program that it compiled: what another one of the same adapter needs for the same bits. */
export interface ProgramChoices {
  /** the fastest variants as they were known then, by class of operations */
  readonly fastest: Readonly<Record<string, string>>
  /** how matrix units are written for; null: none are used */
  readonly units: string | null
  /** what it came to, as an executable reports it */
  readonly variants: Readonly<Record<string, string>>
}

/** What a replay of a program needs besides the buffers it was given, in bytes. */
export interface ProgramMemory {
  /** slots of temporaries, which share them by their lifetimes */
  readonly slots: readonly number[]
  /** its table of constants, uploaded once */
  readonly constants: number
}

/**
 * The memory of a program on a device with fused implementations of the composites for which `takes` is true.
 * @param bytes of one number in a temporary
 * @param packed two float16 numbers take the place of one
 */
export function memoryOf(
  program: Program,
  takes: (operation: Operation) => boolean = () => false,
  bytes = 4,
  packed = false,
): ProgramMemory {
  const { slots, constants } = lower(program, takes, packed)
  return { slots: slots.map((elements) => bytes * elements), constants: bytes * constants.length }
}

/** Memory that a device holds at the moment. */
export interface MemoryUse {
  /** how many buffers, slots and tables of constants */
  readonly buffers: number
  /** of all of them together */
  readonly bytes: number
  /** largest `bytes` so far */
  readonly peakBytes: number
}

/**
 * What runs programs. `openDevice` opens one; a LocalFlow opens its own unless it is given one. All that is asked of it happens
 * in order. Whoever opens a device disposes of it: until then it holds memory, and threads or a GPU's queue.
 */
export interface Device {
  /** which of the three it is */
  readonly kind: DeviceKind
  /** its name, what it can do, and where its limits are */
  readonly info: DeviceInfo
  /** names of the kernels that it has implementations of */
  readonly kernels: ReadonlySet<string>
  /** Zeroed memory of `length` elements. Throws DeviceError where it exceeds a limit of the device. */
  createBuffer(length: number, dtype?: DType): DeviceBuffer
  /** Copies elements between two buffers of this device, in order with runs. */
  copy(from: DeviceBuffer, fromOffset: number, to: DeviceBuffer, toOffset: number, length: number): void
  /** number formats that its buffers and temporaries can have */
  readonly dtypes: ReadonlySet<DType>
  /** What a program would need here; its buffers need not exist. Scratch memory inside a kernel is not in it. */
  memoryFor(program: Program): ProgramMemory
  /** Compiles a program; its buffers must belong to this device and outlive the executable. */
  compile(program: Program): Promise<Executable>
  /** Times of the launches of all programs so far; null where profiling was not asked for, or the device has no clock for it. */
  profile(): Promise<DeviceTimes | null>
  /**
   * Tells what is chosen for each program from now on, before its compile resolves. Only devices that choose by measuring have
   * it: the others choose the same everywhere.
   * @returns what ends the telling
   */
  tellChoices?(listener: (choices: ProgramChoices) => void): () => void
  /**
   * Chooses for each program from now on what another device of the same adapter chose for it, and measures nothing. Where it comes to
   * other variants, compile throws DeviceError.
   * @param next what that one chose for its next program, once it has
   */
  followChoices?(next: () => Promise<ProgramChoices>): void
  /** live memory: buffers, and the slots and constants of executables */
  memory(): MemoryUse
  /** Frees everything. The process can then end by itself. */
  dispose(): Promise<void>
}
