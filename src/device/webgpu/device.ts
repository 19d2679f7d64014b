/**
 * The WebGPU device: buffers, compiled programs and the order of work. All commands go to one queue. Whatever the caller
 * asks for is done in the order in which it was asked (*the line*): a write, a copy or a read waits for the runs before
 * it. A run is a number of *replays* of a program; several make one *submission*, about as many as take SUBMISSION_MS. On
 * a GPU two submissions are under way at a time, so that the next is encoded while it works on the one before.
 *
 * Compiling prepares everything that a replay needs: pipelines, bind groups, memory for temporaries, and the uniforms
 * of all launches in one buffer. A replay is then a list of dispatches in one compute pass.
 */

import { DeviceError, DeviceLostError, InvalidArgumentError } from '../../errors.js'
import { type DType, size } from '../../kernels/contract.js'
import { type LoweredOperation, lower, type PlacedTensor } from '../../program/lower.js'
import type { Program } from '../../program/program.js'
import type { Device, DeviceBuffer, DeviceInfo, Executable, MemoryUse, RunOptions } from '../device.js'
import type { AdapterInfo, LimitName, OpenAdapter } from './adapter.js'
import { type Launch, plan } from './launches.js'
import { loadShader, packUniforms, type ReadShader, type Shader } from './shaders.js'
import type { Target } from './variants.js'

/** Time that one submission should take: long beside what it costs, short beside a wish to stop. */
const SUBMISSION_MS = 25
/** Expected time below which waiting by polling is better than a timer. */
const LEAST_SLEEP_MS = 4
/** Dispatches in one submission, so that encoding never blocks the event loop for long. */
const MOST_DISPATCHES = 4096
/** Offsets of bindings are multiples of this many bytes on every adapter. */
const OFFSET_BYTES = 256

/** Features that are asked for where the adapter has them. */
const wantedFeatures = ['subgroups', 'timestamp-query', 'shader-f16', 'chromium-experimental-subgroup-matrix']

const STORAGE = 0x80
const UNIFORM = 0x40
const COPY_DST = 0x8
const COPY_SRC = 0x4
const MAP_READ = 0x1
const MODE_READ = 0x1
const STAGE_COMPUTE = 0x4

class WebgpuBuffer implements DeviceBuffer {
  disposed = false

  constructor(
    readonly device: WebgpuDevice,
    readonly gpu: GPUBuffer,
    readonly length: number,
    readonly dtype: DType,
  ) {}

  write(values: Float32Array | Uint32Array, offset = 0): void {
    this.device.write(this, values, offset)
  }

  read(offset = 0, length = this.length - offset): Promise<Float32Array | Uint32Array> {
    return this.device.read(this, offset, length)
  }

  dispose(): void {
    if (this.disposed) return
    this.disposed = true
    this.device.release(this.gpu)
  }
}

interface Dispatch {
  readonly pipeline: GPUComputePipeline
  readonly bindGroup: GPUBindGroup
  readonly groups: readonly [number, number, number]
}

class WebgpuExecutable implements Executable {
  disposed = false
  /** replays in the last submission, and the measured time of one */
  replays = 1
  replayMs = 0.01

  constructor(
    private readonly device: WebgpuDevice,
    readonly dispatches: readonly Dispatch[],
    readonly launches: number,
    readonly variants: Readonly<Record<string, string>>,
    /** what the program's tensors are windows on */
    readonly uses: readonly WebgpuBuffer[],
    private readonly owned: readonly GPUBuffer[],
  ) {}

  run(times = 1, options: RunOptions = {}): Promise<void> {
    if (!Number.isInteger(times) || times < 0) {
      throw new InvalidArgumentError(`A program is run a whole number of times, not ${times}.`)
    }
    return this.device.replay(this, times, options.signal)
  }

  dispose(): void {
    if (this.disposed) return
    this.disposed = true
    for (const buffer of this.owned) this.device.release(buffer)
  }
}

export class WebgpuDevice implements Device {
  readonly kind = 'webgpu'
  readonly info: DeviceInfo
  private readonly target: Target
  private readonly live = new Set<GPUBuffer>()
  private peakBytes = 0
  private readonly shaders = new Map<string, Promise<{ shader: Shader; module: GPUShaderModule }>>()
  private readonly layouts = new Map<string, GPUBindGroupLayout>()
  private readonly pipelines = new Map<string, Promise<GPUComputePipeline>>()
  /** stand in for optional operands that were left out: read-only ones, and one window for each written binding */
  private readonly absentRead: GPUBuffer
  private readonly absentWritten: GPUBuffer
  /** the last of the line; undefined where nothing is waiting */
  private line: Promise<unknown> | undefined
  /** set once: the device is lost or disposed */
  private ended: DeviceError | undefined
  /** an error that no call could be blamed for; the next await throws it */
  private fault: DeviceError | undefined
  private readonly waiting = new Set<(reason: Error) => void>()

  /** two on a GPU, so that it never waits for the next; one on the processor, where nobody else would encode it */
  private readonly submissionsUnderWay: number

  private constructor(
    readonly gpu: GPUDevice,
    adapter: AdapterInfo,
    private readonly readShader: ReadShader,
    forced: Readonly<Record<string, string>>,
  ) {
    const fixedLanes = adapter.subgroupMinSize === adapter.subgroupMaxSize ? adapter.subgroupMinSize : 0
    this.target = { software: adapter.type === 'software', lanes: fixedLanes, forced }
    this.submissionsUnderWay = this.target.software ? 1 : 2
    this.info = {
      kind: 'webgpu',
      name: adapter.name,
      type: adapter.type,
      cpuTarget: null,
      threads: null,
      details: { vendor: adapter.vendor, driver: adapter.driver, features: adapter.features, ...adapter.limits },
    }
    this.absentRead = gpu.createBuffer({ size: OFFSET_BYTES, usage: STORAGE })
    this.absentWritten = gpu.createBuffer({ size: OFFSET_BYTES * 16, usage: STORAGE })
    gpu.addEventListener('uncapturederror', (event) => {
      event.preventDefault()
      this.fault ??= new DeviceError(`WebGPU: ${event.error.message}`)
    })
    gpu.lost.then(({ message }) => {
      this.end(new DeviceLostError(`The WebGPU device '${adapter.name}' was lost: ${message || 'no reason given'}`))
    })
  }

  static async open(
    { adapter, info }: OpenAdapter,
    readShader: ReadShader,
    forced: Readonly<Record<string, string>>,
  ): Promise<WebgpuDevice> {
    const gpu = await adapter.requestDevice({
      requiredFeatures: wantedFeatures.filter((name) => adapter.features.has(name)) as GPUFeatureName[],
      requiredLimits: info.limits,
    })
    return new WebgpuDevice(gpu, info, readShader, forced)
  }

  // --- memory --------------------------------------------------------------------------------------------------------

  createBuffer(length: number, dtype: DType = 'f32'): DeviceBuffer {
    this.alive()
    if (!Number.isInteger(length) || length < 1) {
      throw new InvalidArgumentError(`A buffer has a whole number of elements, at least 1, not ${length}.`)
    }
    return new WebgpuBuffer(this, this.allocate(4 * length, STORAGE | COPY_SRC | COPY_DST), length, dtype)
  }

  /** WebGPU memory starts as zeros, with every set of toggles that adapter.ts uses. */
  private allocate(bytes: number, usage: number): GPUBuffer {
    this.withinLimit('maxBufferSize', bytes, `A buffer of ${bytes} bytes`)
    const buffer = this.gpu.createBuffer({ size: bytes, usage })
    this.live.add(buffer)
    this.peakBytes = Math.max(this.peakBytes, this.memory().bytes)
    return buffer
  }

  private withinLimit(limit: LimitName, wanted: number, what: string): void {
    const allowed = this.gpu.limits[limit]
    if (wanted > allowed) {
      throw new DeviceError(`${what} exceeds the limit ${limit} of '${this.info.name}', which is ${allowed}.`)
    }
  }

  release(buffer: GPUBuffer): void {
    if (this.live.delete(buffer)) buffer.destroy()
  }

  memory(): MemoryUse {
    let bytes = 0
    for (const buffer of this.live) bytes += buffer.size
    return { buffers: this.live.size, bytes, peakBytes: Math.max(bytes, this.peakBytes) }
  }

  write(buffer: WebgpuBuffer, values: Float32Array | Uint32Array, offset: number): void {
    this.alive()
    within(buffer, offset, values.length, 'write')
    if (values instanceof Uint32Array !== (buffer.dtype === 'u32')) {
      throw new InvalidArgumentError(`A buffer of ${buffer.dtype} cannot take a ${values.constructor.name}.`)
    }
    // the caller may change the values before their turn comes
    const kept = this.line ? values.slice() : values
    this.inLine(() => {
      if (!buffer.disposed) this.gpu.queue.writeBuffer(buffer.gpu, 4 * offset, kept as Float32Array<ArrayBuffer>)
    }).catch(keepForLater)
  }

  read(buffer: WebgpuBuffer, offset: number, length: number): Promise<Float32Array | Uint32Array> {
    within(buffer, offset, length, 'read')
    return this.inLine(async () => {
      const staging = this.gpu.createBuffer({ size: 4 * length, usage: COPY_DST | MAP_READ })
      try {
        this.submit((encoder) => encoder.copyBufferToBuffer(buffer.gpu, 4 * offset, staging, 0, 4 * length))
        await this.wait(staging.mapAsync(MODE_READ))
        const bytes = staging.getMappedRange().slice(0)
        return buffer.dtype === 'u32' ? new Uint32Array(bytes) : new Float32Array(bytes)
      } finally {
        staging.destroy()
      }
    })
  }

  copy(from: DeviceBuffer, fromOffset: number, to: DeviceBuffer, toOffset: number, length: number): void {
    this.alive()
    const [source, target] = [this.own(from), this.own(to)]
    within(source, fromOffset, length, 'copy from')
    within(target, toOffset, length, 'copy to')
    this.inLine(() => {
      if (source !== target) {
        this.submit((encoder) =>
          encoder.copyBufferToBuffer(source.gpu, 4 * fromOffset, target.gpu, 4 * toOffset, 4 * length),
        )
        return
      }
      // WebGPU copies between two buffers only
      const between = this.gpu.createBuffer({ size: 4 * length, usage: COPY_SRC | COPY_DST })
      this.submit((encoder) => {
        encoder.copyBufferToBuffer(source.gpu, 4 * fromOffset, between, 0, 4 * length)
        encoder.copyBufferToBuffer(between, 0, target.gpu, 4 * toOffset, 4 * length)
      })
      between.destroy()
    }).catch(keepForLater)
  }

  private own(buffer: unknown): WebgpuBuffer {
    if (buffer instanceof WebgpuBuffer && buffer.device === this) return buffer
    throw new InvalidArgumentError('A buffer belongs to another device.')
  }

  private submit(encode: (encoder: GPUCommandEncoder) => void): void {
    const encoder = this.gpu.createCommandEncoder()
    encode(encoder)
    this.gpu.queue.submit([encoder.finish()])
  }

  // --- order and failure ---------------------------------------------------------------------------------------------

  /** Does the task after all that were asked for before: at once where none is waiting. */
  private inLine<T>(task: () => Promise<T> | T): Promise<T> {
    const turn = async (): Promise<T> => {
      this.alive()
      return task()
    }
    const result = this.line ? this.line.then(turn) : turn()
    const done: Promise<unknown> = result.then(keepForLater, keepForLater).then(() => {
      if (this.line === done) this.line = undefined
    })
    this.line = done
    return result
  }

  private alive(): void {
    if (this.ended) throw this.ended
  }

  /** Throws what ended the device, or a fault that came up since the last time; for calls that are awaited. */
  private check(): void {
    this.alive()
    if (this.fault) {
      const fault = this.fault
      this.fault = undefined
      throw fault
    }
  }

  private end(reason: DeviceError): void {
    if (this.ended) return
    this.ended = reason
    for (const reject of this.waiting) reject(reason)
  }

  /** Awaits something of the adapter; rejects at once where the device is lost meanwhile. */
  private async wait<T>(work: Promise<T>): Promise<T> {
    let leave: ((reason: Error) => void) | undefined
    try {
      const result = await new Promise<T>((resolve, reject) => {
        leave = reject
        this.waiting.add(reject)
        work.then(resolve, (error: Error) => {
          reject(this.ended ?? new DeviceError(`WebGPU: ${error.message}`))
        })
      })
      this.check()
      return result
    } finally {
      if (leave) this.waiting.delete(leave)
    }
  }

  async dispose(): Promise<void> {
    this.end(new DeviceError('The WebGPU device was disposed.'))
    await this.line
    for (const buffer of this.live) buffer.destroy()
    this.live.clear()
    this.gpu.destroy()
  }

  // --- programs ------------------------------------------------------------------------------------------------------

  async compile(program: Program): Promise<Executable> {
    this.check()
    const lowered = lower(program, () => false)
    const plans = lowered.operations.map((operation) => plan(operation, this.target))
    const prepared = await Promise.all(
      plans.map(({ launches }) => Promise.all(launches.map((launch) => this.prepare(launch)))),
    )
    this.check()

    const owned: GPUBuffer[] = []
    const allocate = (elements: number, usage: number): GPUBuffer => {
      const buffer = this.allocate(4 * Math.max(elements, 1), usage)
      owned.push(buffer)
      return buffer
    }
    try {
      const slots = lowered.slots.map((elements) => allocate(elements, STORAGE))
      const constants =
        lowered.constants.length > 0 ? allocate(lowered.constants.length, STORAGE | COPY_DST) : undefined
      if (constants) this.gpu.queue.writeBuffer(constants, 0, lowered.constants as Float32Array<ArrayBuffer>)
      const uses = new Set<WebgpuBuffer>()
      const bufferOf = ({ place }: PlacedTensor): GPUBuffer => {
        if (place.kind === 'slot') return slots[place.slot]
        if (place.kind === 'constant') return constants!
        const buffer = this.own(place.buffer)
        uses.add(buffer)
        return buffer.gpu
      }

      const uniforms = this.packAll(
        plans.flatMap(({ launches }, i) => launches.map((l, j) => [l, prepared[i][j]] as const)),
      )
      const uniformBuffer = allocate(uniforms.byteLength / 4, UNIFORM | COPY_DST)
      this.gpu.queue.writeBuffer(uniformBuffer, 0, uniforms)

      const dispatches: Dispatch[] = []
      lowered.operations.forEach((operation, i) => {
        const scratch = Object.fromEntries(
          Object.entries(plans[i].scratch ?? {}).map(([name, elements]) => [name, allocate(elements, STORAGE)]),
        )
        plans[i].launches.forEach((launch, j) => {
          const { shader, layout, pipeline } = prepared[i][j]
          const entries = this.bindings(operation, shader, bufferOf, scratch)
          const fields = 4 * packedLength(shader)
          entries.push({
            binding: 0,
            resource: { buffer: uniformBuffer, offset: OFFSET_BYTES * dispatches.length, size: fields },
          })
          const bindGroup = this.gpu.createBindGroup({ layout, entries })
          dispatches.push({ pipeline, bindGroup, groups: launch.groups })
        })
      })
      const variants: Record<string, string> = {}
      lowered.operations.forEach(({ contract }, i) => {
        const { variant } = plans[i]
        if (variant === undefined) return
        const before = variants[contract.name]
        // one kernel may take several at different widths
        if (before === undefined) variants[contract.name] = variant
        else if (!before.split(' ').includes(variant)) variants[contract.name] = `${before} ${variant}`
      })
      return new WebgpuExecutable(this, dispatches, lowered.operations.length, variants, [...uses], owned)
    } catch (error) {
      for (const buffer of owned) this.release(buffer)
      throw error
    }
  }

  /** All uniforms of a program, each at a multiple of OFFSET_BYTES. */
  private packAll(launches: readonly (readonly [Launch, { readonly shader: Shader }])[]): Uint8Array<ArrayBuffer> {
    const bytes = new Uint8Array(OFFSET_BYTES * launches.length)
    launches.forEach(([launch, { shader }], i) => {
      bytes.set(new Uint8Array(packUniforms(shader, launch.uniforms)), OFFSET_BYTES * i)
    })
    return bytes
  }

  private bindings(
    operation: LoweredOperation,
    shader: Shader,
    bufferOf: (tensor: PlacedTensor) => GPUBuffer,
    scratch: Readonly<Record<string, GPUBuffer>>,
  ): GPUBindGroupEntry[] {
    const access = new Map<GPUBuffer, { type: string; name: string }>()
    return shader.bindings.map(({ name, index, type }) => {
      const tensor = operation.operands[name]
      if (!tensor) {
        if (scratch[name]) return { binding: index, resource: { buffer: scratch[name] } }
        return {
          binding: index,
          resource:
            type === 'storage'
              ? { buffer: this.absentWritten, offset: OFFSET_BYTES * index, size: OFFSET_BYTES }
              : { buffer: this.absentRead },
        }
      }
      const buffer = bufferOf(tensor)
      const before = access.get(buffer)
      if (before && before.type !== type) {
        throw new DeviceError(
          `${operation.contract.name}: operands ${before.name} and ${name} lie in one buffer, and only one of them is ` +
            'written. WebGPU needs two buffers here.',
        )
      }
      access.set(buffer, { type, name })
      const bytes = 4 * size(tensor.shape)
      this.withinLimit(
        'maxStorageBufferBindingSize',
        bytes,
        `${operation.contract.name}: operand ${name} of ${bytes} bytes`,
      )
      return { binding: index, resource: { buffer, offset: 4 * tensor.offset, size: bytes } }
    })
  }

  /** The shader, bind group layout and pipeline of a launch; each is made once for a device. */
  private async prepare(
    launch: Launch,
  ): Promise<{ shader: Shader; layout: GPUBindGroupLayout; pipeline: GPUComputePipeline }> {
    const shaderKey = `${launch.shader} ${launch.product ?? ''}`
    const { shader, module } = await once(this.shaders, shaderKey, async () => {
      const shader = await loadShader(this.readShader, launch.shader, launch.product)
      this.gpu.pushErrorScope('validation')
      const module = this.gpu.createShaderModule({ code: shader.code, label: shaderKey })
      const error = await this.gpu.popErrorScope()
      if (error) throw new DeviceError(`${launch.shader}.wgsl does not compile: ${error.message}`)
      return { shader, module }
    })
    this.withinLimit(
      'maxStorageBuffersPerShaderStage',
      shader.bindings.length,
      `${launch.shader}: its number of operands`,
    )
    const layout = this.layout(shader)
    const pipelineKey = JSON.stringify([shaderKey, launch.constants])
    const pipeline = await once(this.pipelines, pipelineKey, async () => {
      try {
        return await this.gpu.createComputePipelineAsync({
          label: pipelineKey,
          layout: this.gpu.createPipelineLayout({ bindGroupLayouts: [layout] }),
          compute: { module, entryPoint: 'main', constants: launch.constants },
        })
      } catch (error) {
        throw this.ended ?? new DeviceError(`${launch.shader}.wgsl makes no pipeline: ${(error as Error).message}`)
      }
    })
    return { shader, layout, pipeline }
  }

  private layout({ bindings }: Shader): GPUBindGroupLayout {
    const key = bindings.map(({ index, type }) => `${index} ${type}`).join()
    let layout = this.layouts.get(key)
    if (!layout) {
      layout = this.gpu.createBindGroupLayout({
        entries: [
          { binding: 0, visibility: STAGE_COMPUTE, buffer: { type: 'uniform' } },
          ...bindings.map(({ index, type }) => ({ binding: index, visibility: STAGE_COMPUTE, buffer: { type } })),
        ],
      })
      this.layouts.set(key, layout)
    }
    return layout
  }

  /** Replays a program in order with everything else; see the head of this file. */
  replay(executable: WebgpuExecutable, times: number, signal: AbortSignal | undefined): Promise<void> {
    return this.inLine(async () => {
      const underWay: Promise<void>[] = []
      let lastEnd = 0
      try {
        for (let done = 0; done < times; ) {
          if (signal?.aborted) throw signal.reason
          usable(executable)
          const most = Math.max(1, Math.floor(MOST_DISPATCHES / Math.max(1, executable.dispatches.length)))
          const fitting = Math.max(1, Math.floor(SUBMISSION_MS / executable.replayMs))
          // no more than four times as many as before: a measurement of little work is rough
          const replays = Math.min(fitting, 4 * executable.replays, most, times - done)
          executable.replays = replays
          const start = performance.now()
          this.encode(executable.dispatches, replays)
          done += replays
          const finished = this.finished(replays * executable.replayMs).then(() => {
            const end = performance.now()
            executable.replayMs = (end - Math.max(start, lastEnd)) / replays
            lastEnd = end
          })
          finished.catch(keepForLater)
          underWay.push(finished)
          if (underWay.length >= this.submissionsUnderWay) await underWay.shift()
        }
      } finally {
        // also where the run stops early: its replays are done when it rejects
        await Promise.allSettled(underWay)
      }
      await Promise.all(underWay)
    })
  }

  /**
   * Everything submitted until now is done, in about `expected` milliseconds. As long as a promise of Dawn's is pending,
   * Dawn for Node polls on the main thread, which takes one of its cores from a software adapter (measured: half its
   * speed, with two cores). There, most of the time is slept.
   */
  private async finished(expected: number): Promise<void> {
    if (this.target.software && expected > LEAST_SLEEP_MS) {
      await new Promise((resolve) => setTimeout(resolve, 0.9 * expected))
    }
    await this.wait(this.gpu.queue.onSubmittedWorkDone() as Promise<void>)
  }

  private encode(dispatches: readonly Dispatch[], replays: number): void {
    this.submit((encoder) => {
      const pass = encoder.beginComputePass()
      let current: GPUComputePipeline | undefined
      for (let replay = 0; replay < replays; replay++) {
        for (const { pipeline, bindGroup, groups } of dispatches) {
          if (pipeline !== current) pass.setPipeline(pipeline)
          current = pipeline
          pass.setBindGroup(0, bindGroup)
          pass.dispatchWorkgroups(groups[0], groups[1], groups[2])
        }
      }
      pass.end()
    })
  }
}

/** For promises whose failure another await reports. */
const keepForLater = (): void => {}

const packedLength = (shader: Shader): number =>
  Math.ceil(shader.uniforms.reduce((words, { type }) => words + (type === 'array<vec4f, 2>' ? 8 : 1), 0) / 4) * 4

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
}

function usable(executable: WebgpuExecutable): void {
  if (executable.disposed) throw new DeviceError('Cannot run a program that was disposed.')
  if (executable.uses.some((buffer) => buffer.disposed)) {
    throw new DeviceError('Cannot run a program after one of its buffers was disposed.')
  }
}

/** The value for a key, made by the first who asks; a failure is not kept. */
function once<T>(table: Map<string, Promise<T>>, key: string, make: () => Promise<T>): Promise<T> {
  let value = table.get(key)
  if (!value) {
    value = make()
    table.set(key, value)
    value.catch(() => table.delete(key))
  }
  return value
}
