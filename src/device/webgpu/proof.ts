/**
 * Before a program runs without Dawn's checks it is *proved*, once for each adapter, driver, shaders and shapes: one
 * replay from the same memory on a second device with the safe set of toggles, and the same replay on this one. There an
 * access outside of a binding is held within it, workgroup memory starts as zeros, and every call is validated; where a
 * program relies on any of these, it leaves other numbers here. Programs that passed are remembered (findings.ts).
 */

import { DeviceError } from '../../errors.js'
import type { Program, ProgramTensor, StorageBuffer } from '../../program/program.js'
import type { Device, DeviceBuffer } from '../device.js'
import type { CompiledProgram } from './executable.js'
import { type Findings, hashOf } from './findings.js'
import type { WebgpuBuffer, WebgpuMemory } from './memory.js'

/** Largest relative difference of a buffer: a driver may contract a·b + c in one of the two and not in the other. */
const TOLERANCE = 1e-3

/** What a program is, as far as its checks go: shaders, constants, workgroups and the sizes of bindings; not its data. */
export const programKey = ({ dispatches }: CompiledProgram): Promise<string> =>
  hashOf(JSON.stringify(dispatches.map(({ identity, groups, sizes }) => [identity, groups, sizes])))

export class Proof {
  constructor(
    private readonly program: Program,
    private readonly compiled: CompiledProgram,
    private readonly memory: WebgpuMemory,
    private readonly openSafe: () => Promise<Device>,
  ) {}

  /**
   * Replays the program once here, by `replay`, and once in the safe set.
   * @throws DeviceError where the two differ
   */
  async run(replay: () => Promise<void>): Promise<void> {
    const { uses } = this.compiled
    const safe = await this.openSafe()
    const twins = new Map<StorageBuffer, DeviceBuffer>()
    try {
      for (const buffer of uses) {
        const twin = safe.createBuffer(buffer.length, buffer.dtype)
        twin.write(await this.memory.fetchAll(buffer))
        twins.set(buffer, twin)
      }
      const executable = await safe.compile(onBuffers(this.program, twins))
      try {
        await executable.run()
      } finally {
        executable.dispose()
      }
      await replay()
      for (const buffer of uses) {
        const difference = distance(await twins.get(buffer)!.read(), await this.memory.fetchAll(buffer))
        if (difference <= TOLERANCE) continue
        throw new DeviceError(
          `Without Dawn's checks ${writerOf(this.program, buffer)} comes out otherwise than with them (relative ` +
            `difference ${difference.toExponential(1)}), so a shader relies on them on this adapter. Run without --fast.`,
        )
      }
    } finally {
      for (const twin of twins.values()) twin.dispose()
    }
  }
}

/** The proof that a program still needs; null where it has passed before. */
export async function proofFor(
  program: Program,
  compiled: CompiledProgram,
  memory: WebgpuMemory,
  findings: Findings,
  openSafe: () => Promise<Device>,
): Promise<((replay: () => Promise<void>) => Promise<void>) | null> {
  const key = await programKey(compiled)
  if (findings.get('passed', key) !== undefined) return null
  const proof = new Proof(program, compiled, memory, openSafe)
  return async (replay) => {
    await proof.run(replay)
    findings.set('passed', { [key]: new Date().toISOString().slice(0, 10) })
  }
}

/** The same program on other buffers. */
function onBuffers(program: Program, buffers: ReadonlyMap<StorageBuffer, DeviceBuffer>): Program {
  const moved = (tensor: ProgramTensor): ProgramTensor =>
    tensor.storage.kind === 'buffer'
      ? { ...tensor, storage: { kind: 'buffer', buffer: buffers.get(tensor.storage.buffer)! } }
      : tensor
  return {
    operations: program.operations.map((operation) => ({
      ...operation,
      operands: Object.fromEntries(
        Object.entries(operation.operands).map(([name, tensor]) => [name, tensor && moved(tensor)]),
      ),
    })),
  }
}

/** Norm of the difference over the norm; equal words, also of values that are not finite, differ by nothing. */
function distance(expected: Float32Array | Uint32Array, actual: Float32Array | Uint32Array): number {
  const [a, b] = [expected, actual].map(({ buffer }) => new Uint32Array(buffer))
  let [squares, differences] = [0, 0]
  for (let i = 0; i < expected.length; i++) {
    const known = Number.isFinite(expected[i]) ? expected[i] ** 2 : 0
    squares += known
    if (a[i] !== b[i]) differences += (expected[i] - actual[i]) ** 2
  }
  if (differences === 0) return 0
  const ratio = Math.sqrt(differences / Math.max(squares, Number.MIN_VALUE))
  return Number.isNaN(ratio) ? Number.POSITIVE_INFINITY : ratio
}

function writerOf({ operations }: Program, buffer: WebgpuBuffer): string {
  for (const { contract, operands } of operations) {
    for (const [name, tensor] of Object.entries(operands)) {
      const written = contract.operands[name].access !== 'read'
      if (written && tensor?.storage.kind === 'buffer' && tensor.storage.buffer === buffer) {
        return `operand ${name} of ${contract.name}`
      }
    }
  }
  return 'a buffer that is only read'
}
