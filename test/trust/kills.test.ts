/**
 * kill -9 at random moments of training, pushing, evaluating and sampling: every folder that is left loads, the run that is gone
 * on with ends in the bits of one that was never killed, and nothing is left over.
 */

import { existsSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as wait } from 'node:timers/promises'
import { beforeAll, describe, expect, it } from 'vitest'
import { readManifest } from '../../src/checkpoint/index.js'
import { RandomStream } from '../../src/random/stream.js'
import { built, engine, json, lfm, type Started, start, tensorBits, workFolder } from '../cli/lfm.js'
import { long, patience, tries } from './forms.js'

built()
const config = `
data: { kind: toy, name: moons, train: 3000, test: 50 }
model: { hidden: [32, 32] }
flow: { gammas: [0.1, 0.2, null] }
train: { steps: 300, batch: 100, checkpointEvery: 25 }
ode: { sample: { steps: 2 }, evaluate: { steps: 2 }, push: { steps: 20 } }
device: ${engine}
`
const cwd = workFolder({ 'a.yaml': config })
const KILLS = tries(8, 500)
const draws = new RandomStream(2026)
let drawn = 0
const uniform = (): number => draws.row(drawn++).uniform()

let reference: Record<string, string>
const formats = ['csv', 'npy'] as const
const samples: Record<string, Buffer> = {}
/** how long the commands take here, in milliseconds: kills fall into that time */
const takes = { train: 0, evaluate: 0, sample: 0 }
const killed = { train: 0, push: 0, evaluate: 0, sample: 0, ended: 0 }

const timed = async (name: keyof typeof takes, args: string[]): Promise<void> => {
  const began = performance.now()
  const { code, stderr } = await lfm(args, { cwd })
  expect(stderr, stderr).not.toMatch(/lfm:/)
  expect(code).toBe(0)
  takes[name] = performance.now() - began
}

beforeAll(async () => {
  await timed('train', ['train', 'a.yaml', '--out', 'whole'])
  reference = await tensorBits(join(cwd, 'whole'))
  await timed('evaluate', ['evaluate', 'whole'])
  for (const format of formats) {
    await timed('sample', ['sample', 'whole', '-n', '20000', '-o', `whole.${format}`])
    samples[format] = readFileSync(join(cwd, `whole.${format}`))
  }
}, patience(120_000))

/** Kills a command at a moment of its time; whether it was still there. */
async function kill({ child, ended }: Started, most: number): Promise<boolean> {
  const moment = wait(most * uniform()).then(() => child.kill('SIGKILL'))
  const { signal, code, stderr } = await ended
  await moment
  if (signal !== 'SIGKILL') expect(code, stderr).toBe(0)
  return signal === 'SIGKILL'
}

/** What a run folder holds beside the files that its manifest names. */
async function strays(run: string): Promise<string[]> {
  const { files } = await readManifest(run)
  const stored = new Set(files.map(({ file }) => file))
  const known = /^(manifest\.json|losses\.csv|report\.html|[a-z-]+\.png)$/
  return readdirSync(run).filter((name) => !stored.has(name) && !known.test(name))
}

describe('kill -9', () => {
  it(
    'loses nothing, wherever it falls',
    async () => {
      let kills = 0
      for (let life = 0; kills < KILLS; life++) {
        const run = join(cwd, `run-${life}`)
        const count = (what: keyof typeof killed): void => {
          killed[what]++
          if (what !== 'ended') kills++
        }
        for (let inTraining = 0; ; ) {
          const there = existsSync(join(run, 'manifest.json'))
          const before = there ? (await readManifest(run)).progress : null
          const session = start(['train', 'a.yaml', '--out', run, ...(there ? ['--resume'] : [])], { cwd })
          // after some kills a run is left to end by itself, for what comes after
          const wasKilled = kills < KILLS && inTraining < 4 && (await kill(session, 0.9 * takes.train))
          if (!wasKilled) {
            const { code, stderr } = await session.ended
            expect(code, stderr).toBe(0)
            count('ended')
            break
          }
          count(before?.phase === 'push' ? 'push' : 'train')
          inTraining++
          if (!existsSync(join(run, 'manifest.json'))) continue
          const { progress } = await readManifest(run)
          if (before)
            expect([progress.subFlow, progress.step]).toSatisfy(([n, k]) => n > before.subFlow || k >= before.step)
          await tensorBits(run)
        }
        expect(await tensorBits(run)).toEqual(reference)
        expect(await strays(run)).toEqual([])

        for (let i = 0; i < 2 && kills < KILLS; i++) {
          count((await kill(start(['evaluate', run], { cwd }), takes.evaluate)) ? 'evaluate' : 'ended')
          expect(await tensorBits(run)).toEqual(reference)
        }
        json(await lfm(['evaluate', run, '--json'], { cwd }))
        expect(await strays(run)).toEqual([])
        expect((await readManifest(run)).evaluation).toBeDefined()

        const format = formats[life % formats.length]
        const out = `samples-${life}.${format}`
        for (let i = 0; i < 3 && kills < KILLS; i++) {
          count(
            (await kill(start(['sample', run, '-n', '20000', '-o', out], { cwd }), takes.sample)) ? 'sample' : 'ended',
          )
          if (existsSync(join(cwd, out))) expect(readFileSync(join(cwd, out)).equals(samples[format])).toBe(true)
        }
        expect((await lfm(['sample', run, '-n', '20000', '-o', out], { cwd })).code).toBe(0)
        expect(readFileSync(join(cwd, out)).equals(samples[format])).toBe(true)
        // nor what the killed ones had drawn, which --resume would have gone on with
        expect(readdirSync(cwd).filter((name) => /\.tmp$|^\.?samples/.test(name))).toEqual([out])
        rmSync(run, { recursive: true })
        rmSync(join(cwd, out))
        if (long) console.log(JSON.stringify({ kills, lives: life + 1 }))
      }
      console.log(JSON.stringify({ kills, ...killed }))
    },
    patience(240_000),
  )
})
