/**
 * A pool of fewer rows than there are. The rows lie in a random order (that in which a data set is split), and the pool holds a
 * *window* of W of them, one after another from row s·W mod n on in the stretch s of a fit. A stretch has as many steps as draw
 * each row of a window once, so that all rows are learnt from equally often, and a window is a uniformly random part of them. What
 * differs from drawing out of all n: two rows of a batch are always of one window.
 */

import type { Device } from '../device/device.js'
import type { Network } from '../networks/network.js'
import { disposePool, type Pool, plainReading, type RowStore, type StoredRows } from './pool.js'

/** Numbers that are read and uploaded at a time. */
const SLICE = 1 << 22

export class Windows {
  readonly pool: Pool
  /** steps of a stretch */
  readonly every: number
  private readonly slice: number
  private pushed: RowStore | null = null

  /**
   * @param window W, rows of the pool; at most as many as there are
   * @param pairs rows that a step draws
   */
  constructor(
    device: Device,
    private readonly network: Pick<Network, 'dimension'>,
    private stored: StoredRows,
    window: number,
    pairs: number,
    /** a place for as many rows, to push them to */
    private readonly make: () => Promise<RowStore>,
  ) {
    const { dimension: D } = network
    this.pool = { left: device.createBuffer(window * D), rows: window, reading: plainReading }
    this.every = Math.max(1, Math.floor(window / pairs))
    this.slice = Math.max(1, Math.floor(SLICE / D))
  }

  /** The rows [first, first + count) of all there are. */
  read(first: number, count: number): Promise<Float32Array> {
    return this.stored.read(first, Math.min(count, this.stored.rows - first))
  }

  /** Whether a window is all there is, so that it never changes. */
  get whole(): boolean {
    return this.pool.rows >= this.stored.rows
  }

  /** Fills the pool with the window of a stretch of steps. */
  renew(stretch: number, signal?: AbortSignal): Promise<void> {
    return this.fill((stretch * this.pool.rows) % this.stored.rows, signal)
  }

  /** Fills the pool with the rows from `first` on, and from row 0 on behind the last one. */
  async fill(first: number, signal?: AbortSignal): Promise<void> {
    const { rows: n } = this.stored
    const { left, rows } = this.pool
    const D = this.network.dimension
    for (let at = 0; at < rows; ) {
      signal?.throwIfAborted()
      const from = (first + at) % n
      const count = Math.min(this.slice, rows - at, n - from)
      left.write(await this.stored.read(from, count), at * D)
      // what is written waits in memory until the device has it
      await left.read(at * D, 1)
      at += count
    }
  }

  /**
   * Takes what `push` makes of all rows in their place, window by window.
   *
   * @param push the image of the pool, whose memory is freed here; null: rows stay as they are, which it says of the first window
   * @returns what was made of each window; null where rows stay as they are
   */
  async advance<Made extends { readonly pool: Pool }>(
    push: (done: number) => Promise<Made | null>,
    signal?: AbortSignal,
  ): Promise<Made[] | null> {
    const { rows: n } = this.stored
    const W = this.pool.rows
    const D = this.network.dimension
    const all: Made[] = []
    let into: RowStore | null = null
    try {
      for (let done = 0; done < n; done += W) {
        // the last window has some rows again that were pushed before, to the same values
        const first = Math.min(done, n - W)
        await this.fill(first, signal)
        const made = await push(first)
        if (!made) return null
        try {
          into ??= await this.make()
          for (let at = 0; at < W; at += this.slice) {
            const count = Math.min(this.slice, W - at)
            await into.write(first + at, (await made.pool.left.read(at * D, count * D)) as Float32Array)
          }
        } finally {
          disposePool(made.pool)
        }
        all.push(made)
      }
    } catch (error) {
      await into?.close()
      throw error
    }
    await this.pushed?.close()
    this.stored = this.pushed = into!
    if (this.whole) await this.fill(0, signal)
    return all
  }

  /** Frees the pool, and what rows were pushed to. */
  async close(): Promise<void> {
    disposePool(this.pool)
    await this.pushed?.close()
  }
}
