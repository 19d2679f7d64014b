/** The command line on a WebGPU adapter: what the tuner found is used and resumed, --fast proves programs, --profile tells times. */

import { readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { beforeAll, describe, expect, it } from 'vitest'
import { readManifest } from '../../src/checkpoint/index.js'
import { adapterOrSkip } from '../webgpu/adapter.js'
import { built, json, lfm, start, tensorBits, untilCheckpoint, workFolder } from './lfm.js'

const name = await adapterOrSkip()

// softplus keeps its widths, and of 30 columns there are several variants on a processor
const work = workFolder({
  'toy.yaml': `
data:  { kind: toy, name: moons, train: 500, test: 0 }
model: { hidden: [30], activation: softplus }
flow:  { gammas: [0.2, null] }
train: { batch: 64, steps: 120, checkpointEvery: 10 }
ode:   { steps: 1 }
`,
})
const env = { XDG_CACHE_HOME: join(work, 'cache'), LFM_AUTOTUNE: '' }
const options = { cwd: work, env }
const train = (out: string, ...more: string[]): string[] => [
  ...['train', 'toy.yaml', '--out', out, '--device', 'webgpu', '--json'],
  ...more,
]

interface Cache {
  passed: Record<string, string>
  tuned: Record<string, string>
}
const cachePath = (): string => {
  const folder = join(work, 'cache', 'local-flow-matching')
  return join(folder, readdirSync(folder)[0])
}
const readCache = (): Cache => JSON.parse(readFileSync(cachePath(), 'utf8'))

interface Profiled {
  profile: { dispatches: number; emptyDispatchUs: number; kernels: { name: string; launches: number; share: number }[] }
}

describe.skipIf(!name)(`lfm on ${name}`, { timeout: 600_000 }, () => {
  beforeAll(() => {
    built()
  })

  it('says nothing of what Dawn tells its own developers', async () => {
    const { stderr, stdout } = await lfm(['devices'], options)
    expect(stdout).toContain(name)
    expect(stderr).toBe('')
    const missing = { cwd: work, env: { ...env, VK_DRIVER_FILES: '/nowhere', VK_ICD_FILENAMES: '/nowhere' } }
    const failed = await lfm(train('nowhere'), missing)
    expect(failed.code).toBe(1)
    expect(failed.stderr).toMatch(/^lfm: Dawn found no Vulkan adapter: [^\n]*\n$/)
  })

  it('measures variants once, and tells where a training step goes', async () => {
    const short = ['--set', 'train.steps=5']
    // measurements have a budget of time, and on a busy machine some would wait for the next run: this clock is never late
    const slow = 'const now = performance.now.bind(performance); performance.now = () => now() / 1000'
    const unhurried = { cwd: work, env: { ...env, NODE_OPTIONS: `--import=data:text/javascript,${encodeURI(slow)}` } }
    const first = await lfm(train('measured', '--profile', ...short), unhurried)
    expect(first.stderr).toMatch(/measured the variants of \d+ operations in/)
    expect(first.stderr).not.toContain('measured the next time')
    const { profile } = json<Profiled>(first)
    expect(profile.kernels.map(({ name }) => name)).toEqual(expect.arrayContaining(['adam', 'draw_batch']))
    expect(profile.kernels.reduce((sum, { share }) => sum + share, 0)).toBeCloseTo(1)
    expect(profile.kernels.reduce((sum, { launches }) => sum + launches, 0)).toBeCloseTo(profile.dispatches)
    expect(profile.emptyDispatchUs).toBeGreaterThan(0)
    const [again, once] = [await lfm(train('again', ...short), options), await lfm(train('once', ...short), options)]
    expect(json(again)).not.toHaveProperty('profile')
    expect(again.stderr).not.toContain('measured')
    expect(once.stderr).not.toContain('measured')
    expect(await tensorBits(join(work, 'again'))).toEqual(await tensorBits(join(work, 'once')))
  })

  it('takes what the cache says, and resumes with it where the cache is gone', async () => {
    const cache = readCache()
    const forward = Object.keys(cache.tuned).find((key) => key.startsWith('linear_forward@30'))!
    cache.tuned[forward] = 'storage'
    writeFileSync(cachePath(), JSON.stringify(cache))
    const session = start(train('run'), options)
    await untilCheckpoint(session, join(work, 'run'), ({ step }) => step >= 10)
    session.child.kill('SIGKILL')
    await session.ended
    const variants = async (run: string) => (await readManifest(join(work, run))).variants.webgpu
    expect((await variants('run')).linear_forward).toMatch(/^storage@30x2( |$)/)

    json(await lfm(train('whole'), options))
    const elsewhere = { XDG_CACHE_HOME: join(work, 'empty'), LFM_AUTOTUNE: 'off' }
    json(await lfm(train('run', '--resume'), { cwd: work, env: elsewhere }))
    expect(await variants('run')).toEqual(await variants('whole'))
    expect(await tensorBits(join(work, 'run'))).toEqual(await tensorBits(join(work, 'whole')))
    // one that is forced goes before both
    json(
      await lfm(
        train('forced', '--set', 'train.steps=1', '--set', 'device.variants.linear_forward=subgroup32'),
        options,
      ),
    )
    expect((await variants('forced')).linear_forward).toBe('subgroup32')
  })

  it('samples without checks after a program has passed with them', async () => {
    const sample = (...more: string[]): string[] => ['sample', 'whole', '-n', '100', '--device', 'webgpu', ...more]
    json(await lfm(sample('-o', 'safe.csv', '--json'), options))
    expect(readCache().passed).toEqual({})
    json(await lfm(sample('-o', 'fast.csv', '--json', '--fast'), options))
    const passed = readCache().passed
    expect(Object.keys(passed)).toHaveLength(1)
    json(await lfm(sample('-o', 'again.csv', '--json', '--fast', '--profile'), options))
    expect(readCache().passed).toEqual(passed)
    const [safe, fast, again] = ['safe', 'fast', 'again'].map((one) => readFileSync(join(work, `${one}.csv`), 'utf8'))
    expect(again).toBe(fast)
    const numbers = (text: string): number[] => text.split(/[\n,]/).slice(2).map(Number)
    numbers(safe).forEach((value, i) => {
      expect(numbers(fast)[i]).toBeCloseTo(value, 4)
    })
  })
})
