/**
 * A *sample* is one operation on memory of its own, for the tuner (tuner.ts): it is compiled with each candidate, and what
 * candidates compute is compared. Its values are small and always the same. Whoever uses it has the turn in the device's line.
 */

import { size } from '../../kernels/contract.js'
import { type Operation, type Program, ProgramBuilder, type ProgramTensor } from '../../program/program.js'
import { type CompilesOn, compileProgram } from './compile.js'
import type { CompiledProgram } from './executable.js'
import { toHalves } from './half-values.js'
import { submit, type WebgpuBuffer, type WebgpuMemory } from './memory.js'
import { record } from './record.js'

/** What was written, by operand. */
export type Results = Readonly<Record<string, Float32Array | Uint32Array>>

/** Relative norm of the difference: sums in another order, of some hundred terms; those of float16 are rounded once more when they are stored. */
const ALLOWED = { single: 1e-4, half: 3e-3 }
/** Largest value; parameters are less, since what a network makes of them may not grow from layer to layer. */
const LARGEST = { parameters: 1 / 8, others: 1 / 2 }

interface Given {
  readonly name: string
  readonly buffer: WebgpuBuffer
  readonly values: Float32Array | Uint32Array
}

export class Sample {
  private readonly given: readonly Given[]
  private readonly program: Program
  private readonly written: readonly Given[]

  constructor(
    { contract, operands, attributes }: Operation,
    private readonly memory: WebgpuMemory,
  ) {
    const builder = new ProgramBuilder()
    this.given = Object.entries(operands).map(([name, tensor], i) => {
      const buffer = memory.create(size(tensor!.shape), tensor!.dtype)
      return { name, buffer, values: valuesOf(tensor!, i + 1, largestOf(name)) }
    })
    const tensors = this.given.map(({ name, buffer }) => [name, builder.tensor(buffer, operands[name]!.shape)])
    builder.add(contract, Object.fromEntries(tensors), attributes)
    this.program = builder.build()
    this.written = this.given.filter(({ name }) => contract.operands[name].access !== 'read')
  }

  compile(on: CompilesOn): Promise<CompiledProgram> {
    return compileProgram(this.program, on)
  }

  /** What one run from the same values leaves. */
  async results(on: CompilesOn): Promise<Results> {
    const { dispatches, owned } = await this.compile(on)
    try {
      for (const { buffer, values } of this.given) {
        const words = buffer.dtype === 'f16' ? halfWords(values as Float32Array) : values
        on.gpu.queue.writeBuffer(buffer.gpu, 0, words as Float32Array<ArrayBuffer>)
      }
      submit(on.gpu, (encoder) => {
        const pass = encoder.beginComputePass()
        record(pass, dispatches)
        pass.end()
      })
      const results: Record<string, Float32Array | Uint32Array> = {}
      for (const { name, buffer } of this.written) results[name] = await this.memory.fetchAll(buffer)
      return results
    } finally {
      for (const buffer of owned) this.memory.release(buffer)
    }
  }

  dispose(): void {
    for (const { buffer } of this.given) buffer.dispose()
  }
}

const largestOf = (operand: string): number => (operand === 'parameters' ? LARGEST.parameters : LARGEST.others)

/** A constant's own values, which attributes may say as well, unless more rows were asked for; of what a program is given, some. */
function valuesOf({ storage, offset, shape, dtype }: ProgramTensor, seed: number, largest: number): Given['values'] {
  const known = storage.kind === 'constant' ? storage.values.subarray(offset, offset + size(shape)) : null
  if (known?.length === size(shape)) return known
  return dtype === 'u32' ? new Uint32Array(size(shape)) : someValues(size(shape), seed, largest)
}

/** Numbers of either sign, by a generator that only has to be cheap. */
function someValues(length: number, seed: number, largest: number): Float32Array {
  let state = seed * 0x9e3779b9
  return Float32Array.from({ length }, () => {
    state = Math.imul(state ^ (state >>> 15), 0x2c1b3c6d) + 0x9e3779b9
    return largest * ((state >> 8) / 2 ** 23)
  })
}

function halfWords(values: Float32Array): Uint16Array {
  const words = new Uint16Array(2 * Math.ceil(values.length / 2))
  words.set(toHalves(values))
  return words
}

/** Whether two candidates computed the same, up to rounding. */
export function agree(expected: Results, results: Results, half: boolean): boolean {
  return Object.entries(expected).every(([name, values]) => {
    const others = results[name]
    let [squares, differences] = [0, 0]
    for (let i = 0; i < values.length; i++) {
      squares += values[i] ** 2
      differences += (values[i] - others[i]) ** 2
    }
    // also where either is no number
    return differences <= ALLOWED[half ? 'half' : 'single'] ** 2 * squares
  })
}
