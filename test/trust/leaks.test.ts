/** Devices that come and go: threads, descriptors and memory are after many cycles what they were after the first ones. */

import { existsSync } from 'node:fs'
import { describe, expect, onTestFinished, test, vi } from 'vitest'
import { loadAddon } from '../../src/device/native/binding.js'
import { listAdapters, openWebgpu } from '../../src/device/webgpu/node/index.js'
import { DeviceError } from '../../src/errors.js'
import { built, startProcess } from '../cli/lfm.js'
import { long, patience, tries } from './forms.js'
import { describeNative } from './machines.js'

built()
const script = new URL('./cycles.mjs', import.meta.url).pathname

interface Held {
  cycle: number
  threads: number
  descriptors: number
  residentMiB: number
  heapMiB: number
}

async function cycles(device: string, count: number, more: Record<string, string> = {}): Promise<Held[]> {
  const env = { LFM_THREADS: '2', LFM_AUTOTUNE: 'off', ...more }
  // JavaScript's young generation grows to 16 MiB when it likes to: it is kept small, so that what remains is what is held
  const flags = ['--expose-gc', '--max-semi-space-size=1']
  const { child, ended } = startProcess([process.execPath, ...flags, script, device, String(count)], {
    cwd: '.',
    env,
  })
  onTestFinished(() => void child.kill('SIGKILL'))
  const { code, signal, stdout, stderr } = await ended
  expect({ code, signal }, stderr).toEqual({ code: 0, signal: null })
  return stdout
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line))
}

const median = (values: number[]): number => values.sort((a, b) => a - b)[Math.floor(values.length / 2)]
const most = (held: Held[], of: keyof Held): number => Math.max(...held.map((one) => one[of]))

/** The tenth to the fifteenth cycle, and the last six. */
function ends(all: Held[]): [Held[], Held[]] {
  console.log(JSON.stringify({ tenth: all[9], middle: all[Math.floor(all.length / 2)], last: all.at(-1) }))
  return [all.slice(9, 15), all.slice(-6)]
}

const adapters = await listAdapters().catch((error) => {
  if (error instanceof DeviceError && !process.env.LFM_REQUIRE_WEBGPU) return []
  throw error
})
describe.skipIf(!existsSync('/proc/self/task'))('devices that come and go', () => {
  describeNative('native', () => {
    test(
      'leave nothing behind',
      async () => {
        const [early, late] = ends(await cycles('native', tries(30, 300)))
        expect(most(late, 'threads')).toBeLessThanOrEqual(most(early, 'threads'))
        expect(most(late, 'descriptors')).toBeLessThanOrEqual(most(early, 'descriptors'))
        // the allocator keeps some pages and lets others go: what a short run can see is a leak of a megabyte a cycle
        const room = long ? 1.05 : 1.15
        expect(median(late.map((one) => one.residentMiB))).toBeLessThan(
          room * median(early.map((one) => one.residentMiB)),
        )
        expect(median(late.map((one) => one.heapMiB))).toBeLessThan(room * median(early.map((one) => one.heapMiB)))
      },
      patience(60_000),
    )
  })

  describeNative('freed memory', () => {
    test.skipIf(process.platform !== 'linux')('goes back to the system when it is asked to', async () => {
      const addon = loadAddon()
      const device = new addon.Device()
      const [count, floats] = [2000, 16_384]
      const buffers = Array.from({ length: count }, () => device.createBuffer(floats))
      const last = device.createBuffer(floats)
      for (const buffer of buffers) await buffer.dispose()
      const before = process.memoryUsage().rss
      addon.trimMemory()
      expect(before - process.memoryUsage().rss).toBeGreaterThan(0.8 * 4 * count * floats)
      await last.dispose()
    })
  })

  describe.skipIf(adapters.length === 0)('webgpu', () => {
    test('is told to, after each device', async () => {
      const onDisposed = vi.fn()
      const device = await openWebgpu({ autotune: 'off', onDisposed })
      expect(onDisposed).not.toHaveBeenCalled()
      await device.dispose()
      expect(onDisposed).toHaveBeenCalledOnce()
    })

    test(
      'leave nothing behind',
      async () => {
        // one arena: what the allocator keeps for each of the driver's threads, which come and go, is nothing that leaks
        const [early, late] = ends(await cycles('webgpu', tries(18, 100), { MALLOC_ARENA_MAX: '1' }))
        expect(most(late, 'threads')).toBeLessThanOrEqual(most(early, 'threads'))
        expect(most(late, 'descriptors')).toBeLessThanOrEqual(most(early, 'descriptors'))
        const room = long ? 1.05 : 1.1
        expect(median(late.map((one) => one.heapMiB))).toBeLessThan(room * median(early.map((one) => one.heapMiB)))
        expect(median(late.map((one) => one.residentMiB))).toBeLessThan(
          room * median(early.map((one) => one.residentMiB)),
        )
      },
      patience(120_000),
    )
  })
})
