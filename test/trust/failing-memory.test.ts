/** Every allocation of the native engine fails in turn: an error that says so, no crash, and what was saved before stays. */

import { spawnSync } from 'node:child_process'
import { existsSync, readFileSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { readManifest } from '../../src/checkpoint/index.js'
import { built, type Ended, lfm, startProcess, tensorBits, workFolder } from '../cli/lfm.js'
import { long, patience } from './forms.js'
import { describeNative } from './machines.js'

const main = join(built(), 'cli/main.js')
const cwd = workFolder({
  'a.yaml': `
data: { kind: toy, name: moons, train: 300, test: 20 }
model: { hidden: [8] }
flow: { gammas: [0.1, null] }
train: { steps: 20, batch: 50, checkpointEvery: 10 }
ode: { sample: { steps: 1 }, evaluate: { steps: 1 }, push: { steps: 1 } }
device: native
`,
})
const shim = join(cwd, 'failing-memory.so')
const source = new URL('./failing-memory.c', import.meta.url).pathname
const compiles =
  process.platform === 'linux' &&
  spawnSync('g++', ['-x', 'c', '-shared', '-fPIC', '-O1', '-o', shim, source, '-ldl'], { stdio: 'inherit' }).status ===
    0

async function failing(args: readonly string[], at: number, how = ''): Promise<Ended & { calls: number }> {
  const counted = join(cwd, 'calls')
  rmSync(counted, { force: true })
  const env = {
    LD_PRELOAD: shim,
    LFM_FAIL_AT: String(at),
    LFM_FAIL_HOW: how,
    LFM_FAIL_COUNT: counted,
    LFM_THREADS: '2',
  }
  const ended = await startProcess([process.execPath, main, ...args], { cwd, env }).ended
  return { ...ended, calls: existsSync(counted) ? Number(readFileSync(counted, 'utf8')) : 0 }
}

describeNative('an allocation of the engine that fails', () => {
  test.skipIf(!compiles)(
    'is an error with what was kept, whichever it is',
    async () => {
      const whole = await failing(['train', 'a.yaml', '--out', 'whole'], 0)
      expect(whole.code, whole.stderr).toBe(0)
      expect(whole.calls).toBeGreaterThan(20)
      const reference = await tensorBits(join(cwd, 'whole'))
      const some = [0.02, 0.5].map((share) => 1 + Math.floor(share * whole.calls))
      const turns = long ? Array.from({ length: whole.calls }, (_, i) => i + 1) : some
      let refused = 0
      for (const n of turns) {
        for (const how of long ? ['once', 'rest'] : ['once']) {
          const run = join(cwd, 'run')
          rmSync(run, { recursive: true, force: true })
          const ended = await failing(['train', 'a.yaml', '--out', 'run'], n, how)
          expect(ended.signal, `allocation ${n}: ${ended.stderr}`).toBeNull()
          expect(ended.stderr, `allocation ${n}`).not.toMatch(/\n {4}at /)
          if (ended.code === 0) continue
          refused++
          expect(ended.stderr, `allocation ${n}`).toMatch(
            /lfm: .*(There is no memory|could not be made|could not be compiled)/s,
          )
          const there = existsSync(join(run, 'manifest.json'))
          if (there) await readManifest(run)
          const again = await lfm(['train', 'a.yaml', '--out', 'run', ...(there ? ['--resume'] : [])], { cwd })
          expect(again.code, `allocation ${n}: ${again.stderr}`).toBe(0)
          expect(await tensorBits(run), `allocation ${n}`).toEqual(reference)
        }
      }
      console.log(JSON.stringify({ allocations: whole.calls, tried: turns.length, refused }))
      expect(refused).toBeGreaterThan(0)
    },
    patience(180_000),
  )
})
