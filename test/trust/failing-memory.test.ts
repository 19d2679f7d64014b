/**
 * Memory that is not there. Every allocation of the native engine fails in turn: an error of the library, the process lives, what
 * was saved before stays. Node, V8 and the renderer of pictures end the process where they get none: then, too, nothing is lost.
 */

import { spawnSync } from 'node:child_process'
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { readManifest } from '../../src/checkpoint/index.js'
import { built, type Ended, lfm, startProcess, tensorBits, workFolder } from '../cli/lfm.js'
import { expectSurvived, tinyConfig } from './failing.js'
import { long, patience } from './forms.js'
import { describeNative } from './machines.js'

const main = join(built(), 'cli/main.js')
const cwd = workFolder({ 'a.yaml': tinyConfig('native') })
const shim = join(cwd, 'failing-memory.so')
const source = new URL('./failing-memory.cc', import.meta.url).pathname
const compiles =
  process.platform === 'linux' &&
  spawnSync('g++', ['-shared', '-fPIC', '-O1', '-o', shim, source, '-ldl'], { stdio: 'inherit' }).status === 0

describeNative('an allocation of the engine that fails', () => {
  test
    .skipIf(!compiles)
    .each(
      (['once', 'rest'] as const).flatMap((how) => [
        ['train', how, 3] as const,
        ['evaluate', how, 1] as const,
        ['sample', how, 1] as const,
      ]),
    )(
    '%s, %s: is an error with what was kept, whichever it is, and the process goes on',
    async (what, how, few) => {
      const own = join(cwd, `${how}-${what}`)
      mkdirSync(own)
      writeFileSync(join(own, 'a.yaml'), tinyConfig('native'))
      const message = 'There is no memory|Cannot allocate memory|could not start a thread'
      const env = { LD_PRELOAD: shim, LFM_FAIL_COUNT: join(own, 'count'), LFM_FAIL_MESSAGE: message, LFM_THREADS: '2' }
      await expectSurvived({ what, how, few, cwd: own, env })
    },
    patience(120_000),
  )

  test.skipIf(!compiles)(
    'in a process of its own, where the engine is loaded: is an error in a line',
    async () => {
      const counted = join(cwd, 'calls')
      const failing = (at: number): Promise<Ended> => {
        const env = { LD_PRELOAD: shim, LFM_FAIL_AT: String(at), LFM_FAIL_COUNT: counted, LFM_THREADS: '2' }
        return startProcess([process.execPath, main, 'devices'], { cwd, env }).ended
      }
      const { code, stderr } = await failing(0)
      expect(code, stderr).toBe(0)
      const calls = Number(readFileSync(counted, 'utf8'))
      expect(calls).toBeGreaterThan(20)
      const turns = long ? Array.from({ length: calls }, (_, i) => i + 1) : [1, Math.floor(calls / 2)]
      for (const n of turns) {
        const ended = await failing(n)
        expect(ended.signal, `allocation ${n}: ${ended.stderr}`).toBeNull()
        expect(ended.stdout + ended.stderr, `allocation ${n}`).not.toMatch(/\n {4}at /)
      }
      console.log(JSON.stringify({ what: 'devices', calls, tried: turns.length }))
    },
    patience(60_000),
  )
})

describeNative('a process whose memory is limited', () => {
  test.skipIf(process.platform !== 'linux')(
    'loses nothing, wherever it ends, and goes on to the same bits',
    async () => {
      expect((await lfm(['train', 'a.yaml', '--out', 'whole'], { cwd })).code).toBe(0)
      const reference = await tensorBits(join(cwd, 'whole'))
      const spread = (least: number, most: number, few: number): number[] =>
        Array.from({ length: long ? 24 : few }, (_, i, n = long ? 24 : few) =>
          Math.round(least + ((i + 0.5) * (most - least)) / n),
        )
      const ended = { whole: 0, inTheMiddle: 0, withoutCheckpoint: 0 }
      const limits = [
        // MiB of JavaScript's heap, and of addresses
        ...spread(14, 32, 1).map((mib) => ['', `--max-old-space-size=${mib}`]),
        ...spread(1000, 2000, 1).map((mib) => [`ulimit -v ${mib * 1024};`, '--max-old-space-size=512']),
      ]
      for (const [limit, option] of limits) {
        const run = join(cwd, 'limited')
        rmSync(run, { recursive: true, force: true })
        const command = `ulimit -c 0; ${limit} exec "$@"`
        const args = [process.execPath, option, main, 'train', 'a.yaml', '--out', 'limited']
        const { code } = await startProcess(['bash', '-c', command, 'bash', ...args], { cwd }).ended
        const there = existsSync(join(run, 'manifest.json'))
        if (there) await readManifest(run)
        ended[code === 0 ? 'whole' : there ? 'inTheMiddle' : 'withoutCheckpoint']++
        const again = await lfm(['train', 'a.yaml', '--out', 'limited', ...(there ? ['--resume'] : [])], { cwd })
        expect(again.code, `${limit} ${option}: ${again.stderr}`).toBe(0)
        expect(await tensorBits(run), `${limit} ${option}`).toEqual(reference)
      }
      console.log(JSON.stringify({ limits: limits.length, ...ended }))
    },
    patience(60_000),
  )
})
