/**
 * Which device runs. 'auto' takes a hardware WebGPU adapter, else the native engine, else the reference with a warning; a
 * software adapter is never taken by 'auto'. A device that was asked for by name and is not there is an error, never
 * another device in its place.
 */

import { existsSync } from 'node:fs'
import { DeviceError, invalid, printable } from '../../errors.js'
import type { Device, DeviceKind, VariantsByDevice } from '../device.js'
import { openReference } from '../reference/device.js'
import { listAdapters } from './adapters.js'
import { trimMemory } from './addon.js'
import { quietly } from './quiet.js'

/** How a device is opened. */
export interface DeviceOptions {
  /** forced variants of kernels and composites, by contract name */
  readonly variants?: Readonly<Record<string, string>>
  /** variants that a run took before, by the kind of device: what is not forced is chosen as it was there */
  readonly remembered?: VariantsByDevice
  /** part of an adapter's name, where there are several, or its place, such as pci-0000_03_00_0, where several have one name */
  readonly adapter?: string
  /** webgpu: without Dawn's checks, once a program has passed with them; the other devices have none to leave out */
  readonly fast?: boolean
  /** time the launches of programs: see profile.ts */
  readonly profile?: boolean
  /** called once if the choice needs a warning; default: a line on stderr */
  readonly onWarning?: (message: string) => void
}

/** All names of devices; `auto` takes a hardware GPU, else native, else the reference. */
export const deviceKinds = ['auto', 'webgpu', 'native', 'reference'] as const

/** A line on stderr. */
export const warnOnStderr = (message: string): void => {
  process.stderr.write(`${printable(`local-flow-matching: ${message}`)}\n`)
}

/** What composites were called in the manifests of earlier versions. */
const formerNames: Readonly<Record<string, string>> = { rk4_step: 'integrate' }

const renamed = (variants: DeviceOptions['variants'] = {}): DeviceOptions['variants'] =>
  Object.fromEntries(Object.entries(variants).map(([name, variant]) => [formerNames[name] ?? name, variant]))

/** Opens a device. Throws DeviceError where the one asked for is not there. */
export async function openDevice(
  kind: DeviceKind | 'auto' = 'auto',
  { variants, ...others }: DeviceOptions = {},
): Promise<Device> {
  const adapter = others.adapter === undefined ? undefined : nameAsked(others.adapter)
  const options: DeviceOptions = { ...others, adapter, variants: renamed(variants) }
  const warn = options.onWarning ?? warnOnStderr
  switch (kind) {
    case 'webgpu': {
      const device = await openWebgpuDevice(options)
      if (device.info.type === 'software') {
        warn(
          `the WebGPU adapter ${device.info.name} is a software one: right, but slow. The native device is faster here.`,
        )
      }
      return device
    }
    case 'native':
      return openNativeDevice(options)
    case 'reference':
      return openReference()
    case 'auto':
      return openAuto(options, warn)
    default:
      throw invalid('device', `one of ${deviceKinds.join(', ')}`, kind)
  }
}

/** How the place of a GPU is written. */
const atPlace = /^pci-([0-9a-f]{4})_([0-9a-f]{2})_([0-9a-f]{2})_([0-7])$/

/**
 * The part of a name by which an adapter is asked for. Dawn's package knows adapters by their names alone; one that is asked for by its
 * place is shown to this process as the only one, by a layer of Vulkan that Mesa installs for all drivers.
 */
function nameAsked(adapter: string): string | undefined {
  const place = atPlace.exec(adapter.toLowerCase())
  if (!place) return adapter
  const [name, domain, bus, slot, part] = place
  if (process.platform !== 'linux' || !existsSync(`/sys/bus/pci/devices/${domain}:${bus}:${slot}.${part}`)) {
    throw new DeviceError(
      `There is no PCI device at ${name} here: ls -l /sys/class/drm shows the places of GPUs on Linux.`,
    )
  }
  if (shown !== null && shown !== name) {
    throw new DeviceError(
      `The adapter at ${shown} is the only one that this process sees, so that ${name} cannot be opened.`,
    )
  }
  shown = name
  process.env.DRI_PRIME = name
  process.env.MESA_VK_DEVICE_SELECT_FORCE_DEFAULT_DEVICE = '1'
  return undefined
}
/** The place of the adapter that this process sees alone. */
let shown: string | null = null

async function openAuto(options: DeviceOptions, warn: (message: string) => void): Promise<Device> {
  const hardware = await hardwareAdapter()
  if (hardware) return openWebgpuDevice({ ...options, adapter: options.adapter ?? hardware })
  try {
    return await openNativeDevice(options)
  } catch (error) {
    if (!(error instanceof DeviceError)) throw error
    warn(`no GPU, and the native engine is not there, so the slow reference device serves. ${error.message}`)
    return openReference()
  }
}

/** Device nodes of GPU drivers on Linux: NVIDIA's own, the kernel's, WSL's. */
const gpuNodes = ['/dev/nvidiactl', '/dev/dri', '/dev/dxg', '/dev/kfd', '/dev/mali0']

/**
 * Name of the first hardware WebGPU adapter, or null. On a Linux without any GPU driver's device node there can be none,
 * and Dawn need not be loaded to find that out.
 */
async function hardwareAdapter(): Promise<string | null> {
  if (process.platform === 'linux' && !gpuNodes.some((node) => existsSync(node))) return null
  try {
    return (await listAdapters()).find((adapter) => adapter.type === 'hardware')?.name ?? null
  } catch (error) {
    if (error instanceof DeviceError) return null
    throw error
  }
}

async function openWebgpuDevice({ onWarning = warnOnStderr, ...options }: DeviceOptions): Promise<Device> {
  const { openWebgpu } = await import('../webgpu/node/index.js')
  const variants = variantsFor('webgpu', options)
  return openWebgpu({ ...options, variants, onWarning, quietly, onDisposed: trimMemory })
}

async function openNativeDevice({ profile, ...options }: DeviceOptions): Promise<Device> {
  const { openNative } = await import('../native/index.js')
  return openNative({ variants: variantsFor('native', options), profile })
}

const variantsFor = (kind: DeviceKind, { variants, remembered }: DeviceOptions): Readonly<Record<string, string>> => ({
  ...remembered?.[kind],
  ...variants,
})
