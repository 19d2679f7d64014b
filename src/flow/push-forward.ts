/**
 * Pushes the whole training set through a trained sub-flow, t from 0 to 1, on the device: X_n = T_n(X_{n−1}) (Xu et al.
 * 2024). The source stays as it is until the last row has arrived, so a push that is cut off is done again.
 */

import type { Device, DeviceBuffer } from '../device/device.js'
import type { Evaluations, SolverSettings } from '../ode/solver.js'
import { blockRows, type Link, Transport } from './transport.js'

export interface PushOptions {
  readonly solver: SolverSettings
  readonly condition?: DeviceBuffer
  readonly signal?: AbortSignal
  readonly onProgress?: (rowsDone: number) => void
}

/** A new buffer [n, D] with the image of `pool` [n, D]; the caller disposes of both. */
export async function pushForward(
  device: Device,
  link: Link,
  pool: DeviceBuffer,
  n: number,
  { solver, condition, signal, onProgress }: PushOptions,
): Promise<{ pushed: DeviceBuffer; evaluations: Evaluations }> {
  const { dimension: D, condition: C } = link.field
  const rows = blockRows(n, link.field, null, device.info)
  const legs = [{ link, start: 0, end: 1, keep: true }]
  const transport = await Transport.open(device, { legs, solver, trace: null, rows, source: { kind: 'input' } })
  const pushed = device.createBuffer(pool.length)
  try {
    let evaluations = 0
    let most = 0
    for (let first = 0; first < n; first += rows) {
      signal?.throwIfAborted()
      const count = Math.min(rows, n - first)
      device.copy(pool, first * D, transport.input, 0, count * D)
      if (condition && transport.condition) device.copy(condition, first * C, transport.condition, 0, count * C)
      const spent = await transport.block(first, count, signal)
      device.copy(transport.outputs[0], 0, pushed, first * D, count * D)
      evaluations += spent.mean * count
      most = Math.max(most, spent.max)
      onProgress?.(first + count)
    }
    return { pushed, evaluations: { mean: evaluations / n, max: most } }
  } catch (error) {
    pushed.dispose()
    throw error
  } finally {
    transport.dispose()
  }
}
