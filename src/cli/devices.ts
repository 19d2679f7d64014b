/** `lfm devices`: every adapter and engine, what it supports, and what 'auto' would choose and why. */

import type { DeviceInfo } from '../device/device.js'
import { listAdapters } from '../device/node/adapters.js'
import { openDevice } from '../device/node/select.js'
import { LocalFlowError } from '../errors.js'
import { bytesText } from '../learn/estimate.js'
import { print, printJson } from './terminal.js'

interface Found {
  kind: 'webgpu' | 'native' | 'reference'
  available: boolean
  /** why it is not there */
  reason: string | null
  info: DeviceInfo | null
}

/** What is counted in bytes: caches, and an adapter's limits of memory. */
const sizes = /^l[123]$|(Buffer|Binding|Storage)Size$/

async function probe(kind: Found['kind'], adapter?: string): Promise<Found> {
  try {
    const device = await openDevice(kind, { adapter, onWarning: () => undefined })
    await device.dispose()
    return { kind, available: true, reason: null, info: device.info }
  } catch (error) {
    if (!(error instanceof LocalFlowError)) throw error
    return { kind, available: false, reason: error.message, info: null }
  }
}

async function adapters(): Promise<Found[]> {
  try {
    const names = (await listAdapters()).map((adapter) => adapter.name)
    const found: Found[] = []
    for (const name of names) found.push(await probe('webgpu', name))
    if (found.length > 0) return found
  } catch (error) {
    if (!(error instanceof LocalFlowError)) throw error
  }
  return [await probe('webgpu')]
}

function choice(found: readonly Found[]): { kind: Found['kind']; why: string } {
  const hardware = found.find((f) => f.kind === 'webgpu' && f.info?.type === 'hardware')
  if (hardware) return { kind: 'webgpu', why: `${hardware.info!.name} is a hardware adapter` }
  if (found.some((f) => f.kind === 'native' && f.available)) {
    const software = found.some((f) => f.kind === 'webgpu' && f.available)
    return {
      kind: 'native',
      why: software ? 'the only WebGPU adapter is a software one' : 'there is no WebGPU adapter',
    }
  }
  return { kind: 'reference', why: 'there is neither a hardware WebGPU adapter nor the native engine' }
}

/** Why an adapter lacks what it lacks, where Dawn's own conditions are known. */
function reasonFor({ details: { vendor, lacks } }: DeviceInfo): string {
  const old = vendor === 'nvidia' && (lacks as readonly string[]).length > 0
  return old ? ' (Dawn gives some features to NVIDIA drivers from 615.71 on only: see driver above)' : ''
}

export async function devices({ json }: { json?: boolean }): Promise<void> {
  const found = [...(await adapters()), await probe('native'), await probe('reference')]
  const auto = choice(found)
  if (json) {
    const cpuTarget = found.find((f) => f.kind === 'native')?.info?.cpuTarget ?? null
    printJson({ auto: auto.kind, why: auto.why, cpuTarget, devices: found })
    return
  }
  const lines: string[] = []
  for (const { kind, reason, info } of found) {
    if (!info) {
      lines.push(`${kind}: not available`, `    ${reason}`)
      continue
    }
    lines.push(`${kind}: ${info.name}${info.type === 'software' ? ' (software adapter)' : ''}`)
    if (info.cpuTarget) lines.push(`    CPU target: ${info.cpuTarget}, ${info.threads} threads`)
    for (const [name, value] of Object.entries(info.details)) {
      const size = typeof value === 'number' && sizes.test(name) ? bytesText(value) : value
      const text = Array.isArray(size) ? size.join(', ') || 'nothing' : size
      lines.push(`    ${name}: ${text}${name === 'lacks' ? reasonFor(info) : ''}`)
    }
  }
  print(...lines, '', `auto chooses ${auto.kind}: ${auto.why}.`)
}
