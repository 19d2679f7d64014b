/** One model trained by several processes: the same bits as by one, and what becomes of it where a process dies. */

import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as wait } from 'node:timers/promises'
import { expect, test } from 'vitest'
import { engine, lfm, start, workFolder } from './lfm.js'

const cwd = workFolder({
  'moons.yaml':
    'data: { kind: toy, name: moons, train: 400, validation: 100 }\nmodel: { hidden: [16] }\nflow: { gammas: [0.5, null] }\n' +
    `train: { batch: 256, steps: 600, parts: 4, checkpointEvery: 100, validateEvery: 150, logEvery: 1 }\ndevice: { kind: ${engine} }\n`,
})
/** What was learnt: parameters, moments and averages, and the loss of every step. */
function learnt(run: string): Map<string, Buffer> {
  const names = readdirSync(join(cwd, run)).filter((name) => /^(subflow|training|losses|validation)/.test(name))
  expect(names.length).toBeGreaterThan(3)
  const logical = (name: string): string => name.replace(/\.[0-9a-f]{16}\.ck/, '')
  return new Map(names.map((name) => [logical(name), readFileSync(join(cwd, run, name))]))
}
const train = (out: string, ...more: string[]) => lfm(['train', 'moons.yaml', '--out', out, ...more], { cwd })
const workers = (count: number): string[] => ['--set', `device.workers=${count}`]

/** Processes that a process started. */
const childrenOf = (pid: number): number[] =>
  readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').trim().split(' ').filter(Boolean).map(Number)

test('any number of processes makes the same bits', async () => {
  const alone = await train('one')
  expect(alone.code, alone.stderr).toBe(0)
  const { code, stderr } = await train('by-3', ...workers(3))
  expect(code, stderr).toBe(0)
  expect(learnt('by-3')).toEqual(learnt('one'))
}, 120_000)

test('mean flows, whose losses are no squared errors, too', async () => {
  const of = ['--set', 'train.objective=mean-flow', '--set', 'flow.gammas=[null]', '--set', 'train.steps=12']
  expect((await train('mean-one', ...of)).code).toBe(0)
  expect((await train('mean-two', ...of, ...workers(2))).code).toBe(0)
  expect(learnt('mean-two')).toEqual(learnt('mean-one'))
}, 120_000)

test.skipIf(process.platform !== 'linux')(
  'a process that dies is named, and the run goes on without loss',
  async () => {
    const { child, ended } = start(['train', 'moons.yaml', '--out', 'dies', ...workers(2)], { cwd })
    while (!readdirSync(cwd).includes('dies') || !readdirSync(join(cwd, 'dies')).includes('manifest.json'))
      await wait(10)
    const [worker, ...others] = childrenOf(child.pid!)
    expect(others).toEqual([])
    process.kill(worker, 'SIGKILL')
    const { code, stderr } = await ended
    expect(code).toBe(1)
    expect(stderr).toContain(
      `Worker 2 of 2 (process ${worker}) ended by SIGKILL, and the others cannot go on without it. Kept: the checkpoint in dies at`,
    )
    expect((await train('dies', '--resume')).code).toBe(0)
    expect(learnt('dies')).toEqual(learnt('one'))
  },
  240_000,
)

test.skipIf(process.platform !== 'linux')(
  'no process outlives the one that started it, and no file either',
  async () => {
    const { child, ended } = start(
      ['train', 'moons.yaml', '--out', 'killed', '--set', 'train.steps=100000', ...workers(2)],
      { cwd },
    )
    while (!readdirSync(cwd).includes('killed') || !readdirSync(join(cwd, 'killed')).includes('manifest.json'))
      await wait(10)
    const [worker] = childrenOf(child.pid!)
    expect(readdirSync('/dev/shm').filter((name) => name.startsWith(`lfm-${child.pid}-`))).toEqual([])
    child.kill('SIGKILL')
    await ended
    const isThere = (): boolean => {
      try {
        return process.kill(worker, 0)
      } catch {
        return false
      }
    }
    while (isThere()) await wait(20)
  },
  120_000,
)

test('parts and processes that do not fit are refused by name', async () => {
  const failed = async (...set: string[]) => {
    const { code, stderr } = await train('never', ...set.flatMap((one) => ['--set', one]))
    expect(code).toBe(1)
    return stderr
  }
  expect(await failed('train.parts=3')).toContain(
    'parts of 64 rows or a multiple of that, but 256 rows in 3 parts are 85.33 each',
  )
  expect(await failed('train.parts=8')).toContain('256 rows in 8 parts are 32 each')
  expect(await failed('train.parts=9')).toContain('a whole number from 1 to 8')
  expect(await failed('device.workers=5')).toContain('there are 5 for 4 parts')
})
