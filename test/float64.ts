/** Runs a program's references with all memory in float64, buffers too: for finite differences. */

import { type ReferenceTensor, size } from '../src/kernels/contract.js'
import { kernels } from '../src/kernels/registry.js'
import { expand } from '../src/program/lower.js'
import type { Program, ProgramTensor, StorageBuffer } from '../src/program/program.js'

export type Memory = Float64Array | Uint32Array

/** A function that runs the program once; `memory` holds the buffers. */
export function float64Program(program: Program, memory: ReadonlyMap<StorageBuffer, Memory>): () => void {
  const own = new Map<unknown, Memory>()
  const dataOf = ({ storage }: ProgramTensor): Memory => {
    if (storage.kind === 'buffer') return memory.get(storage.buffer)!
    const key = storage.kind === 'temporary' ? storage.id : storage.values
    let data = own.get(key)
    if (!data) {
      data = storage.kind === 'temporary' ? new Float64Array(storage.length) : Float64Array.from(storage.values)
      own.set(key, data)
    }
    return data
  }
  const steps = expand(program, () => false).map(({ contract, operands, attributes }) => {
    const bound: Record<string, ReferenceTensor> = {}
    for (const [name, tensor] of Object.entries(operands)) {
      const { shape, offset } = tensor!
      bound[name] = { shape, data: dataOf(tensor!).subarray(offset, offset + size(shape)) }
    }
    return () => kernels.get(contract.name)!.reference(bound, attributes)
  })
  return () => {
    for (const step of steps) step()
  }
}
