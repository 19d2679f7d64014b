/** `lfm distill` from the command line: a run of students samples, resumes bit-identically, is reported, and refuses in one line. */

import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { beforeAll, describe, expect, it } from 'vitest'
import { readManifest } from '../../src/checkpoint/index.js'
import { built, engine, json, jsonError, lfm, start, tensorBits, untilCheckpoint, workFolder } from './lfm.js'

const cwd = workFolder({
  'moons.yaml': `data: { kind: toy, name: moons, train: 600, test: 200 }
model: { hidden: [12], activation: silu }
flow: { gammas: [0.2, null], interpolant: arc }
train: { batch: 60, steps: 40, lr: 0.01 }
device: ${engine}
`,
})
const run = (...args: string[]) => lfm(args, { cwd })

beforeAll(async () => {
  built()
  json(await run('train', 'moons.yaml', '--out', 'teacher', '--json'))
  json(
    await run(
      'distill',
      'teacher',
      '--into',
      '2',
      '--kind',
      'pairs',
      '--out',
      'pairs',
      '--set',
      'train.steps=30',
      '--json',
    ),
  )
}, 120_000)

describe('a run of students', () => {
  it('is a run: it says what it is, samples by one evaluation each, and shows its teacher', async () => {
    const { config, extra, progress } = await readManifest(join(cwd, 'pairs'))
    expect(progress.phase).toBe('done')
    expect(config.raw).toMatchObject({ distill: { kind: 'pairs', into: 2 }, train: { steps: 30, ema: 0.5, batch: 60 } })
    expect(extra).toMatchObject({ stages: ['map', 'map'], report: { teacher: { folder: 'teacher', kind: 'pairs' } } })
    expect(json(await run('sample', 'pairs', '-n', '20', '-o', 'x.csv', '--json'))).toMatchObject({ nfe: 2, nfeMax: 2 })
    const page = readFileSync(join(cwd, 'pairs/report.html'), 'utf8')
    expect(page).toContain('2 students of teacher')
    expect(page).toContain('Teacher and students')
    expect(existsSync(join(cwd, 'pairs/teacher.png'))).toBe(true)
    expect(existsSync(join(cwd, 'pairs/forward-chain.png'))).toBe(false)
    // the quality of samples is measured, the likelihood left out
    const evaluated = json(await run('evaluate', 'pairs', '--samples', '200', '--json'))
    expect(evaluated).not.toHaveProperty('nll')
    expect(evaluated.curve).toMatchObject({ points: [{ evaluations: 2 }] })
  })

  it('goes on where it was killed, to the bits of one that was not', async () => {
    const args = ['distill', 'teacher', '--into', '2', '--kind', 'pairs', '--set', 'train.steps=6000']
    const often = ['--set', 'train.checkpointEvery=50']
    const killed = start([...args, '--out', 'killed', ...often], { cwd })
    const at = await untilCheckpoint(killed, join(cwd, 'killed'), ({ step }) => step >= 50)
    killed.child.kill('SIGKILL')
    await killed.ended
    expect(at.phase).not.toBe('done')
    json(await run(...args, '--out', 'killed', ...often, '--resume', '--json'))
    json(await run(...args, '--out', 'whole', ...often, '--json'))
    const [resumed, whole] = [await tensorBits(join(cwd, 'killed')), await tensorBits(join(cwd, 'whole'))]
    expect(Object.keys(whole).length).toBeGreaterThan(4)
    expect(resumed).toEqual(whole)
  }, 120_000)

  it('that stays a flow is scored', async () => {
    json(await run('distill', 'pairs', '--into', '1', '--kind', 'reflow', '--out', 'flow', '--json'))
    expect(json(await run('evaluate', 'flow', '--samples', '0', '--json'))).toHaveProperty('nll')
  })
})

describe('what cannot be is refused in one line', () => {
  const distil = (...args: string[]) => run('distill', ...args, '--json')
  it.each([
    [2, /whole number from 1 on/, ['teacher', '--into', '0', '--kind', 'pairs', '--out', 'no']],
    [2, /Allowed choices are/, ['teacher', '--into', '2', '--kind', 'pair', '--out', 'no']],
    [
      2,
      /--out must be another folder than the teacher’s/,
      ['teacher', '--into', '2', '--kind', 'pairs', '--out', 'teacher'],
    ],
    [1, /distill\.into must be at most 16/, ['teacher', '--into', '50', '--kind', 'pairs', '--out', 'no']],
    [
      1,
      /the teacher is a student of the kind pairs, whose maps have none/,
      ['pairs', '--into', '2', '--kind', 'pairs', '--out', 'no'],
    ],
    [1, /there is no manifest\.json in it/, ['.', '--into', '2', '--kind', 'pairs', '--out', 'no']],
    [1, /already holds a run/, ['teacher', '--into', '2', '--kind', 'pairs', '--out', 'pairs']],
    [
      1,
      /was begun with other settings \(distill\.into\)/,
      ['teacher', '--into', '1', '--kind', 'pairs', '--out', 'pairs', '--resume'],
    ],
  ])('exit code %d: %s', async (code, message, args) => {
    const ended = await distil(...args)
    expect(ended.code).toBe(code)
    // commander prints what it has to say about options
    const { message: said } = jsonError(ended)!
    expect(code === 2 && ended.stderr.startsWith('error') ? ended.stderr : said).toMatch(message)
    expect(existsSync(join(cwd, 'no'))).toBe(false)
  })

  it.each([
    [/A likelihood needs a flow/, ['score', 'pairs', 'x.csv']],
    [/solver must be left out/, ['sample', 'pairs', '-n', '2', '-o', 'y.csv', '--solver', 'rk4']],
    [/evaluations must be 2, one for each/, ['sample', 'pairs', '-n', '2', '-o', 'y.csv', '--evaluations', '5']],
  ])('%s', async (message, args) => {
    const ended = await run(...args, '--json')
    expect(ended.code).toBe(1)
    expect(jsonError(ended)!.message).toMatch(message)
  })

  it('a teacher without its parameters, or not finished', async () => {
    const begun = start(
      ['train', 'moons.yaml', '--out', 'begun', '--set', 'train.steps=100000', '--set', 'train.checkpointEvery=20'],
      { cwd },
    )
    await untilCheckpoint(begun, join(cwd, 'begun'), ({ step }) => step >= 20)
    begun.child.kill('SIGKILL')
    await begun.ended
    expect(jsonError(await distil('begun', '--into', '2', '--kind', 'pairs', '--out', 'no'))!.message).toMatch(
      /is not finished/,
    )
  })

  it('a config for lfm train that has the section of a student', async () => {
    const ended = await run('train', 'moons.yaml', '--out', 'no', '--set', 'distill={ kind: pairs, into: 2 }', '--json')
    expect(jsonError(ended)!.message).toMatch(/^distill is the section of a run that lfm distill has made/)
  })

  it('a teacher that has changed since a distillation was begun', async () => {
    json(await run('train', 'moons.yaml', '--out', 'other', '--set', 'train.lr=0.02', '--json'))
    const args = ['--into', '2', '--kind', 'pairs', '--out', 'pairs', '--resume']
    const ended = await distil('other', ...args, '--set', 'train.steps=30', '--set', 'train.lr=0.01')
    expect(jsonError(ended)!.message).toMatch(
      /^The teacher in other is not the one that the run in pairs was begun with/,
    )
  })
})
