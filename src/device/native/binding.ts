/**
 * Finds and loads the native addon: the file that LFM_ADDON names, else a local build (build/Release), else the one that
 * came with the package (prebuilds/<platform>-<architecture>). A local build goes first, since whoever builds wants to
 * run what was built. A failed load says what was tried and what to do.
 */

import { existsSync } from 'node:fs'
import { createRequire } from 'node:module'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { DeviceError, TAKEN_FROM_ITS_FOLDER } from '../../errors.js'

/**
 * Everything asked of a device's buffers and executables is done in that order, at once where nothing is under way, else
 * on the thread of the device's queue, which goes from one to the next without the event loop. A promise is resolved
 * when the event loop gets to it.
 */
export interface NativeBuffer {
  write(values: Float32Array | Uint32Array, offset: number): Promise<unknown>
  /** `length` elements from `offset` on, as Uint32Array or Float32Array */
  read(offset: number, length: number, integers: boolean): Promise<Float32Array | Uint32Array>
  copyTo(offset: number, to: NativeBuffer, toOffset: number, length: number): Promise<unknown>
  dispose(): Promise<unknown>
}

/** Ends the runs that it was given to after the replay they are in. */
export interface NativeStop {
  set(): void
}

export interface NativeExecutable {
  /**
   * Resolves to the number of replays done: fewer than `times` once `stop` is set. The microseconds of each operation are
   * added to `clock`, where it is given.
   */
  run(times: number, stop: NativeStop, clock?: Float64Array): Promise<number>
  /**
   * Runs it on the calling thread, and on no other, before it returns; false, and nothing done, where something else of its device is under
   * way.
   */
  runNow(times: number): boolean
  dispose(): void
}

/** A storage is a number: buffers first, then slots, then the table of constants. */
export interface NativeProgram {
  readonly operations: readonly {
    readonly kernel: string
    readonly operands: Readonly<Record<string, readonly [storage: number, offset: number, shape: readonly number[]]>>
    readonly attributes: object
  }[]
  readonly buffers: readonly NativeBuffer[]
  readonly slots: readonly number[]
  readonly constants: Float32Array
  /** numbers of the storages that a run changes; left out: any may be, and nothing made of weights is kept from run to run */
  readonly written?: readonly number[]
}

export interface NativeDevice {
  createBuffer(length: number): NativeBuffer
  compile(program: NativeProgram): NativeExecutable
  /** Resolves when all that was asked for is done. */
  finish(): Promise<unknown>
  memory(): { buffers: number; bytes: number; peakBytes: number }
}

export interface NativeInfo {
  readonly cpuTarget: 'avx512' | 'avx2' | 'baseline' | 'neon'
  readonly supportedTargets: readonly string[]
  readonly threads: number
  /** bytes of one core's data caches, 0 where neither the system nor the processor says */
  readonly cacheSizes: { readonly l1: number; readonly l2: number; readonly l3: number }
  /** of the processor */
  readonly name: string
  readonly kernels: readonly string[]
}

export interface Addon {
  readonly Device: new () => NativeDevice
  readonly Stop: new () => NativeStop
  info(): NativeInfo
  /** GFLOP/s of a multiply-add loop in registers on so many threads; blocks for so many milliseconds */
  fmaPeak(milliseconds: number, threads: number): number
  /**
   * nanoseconds in which two threads hand a cache line over and back, 0 where there is one; blocks for some milliseconds
   */
  lineRoundTrip(): number
  /** calls `work`; what is written to stderr before it returns is returned in its place. On Windows nothing is kept back */
  quietly<T>(work: () => T): { result: T; printed: string }
  /** gives the system back what the C library keeps of memory that was freed; nothing where it cannot be asked to */
  trimMemory(): void
  /** a vector function of native/simd/math.h on each element, for its test */
  testMath(name: string, x: Float32Array): Float32Array
  testPhilox(counter: Uint32Array, key: Uint32Array): Uint32Array
  /** processors that the control groups under another root than / allow; Infinity without a limit */
  testQuota(root: string): number
}

// the package's root, seen from src/device/native and from dist/device/native alike
const root = fileURLToPath(new URL('../../..', import.meta.url))
const require = createRequire(import.meta.url)
let loaded: Addon | undefined

/** Loads the addon once. Throws DeviceError where there is none that this machine can load. */
export function loadAddon(): Addon {
  if (loaded) return loaded
  const given = process.env.LFM_ADDON
  const places = given
    ? [given]
    : [
        join(root, 'build', 'Release', 'lfm.node'),
        join(root, 'prebuilds', `${process.platform}-${process.arch}`, 'lfm.node'),
      ]
  const failures: string[] = []
  for (const path of places) {
    if (!existsSync(path)) continue
    try {
      loaded = require(path) as Addon
      return loaded
    } catch (error) {
      failures.push(`${path}: ${(error as Error).message.trim()}`)
    }
  }
  throw new DeviceError(explain(given, failures))
}

function explain(given: string | undefined, failures: readonly string[]): string {
  const machine = `${process.platform}-${process.arch}, Node ${process.versions.node}`
  const found = failures.length > 0 ? `It was found but did not load (${failures.join('; ')}).` : 'It was not found.'
  if (given) {
    return `The native engine was looked for where LFM_ADDON says, at '${given}' (${machine}). ${found} Correct the path or unset LFM_ADDON.`
  }
  if (!existsSync(join(root, 'shaders'))) return `The native engine was not found. ${TAKEN_FROM_ITS_FOLDER}`
  const remedy = 'node scripts/build-addon.mjs'
  return (
    `The native engine is not there for this machine (${machine}). ${found} ` +
    `With a C++17 compiler it is built by: cd ${root} && ${remedy}`
  )
}
