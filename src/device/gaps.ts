/**
 * Kernels that a device does not have. A kernel lives from its contract on, and each device gets its implementation in
 * its own time: until then the reference device runs it, and the others say so before anything runs.
 */

import { DeviceError } from '../errors.js'
import type { LoweredOperation } from '../program/lower.js'
import type { Device } from './device.js'

/** Throws DeviceError naming the kernels of a lowered program that a device has no implementation of. */
export function expectKernels(
  { kind: device, kernels }: Pick<Device, 'kind' | 'kernels'>,
  operations: readonly LoweredOperation[],
): void {
  const missing = new Set(
    operations
      .map(({ contract }) => contract)
      .flatMap(({ kind, name }) => (kind === 'kernel' && !kernels.has(name) ? name : [])),
  )
  if (missing.size === 0) return
  const older = ' An addon that is older than the sources is built again by: npm run build:addon'
  throw new DeviceError(
    `The ${device} device has no ${[...missing].join(', ')} yet; device: reference runs every kernel.` +
      (device === 'native' ? older : ''),
  )
}
