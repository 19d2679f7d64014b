/** Mixed precision needs a device that stores float16; if it cannot, this says so before training, and what to do. */

import type { Device } from '../device/device.js'
import { DeviceError } from '../errors.js'
import type { Network } from '../networks/network.js'

/** Throws DeviceError where `train.precision: mixed` cannot be had on this device or with this network. */
export function expectMixed({ dtypes, info }: Pick<Device, 'dtypes' | 'info'>, network: Network): void {
  const needs = 'train.precision: mixed needs the webgpu device and an adapter with the feature shader-f16'
  if (!dtypes.has('f16') && info.type === 'cpu') {
    throw new DeviceError(
      `${needs}, but the device is ${info.kind} (${info.name}), which computes in ` +
        `${info.kind === 'reference' ? 'float64' : 'float32'} only. Take device: webgpu, or train.precision: float32.`,
    )
  }
  if (!dtypes.has('f16')) {
    throw new DeviceError(
      `${needs}, but ${info.name} (${info.details.driver}) does not offer it. Dawn hides it on some drivers, and this ` +
        "library has asked for it already: update the GPU's driver, and see docs/gpu-servers.md; or take " +
        'train.precision: float32.',
    )
  }
  if (!network.addMixedGradient) {
    throw new DeviceError(
      'train.precision: mixed was asked for, but this kind of model has no float16 path yet. Take train.precision: float32.',
    )
  }
}
