/**
 * Every call that changes a file fails once, in turn, through a whole training, an evaluation, a sampling; or all from there on
 * fail; or the process is killed before it. Whatever happens, the folder holds a checkpoint that loads or none, the message
 * says what was kept, and going on ends in the bits of a run that nothing happened to.
 */

import { cpSync, existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { beforeAll, describe, expect, it } from 'vitest'
import { readManifest } from '../../src/checkpoint/index.js'
import { built, type Ended, engine, lfm, startProcess, tensorBits, workFolder } from '../cli/lfm.js'
import { expectSurvived, tinyConfig } from './failing.js'
import { long, patience } from './forms.js'

const main = join(built(), 'cli/main.js')
const layer = new URL('./failing.mjs', import.meta.url).href
const cwd = workFolder({ 'a.yaml': tinyConfig(engine) })

describe.each(long ? ['ENOSPC', 'EIO', 'rest', 'short'] : ['ENOSPC', 'rest'])(
  'a call that changes a file: %s',
  (how) => {
    // all commands in one process, which must be able to go on after each
    it.each([['train', 3] as const, ['evaluate', 1] as const, ['sample', 1] as const])(
      '%s: nothing is lost, and the process goes on',
      async (what, few) => {
        const own = join(cwd, `${how}-${what}`)
        mkdirSync(own)
        writeFileSync(join(own, 'a.yaml'), tinyConfig(engine))
        const message = '^(?:.*)(no space is left|the disk failed)'
        const env = { LFM_FAIL_UNDER: `${own}/`, LFM_FAIL_MESSAGE: message, LFM_THREADS: '1' }
        await expectSurvived({ what, how, few, cwd: own, node: ['--import', layer], env })
      },
      patience(120_000),
    )
  },
)

describe('a process that is killed before a call that changes a file', () => {
  let reference: Record<string, string>

  async function killedAt(args: readonly string[], under: string, at: number): Promise<Ended & { calls: number }> {
    const counted = join(cwd, 'calls')
    const env = {
      LFM_FAIL_UNDER: join(cwd, under),
      LFM_FAIL_AT: String(at),
      LFM_FAIL_HOW: 'kill',
      LFM_FAIL_COUNT: counted,
    }
    rmSync(counted, { force: true })
    const ended = await startProcess([process.execPath, '--import', layer, main, ...args], { cwd, env }).ended
    return { ...ended, calls: existsSync(counted) ? Number(readFileSync(counted, 'utf8')) : 0 }
  }

  /** n of 1 … calls: all of them, or some that are spread over the whole. */
  const turns = (calls: number, few: number): number[] =>
    long
      ? Array.from({ length: calls }, (_, i) => i + 1)
      : Array.from({ length: few }, (_, i) => 1 + Math.floor(((i + 0.5) * calls) / few))

  /** What nothing names. A lock of somebody who was killed stays until the next one comes. */
  async function strays(run: string): Promise<string[]> {
    const { files } = await readManifest(run)
    const stored = new Set(files.map(({ file }) => file))
    const known = /^(manifest\.json|losses\.csv|report\.html|[a-z-]+\.png)$/
    return readdirSync(run).filter((name) => !stored.has(name) && !known.test(name))
  }

  let callsOfTraining = 0
  beforeAll(async () => {
    const { code, stderr, calls } = await killedAt(['train', 'a.yaml', '--out', 'whole'], 'whole', 0)
    expect(code, stderr).toBe(0)
    expect(calls).toBeGreaterThan(50)
    callsOfTraining = calls
    reference = await tensorBits(join(cwd, 'whole'))
  }, patience(60_000))

  it(
    'in training: nothing is lost, and it goes on to the same bits',
    async () => {
      for (const n of turns(callsOfTraining, 2)) {
        const run = join(cwd, 'run')
        rmSync(run, { recursive: true, force: true })
        const { signal, stderr } = await killedAt(['train', 'a.yaml', '--out', 'run'], 'run', n)
        expect(signal, `call ${n}: ${stderr}`).toBe('SIGKILL')
        const there = existsSync(join(run, 'manifest.json'))
        if (there) await tensorBits(run)
        const again = await lfm(['train', 'a.yaml', '--out', 'run', ...(there ? ['--resume'] : [])], { cwd })
        expect(again.code, `call ${n}: ${again.stderr}`).toBe(0)
        expect(await tensorBits(run), `call ${n}`).toEqual(reference)
        expect(await strays(run), `call ${n}`).toEqual([])
      }
      console.log(JSON.stringify({ what: 'train', how: 'kill', calls: callsOfTraining }))
    },
    patience(60_000),
  )

  it(
    'in evaluating and sampling: the run and the file before stay as they were',
    async () => {
      const fresh = (): void => {
        rmSync(join(cwd, 'eval'), { recursive: true, force: true })
        cpSync(join(cwd, 'whole'), join(cwd, 'eval'), { recursive: true })
      }
      fresh()
      const { calls, code, stderr } = await killedAt(['evaluate', 'eval'], 'eval', 0)
      expect(code, stderr).toBe(0)
      for (const n of turns(calls, 1)) {
        fresh()
        expect((await killedAt(['evaluate', 'eval'], 'eval', n)).signal).toBe('SIGKILL')
        expect(await tensorBits(join(cwd, 'eval'))).toEqual(reference)
        const again = await lfm(['evaluate', 'eval'], { cwd })
        expect(again.code, `call ${n}: ${again.stderr}`).toBe(0)
        expect(await strays(join(cwd, 'eval'))).toEqual([])
      }
      const sample = ['sample', 'whole', '-n', '10', '-o', 'samples.csv']
      expect((await lfm(sample, { cwd })).code).toBe(0)
      const right = readFileSync(join(cwd, 'samples.csv'), 'utf8')
      // the temporary file lies beside it
      const total = await killedAt(sample, '.', 0)
      for (const n of turns(total.calls, 1)) {
        expect((await killedAt(sample, '.', n)).signal).toBe('SIGKILL')
        expect(readFileSync(join(cwd, 'samples.csv'), 'utf8'), `call ${n}`).toBe(right)
        expect((await lfm(sample, { cwd })).code).toBe(0)
        expect(
          readdirSync(cwd).filter((name) => name.endsWith('.tmp')),
          `call ${n}`,
        ).toEqual([])
      }
      console.log(JSON.stringify({ how: 'kill', evaluating: calls, sampling: total.calls }))
    },
    patience(60_000),
  )
})
