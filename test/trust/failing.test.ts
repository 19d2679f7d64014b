/**
 * Every call that changes a file fails once, in turn, through a whole training, an evaluation, a sampling; or all from there on
 * fail; or the process is killed before it. Whatever happens, the folder holds a checkpoint that loads or none, the message
 * says what was kept, and going on ends in the bits of a run that nothing happened to.
 */

import { cpSync, existsSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { beforeAll, describe, expect, it } from 'vitest'
import { readManifest } from '../../src/checkpoint/index.js'
import { built, type Ended, engine, lfm, startProcess, tensorBits, workFolder } from '../cli/lfm.js'
import { long, patience } from './forms.js'

const main = join(built(), 'cli/main.js')
const layer = new URL('./failing.mjs', import.meta.url).href
const config = `
data: { kind: toy, name: moons, train: 300, test: 20 }
model: { hidden: [8] }
flow: { gammas: [0.1, null] }
train: { steps: 20, batch: 50, checkpointEvery: 10 }
ode: { sample: { steps: 1 }, evaluate: { steps: 1 }, push: { steps: 1 } }
device: ${engine}
`
const cwd = workFolder({ 'a.yaml': config })

async function failing(
  args: readonly string[],
  under: string,
  at: number,
  how: string,
): Promise<Ended & { calls: number }> {
  const env = {
    LFM_FAIL_UNDER: join(cwd, under),
    LFM_FAIL_AT: String(at),
    LFM_FAIL_HOW: how,
    LFM_FAIL_COUNT: join(cwd, 'calls'),
  }
  rmSync(join(cwd, 'calls'), { force: true })
  const ended = await startProcess([process.execPath, '--import', layer, main, ...args], { cwd, env }).ended
  const counted = existsSync(join(cwd, 'calls'))
  return { ...ended, calls: counted ? Number(readFileSync(join(cwd, 'calls'), 'utf8')) : 0 }
}

/** n of 1 … calls: all of them, or some that are spread over the whole. */
const turns = (calls: number, few: number): number[] =>
  long
    ? Array.from({ length: calls }, (_, i) => i + 1)
    : Array.from({ length: few }, (_, i) => 1 + Math.floor(((i + 0.5) * calls) / few))

let reference: Record<string, string>
const all = ['ENOSPC', 'kill', 'rest', 'short', 'EIO'] as const
const hows = long ? all : all.slice(0, 2)

beforeAll(async () => {
  const { code, stderr, calls } = await failing(['train', 'a.yaml', '--out', 'whole'], 'whole', 0, '')
  expect(code, stderr).toBe(0)
  expect(calls).toBeGreaterThan(50)
  reference = await tensorBits(join(cwd, 'whole'))
}, patience(60_000))

const expectMessage = ({ code, signal, stderr }: Ended, how: string): void => {
  if (how === 'kill') return
  expect(signal).toBeNull()
  expect(stderr).not.toMatch(/\n {4}at /)
  if (code !== 0) expect(stderr).toMatch(/^lfm: .*(no space is left|the disk failed)/ms)
}

/** What nothing names. A lock of somebody who was killed stays until the next one comes. */
async function strays(run: string): Promise<string[]> {
  const { files } = await readManifest(run)
  const stored = new Set(files.map(({ file }) => file))
  const known = /^(manifest\.json|losses\.csv|report\.html|[a-z-]+\.png)$/
  return readdirSync(run).filter((name) => !stored.has(name) && !known.test(name))
}

describe.each(hows)('a call that changes a file: %s', (how) => {
  it(
    'in training: nothing is lost, and it goes on to the same bits',
    async () => {
      const { calls } = await failing(['train', 'a.yaml', '--out', 'count'], 'count', 0, '')
      rmSync(join(cwd, 'count'), { recursive: true })
      let refused = 0
      for (const n of turns(calls, 2)) {
        const run = join(cwd, 'run')
        rmSync(run, { recursive: true, force: true })
        const ended = await failing(['train', 'a.yaml', '--out', 'run'], 'run', n, how)
        expectMessage(ended, how)
        if (ended.code !== 0) refused++
        const there = existsSync(join(run, 'manifest.json'))
        if (there) {
          const { progress } = await readManifest(run)
          await tensorBits(run)
          if (how !== 'kill' && ended.code !== 0)
            expect(ended.stderr, `call ${n}`).toMatch(/Kept: |cannot be written|cannot be used/)
          if (ended.code === 0) expect(progress.phase).toBe('done')
        }
        const again = await lfm(['train', 'a.yaml', '--out', 'run', ...(there ? ['--resume'] : [])], { cwd })
        expect(again.code, `call ${n}: ${again.stderr}`).toBe(0)
        expect(await tensorBits(run), `call ${n}`).toEqual(reference)
        expect(await strays(run), `call ${n}`).toEqual([])
        rmSync(run, { recursive: true })
      }
      console.log(JSON.stringify({ training: how, calls, refused }))
      expect(refused).toBeGreaterThan(0)
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
      const { calls, code, stderr } = await failing(['evaluate', 'eval'], 'eval', 0, '')
      expect(code, stderr).toBe(0)
      for (const n of turns(calls, 1)) {
        fresh()
        const ended = await failing(['evaluate', 'eval'], 'eval', n, how)
        expectMessage(ended, how)
        expect(await tensorBits(join(cwd, 'eval'))).toEqual(reference)
        const again = await lfm(['evaluate', 'eval'], { cwd })
        expect(again.code, `call ${n}: ${again.stderr}`).toBe(0)
        expect(await strays(join(cwd, 'eval'))).toEqual([])
      }
      const sample = ['sample', 'whole', '-n', '10', '-o', 'samples.csv']
      const written = await failing(sample, 'samples.csv', 0, '')
      expect(written.code).toBe(0)
      const right = readFileSync(join(cwd, 'samples.csv'), 'utf8')
      // the temporary file lies beside it
      const total = await failing(sample, '.', 0, '')
      for (const n of turns(total.calls, 1)) {
        expectMessage(await failing(sample, '.', n, how), how)
        expect(readFileSync(join(cwd, 'samples.csv'), 'utf8'), `call ${n}`).toBe(right)
        expect((await lfm(sample, { cwd })).code).toBe(0)
        expect(
          readdirSync(cwd).filter((name) => name.endsWith('.tmp')),
          `call ${n}`,
        ).toEqual([])
      }
      console.log(JSON.stringify({ evaluating: how, calls, sampling: total.calls }))
    },
    patience(60_000),
  )
})
