/** One model trained by several processes on WebGPU: the same bits as by one, and what is refused. */

import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { adapterOrSkip } from '../webgpu/adapter.js'
import { lfm, start, untilCheckpoint, workFolder } from './lfm.js'

const adapter = await adapterOrSkip()
const cwd = workFolder({
  'moons.yaml':
    'data: { kind: toy, name: moons, train: 256, validation: 64 }\nmodel: { hidden: [16] }\nflow: { gammas: [0.5, null] }\n' +
    'train: { batch: 192, steps: 40, parts: 3, checkpointEvery: 8, validateEvery: 20, logEvery: 1 }\ndevice: { kind: webgpu }\n',
})
/** What was learnt: parameters, moments and averages, and the loss of every step. */
function learnt(run: string): Map<string, Buffer> {
  const names = readdirSync(join(cwd, run)).filter((name) => /^(subflow|training|losses|validation)/.test(name))
  expect(names.length).toBeGreaterThan(3)
  const logical = (name: string): string => name.replace(/\.[0-9a-f]{16}\.ck/, '')
  return new Map(names.map((name) => [logical(name), readFileSync(join(cwd, run, name))]))
}
// what one run has no time to measure the next one may: here all take the suggestions
const options = { cwd, env: { LFM_AUTOTUNE: 'off' } }
const words = (out: string, ...set: string[]): string[] => [
  ...['train', 'moons.yaml', '--out', out],
  ...set.flatMap((one) => ['--set', one]),
]

test.skipIf(adapter === undefined)(
  'any number of processes makes the same bits, also after a kill and a resumption by another number',
  async () => {
    const alone = await lfm(words('one'), options)
    expect(alone.code, alone.stderr).toBe(0)
    const { code, stderr } = await lfm(words('two', 'device.workers=2'), options)
    expect(code, stderr).toBe(0)
    expect(stderr).toContain('The 2 workers share one adapter')
    expect(learnt('two')).toEqual(learnt('one'))

    const killed = start(words('three', 'device.workers=3'), options)
    await untilCheckpoint(killed, join(cwd, 'three'), ({ step }) => step > 0)
    killed.child.kill('SIGKILL')
    await killed.ended
    const resumed = await lfm([...words('three', 'device.workers=2'), '--resume'], options)
    expect(resumed.code, resumed.stderr).toBe(0)
    expect(learnt('three')).toEqual(learnt('one'))
  },
  300_000,
)

test.skipIf(adapter === undefined)(
  'an adapter that a worker does not find is named',
  async () => {
    const { code, stderr } = await lfm(
      words('none', 'device.workers=2', `device.adapters=${JSON.stringify([adapter, 'no such adapter'])}`),
      { cwd },
    )
    expect(code).toBe(1)
    expect(stderr).toMatch(/Worker 2 of 2 .*No adapter has 'no such adapter' in its name; there (is|are) /)
  },
  120_000,
)

test('adapters that do not fit the workers are refused', async () => {
  const failed = async (...set: string[]): Promise<string> => {
    const { code, stderr } = await lfm(words('never', ...set), { cwd })
    expect(code).toBe(1)
    return stderr
  }
  expect(await failed('device.workers=2', 'device.adapters=[a, b, c]')).toContain(
    'device.adapters are for one worker each, but there are 3 for 2',
  )
  expect(await failed('device.kind=native', 'device.adapters=[a]')).toContain('device.adapters are of WebGPU')
})
