/**
 * What this device needs of Node, beside the file of findings (cache-file.ts): it loads Dawn (npm `webgpu`), lists and
 * opens adapters, and reads shaders from the package. What a browser has in its place is in src/browser/.
 */

import { readFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DeviceError, show } from '../../../errors.js'
import { makeFolder } from '../../../files/folders.js'
import { type AdapterInfo, describeAdapter, type OpenAdapter } from '../adapter-info.js'
import { toggleOptions, toggleSets } from '../toggles.js'

const backend = { linux: 'vulkan', darwin: 'metal', win32: 'd3d12' }[process.platform as string] ?? 'vulkan'

/** Reads a file of the package's shaders/; the same distance from src/ and from dist/. */
export const readShader = (path: string): Promise<string> =>
  readFile(new URL(`../../../../shaders/${path}`, import.meta.url), 'utf8')

type Create = (options: string[]) => GPU

/** Calls a function of Dawn, which may write to stderr what nobody needs. */
export type Quietly = <T>(work: () => T) => T

const loud: Quietly = (work) => work()

async function loadDawn(): Promise<Create> {
  // Mesa prints a warning at every start where this is not set
  if (backend === 'vulkan' && !process.env.XDG_RUNTIME_DIR) {
    const folder = join(tmpdir(), `lfm-runtime-${process.getuid?.() ?? 0}`)
    try {
      makeFolder(folder, 0o700)
      process.env.XDG_RUNTIME_DIR = folder
    } catch {
      // then Mesa warns
    }
  }
  try {
    return (await import('webgpu')).create
  } catch (cause) {
    throw new DeviceError(
      `The npm package 'webgpu' (Dawn for Node) cannot be loaded: ${(cause as Error).message.split('\n')[0]} ` +
        "Install it with 'npm install webgpu', or take device 'native'.",
    )
  }
}

function open(create: Create, fast: boolean, name?: string): GPU {
  return create([
    `backend=${backend}`,
    ...toggleOptions(toggleSets[fast ? 'fast' : 'safe']),
    ...(name === undefined ? [] : [`adapter=${name}`]),
  ])
}

/** Dawn tells the names of all adapters only in the error for one that does not exist. */
async function adapterNames(create: Create, quietly: Quietly): Promise<string[]> {
  const instance = open(create, false, 'no adapter has this name')
  try {
    await quietly(() => instance.requestAdapter())
    return []
  } catch (error) {
    return [...(error as Error).message.matchAll(/^ \* backend: '[^']*', name: '(.*)'$/gm)].map(([, name]) => name)
  }
}

/**
 * Dawn's instances, by adapter and set of toggles, kept as long as the process lives. Adapters and devices are only good as
 * long as their instance is there, and one that is collected before them ends the process or hangs it (npm webgpu 0.6.2).
 * A kept instance does not keep the process alive.
 */
const instances = new Map<string, GPU>()

async function openByName(
  create: Create,
  fast: boolean,
  name: string,
  quietly: Quietly,
): Promise<OpenAdapter | undefined> {
  const key = `${fast} ${name}`
  const instance = instances.get(key) ?? open(create, fast, name)
  instances.set(key, instance)
  const adapter = await quietly(() => instance.requestAdapter())
  return adapter ? { adapter, info: describeAdapter(adapter, name) } : undefined
}

/** All adapters of this machine, hardware ones first; an empty list where there is none. */
export async function listAdapters(quietly = loud): Promise<AdapterInfo[]> {
  const create = await loadDawn()
  const names = await adapterNames(create, quietly)
  const opened = await Promise.all(names.map((name) => openByName(create, false, name, quietly)))
  const infos = opened.flatMap((one) => (one ? [one.info] : []))
  return [...infos.filter(({ type }) => type === 'hardware'), ...infos.filter(({ type }) => type === 'software')]
}

/** The adapter whose name contains `wanted` (any case), else the first of hardware, else of software. */
export async function openAdapter(wanted: string | undefined, fast: boolean, quietly = loud): Promise<OpenAdapter> {
  const create = await loadDawn()
  const adapters = await listAdapters(quietly)
  const info = adapters.find(({ name }) => name.toLowerCase().includes((wanted ?? '').toLowerCase()))
  const opened = info && (await openByName(create, fast, info.name, quietly))
  if (opened) return opened
  if (adapters.length > 0) {
    throw new DeviceError(
      `No adapter has ${show(wanted)} in its name; there ${adapters.length === 1 ? 'is' : 'are'} ` +
        `${adapters.map(({ name }) => `'${name}'`).join(', ')}.`,
    )
  }
  throw new DeviceError(noAdapter())
}

function noAdapter(): string {
  if (backend !== 'vulkan') return `Dawn found no ${backend} adapter on this machine. Take device 'native'.`
  const drivers = process.env.VK_DRIVER_FILES ?? process.env.VK_ICD_FILENAMES
  return (
    'Dawn found no Vulkan adapter: it looked for libvulkan.so.1 and the drivers in ' +
    `${drivers ? `VK_DRIVER_FILES or VK_ICD_FILENAMES (${drivers})` : '/usr/share/vulkan/icd.d and /etc/vulkan/icd.d'}. ` +
    "For a GPU, install its Vulkan driver (in a container: the driver's graphics capability); without one, run " +
    "scripts/software-vulkan.sh for a software adapter, or take device 'native'."
  )
}
