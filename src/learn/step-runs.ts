/**
 * The steps of a training program, as *runs* of some hundred replays. After each run comes a *look*: the losses of its
 * steps and the state words, read in order with the runs. Two runs are asked for at a time, so that a device goes
 * from one to the next by itself, and the results of one are reported during the next.
 */

import type { DeviceBuffer, Executable } from '../device/device.js'
import { stateWords } from '../kernels/state.js'

/** Losses kept on the device: of all runs under way, until they are looked at. */
export const LOSS_RING = 4096
const RUNS_UNDER_WAY = 2
/** How often the host looks at the losses, seconds. */
const LOOK_SECONDS = 0.25

export interface Look {
  /** of the steps of this run, in order */
  readonly losses: Float32Array
  readonly state: Float32Array | Uint32Array
  /** wall time since the look before, or since the first run was asked for */
  readonly seconds: number
}

export interface StepProgram {
  /** one training step */
  readonly executable: Executable
  /** [LOSS_RING]: step k's loss at position k mod LOSS_RING */
  readonly ring: DeviceBuffer
  readonly state: DeviceBuffer
}

/**
 * Runs the steps [first, end) and yields a look at each run. Ends early if the state words say that training halted;
 * throws what a run rejects with. However it ends, no run is under way afterwards.
 * @param pace steps of the next run: adapted to the time that runs take, and kept by the caller between calls
 */
export async function* runSteps(
  { executable, ring, state }: StepProgram,
  first: number,
  end: number,
  pace: { steps: number },
  signal?: AbortSignal,
): AsyncGenerator<Look> {
  const underWay: Promise<Omit<Look, 'seconds'>>[] = []
  let asked = first
  let halted = false
  const ask = (): void => {
    while (!halted && asked < end && underWay.length < RUNS_UNDER_WAY) {
      const count = Math.min(pace.steps, end - asked)
      const parts = [executable.run(count, { signal }), readRing(ring, asked, count), state.read()] as const
      const look = Promise.all(parts).then(([, losses, state]) => ({ losses, state }))
      look.catch(() => {}) // who awaits it reports its failure
      underWay.push(look)
      asked += count
    }
  }
  let last = performance.now()
  try {
    ask()
    while (underWay.length > 0) {
      const look = await underWay.shift()!
      const now = performance.now()
      const seconds = (now - last) / 1000
      last = now
      const { length } = look.losses
      const fitting = Math.round((LOOK_SECONDS * length) / Math.max(seconds, 1e-6))
      pace.steps = Math.max(1, Math.min(LOSS_RING / RUNS_UNDER_WAY, 4 * length, fitting))
      halted = look.state[stateWords.halted] !== 0
      ask()
      yield { ...look, seconds }
    }
  } finally {
    await Promise.allSettled(underWay)
  }
}

/** The losses of steps [first, first + count) from the ring. */
export async function readRing(ring: DeviceBuffer, first: number, count: number): Promise<Float32Array> {
  const start = first % LOSS_RING
  const straight = Math.min(count, LOSS_RING - start)
  const parts = [ring.read(start, straight), ...(straight < count ? [ring.read(0, count - straight)] : [])]
  const losses = new Float32Array(count)
  const [begin, rest] = await Promise.all(parts)
  losses.set(begin as Float32Array)
  if (rest) losses.set(rest as Float32Array, straight)
  return losses
}
