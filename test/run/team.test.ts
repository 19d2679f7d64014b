/** Which devices the processes of a training may have. */

import { expect, test } from 'vitest'
import { resolveOptions } from '../../src/config/index.js'
import type { Device, DeviceInfo } from '../../src/device/device.js'
import { adapterOf, expectSame, sharedAdapters } from '../../src/run/team/open.js'

const gpu: DeviceInfo = {
  kind: 'webgpu',
  name: 'GPU A',
  type: 'hardware',
  cpuTarget: null,
  threads: null,
  details: { driver: '1.0', lanes: '32 to 32' },
}
const of = (workers: number, adapters?: string[]) =>
  resolveOptions({
    train: { batch: 512, parts: 4 },
    device: { kind: 'webgpu', workers, ...(adapters && { adapters }) },
  })

test('adapters go round, and workers that share one are told', () => {
  const options = of(4, ['A', 'B'])
  expect([0, 1, 2, 3].map((rank) => adapterOf(options, rank))).toEqual(['A', 'B', 'A', 'B'])
  expect(adapterOf(of(2), 1)).toBeUndefined()
  const device = { kind: 'webgpu', info: gpu } as Device
  expect(sharedAdapters(options, device)).toContain('The 4 workers share 2 adapters')
  expect(sharedAdapters(of(2), device)).toContain('The 2 workers share one adapter, GPU A')
  expect(sharedAdapters(of(2, ['A', 'B']), device)).toBeNull()
  expect(sharedAdapters(of(2), { kind: 'native', info: { ...gpu, kind: 'native' } } as Device)).toBeNull()
})

test('a worker whose adapter is of another kind is refused', () => {
  const refused = (other: Partial<DeviceInfo>) => () => expectSame(gpu, { ...gpu, ...other }, 'Worker 2 of 2')
  expect(refused({})).not.toThrow()
  expect(refused({ name: 'GPU B' })).toThrow(
    'Worker 2 of 2 has the device GPU B and the first one GPU A, which differ in name: they would compute other bits.',
  )
  expect(refused({ details: { driver: '2.0', lanes: '32 to 32' } })).toThrow('which differ in driver:')
  // processes of native engines may have other numbers of threads, which change no bits
  const native = { ...gpu, kind: 'native', cpuTarget: 'avx2', threads: 2 } as const
  expect(() => expectSame(native, { ...native, threads: 1, details: { cores: 4 } }, 'Worker 2 of 2')).not.toThrow()
  expect(() => expectSame(native, { ...native, cpuTarget: 'avx512' }, 'Worker 2 of 2')).toThrow('cpuTarget')
})
