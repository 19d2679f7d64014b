/**
 * The WebGPU device: an adapter's device with its line of work (line.ts), memory (memory.ts), pipelines (pipelines.ts)
 * and, where it was asked for, a profiler (profiler.ts). All commands go to one queue.
 */

import { DeviceError } from '../../errors.js'
import type { DType } from '../../kernels/contract.js'
import type { Program } from '../../program/program.js'
import {
  type Device,
  type DeviceBuffer,
  type DeviceInfo,
  type Executable,
  type MemoryUse,
  memoryOf,
  type ProgramChoices,
  type ProgramMemory,
} from '../device.js'
import type { DeviceTimes } from '../profile.js'
import type { AdapterInfo, LimitName, OpenAdapter } from './adapter-info.js'
import { type CompilesOn, compileProgram, makeAbsent } from './compile.js'
import { type CompiledProgram, WebgpuExecutable } from './executable.js'
import type { Findings } from './findings.js'
import { plannedKernels } from './launches.js'
import { Line } from './line.js'
import { WebgpuMemory } from './memory.js'
import { Pipelines } from './pipelines.js'
import { Profiler } from './profiler.js'
import { proofFor } from './proof.js'
import type { ReadShader } from './shaders.js'
import type { UnitsProduct } from './target.js'
import { choicesOf, stopwatchOf, Tuner } from './tuner.js'
import { findUnits } from './units.js'

/** Features that are asked for where the adapter has them. */
const wantedFeatures = ['subgroups', 'timestamp-query', 'shader-f16', 'chromium-experimental-subgroup-matrix']

export interface WebgpuDeviceOptions {
  /** variants that the caller forced, by kernel */
  readonly variants: Readonly<Record<string, string>>
  /** time launches, where the adapter has a clock */
  readonly profile: boolean
  readonly findings: Findings
  /** opens the same adapter with all checks, for a device without them; null: this one has them */
  readonly openSafe: (() => Promise<Device>) | null
  /** limits below the adapter's own, to see what a smaller one would do */
  readonly limits?: Readonly<Partial<Record<LimitName, number>>>
  /** units whose kernels are written in this form are taken to be there, to see what an adapter with them would do */
  readonly units?: UnitsProduct
  /** told of what the device goes on without */
  readonly onWarning?: (message: string) => void
  /** told what the tuner measured; null: nothing is measured, and what was is not used */
  readonly onTuned: ((line: string) => void) | null
  /** told now and then while it measures for seconds */
  readonly onTuning?: (line: string) => void
  /** called when the device has been disposed of */
  readonly onDisposed?: () => void
}

export class WebgpuDevice implements Device {
  readonly kind = 'webgpu'
  readonly info: DeviceInfo
  readonly dtypes: ReadonlySet<DType>
  readonly kernels = plannedKernels
  private readonly line: Line
  private readonly buffers: WebgpuMemory
  private readonly pipelines: Pipelines
  private readonly profiler: Profiler | null
  /** the device with all checks, from the first proof on */
  private safe: Promise<Device> | undefined
  private readonly tuner: Tuner | null
  private compilesOn: CompilesOn
  private readonly listeners = new Set<(choices: ProgramChoices) => void>()
  /** where another device chooses: what it chose for its next program */
  private nextChoices: (() => Promise<ProgramChoices>) | null = null

  private constructor(
    readonly gpu: GPUDevice,
    adapter: AdapterInfo,
    readShader: ReadShader,
    private readonly options: WebgpuDeviceOptions,
    /** how its matrix units are written for, where it has some (units.ts) */
    readonly units: UnitsProduct | null,
  ) {
    const fixedLanes = adapter.subgroupMinSize === adapter.subgroupMaxSize ? adapter.subgroupMinSize : 0
    const { variants, profile, openSafe, findings, onTuned, onTuning } = options
    // an adapter never gives less than WebGPU promises, so a smaller one is played here
    const limits = { ...adapter.limits, ...options.limits }
    const target = {
      software: adapter.type === 'software',
      lanes: fixedLanes,
      workgroupBytes: limits.maxComputeWorkgroupStorageSize,
      threads: limits.maxComputeInvocationsPerWorkgroup,
      bindingBytes: limits.maxStorageBufferBindingSize,
      f16: gpu.features.has('shader-f16'),
      units,
      forced: variants,
    }
    this.info = {
      kind: 'webgpu',
      name: adapter.name,
      type: adapter.type,
      cpuTarget: null,
      threads: null,
      details: {
        vendor: adapter.vendor,
        architecture: adapter.architecture,
        driver: adapter.driver,
        adapterType: adapter.type,
        lanes: adapter.subgroupMinSize === 0 ? 'none' : `${adapter.subgroupMinSize} to ${adapter.subgroupMaxSize}`,
        toggles: openSafe ? 'fast' : 'safe',
        matrixUnits: units ?? 'none',
        features: adapter.features,
        lacks: wantedFeatures.filter((feature) => !adapter.features.includes(feature)),
        ...limits,
      },
    }
    this.dtypes = new Set(target.f16 ? ['f32', 'u32', 'f16'] : ['f32', 'u32'])
    this.line = new Line(gpu, adapter.name, () => this.buffers.use().bytes)
    this.buffers = new WebgpuMemory(gpu, this.line, adapter.name, limits)
    this.pipelines = new Pipelines(gpu, this.line, this.buffers, readShader)
    const clock = gpu.features.has('timestamp-query')
      ? new Profiler(gpu, this.line, this.buffers, this.pipelines)
      : null
    this.profiler = profile ? clock : null
    const on = { gpu, memory: this.buffers, pipelines: this.pipelines, target, absent: makeAbsent(gpu) }
    this.tuner =
      onTuned && new Tuner(on, this.line, findings, stopwatchOf(gpu, this.line, clock), onTuned, undefined, onTuning)
    this.compilesOn = { ...on, target: { ...target, ...this.tuner?.choices } }
  }

  static async open(
    { adapter, info }: OpenAdapter,
    readShader: ReadShader,
    options: WebgpuDeviceOptions,
  ): Promise<WebgpuDevice> {
    const gpu = await adapter.requestDevice({
      requiredFeatures: wantedFeatures.filter((name) => adapter.features.has(name)) as GPUFeatureName[],
      requiredLimits: { ...info.limits, ...options.limits },
    })
    const units = options.units ?? (await findUnits(gpu, adapter, readShader))
    return new WebgpuDevice(gpu, info, readShader, options, units)
  }

  createBuffer(length: number, dtype: DType = 'f32'): DeviceBuffer {
    return this.buffers.create(length, dtype)
  }

  copy(from: DeviceBuffer, fromOffset: number, to: DeviceBuffer, toOffset: number, length: number): void {
    this.buffers.copy(from, fromOffset, to, toOffset, length)
  }

  /** As if every composite were expanded, which takes the most. */
  memoryFor(program: Program): ProgramMemory {
    return memoryOf(program, () => false, 4, true)
  }

  async compile(program: Program): Promise<Executable> {
    this.line.check()
    const { line, profiler } = this
    const led = (await this.nextChoices?.()) ?? null
    if (led) this.take(led)
    else await this.tuner?.decide(program)
    const compiled = await this.compiled(program)
    const { gpu, memory, target } = this.compilesOn
    const { variants } = compiled
    if (led && !sameNames(led.variants, variants)) {
      for (const buffer of compiled.owned) memory.release(buffer)
      throw new DeviceError(
        `The adapter ${this.info.name} takes ${namesOf(variants)} here for a program that it takes ${namesOf(led.variants)} for ` +
          'in the process that chooses, and the two would have other bits.',
      )
    }
    const chosen = { fastest: this.tuner?.known() ?? {}, units: target.units, variants }
    for (const listener of this.listeners) listener(chosen)
    const { openSafe, findings } = this.options
    const safe =
      openSafe &&
      (async (): Promise<Device> => {
        this.safe ??= openSafe()
        const device = await this.safe
        if (led) device.followChoices?.(async () => led)
        return device
      })
    const proof = safe && (await proofFor(program, compiled, memory, findings, safe))
    const on = { gpu, line, memory, software: target.software, profiler }
    const executable = new WebgpuExecutable(on, compiled, proof)
    try {
      this.line.check()
    } catch (error) {
      executable.dispose()
      throw error
    }
    return executable
  }

  tellChoices(listener: (choices: ProgramChoices) => void): () => void {
    this.listeners.add(listener)
    return () => this.listeners.delete(listener)
  }

  followChoices(next: () => Promise<ProgramChoices>): void {
    this.nextChoices = next
  }

  /** Compiles from now on with what another device chose. */
  private take({ fastest, units }: ProgramChoices): void {
    const target = { ...this.compilesOn.target, ...choicesOf(new Map(Object.entries(fastest))) }
    this.compilesOn = { ...this.compilesOn, target: { ...target, units: units as UnitsProduct | null } }
  }

  /** A driver that refuses a kernel for the matrix units loses them, and nothing ends. */
  private async compiled(program: Program): Promise<CompiledProgram> {
    const on = this.compilesOn
    try {
      return await compileProgram(program, on)
    } catch (error) {
      this.line.check()
      if (on.target.units === null || !(error instanceof DeviceError)) throw error
      const without = { ...on, target: { ...on.target, units: null } }
      const compiled = await compileProgram(program, without)
      this.compilesOn = without
      this.options.onWarning?.(`${error.message.split('\n')[0]} It goes on without the adapter's matrix units.`)
      return compiled
    }
  }

  memory(): MemoryUse {
    return this.buffers.use()
  }

  async profile(): Promise<DeviceTimes | null> {
    return (await this.profiler?.times()) ?? null
  }

  async dispose(): Promise<void> {
    this.line.end(new DeviceError('The WebGPU device was disposed.'))
    await this.line.empty()
    await (await this.safe?.catch(() => undefined))?.dispose()
    this.buffers.releaseAll()
    this.gpu.destroy()
    this.options.onDisposed?.()
  }
}

const namesOf = (variants: Readonly<Record<string, string>>): string =>
  Object.entries(variants)
    .map(([kernel, names]) => `${kernel} by ${names}`)
    .join(', ') || 'no variants'

/** Whether two programs came to the same variants, in whichever order they met them. */
function sameNames(one: Readonly<Record<string, string>>, other: Readonly<Record<string, string>>): boolean {
  const sorted = (variants: Readonly<Record<string, string>>): string =>
    JSON.stringify(
      Object.entries(variants)
        .map(([kernel, names]) => [kernel, names.split(' ').sort()])
        .sort(),
    )
  return sorted(one) === sorted(other)
}
