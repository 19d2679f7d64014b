/// <reference lib="esnext.disposable" preserve="true" />
/**
 * Single kernels for scripts (`local-flow-matching/kernels`): every contract as a function on tensors of a chosen device,
 * to time and compare kernels outside a training program.
 *
 * ```ts
 * const device = await openDevice('native')
 * const a = tensor(device, values, [1024, 1024])
 * const y = await matMul(a, a)             // compiled on first use, kept for equal operands
 * const run = await prepare(device, 'mat_mul', { a, b: a, y }, { transposeA: false, transposeB: false })
 * await run.run(100)                       // a hundred launches, nothing in between
 * ```
 */

import type { Device, DeviceBuffer, Executable } from './device/device.js'
import { DeviceError, InvalidArgumentError } from './errors.js'
import type { ActivationName } from './kernels/activations.js'
import type { AdamAttributes } from './kernels/adam.js'
import { type Attributes, type DType, type Kernel, type Shape, size } from './kernels/contract.js'
import { kernels as registry } from './kernels/registry.js'
import { aligned, ProgramBuilder } from './program/program.js'

export type { Device, DeviceBuffer, Executable, RunOptions } from './device/device.js'
export { openDevice } from './device/node/select.js'
export type { ActivationName } from './kernels/activations.js'
export type { AdamAttributes } from './kernels/adam.js'
export type {
  Access,
  Attributes,
  AttributeValue,
  Cost,
  DType,
  Kernel,
  OperandSpec,
  Shape,
  Shapes,
} from './kernels/contract.js'
export { kernels } from './kernels/registry.js'

/** A dense row-major tensor in a device's memory. */
export class DeviceTensor {
  private constructor(
    /** whose memory it is in */
    readonly device: Device,
    /** its memory, up to 63 elements longer than the tensor */
    readonly buffer: DeviceBuffer,
    /** extents, outermost first */
    readonly shape: Shape,
  ) {}

  /**
   * A tensor of zeros; `zeros` and `tensor` are shorter.
   * @param dtype default 'f32'
   * @throws DeviceError where it exceeds a limit of the device
   */
  static create(device: Device, shape: Shape, dtype: DType = 'f32'): DeviceTensor {
    return new DeviceTensor(device, device.createBuffer(aligned(size(shape)), dtype), shape)
  }

  /** The values, once everything queued before is done. */
  read(): Promise<Float32Array | Uint32Array> {
    return this.buffer.read(0, size(this.shape))
  }

  /** Frees the memory once everything queued before is done. */
  dispose(): void {
    this.buffer.dispose()
  }

  /** The same, for `using`. */
  [Symbol.dispose](): void {
    this.dispose()
  }
}

/** A tensor of zeros, float32 unless another format is asked for. Throws DeviceError where it exceeds a limit of the device. */
export const zeros = (device: Device, shape: Shape, dtype: DType = 'f32'): DeviceTensor =>
  DeviceTensor.create(device, shape, dtype)

/**
 * A tensor with these values: unsigned integers from a Uint32Array, else float32. The shape is [values.length] unless it is given. Throws InvalidArgumentError where their number
 * does not fit the shape.
 */
export function tensor(device: Device, values: ArrayLike<number>, shape: Shape = [values.length]): DeviceTensor {
  if (values.length !== size(shape)) {
    throw new InvalidArgumentError(
      `A tensor of shape [${shape.join(', ')}] takes ${size(shape)} values, but was given ${values.length}.`,
    )
  }
  const dtype = values instanceof Uint32Array ? 'u32' : 'f32'
  const made = DeviceTensor.create(device, shape, dtype)
  made.buffer.write(dtype === 'u32' ? Uint32Array.from(values) : Float32Array.from(values))
  return made
}

/** Operands by the names of a contract; undefined for an optional one that is left out. */
export type KernelOperands = Readonly<Record<string, DeviceTensor | undefined>>

/**
 * Compiles one launch of a kernel.
 * @param name of a contract, such as 'linear_forward' (see `kernels`)
 * @throws InvalidArgumentError for an unknown name, or operands and attributes that do not fit the contract
 */
export function prepare(
  device: Device,
  name: string,
  operands: KernelOperands,
  attributes: object = {},
): Promise<Executable> {
  const kernel = registry.get(name)
  if (!kernel) {
    throw new InvalidArgumentError(`There is no kernel '${name}'; the kernels are ${[...registry.keys()].join(', ')}.`)
  }
  const builder = new ProgramBuilder()
  const tensors = Object.entries(operands).map(([operand, given]) => {
    if (given && given.device !== device) throw new DeviceError(`${name}: operand ${operand} is on another device.`)
    return [operand, given && builder.tensor(given.buffer, given.shape)] as const
  })
  builder.add(kernel as Kernel<object>, Object.fromEntries(tensors), attributes)
  return device.compile(builder.build())
}

/**
 * Launches a kernel once: compiles, runs, frees. For repeated launches, `prepare` once and `run` many times.
 * @throws InvalidArgumentError as `prepare` does, and where there is no operand
 */
export async function launch(
  name: string,
  operands: KernelOperands,
  attributes: Attributes | object = {},
): Promise<void> {
  const device = Object.values(operands).find((given) => given !== undefined)?.device
  if (!device) throw new InvalidArgumentError(`${name}: no operands were given.`)
  const executable = await prepare(device, name, operands, attributes)
  try {
    await executable.run()
  } finally {
    executable.dispose()
  }
}

/** op(a) op(b), op the identity (the default) or the transpose: a [M, K], b [K, N] → [M, N]. */
export async function matMul(
  a: DeviceTensor,
  b: DeviceTensor,
  { transposeA = false, transposeB = false }: { transposeA?: boolean; transposeB?: boolean } = {},
): Promise<DeviceTensor> {
  const y = zeros(a.device, [a.shape[transposeA ? 1 : 0], b.shape[transposeB ? 0 : 1]])
  await launch('mat_mul', { a, b, y }, { transposeA, transposeB })
  return y
}

const elementwise =
  (activation: ActivationName) =>
  async (x: DeviceTensor, beta = 1): Promise<DeviceTensor> => {
    const y = zeros(x.device, x.shape)
    await launch('activation', { x, y }, { activation, beta })
    return y
  }

/** max(x, 0) of each element, in the shape of x. */
export const relu = elementwise('relu')
/** x above 0, exp(x) − 1 below. */
export const elu = elementwise('elu')
/** log(1 + exp(βx))/β; beta defaults to 1. */
export const softplus = elementwise('softplus')
/** x/(1 + exp(−x)), also called swish. */
export const silu = elementwise('silu')
/** x Φ(x), Φ the normal distribution: the exact form, by the error function. */
export const gelu = elementwise('gelu')
/** The hyperbolic tangent. */
export const tanh = elementwise('tanh')

/** x Wᵀ + bias with an activation (default: the identity): x [B, K], weight [N, K], bias [N] → [B, N]; beta (default 1) is softplus's. */
export async function linear(
  x: DeviceTensor,
  weight: DeviceTensor,
  bias: DeviceTensor,
  { activation = 'identity', beta = 1 }: { activation?: ActivationName; beta?: number } = {},
): Promise<DeviceTensor> {
  const y = zeros(x.device, [x.shape[0], weight.shape[0]])
  await launch('linear_forward', { x, weight, bias, y }, { activation, beta, scale: 1 })
  return y
}

/** One step of Adam in place; operands as in the contract `adam` (partials from `gradient_norm`). */
export const adam = (
  operands: Readonly<Record<'parameters' | 'gradient' | 'm' | 'v' | 'partials' | 'table' | 'state', DeviceTensor>> & {
    readonly average?: DeviceTensor
  },
  attributes: AdamAttributes,
): Promise<void> => launch('adam', operands, attributes)
