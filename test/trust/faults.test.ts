/** What a machine can do to a training: no room, no right to write, no memory, a clock set back, a process held and let go. */

import { spawn, spawnSync } from 'node:child_process'
import { chmodSync, mkdirSync, readdirSync, rmSync, statSync, symlinkSync, writeFileSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as wait } from 'node:timers/promises'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { readManifest } from '../../src/checkpoint/index.js'
import { writeFileAtomic } from '../../src/files/atomic.js'
import {
  built,
  type Ended,
  engine,
  lfm,
  start,
  startProcess,
  tensorBits,
  untilCheckpoint,
  workFolder,
} from '../cli/lfm.js'

const main = join(built(), 'cli/main.js')
const config = (steps: number) => `
data: { kind: toy, name: moons, train: 500, test: 20 }
model: { hidden: [16] }
flow: { gammas: [null] }
train: { steps: ${steps}, batch: 100, checkpointEvery: 20 }
ode: { sample: { steps: 2 }, evaluate: { steps: 2 } }
device: ${engine}
`
const cwd = workFolder({ 'a.yaml': config(100), 'long.yaml': config(200_000) })
const isRoot = process.getuid?.() === 0
let reference: Record<string, string>

beforeAll(async () => {
  expect((await lfm(['train', 'a.yaml', '--out', 'whole'], { cwd })).code).toBe(0)
  reference = await tensorBits(join(cwd, 'whole'))
})

const expectMessage = ({ code, signal, stderr }: Ended, expected: RegExp): void => {
  expect(stderr).toMatch(expected)
  expect(stderr).not.toMatch(/\n {4}at /)
  expect({ code, signal }).toEqual({ code: 1, signal: null })
}

describe('a small disk', () => {
  const disk = join(cwd, 'disk')
  mkdirSync(disk)
  const mounted = isRoot && spawnSync('mount', ['-t', 'tmpfs', '-o', 'size=1m', 'tmpfs', disk]).status === 0
  afterAll(() => {
    if (mounted) spawnSync('umount', [disk])
  })

  it.skipIf(!mounted)(
    'that is full keeps the last checkpoint, and with room again the run ends in the same bits',
    async () => {
      const session = start(['train', 'long.yaml', '--out', 'disk/run'], { cwd })
      await untilCheckpoint(session, join(disk, 'run'), ({ step }) => step >= 20)
      expect(() => writeFileSync(join(disk, 'ballast'), Buffer.alloc(1 << 20))).toThrow(/ENOSPC/)
      expectMessage(await session.ended, /no space is left on the disk.*Kept: /s)
      await tensorBits(join(disk, 'run'))
      rmSync(join(disk, 'run'), { recursive: true })
      expectMessage(await lfm(['train', 'a.yaml', '--out', 'disk/none'], { cwd }), /no space is left on the disk/)
      rmSync(join(disk, 'ballast'))
      rmSync(join(disk, 'none'), { recursive: true, force: true })
      expect((await lfm(['train', 'a.yaml', '--out', 'disk/run'], { cwd })).code).toBe(0)
      expect(await tensorBits(join(disk, 'run'))).toEqual(reference)
    },
  )

  it.skipIf(!mounted).each(['csv', 'npy'])(
    'that is full in the midst of samples, which are written as they are drawn: nothing is left of them (.%s)',
    async (extension) => {
      writeFileSync(join(disk, `a.${extension}`), 'old')
      const before = readdirSync(disk)
      const sampling = lfm(['sample', 'whole', '-n', '400000', '-o', `disk/a.${extension}`], { cwd })
      expectMessage(await sampling, /cannot be written: no space is left on the disk/)
      expect(readdirSync(disk)).toEqual(before)
      expect(await readFile(join(disk, `a.${extension}`), 'utf8')).toBe('old')
    },
  )

  it.skipIf(!mounted)('that may only be read is named as such, for a new folder too', async () => {
    expect(spawnSync('mount', ['-o', 'remount,ro', disk]).status).toBe(0)
    try {
      const refused = /the file system is read-only/
      expectMessage(await lfm(['train', 'a.yaml', '--out', 'disk/new/run'], { cwd }), refused)
      expectMessage(await lfm(['train', 'a.yaml', '--out', 'disk/run', '--resume'], { cwd }), refused)
      expectMessage(await lfm(['sample', 'whole', '-n', '2', '-o', 'disk/a.csv'], { cwd }), refused)
    } finally {
      spawnSync('mount', ['-o', 'remount,rw', disk])
    }
  })
})

describe('no right to write', () => {
  /** As nobody, where we are somebody who may everything. */
  const asNobody = (args: readonly string[]): Promise<Ended> =>
    new Promise((resolve) => {
      const ids = isRoot ? { uid: 65534, gid: 65534 } : {}
      const child = spawn(process.execPath, [main, ...args], { cwd, stdio: ['ignore', 'ignore', 'pipe'], ...ids })
      let stderr = ''
      child.on('error', (error) => resolve({ code: null, signal: null, stdout: '', stderr: error.message }))
      child.stderr?.setEncoding('utf8').on('data', (text) => {
        stderr += text
      })
      child.on('close', (code, signal) => resolve({ code, signal, stdout: '', stderr }))
    })

  it.skipIf(process.platform === 'win32')(
    'is named, for a new folder in one that may not be written to as well',
    async () => {
      chmodSync(cwd, 0o755)
      mkdirSync(join(cwd, 'closed'), { mode: 0o555 })
      expectMessage(await asNobody(['train', 'a.yaml', '--out', 'closed/run']), /permission was denied/)
      expectMessage(await asNobody(['train', 'a.yaml', '--out', 'closed/a/b']), /permission was denied/)
    },
  )
})

describe('the process', () => {
  it('held for a while and let go on ends in the same bits', async () => {
    const session = start(['train', 'a.yaml', '--out', 'held'], { cwd })
    for (let i = 0; i < 8 && session.child.exitCode === null; i++) {
      session.child.kill('SIGSTOP')
      await wait(40)
      session.child.kill('SIGCONT')
      await wait(60)
    }
    const { code, stderr } = await session.ended
    expect(code, stderr).toBe(0)
    expect(await tensorBits(join(cwd, 'held'))).toEqual(reference)
  })

  it('whose clock is set back goes on as before', async () => {
    const back = join(cwd, 'back.mjs')
    writeFileSync(
      back,
      `const [OldDate, earlier] = [Date, () => OldDate.now() - 1e11]
      globalThis.Date = class extends OldDate {
        constructor(...given) {
          super(...(given.length > 0 ? given : [earlier()]))
        }
        static now() {
          return earlier()
        }
      }`,
    )
    const session = start(['train', 'long.yaml', '--out', 'clock'], { cwd })
    await untilCheckpoint(session, join(cwd, 'clock'), ({ step }) => step >= 20)
    session.child.kill('SIGTERM')
    await session.ended
    const before = await readManifest(join(cwd, 'clock'))
    const again = startProcess(
      [process.execPath, '--import', back, main, 'train', 'long.yaml', '--out', 'clock', '--resume'],
      { cwd },
    )
    await untilCheckpoint(again, join(cwd, 'clock'), ({ step }) => step > before.progress.step)
    again.child.kill('SIGTERM')
    const { code, stderr } = await again.ended
    expect(code, stderr).toBe(143)
    const after = await readManifest(join(cwd, 'clock'))
    expect(after.updated < before.updated).toBe(true)
    await tensorBits(join(cwd, 'clock'))
  })

  it.skipIf(process.platform !== 'linux')('that has no memory for its rows says so', async () => {
    const limited = (kib: number, ...args: string[]): Promise<Ended> =>
      startProcess(['bash', '-c', `ulimit -v ${kib}; exec "$@"`, 'bash', process.execPath, main, ...args], { cwd })
        .ended
    const ended = await limited(4 << 20, 'train', 'a.yaml', '--out', 'memory', '--set', 'data.train=900000000')
    expectMessage(ended, /memory/)
  })
})

describe('a file that is written over', () => {
  it('keeps its permissions, and a link stays a link', async () => {
    const path = join(cwd, 'kept.csv')
    writeFileSync(path, 'old', { mode: 0o600 })
    symlinkSync('kept.csv', join(cwd, 'link.csv'))
    symlinkSync('new.csv', join(cwd, 'dangling.csv'))
    await writeFileAtomic(join(cwd, 'link.csv'), 'new')
    expect(await readFile(path, 'utf8')).toBe('new')
    expect(statSync(path).mode & 0o777).toBe(0o600)
    await writeFileAtomic(join(cwd, 'dangling.csv'), 'first')
    expect(await readFile(join(cwd, 'new.csv'), 'utf8')).toBe('first')
    expect(readdirSync(cwd).filter((name) => name.endsWith('.tmp'))).toEqual([])
  })

  it('may have the longest name that there is', async () => {
    const name = `${'n'.repeat(251)}.csv`
    await writeFileAtomic(join(cwd, name), 'long')
    expect(await readFile(join(cwd, name), 'utf8')).toBe('long')
    const wide = `${'ü'.repeat(125)}.npy`
    await writeFileAtomic(join(cwd, wide), 'wide')
    expect(await readFile(join(cwd, wide), 'utf8')).toBe('wide')
  })

  it('that is no regular file is left alone', async () => {
    mkdirSync(join(cwd, 'folder.csv'))
    await expect(writeFileAtomic(join(cwd, 'folder.csv'), 'x')).rejects.toThrow(
      expect.objectContaining({ code: 'EISDIR' }),
    )
  })

  it('leaves nothing of a writer that was killed, once it is written again', async () => {
    const pid = await new Promise<number>((resolve) => {
      const child = spawn('true')
      child.on('exit', () => resolve(child.pid as number))
    })
    await writeFileAtomic(join(cwd, 'again.csv'), 'x')
    // the name of a temporary file of this machine, from one that is being written
    let seen = ''
    await writeFileAtomic(
      join(cwd, 'again.csv'),
      (function* () {
        seen = readdirSync(cwd).find((name) => name.endsWith('.tmp')) ?? ''
        yield 'y'
      })(),
    )
    expect(seen).toMatch(/^\.again\.csv\.[0-9a-f]{20}\.tmp$/)
    const at = '.again.csv.'.length
    const dead = `${seen.slice(0, at + 6)}${pid.toString(16).padStart(8, '0')}${seen.slice(at + 14)}`
    writeFileSync(join(cwd, dead), 'left')
    writeFileSync(join(cwd, dead.replace('again', 'other')), 'left')
    await writeFileAtomic(join(cwd, 'again.csv'), 'z')
    expect(readdirSync(cwd).filter((name) => name.endsWith('.tmp'))).toEqual([dead.replace('again', 'other')])
  })
})
