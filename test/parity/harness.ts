/**
 * The parity harness: runs random cases of a kernel on a device and compares with the contract's float64 reference. A *case* holds the values of all operands;
 * those that are only written start as a sentinel, and every operand lies inside a larger buffer whose margins must
 * come back untouched. Floats are compared by relative norm, whole numbers exactly. All devices share these cases.
 */

import type { Device, DeviceBuffer, Executable } from '../../src/device/device.js'
import { type ActivationName, activations } from '../../src/kernels/activations.js'
import type { Attributes, DType, Kernel, ReferenceTensor, Shape } from '../../src/kernels/contract.js'
import { size } from '../../src/kernels/contract.js'
import { convert } from '../../src/kernels/convert.js'
import { seedWords } from '../../src/kernels/draws.js'
import { packPixels, poolWords } from '../../src/kernels/pool.js'
import { kernels } from '../../src/kernels/registry.js'
import { STATE_LENGTH } from '../../src/kernels/state.js'
import { ALIGNMENT, aligned, ProgramBuilder, type ProgramTensor } from '../../src/program/program.js'

export interface CaseOperand {
  readonly shape: Shape
  readonly values: Float32Array | Uint32Array
  /** the operation sees the values in float16, which they have to be in already */
  readonly half?: boolean
}

export interface Case {
  readonly kernel: string
  readonly label: string
  readonly attributes: Attributes
  readonly operands: Readonly<Record<string, CaseOperand>>
  /** largest relative norm of the difference, for each float operand that is written; those in float16 may be rounded as well */
  readonly tolerance: number
}

/** How far one written operand is from the reference; `error` ≤ `allowed` is parity. */
export interface Deviation {
  readonly operand: string
  readonly error: number
  readonly allowed: number
  readonly detail: string
}

// --- running ---------------------------------------------------------------------------------------------------------

const SENTINEL = -987.25
/** Half the distance of neighbours in float16, of 1: what rounding to it may cost, and half as much again for other roundings. */
const HALF = 1.5 * 2 ** -11
const SENTINEL_WORD = 0xdeadbeef

/** `variant`, where given, is what the device must say that it took. */
export async function runCase(device: Device, testCase: Case, variant?: string): Promise<Deviation[]> {
  const contract = kernels.get(testCase.kernel)!
  const builder = new ProgramBuilder()
  const buffers: Record<string, DeviceBuffer> = {}
  const tensors: Record<string, ProgramTensor> = {}
  const halves: { x: ProgramTensor; y: ProgramTensor }[] = []
  for (const [name, { shape, values, half }] of Object.entries(testCase.operands)) {
    const dtype: DType = values instanceof Uint32Array ? 'u32' : 'f32'
    const buffer = device.createBuffer(2 * ALIGNMENT + aligned(values.length), dtype)
    buffer.write(fillLike(values, buffer.length))
    buffer.write(values, ALIGNMENT)
    buffers[name] = buffer
    const whole = builder.tensor(buffer, shape, ALIGNMENT)
    tensors[name] = half ? builder.temporary(shape, 'f16') : whole
    if (!half) continue
    const { access } = contract.operands[name]
    if (access !== 'write') builder.add(convert, { x: whole, y: tensors[name] }, { to: 'f16' })
    if (access !== 'read') halves.push({ x: tensors[name], y: whole })
  }
  builder.add(contract, tensors, testCase.attributes)
  for (const tensors of halves) builder.add(convert, tensors, { to: 'f32' })
  let executable: Executable | undefined
  try {
    executable = await device.compile(builder.build())
    await executable.run()
    const wanted = runReference(contract, testCase)
    const deviations: Deviation[] = []
    const taken = executable.variants[testCase.kernel]
    if (variant !== undefined && taken !== variant) {
      const detail = `the device took ${taken}`
      deviations.push({ operand: `variant ${variant}`, error: Number.POSITIVE_INFINITY, allowed: 0, detail })
    }
    for (const [name, { values, half }] of Object.entries(testCase.operands)) {
      if (contract.operands[name].access === 'read') continue
      const all = await buffers[name].read()
      deviations.push(margins(name, all, values.length))
      const got = all.subarray(ALIGNMENT, ALIGNMENT + values.length)
      deviations.push(compare(name, got, wanted[name].data, testCase.tolerance + (half ? HALF : 0)))
    }
    return deviations
  } finally {
    executable?.dispose()
    for (const buffer of Object.values(buffers)) buffer.dispose()
  }
}

/** The contract's result for a case, in float64. */
export function runReference(contract: Kernel, testCase: Case): Record<string, ReferenceTensor> {
  const operands: Record<string, ReferenceTensor> = Object.fromEntries(
    Object.entries(testCase.operands).map(([name, { shape, values }]) => [
      name,
      { shape, data: values instanceof Uint32Array ? Uint32Array.from(values) : Float64Array.from(values) },
    ]),
  )
  contract.reference(operands, testCase.attributes)
  return operands
}

function fillLike(values: Float32Array | Uint32Array, length: number): Float32Array | Uint32Array {
  return values instanceof Uint32Array
    ? new Uint32Array(length).fill(SENTINEL_WORD)
    : new Float32Array(length).fill(SENTINEL)
}

function margins(operand: string, all: Float32Array | Uint32Array, length: number): Deviation {
  const expected = all instanceof Uint32Array ? SENTINEL_WORD : SENTINEL
  const touched = all.findIndex((value, i) => (i < ALIGNMENT || i >= ALIGNMENT + length) && value !== expected)
  const detail = touched < 0 ? '' : `wrote outside the operand, at element ${touched - ALIGNMENT} of ${length}`
  return { operand, error: touched < 0 ? 0 : Number.POSITIVE_INFINITY, allowed: 0, detail }
}

/**
 * Relative norm over the finite elements. Those that must not be finite must match in kind, and those that nothing is written
 * to (a window's surroundings) exactly: their size would hide an error of the others.
 */
export function compare(
  operand: string,
  got: Float32Array | Uint32Array,
  want: ReferenceTensor['data'],
  tolerance: number,
): Deviation {
  let difference = 0
  let norm = 0
  let worst = 0
  let where = 0
  let wrong = 0
  for (let i = 0; i < want.length; i++) {
    if (want instanceof Uint32Array || !Number.isFinite(want[i]) || want[i] === SENTINEL) {
      if (!Object.is(got[i], want[i])) {
        where = wrong === 0 ? i : where
        wrong++
      }
      continue
    }
    const d = got[i] - want[i]
    if (!(Math.abs(d) <= worst)) {
      worst = Math.abs(d)
      where = i
    }
    difference += d * d
    norm += want[i] ** 2
  }
  const error = wrong > 0 ? Number.POSITIVE_INFINITY : norm > 0 ? Math.sqrt(difference / norm) : Math.sqrt(difference)
  return {
    operand,
    error: Number.isNaN(error) ? Number.POSITIVE_INFINITY : error,
    allowed: want instanceof Uint32Array ? 0 : tolerance,
    detail: `worst at element ${where}: ${got[where]} for ${want[where]}`,
  }
}

// --- values ----------------------------------------------------------------------------------------------------------

/** A small generator of its own (xorshift32), so that the cases do not depend on the code under test. */
export class Values {
  private state: number

  constructor(label: string) {
    this.state = 2166136261
    for (const letter of label) this.state = Math.imul(this.state ^ letter.charCodeAt(0), 16777619)
    this.state |= 1
  }

  uniform(): number {
    this.state ^= this.state << 13
    this.state ^= this.state >>> 17
    this.state ^= this.state << 5
    return ((this.state >>> 0) + 0.5) / 2 ** 32
  }

  gaussian(): number {
    return Math.sqrt(-2 * Math.log(this.uniform())) * Math.cos(2 * Math.PI * this.uniform())
  }

  fill(shape: Shape, value: (i: number) => number): CaseOperand {
    return { shape, values: Float32Array.from({ length: size(shape) }, (_, i) => value(i)) }
  }

  normal(shape: Shape, scale = 1): CaseOperand {
    return this.fill(shape, () => scale * this.gaussian())
  }

  range(shape: Shape, low: number, high: number): CaseOperand {
    return this.fill(shape, () => low + (high - low) * this.uniform())
  }

  /** What a layer would have saved for its backward pass: outputs or pre-activations of the activation. */
  saved(shape: Shape, name: ActivationName, beta: number): CaseOperand {
    const { derivativeOf, value } = activations[name]
    return this.fill(shape, () => {
      const z = 2 * this.gaussian()
      return derivativeOf === 'output' ? value(z, beta) : z
    })
  }
}

export const written = (shape: Shape): CaseOperand => ({ shape, values: new Float32Array(size(shape)).fill(SENTINEL) })
/** Random bytes as a pool of pixels: n rows of D, padded to whole words. */
export const pixels = (v: Values, n: number, D: number): CaseOperand => {
  const bytes = Uint8Array.from({ length: n * D }, () => Math.floor(256 * v.uniform()))
  return { shape: [n, poolWords(D, 'pixels')], values: packPixels(bytes, D) }
}
export const words = (...values: number[]): CaseOperand => ({
  shape: [values.length],
  values: Uint32Array.from(values),
})
export const state = (
  step: number,
  halted = 0,
  skipped = 0,
  inARow = 0,
  lossExponent = 0,
  goodSteps = 0,
): CaseOperand => words(step, halted, skipped, inARow, lossExponent, goodSteps, ...new Array(STATE_LENGTH - 6).fill(0))

export type Build = (v: Values) => { attributes?: Attributes; operands: Record<string, CaseOperand> }

export function testCase(kernel: string, label: string, tolerance: number, build: Build): Case {
  const { attributes = {}, operands } = build(new Values(`${kernel} ${label}`))
  return { kernel, label, attributes, operands, tolerance }
}

export const seeded = (seed: number, stream: number): Attributes => ({ ...seedWords(seed), stream })
export { activationNames } from '../../src/kernels/activations.js'
