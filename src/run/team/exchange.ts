/**
 * Messages between processes of one host, through memory that they share: a file of which each has the descriptor and which has no
 * name any more, in /dev/shm where there is one. Each member has a place for its number of the last message that it wrote,
 * and two for messages, which it writes in turn: who begins message k + 2 has seen message k + 1 of all, who thus have read k.
 */

import { readSync, writeSync } from 'node:fs'
import { performance } from 'node:perf_hooks'
import { TrainingError } from '../../errors.js'
import type { Team } from '../../learn/team.js'

/** Bytes between two members' numbers: a line of a processor's cache. */
const LINE = 64
/** Before the messages. */
const HEADER = 1 << 16

/** Members that one host may have. */
export const MOST_MEMBERS = HEADER / LINE

/** How long a member looks for a message without a pause, how long its pauses are, and how often it lets other work be done, ms. */
const [SPIN_MS, PAUSE_MS, YIELD_MS] = [0.2, 0.05, 2]

export class Exchange implements Team {
  private sent = 0
  private readonly word = new Uint32Array(1)
  private readonly pause = new Int32Array(new SharedArrayBuffer(4))

  /**
   * @param file descriptor of the shared file
   * @param gone why a member will write nothing more; null: it is there
   */
  constructor(
    private readonly file: number,
    readonly rank: number,
    readonly size: number,
    private readonly gone: (rank: number) => string | null,
  ) {}

  async exchange(own: readonly Float32Array[], lengths: readonly number[]): Promise<readonly Float32Array[]> {
    const room = 4 * Math.max(...lengths)
    const place = (rank: number): number => HEADER + ((this.sent % 2) * this.size + rank) * room
    let at = place(this.rank)
    for (const values of own) at += this.write(new Uint8Array(values.buffer, values.byteOffset, values.byteLength), at)
    const messages: Float32Array[] = []
    const number = this.sent + 1
    this.word[0] = number
    this.write(new Uint8Array(this.word.buffer), LINE * this.rank)
    for (let rank = 0; rank < this.size; rank++) {
      if (rank === this.rank) {
        messages.push(new Float32Array(0))
        continue
      }
      await this.until(rank, number)
      const message = new Float32Array(lengths[rank])
      this.read(new Uint8Array(message.buffer), place(rank))
      messages.push(message)
    }
    this.sent = number
    return messages
  }

  /** Waits until a member has written a message. */
  private async until(rank: number, number: number): Promise<void> {
    const began = performance.now()
    let yielded = began
    while (!this.has(rank, number)) {
      const now = performance.now()
      if (now - began < SPIN_MS) continue
      Atomics.wait(this.pause, 0, 0, PAUSE_MS)
      if (now - yielded < YIELD_MS) continue
      yielded = now
      await new Promise((resolve) => setImmediate(resolve))
      const why = this.gone(rank)
      // it may have ended after its last message
      if (why !== null && !this.has(rank, number)) {
        throw new TrainingError(`Worker ${rank + 1} of ${this.size} ${why}, and the others cannot go on without it.`)
      }
    }
  }

  private has(rank: number, number: number): boolean {
    this.read(new Uint8Array(this.word.buffer), LINE * rank)
    // of messages that are numbered by 32 bits
    return ((this.word[0] - number) | 0) >= 0
  }

  private write(bytes: Uint8Array, at: number): number {
    for (let done = 0; done < bytes.length; ) done += writeSync(this.file, bytes, done, bytes.length - done, at + done)
    return bytes.length
  }

  private read(bytes: Uint8Array, at: number): void {
    for (let done = 0; done < bytes.length; ) {
      const count = readSync(this.file, bytes, done, bytes.length - done, at + done)
      if (count === 0) return // the file is shorter: nothing was written there yet
      done += count
    }
  }
}
