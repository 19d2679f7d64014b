/**
 * One model learnt by several *members*, who take the same steps in the same order and share the work of each: a batch is cut into
 * parts of equal size (train.parts), every member computes the gradients of its own parts and takes those of the others over, and all
 * of them do the same update. Parts are added in their order, whoever computed them, so that any number of members makes the same
 * bits. Nothing is told to who goes first: all have the same parameters, draws and state at every step.
 */

import type { DeviceBuffer, Executable } from '../device/device.js'
import { MAX_STAGES } from '../kernels/stage_combine.js'
import { stateWords } from '../kernels/state.js'
import { ALIGNMENT, aligned } from '../program/program.js'

/** Parts of a batch, at most: one operation adds them up. */
export const MOST_PARTS = MAX_STAGES
/** Rows of a part are a multiple of it: each part is a window on the batch. */
export const ROWS_OF_PART = ALIGNMENT

/** The members of a training, as one of them sees them. */
export interface Team {
  /** of this member, from 0 */
  readonly rank: number
  /** how many there are */
  readonly size: number
  /**
   * Hands over this member's message and takes those of all, by rank. Everyone calls it as often as everyone else.
   * @param lengths numbers in each member's message
   * @throws TrainingError where a member is no more
   */
  exchange(own: readonly Float32Array[], lengths: readonly number[]): Promise<readonly Float32Array[]>
}

/** Parts [first, end) of a member. */
export const partsOf = (
  { rank, size }: Pick<Team, 'rank' | 'size'>,
  parts: number,
): { first: number; end: number } => ({
  first: Math.floor((rank * parts) / size),
  end: Math.floor(((rank + 1) * parts) / size),
})

/** What the members tell each other, where it lies on a device. */
export interface PartBuffers {
  /** gradients, [parts, stride] */
  readonly gradients: DeviceBuffer
  /** losses of the rows of a batch, part by part */
  readonly losses: DeviceBuffer
}

/** From one part's gradient of P elements to the next one's. */
export const partStride = (P: number): number => aligned(P)

/**
 * The two halves of a step as one executable: the gradients of this member's parts, and, once those of the others are there, the
 * update. A step of a halted training is none, so that members stop at the same one.
 */
export function teamStep(
  team: Team,
  [gradients, update]: readonly [Executable, Executable],
  on: PartBuffers & { readonly state: DeviceBuffer },
  parts: number,
  P: number,
): Executable {
  const stride = partStride(P)
  const rows = on.losses.length / parts
  const own = partsOf(team, parts)
  const members = Array.from({ length: team.size }, (_, rank) => partsOf({ rank, size: team.size }, parts))
  const lengths = members.map(({ first, end }) => (end - first) * (stride + rows))

  let updated = Promise.resolve()
  /** One step; false where the training has halted. */
  async function step(): Promise<boolean> {
    const done = Promise.all([updated, gradients.run()])
    const [gradient, losses, state] = await Promise.all([
      on.gradients.read(own.first * stride, (own.end - own.first) * stride),
      on.losses.read(own.first * rows, (own.end - own.first) * rows),
      on.state.read(),
      done,
    ])
    if (state[stateWords.halted] !== 0) return false
    const messages = await team.exchange([gradient as Float32Array, losses as Float32Array], lengths)
    members.forEach(({ first, end }, rank) => {
      if (rank === team.rank) return
      const split = (end - first) * stride
      on.gradients.write(messages[rank].subarray(0, split), first * stride)
      on.losses.write(messages[rank].subarray(split), first * rows)
    })
    updated = update.run()
    updated.catch(() => {}) // who waits for it is told
    return true
  }

  let last = Promise.resolve()
  return {
    run(times = 1, { signal } = {}) {
      last = last.then(async () => {
        for (let i = 0; i < times; i++) {
          signal?.throwIfAborted()
          if (!(await step())) return
        }
        await updated
      })
      return last
    },
    launches: gradients.launches + update.launches,
    variants: { ...gradients.variants, ...update.variants },
    dispose() {
      gradients.dispose()
      update.dispose()
    },
  }
}

/** A buffer that is read once all steps asked for before are done: these go through the host. */
export const readAfter = (buffer: DeviceBuffer, executable: Executable): DeviceBuffer => ({
  dtype: buffer.dtype,
  length: buffer.length,
  write: (values, offset) => buffer.write(values, offset),
  read: async (offset, length) => {
    await executable.run(0)
    return buffer.read(offset, length)
  },
  dispose: () => buffer.dispose(),
})
