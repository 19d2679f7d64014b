/**
 * The processors that a container may use, read from the files of Linux's control groups, laid out below a folder of the
 * test: version 2 (cpu.max), version 1 (cfs quota and period), limits above the process's own group, and none at all.
 */

import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { expect, test } from 'vitest'
import { loadAddon } from '../../src/device/native/binding.js'
import { describeOn } from '../devices.js'

/** Writes the files below an empty root and asks the addon. */
function quotaUnder(files: Readonly<Record<string, string>>): number {
  const root = mkdtempSync(join(tmpdir(), 'lfm-quota-'))
  try {
    for (const [name, text] of Object.entries(files)) {
      const path = join(root, name)
      mkdirSync(dirname(path), { recursive: true })
      writeFileSync(path, text)
    }
    return loadAddon().testQuota(root)
  } finally {
    rmSync(root, { recursive: true })
  }
}

const cases: readonly [label: string, files: Readonly<Record<string, string>>, processors: number][] = [
  ['no control groups', {}, Number.POSITIVE_INFINITY],
  [
    'version 2 without a limit',
    { 'proc/self/cgroup': '0::/\n', 'sys/fs/cgroup/cpu.max': 'max 100000\n' },
    Number.POSITIVE_INFINITY,
  ],
  ['version 2', { 'proc/self/cgroup': '0::/\n', 'sys/fs/cgroup/cpu.max': '150000 100000\n' }, 1.5],
  [
    'version 2, the tighter limit is further up',
    {
      'proc/self/cgroup': '0::/pod/box\n',
      'sys/fs/cgroup/pod/cpu.max': '200000 100000\n',
      'sys/fs/cgroup/pod/box/cpu.max': '400000 100000\n',
    },
    2,
  ],
  [
    'version 1',
    {
      'proc/self/cgroup': '4:cpu,cpuacct:/docker/1\n3:memory:/docker/1\n',
      'sys/fs/cgroup/cpu,cpuacct/docker/1/cpu.cfs_quota_us': '50000\n',
      'sys/fs/cgroup/cpu,cpuacct/docker/1/cpu.cfs_period_us': '100000\n',
    },
    0.5,
  ],
  [
    'version 1 without a limit',
    {
      'proc/self/cgroup': '4:cpu:/\n',
      'sys/fs/cgroup/cpu/cpu.cfs_quota_us': '-1\n',
      'sys/fs/cgroup/cpu/cpu.cfs_period_us': '100000\n',
    },
    Number.POSITIVE_INFINITY,
  ],
]

await describeOn(['native'], 'container limits', () => {
  test.each(cases)('%s', (_, files, processors) => {
    expect(quotaUnder(files)).toBe(processors)
  })
})
