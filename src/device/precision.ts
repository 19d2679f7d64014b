/** Mixed precision needs a device that stores float16; this says before training where one does not, and what to do. */

import { DeviceError } from '../errors.js'
import type { VelocityField } from '../networks/network.js'
import type { Device } from './device.js'

/** Whether a device stores float16. */
export const storesHalf = ({ kind, info }: Pick<Device, 'kind' | 'info'>): boolean =>
  kind === 'webgpu' && Array.isArray(info.details.features) && info.details.features.includes('shader-f16')

/** Throws DeviceError where `train.precision: mixed` cannot be had on this device or with this network. */
export function expectMixed(device: Pick<Device, 'kind' | 'info'>, field: VelocityField): void {
  const { kind, info } = device
  const needs = 'train.precision: mixed needs the webgpu device and an adapter with the feature shader-f16'
  if (kind !== 'webgpu') {
    throw new DeviceError(
      `${needs}, but the device is ${kind} (${info.name}), which computes in ` +
        `${kind === 'native' ? 'float32' : 'float64'} only. Take device: webgpu, or train.precision: float32.`,
    )
  }
  if (!storesHalf(device)) {
    throw new DeviceError(
      `${needs}, but ${info.name} (${info.details.driver}) does not offer it. Dawn hides it on some drivers, and this ` +
        "library has asked for it already: update the GPU's driver, and see docs/gpu-servers.md; or take " +
        'train.precision: float32.',
    )
  }
  if (!field.addMixedGradient) {
    throw new DeviceError(
      'train.precision: mixed was asked for, but this kind of model has no float16 path yet. Take train.precision: float32.',
    )
  }
}
