/**
 * A run that is killed, interrupted and out of space again and again ends bit-identical to one that was left alone. Every
 * session takes up where the one before was cut off, so the suite is one story.
 */

import { randomInt } from 'node:crypto'
import { appendFileSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as wait } from 'node:timers/promises'
import { beforeAll, describe, expect, it } from 'vitest'
import { readManifest } from '../../src/checkpoint/index.js'
import {
  built,
  engine,
  json,
  lfm,
  readText,
  type Started,
  start,
  tensorBits,
  untilCheckpoint,
  workFolder,
} from './lfm.js'

// on the reference device the story is the same, but shorter
const [steps, rows, pushSteps] = engine === 'native' ? [600, 12_000, 150] : [120, 2000, 8]

const work = workFolder({
  'moons.yaml': `
data:  { kind: toy, name: moons, train: ${rows}, test: 0 }
model: { hidden: [32, 32], activation: silu }
flow:  { gammas: [0.1, 0.2, null] }
train: { batch: 512, steps: ${steps}, checkpointEvery: 40, logEvery: 7, ema: 0.99, clip: 1, warmup: 50 }
ode:   { steps: 2, push: { steps: ${pushSteps} } }
seed:  11
`,
})
const run = join(work, 'run')
const command = (out: string, more: string[] = []): string[] => [
  ...['train', 'moons.yaml', '--out', out, '--device', engine, '--json', '--set', 'train.lr=0.004'],
  ...more,
]
const resume = (): Started => start(command('run', ['--resume']), { cwd: work })
const progress = async () => (await readManifest(run)).progress

/** Kills a session at a random moment soon after it has reached a place. */
async function kill(session: Started, reached: Parameters<typeof untilCheckpoint>[2], within: number): Promise<void> {
  await untilCheckpoint(session, run, reached)
  await wait(randomInt(within))
  session.child.kill('SIGKILL')
  expect((await session.ended).signal).toBe('SIGKILL')
}

let whole: Record<string, string>
beforeAll(async () => {
  built()
  json(await lfm(command('whole'), { cwd: work }))
  whole = await tensorBits(join(work, 'whole'))
})

describe('a run that is cut off', () => {
  it('by a kill in training leaves a checkpoint', async () => {
    await kill(start(command('run'), { cwd: work }), ({ step }) => step >= 40, 10)
    expect(await progress()).toMatchObject({ subFlow: 1, phase: 'train' })
  })

  it('in the midst of writing leaves no trace in what comes after', async () => {
    // what a killed writer leaves: files that no manifest names
    const name = 'training.0123456789abcdef.ck.safetensors'
    appendFileSync(join(run, name), 'half a file')
    await kill(resume(), ({ step }) => step >= steps / 2, 10)
    expect(readdirSync(run)).not.toContain(name)
  })

  it('by a disk that is full keeps the checkpoint before, and says so', async () => {
    // the pushed data are the first file that is larger
    const { code, stdout, stderr } = await lfm(command('run', ['--resume']), {
      cwd: work,
      fileLimit: engine === 'native' ? 60 : 12,
    })
    expect(code).toBe(1)
    expect(JSON.parse(stdout).error.name).toBe('CheckpointError')
    expect(stderr).toMatch(
      new RegExp(
        `lfm: A checkpoint cannot be written to run: .*\\. Kept: the checkpoint at sub-flow 1, step ${steps},`,
      ),
    )
    expect(await progress()).toEqual({ subFlow: 1, step: steps, phase: 'push' })
  })

  it('by a kill in a push goes back to the end of its training', async () => {
    const session = resume()
    await untilCheckpoint(session, run, ({ phase }) => phase === 'push')
    // the checkpoint was there before: the push is under way when its own has been written
    const { updated } = await readManifest(run)
    while ((await readManifest(run)).updated === updated) await wait(1)
    session.child.kill('SIGKILL')
    await session.ended
    expect(await progress()).toEqual({ subFlow: 1, step: steps, phase: 'push' })
  })

  it('by a kill in a later sub-flow keeps the pushed data', async () => {
    await kill(resume(), ({ subFlow, step }) => subFlow === 2 && step >= 40, 10)
    expect(await progress()).toMatchObject({ subFlow: 2, phase: 'train' })
    expect((await readManifest(run)).files.map(({ name }) => name)).toContain('pool.safetensors')
  })

  it('by Ctrl-C saves where it stands, says how to go on, and exits 130', async () => {
    // without checkpoints of its own a session is stopped in the midst of a stretch of steps, between two looks at the losses
    const session = start(command('run', ['--resume', '--set', 'train.checkpointEvery=off']), { cwd: work })
    await new Promise<void>((resolve) => {
      session.child.stderr?.on('data', (text) => {
        if (text.includes('│ step')) resolve()
      })
    })
    await wait(randomInt(2, 10))
    session.child.kill('SIGINT')
    const { code, stdout, stderr } = await session.ended
    expect(code).toBe(130)
    expect(JSON.parse(stdout).error.name).toBe('Interrupted')
    const { step } = await progress()
    expect(stderr.trimEnd().split('\n').at(-1)).toBe(
      `Interrupted: saved at step ${step} of sub-flow 2. Go on with: lfm train moons.yaml --out run --device ${engine} ` +
        '--set train.lr=0.004 --set train.checkpointEvery=off --resume',
    )
  })

  it('is not resumed with another config', async () => {
    const before = await progress()
    for (const change of ['train.batch=256', 'model.hidden=[16]', 'seed=12', 'flow.gammas=[0.1, 0.3, null]']) {
      const { code, stderr } = await lfm(command('run', ['--resume', '--set', change]), { cwd: work })
      expect(code).toBe(1)
      expect(stderr).toMatch(`lfm: The run in run was begun with other settings (${change.split('=')[0]}); `)
    }
    expect(await progress()).toEqual(before)
  })

  it('ends in the bits of one that was left alone, with every loss of it', async () => {
    const { subFlow, step } = await progress()
    const summary = json(await resume().ended)
    expect(summary).toMatchObject({ resumedFrom: { subFlow, step }, steps: 3 * steps })
    const bits = await tensorBits(run)
    expect(Object.keys(bits)).toEqual(expect.arrayContaining(['subflow.3.layers.2.bias', 'subflow.1.loss']))
    expect(bits).toEqual(whole)
    expect(readText(run, 'losses.csv')).toBe(readText(work, 'whole', 'losses.csv'))
    expect(readText(run, 'report.html')).toContain('was interrupted and resumed')
  })
})

describe('a run whose data have changed', () => {
  it('is not resumed', async () => {
    const line = (i: number): string => `${Math.sin(i)},${Math.cos(3 * i)}\n`
    const text = Array.from({ length: 100 }, (_, i) => line(i)).join('')
    appendFileSync(join(work, 'rows.csv'), text)
    appendFileSync(
      join(work, 'rows.yaml'),
      'data: { kind: csv, path: rows.csv, test: 0, shuffle: false }\nmodel: { hidden: [8] }\n' +
        'flow: { gammas: [null] }\ntrain: { batch: 50, steps: 100000, checkpointEvery: 5 }\n',
    )
    const args = ['train', 'rows.yaml', '--out', 'rows', '--device', engine]
    const session = start(args, { cwd: work })
    await untilCheckpoint(session, join(work, 'rows'), ({ step }) => step > 0)
    session.child.kill('SIGKILL')
    await session.ended
    appendFileSync(join(work, 'rows.csv'), line(100))
    const { code, stderr } = await lfm([...args, '--resume'], { cwd: work })
    expect(code).toBe(1)
    expect(stderr).toContain('not those that the run in rows was begun with')
  })
})
