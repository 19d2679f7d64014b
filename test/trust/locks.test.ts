/** One run folder, several who want to write to it: one does, the others are told by whom; a lock of the dead is taken over. */

import { spawn } from 'node:child_process'
import { mkdtempSync, readdirSync, readFileSync, rmSync, utimesSync, writeFileSync } from 'node:fs'
import { hostname, tmpdir } from 'node:os'
import { basename, join } from 'node:path'
import { afterAll, describe, expect, it, vi } from 'vitest'
import { type CheckpointContent, lockRun, readManifest, writeCheckpoint } from '../../src/checkpoint/index.js'
import { CheckpointError } from '../../src/errors.js'
import { newTemporary } from '../../src/files/atomic.js'
import { built, engine, lfm, start, tensorBits, untilCheckpoint, workFolder } from '../cli/lfm.js'
import { patience, tries } from './forms.js'

const dir = mkdtempSync(join(tmpdir(), 'lfm-lock-'))
afterAll(() => rmSync(dir, { recursive: true }))
let made = 0
const folder = (): string => mkdtempSync(join(dir, `${made++}-`))

const dead = (): Promise<number> =>
  new Promise((resolve) => {
    const child = spawn('true')
    child.on('exit', () => resolve(child.pid as number))
  })
/** What a lock of this process says of itself. */
const own = await (async (): Promise<object> => {
  const at = folder()
  const lock = await lockRun(at)
  const said = JSON.parse(readFileSync(join(at, '.lock'), 'utf8'))
  await lock.release()
  return said
})()
const owner = (changes: object): string => JSON.stringify({ ...own, id: '00112233445566aa', began: '', ...changes })

describe('a lock', () => {
  it('is held once, names its owner, and is gone when it is released', async () => {
    const at = folder()
    const lock = await lockRun(at)
    const again = lockRun(at)
    await expect(again).rejects.toThrow(CheckpointError)
    await expect(again).rejects.toThrow(new RegExp(`process ${process.pid} on ${hostname()} is at work in it since`))
    expect(readdirSync(at)).toEqual(['.lock'])
    expect(await lock.isHeld()).toBe(true)
    await lock.release()
    expect(readdirSync(at)).toEqual([])
    await (await lockRun(at)).release()
  })

  it('of a process that is no more is taken over, and whoever takes it is told', async () => {
    const at = folder()
    const pid = await dead()
    writeFileSync(join(at, '.lock'), owner({ pid }))
    writeFileSync(join(at, '.lock.00112233445566aa'), owner({ pid }))
    // of one that was killed before it wrote anything into it, and of one that lives
    const temporary = (process: number): string =>
      join(
        at,
        basename(newTemporary('.lock')).replace(
          /[0-9a-f]{8}(?=[0-9a-f]{6}\.tmp$)/,
          process.toString(16).padStart(8, '0'),
        ),
      )
    writeFileSync(temporary(pid), '')
    const living = temporary(process.pid)
    writeFileSync(living, '')
    const told = vi.fn()
    const lock = await lockRun(at, told)
    expect(told).toHaveBeenCalledWith(
      expect.stringContaining(`The lock of process ${pid} on ${hostname()}, which is no more`),
    )
    expect(readdirSync(at).sort()).toEqual([basename(living), '.lock'])
    await lock.release()
  })

  it.skipIf(process.platform !== 'linux')('is not kept by another process that was given the same number', async () => {
    const at = folder()
    writeFileSync(join(at, '.lock'), owner({ began: 'another boot 17' }))
    const lock = await lockRun(at)
    expect(lock.tookOver?.pid).toBe(process.pid)
    await lock.release()
  })

  it('of another machine counts until it was not renewed for minutes', async () => {
    const at = folder()
    const path = join(at, '.lock')
    writeFileSync(path, owner({ host: 'elsewhere', pid: 1 }))
    await expect(lockRun(at)).rejects.toThrow(/process 1 on elsewhere .* remove .*\.lock/)
    const old = new Date(Date.now() - 600_000)
    utimesSync(path, old, old)
    const lock = await lockRun(at)
    expect(lock.tookOver?.host).toBe('elsewhere')
    await lock.release()
  })

  it('that is damaged is not taken for none', async () => {
    const at = folder()
    for (const text of ['', '{}', 'null', '{"id":"../../x","pid":1}', '[]'.repeat(10)]) {
      writeFileSync(join(at, '.lock'), text)
      await expect(lockRun(at)).rejects.toThrow(/is no lock of local-flow-matching/)
    }
  })

  it(
    'is taken over by one of many who find it',
    async () => {
      for (let i = 0; i < tries(10, 100); i++) {
        const at = folder()
        writeFileSync(join(at, '.lock'), owner({ pid: await dead() }))
        const locks = await Promise.allSettled(Array.from({ length: 8 }, () => lockRun(at)))
        const got = locks.filter(({ status }) => status === 'fulfilled')
        expect(got).toHaveLength(1)
        for (const one of locks) {
          if (one.status === 'rejected') expect(one.reason.message).toMatch(/is at work in it since/)
        }
        expect(readdirSync(at)).toEqual(['.lock'])
        rmSync(at, { recursive: true })
      }
    },
    patience(60_000),
  )
})

describe('two writers that take turns in one folder', () => {
  const manifest = (seed: number) => ({
    packageVersion: '0.0.0',
    created: new Date(seed).toISOString(),
    config: { raw: {}, resolved: {} },
    seed,
    device: {},
    variants: {},
    progress: { subFlow: 1, step: 1, phase: 'train' as const },
  })
  const filled = (seed: number): CheckpointContent => ({
    tensors: { values: { values: new Float32Array(4).fill(seed), shape: [4] } },
  })

  it('never mix their files in one manifest', async () => {
    const at = folder()
    const first = await writeCheckpoint(at, { files: { 'a.bin': filled(1) }, manifest: manifest(1), follows: null })
    const other = await writeCheckpoint(at, { files: { 'a.bin': filled(2) }, manifest: manifest(2) })
    const mixed = writeCheckpoint(at, {
      files: { 'b.bin': filled(1) },
      keep: ['a.bin'],
      manifest: manifest(1),
      follows: first,
    })
    await expect(mixed).rejects.toThrow(/Another process has written to .* meanwhile/)
    await expect(writeCheckpoint(at, { files: {}, manifest: manifest(1), follows: null })).rejects.toThrow(
      /Another process/,
    )
    expect((await readManifest(at)).files).toEqual(other.files)
    expect(readdirSync(at).sort()).toEqual([other.files[0].file, 'manifest.json'].sort())
  })
})

describe('two trainings into one folder', () => {
  const config = (seed: number) => `
data: { kind: toy, name: moons, train: 500, test: 20 }
model: { hidden: [16] }
flow: { gammas: [null] }
train: { steps: 1000000, batch: 100, checkpointEvery: 20 }
seed: ${seed}
device: ${engine}
`
  const cwd = workFolder({ '1.yaml': config(1), '2.yaml': config(2) })
  built()

  it('one writes, the other is refused and says by whom, at once; a killed one is gone on with', async () => {
    const session = start(['train', '1.yaml', '--out', 'run'], { cwd })
    const run = join(cwd, 'run')
    await untilCheckpoint(session, run, ({ step }) => step >= 20)
    for (const args of [
      ['train', '2.yaml', '--out', 'run', '--force'],
      ['train', '1.yaml', '--out', 'run', '--resume'],
    ]) {
      const { code, stderr } = await lfm(args, { cwd })
      expect(code).toBe(1)
      expect(stderr).toMatch(
        new RegExp(`^lfm: run cannot be written to: process ${session.child.pid} on .* is at work`),
      )
    }
    session.child.kill('SIGKILL')
    await session.ended
    const again = start(['train', '1.yaml', '--out', 'run', '--resume'], { cwd })
    const { step } = (await readManifest(run)).progress
    await untilCheckpoint(again, run, (now) => now.step > step)
    again.child.kill('SIGINT')
    const { stderr } = await again.ended
    expect(stderr).toContain(
      `The lock of process ${session.child.pid} on ${hostname()}, which is no more, was taken over`,
    )
    expect(Object.keys(await tensorBits(run)).length).toBeGreaterThan(0)
  })

  it('of sub-flows that are trained alone: each has a folder and a lock of its own, and none is joined meanwhile', async () => {
    const apart = ['--set', 'flow.gammas=[0.1, null]', '--set', 'flow.push=simulated', '--set', 'flow.warmStart=false']
    const part = (...more: string[]) => ['train', '1.yaml', '--out', 'parts', ...apart, ...more]
    const sessions = [1, 2].map((number) => start(part('--sub-flow', String(number)), { cwd }))
    const folders = [1, 2].map((number) => join(cwd, `parts/sub-flow-${number}`))
    for (const [i, session] of sessions.entries()) await untilCheckpoint(session, folders[i], ({ step }) => step >= 20)
    for (const more of [
      ['--sub-flow', '2', '--force'],
      ['--sub-flow', '2', '--resume'],
    ]) {
      const { code, stderr } = await lfm(part(...more), { cwd })
      expect(code).toBe(1)
      expect(stderr).toMatch(new RegExp(`process ${sessions[1].child.pid} on .* is at work`))
    }
    const { code, stderr } = await lfm(part('--join'), { cwd })
    expect(code).toBe(1)
    expect(stderr).toMatch(/is not trained to its end/)
    for (const { child, ended } of sessions) {
      child.kill('SIGTERM')
      expect((await ended).code).toBe(143)
    }
    for (const at of folders) await tensorBits(at)
    expect(readdirSync(join(cwd, 'parts')).sort()).toEqual(['sub-flow-1', 'sub-flow-2'])
  })

  it(
    'begun at the same moment: one writes, the other is refused',
    async () => {
      for (let i = 0; i < tries(2, 100); i++) {
        const out = `same-${i}`
        const sessions = [1, 2].map((seed) => start(['train', `${seed}.yaml`, '--out', out], { cwd }))
        const ended = sessions.map((session, n) => session.ended.then((result) => ({ ...result, n })))
        const refused = await Promise.race(ended)
        expect(refused.code).toBe(1)
        expect(refused.stderr).toMatch(/is at work in it since|already holds a run/)
        const winner = 1 - refused.n
        await untilCheckpoint(sessions[winner], join(cwd, out), ({ step }) => step >= 20)
        sessions[winner].child.kill('SIGINT')
        expect((await ended[winner]).code).toBe(130)
        const manifest = await readManifest(join(cwd, out))
        expect(manifest.seed).toBe(winner + 1)
        await tensorBits(join(cwd, out))
        rmSync(join(cwd, out), { recursive: true })
      }
    },
    patience(120_000),
  )
})
