/**
 * The order of work on a WebGPU device, and how it fails. Whatever is asked for is done in the order in which it was
 * asked (*the line*): a write, a copy or a read waits for the runs before it. Three things can go wrong outside of a
 * call: the device is lost or disposed (*ended*: every call that waits or comes after throws), or Dawn reports an error
 * that no call can be blamed for (a *fault*: the next call that is awaited throws it).
 */

import { DeviceError, DeviceLostError } from '../../errors.js'

export class Line {
  /** the last of the line; undefined where nothing is waiting */
  private last: Promise<unknown> | undefined
  private ended: DeviceError | undefined
  private fault: DeviceError | undefined
  private readonly waiting = new Set<(reason: Error) => void>()
  private readonly unlisten: () => void

  /** @param used bytes that the device has given out: no adapter tells how many it has, so that a full one shows when it refuses */
  constructor(gpu: GPUDevice, name: string, used: () => number = () => 0) {
    const listener = (event: GPUUncapturedErrorEvent): void => {
      event.preventDefault()
      const { error } = event
      this.fault ??= new DeviceError(
        error.constructor.name === 'GPUOutOfMemoryError'
          ? `The memory of '${name}' is full, with ${(used() / 2 ** 20).toFixed(0)} MiB in use here: take a smaller ` +
              `train.batch, more train.microBatches, or end what else uses it. (${error.message})`
          : `WebGPU: ${error.message}`,
      )
    }
    gpu.addEventListener('uncapturederror', listener)
    this.unlisten = () => gpu.removeEventListener('uncapturederror', listener)
    gpu.lost.then(({ message }) => {
      this.end(new DeviceLostError(`The WebGPU device '${name}' was lost: ${message || 'no reason given'}`))
    })
  }

  get idle(): boolean {
    return this.last === undefined
  }

  /** Does the task after all that were asked for before: at once where none is waiting. */
  inLine<T>(task: () => Promise<T> | T): Promise<T> {
    const turn = async (): Promise<T> => {
      this.alive()
      return task()
    }
    const result = this.last ? this.last.then(turn) : turn()
    const done: Promise<unknown> = result.then(keepForLater, keepForLater).then(() => {
      if (this.last === done) this.last = undefined
    })
    this.last = done
    return result
  }

  alive(): void {
    if (this.ended) throw this.ended
  }

  /** What a failed call throws: the reason why the device ended, where it did, else an error of the call's own. */
  blame(error: () => DeviceError): DeviceError {
    return this.ended ?? error()
  }

  /** Throws what ended the device, or a fault that came up since the last time; for calls that are awaited. */
  check(): void {
    this.alive()
    if (this.fault) {
      const fault = this.fault
      this.fault = undefined
      throw fault
    }
  }

  end(reason: DeviceError): void {
    if (this.ended) return
    this.ended = reason
    // Dawn for Node keeps a device's listeners for ever (npm webgpu 0.6.2), and these all that they reach: the device itself
    this.unlisten()
    for (const reject of this.waiting) reject(reason)
  }

  /** Resolves when all that was asked for is done or has failed. */
  async empty(): Promise<void> {
    await this.last
  }

  /** Awaits something of the adapter; rejects at once where the device is lost meanwhile. */
  async wait<T>(work: Promise<T>): Promise<T> {
    let leave: ((reason: Error) => void) | undefined
    try {
      const result = await new Promise<T>((resolve, reject) => {
        leave = reject
        this.waiting.add(reject)
        work.then(resolve, (error: Error) => {
          reject(this.blame(() => new DeviceError(`WebGPU: ${error.message}`)))
        })
      })
      this.check()
      return result
    } finally {
      if (leave) this.waiting.delete(leave)
    }
  }
}

/** For promises whose failure another await reports. */
export const keepForLater = (): void => {}
