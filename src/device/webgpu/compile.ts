/**
 * From a program to what a replay needs, made once: pipelines, bind groups, memory for temporaries and constants, and the
 * uniforms of all launches in one buffer. Nothing is left for JavaScript to do in a replay but to record the dispatches.
 */

import { DeviceError, LocalFlowError } from '../../errors.js'
import { costOf, type DType, size } from '../../kernels/contract.js'
import { type LoweredOperation, lower, type PlacedTensor } from '../../program/lower.js'
import type { Program } from '../../program/program.js'
import { mergeVariants } from '../device.js'
import { expectKernels } from '../gaps.js'
import { CompositeChoice, compositePlanners } from './composites.js'
import type { CompiledProgram, Dispatch } from './executable.js'
import { planLaunches, plannedKernels } from './launches.js'
import { usage, type WebgpuBuffer, type WebgpuMemory } from './memory.js'
import type { Pipelines, Prepared } from './pipelines.js'
import { bearers, type Launch, type LaunchPlan, type Planner, type Scratch, type SharedPartialSums } from './plans.js'
import { packUniforms, type Shader, uniformBytes } from './shaders.js'
import type { AdapterTarget } from './target.js'
import { choiceLabel } from './variants.js'
import { partsOfGradients } from './weight-gradients.js'

/** Offsets of bindings are multiples of this many bytes on every adapter. */
const OFFSET_BYTES = 256
/** Bindings of one launch, at most. */
const MOST_BINDINGS = 16

export interface CompilesOn {
  readonly gpu: GPUDevice
  readonly memory: WebgpuMemory
  readonly pipelines: Pipelines
  readonly target: AdapterTarget
  readonly absent: Absent
}

/** Buffers that stand in for optional operands that were left out. */
export interface Absent {
  readonly read: GPUBuffer
  /** a window for each binding: what is written must not overlap */
  readonly written: GPUBuffer
}

export const makeAbsent = (gpu: GPUDevice): Absent => ({
  read: gpu.createBuffer({ size: OFFSET_BYTES, usage: usage.storage }),
  written: gpu.createBuffer({ size: OFFSET_BYTES * MOST_BINDINGS, usage: usage.storage }),
})

/** Where an operation's tensors are. */
interface Placement {
  readonly bufferOf: (tensor: PlacedTensor) => GPUBuffer
  /** memory beside the operands, by binding name */
  readonly scratch: Readonly<Record<string, GPUBuffer>>
  /** parts of operands, by binding name */
  readonly windows: LaunchPlan['windows']
}

export async function compileProgram(program: Program, on: CompilesOn): Promise<CompiledProgram> {
  const { gpu, memory, pipelines, target } = on
  const composites = new CompositeChoice(target)
  const lowered = lower(composites.layered(program), composites.takes, true)
  const ownPlanner = ({ contract }: LoweredOperation): Planner | undefined => compositePlanners[contract.name]
  expectKernels(
    { kind: 'webgpu', kernels: plannedKernels },
    lowered.operations.filter((operation) => !ownPlanner(operation)),
  )
  const products = new ProductChoices(target)
  const shared = partsOfGradients(lowered.operations, target)
  const plans = lowered.operations.map(
    (operation) => ownPlanner(operation)?.(operation, target) ?? products.plan(operation, shared),
  )
  const prepared = await Promise.all(
    plans.map(({ launches }) => Promise.all(launches.map((launch) => pipelines.prepare(launch)))),
  )
  const owned: GPUBuffer[] = []
  const allocate = (elements: number, flags: number): GPUBuffer => {
    const buffer = memory.allocate(4 * Math.max(elements, 1), flags)
    owned.push(buffer)
    return buffer
  }
  try {
    const slots = lowered.slots.map((elements) => allocate(elements, usage.storage))
    const constants =
      lowered.constants.length > 0 ? allocate(lowered.constants.length, usage.storage | usage.copyTarget) : undefined
    if (constants) gpu.queue.writeBuffer(constants, 0, lowered.constants as Float32Array<ArrayBuffer>)
    const uses = new Set<WebgpuBuffer>()
    const bufferOf = ({ place }: PlacedTensor): GPUBuffer => {
      if (place.kind === 'slot') return slots[place.slot]
      if (place.kind === 'constant') return constants!
      const buffer = memory.own(place.buffer)
      uses.add(buffer)
      return buffer.gpu
    }

    const uniforms = packAll(plans.flatMap(({ launches }, i) => launches.map((l, j) => [l, prepared[i][j]] as const)))
    const uniformBuffer = allocate(uniforms.byteLength / 4, usage.uniform | usage.copyTarget)
    gpu.queue.writeBuffer(uniformBuffer, 0, uniforms)

    const scratchBuffers = new Map<Scratch, GPUBuffer>()
    const scratchBuffer = (scratch: Scratch): GPUBuffer => {
      const buffer = scratchBuffers.get(scratch) ?? allocate(scratch.elements, usage.storage)
      scratchBuffers.set(scratch, buffer)
      return buffer
    }
    const dispatches: Dispatch[] = []
    lowered.operations.forEach((operation, i) => {
      const scratch = Object.fromEntries(
        Object.entries(plans[i].scratch ?? {}).map(([name, scratch]) => [name, scratchBuffer(scratch)]),
      )
      const cost = costOf(operation.contract, operation.operands, operation.attributes)
      const bearing = bearers(operation.contract.name, plans[i].launches)
      plans[i].launches.forEach((launch, j) => {
        const { shader, layout, pipeline, identity } = prepared[i][j]
        const entries = bindings(operation, shader, { bufferOf, scratch, windows: plans[i].windows }, on)
        entries.push({
          binding: 0,
          resource: { buffer: uniformBuffer, offset: OFFSET_BYTES * dispatches.length, size: uniformBytes(shader) },
        })
        const bindGroup = gpu.createBindGroup({ layout, entries })
        const share = bearing.has(launch) ? 1 / bearing.size : 0
        const [flops, bytes] = [share * cost.flops, share * cost.bytes]
        const sizes = entries.map(({ resource }) => (resource as GPUBufferBinding).size ?? 0)
        const { shader: name, groups } = launch
        dispatches.push({ pipeline, bindGroup, groups, name, flops, bytes, identity, sizes })
      })
    })
    const variants = mergeVariants(composites.chosen, products.chosen)
    return { dispatches, launches: lowered.operations.length, variants, uses: [...uses], owned }
  } catch (error) {
    for (const buffer of owned) memory.release(buffer)
    throw error
  }
}

/** The variants that were taken for products, by kernel; one kernel may take several at different widths. */
class ProductChoices {
  chosen: Readonly<Record<string, string>> = {}

  constructor(private readonly target: AdapterTarget) {}

  plan(operation: LoweredOperation, shared: SharedPartialSums): LaunchPlan {
    const { name } = operation.contract
    const forced = this.target.forced[name]?.split(' ') ?? []
    let label: string | undefined
    const onChoice: AdapterTarget['onChoice'] = (shape, variant) => {
      label = forced.includes(variant) ? variant : choiceLabel(shape, variant)
    }
    const planned = planLaunches(operation, { ...this.target, onChoice }, shared)
    label ??= planned.variant
    if (label !== undefined) this.chosen = mergeVariants(this.chosen, { [name]: label })
    return planned
  }
}

/** All uniforms of a program, each at a multiple of OFFSET_BYTES. */
function packAll(launches: readonly (readonly [Launch, Prepared])[]): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(OFFSET_BYTES * launches.length)
  launches.forEach(([launch, { shader }], i) => {
    if (uniformBytes(shader) > OFFSET_BYTES) {
      throw new LocalFlowError(
        `${shader.name}.wgsl has ${uniformBytes(shader)} bytes of uniforms, more than ${OFFSET_BYTES}.`,
      )
    }
    bytes.set(new Uint8Array(packUniforms(shader, launch.uniforms)), OFFSET_BYTES * i)
  })
  return bytes
}

const bytesOf = (dtype: DType): number => (dtype === 'f16' ? 2 : 4)

function bindings(
  operation: LoweredOperation,
  shader: Shader,
  { bufferOf, scratch, windows }: Placement,
  { memory, absent }: CompilesOn,
): GPUBindGroupEntry[] {
  const access = new Map<GPUBuffer, { type: string; name: string }>()
  return shader.bindings.map(({ name, index, type }) => {
    const part = windows?.[name]
    const tensor = operation.operands[part?.operand ?? name]
    if (!tensor) {
      if (scratch[name]) return { binding: index, resource: { buffer: scratch[name] } }
      const window = { buffer: absent.written, offset: OFFSET_BYTES * index, size: OFFSET_BYTES }
      return { binding: index, resource: type === 'storage' ? window : { buffer: absent.read } }
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
    const width = bytesOf(tensor.dtype)
    const start = width * tensor.offset + 4 * (part?.first ?? 0)
    if (start % OFFSET_BYTES !== 0) {
      throw new LocalFlowError(`${operation.contract.name}: operand ${name} begins at byte ${start} of its buffer.`)
    }
    if (part) return { binding: index, resource: { buffer, offset: start, size: 4 * part.length } }
    const bytes = width * size(tensor.shape)
    memory.withinLimit(
      'maxStorageBufferBindingSize',
      bytes,
      `${operation.contract.name}: operand ${name} of ${bytes} bytes`,
    )
    // a binding has a whole number of words
    return { binding: index, resource: { buffer, offset: start, size: 4 * Math.ceil(bytes / 4) } }
  })
}
