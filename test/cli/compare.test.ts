/** `lfm compare` from the file to its tables: rows in folders of their own, made once, in jobs, interrupted, diverged. */

import { readdirSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { beforeAll, describe, expect, it } from 'vitest'
import type { Comparison } from '../../src/run/compare/gather.js'
import type { RowResult } from '../../src/run/compare/row.js'
import { built, type Ended, engine, json, lfm, readText, start, untilCheckpoint, workFolder } from './lfm.js'

const FILE = `
data: { kind: csv, path: points.csv, validation: 60, test: 60 }
model: { hidden: [16, 16], activation: silu }
train: { batch: 64, steps: 20, lr: 0.005, checkpointEvery: 10 }
ode: { evaluate: { steps: 4 } }
device: ${engine}
compare: { seeds: [1, 2], evaluations: [2, 4], samples: 60 }
methods:
  local: { label: Local Flow, flow: { gammas: [0.2, null], interpolant: arc } }
  plain: { flow: { recipe: plain, interpolant: arc, gammas: [0.2, null] } }
  wild: { flow: { recipe: plain, gammas: [null] }, train: { lr: 1.0e+30 } }
`
const points = (shift: number): string =>
  Array.from({ length: 300 }, (_, i) => `${Math.cos(i) + shift},${Math.sin(2 * i)}`).join('\n')
const work = workFolder({ 'compare.yaml': FILE, 'points.csv': `x,y\n${points(0)}\n` })
const compare = (more: string[]) => lfm(['compare', 'compare.yaml', ...more], { cwd: work })
const rowOf = (out: string, id: string): RowResult => JSON.parse(readText(work, out, id, 'row.json'))
/** All that does not depend on the clock. */
const timeless = ({ blocks, ...rest }: Comparison & { files?: object }) => ({
  ...rest,
  files: null,
  blocks: blocks.map(({ name, methods }) => ({
    name,
    methods: methods.map((method) => ({ ...method, seconds: null })),
  })),
})

let made: Ended
beforeAll(async () => {
  built()
  made = await compare(['--out', 'all', '--json'])
})

describe('lfm compare', () => {
  it('writes tables, a page and a run for each row', () => {
    const comparison = json<Comparison>(made)
    expect(comparison.blocks.map(({ name, methods }) => [name, methods.map(({ label }) => label)])).toEqual([
      ['width', ['Local Flow', 'plain', 'wild']],
      ['parameters', ['Local Flow', 'plain', 'wild']],
    ])
    const [local, plain] = comparison.blocks[0].methods
    expect(local).toMatchObject({ steps: 40, samplesSeen: 2560, seeds: [1, 2], parameters: { networks: 2 } })
    expect(plain).toMatchObject({ steps: 40, samplesSeen: 2560, parameters: { networks: 1 }, teraflop: { push: 0 } })
    expect(local.parameters.all).toBe(2 * local.parameters.each)
    expect(local.teraflop.push).toBeGreaterThan(0)
    expect(local.nll?.n).toBe(2)
    for (const { best } of [...local.points, ...plain.points]) {
      expect(best!.distance.mean).toBeGreaterThan(comparison.floor.mean / 3)
      expect(best!.evaluations).toBeLessThanOrEqual(4)
    }
    expect(comparison.blocks[1].methods[0].parameters.all).toBeLessThanOrEqual(plain.parameters.all)
    const table = readText(work, 'all', 'compare.md')
    expect(table).toContain('## Equal parameters in all')
    expect(table).toContain('| as many training rows (the floor) |')
    const page = readText(work, 'all', 'compare.html')
    expect(page).toContain('data:image/png;base64')
    expect(page).not.toMatch(/<script|https?:/)
  })

  it('has a row for a method that diverged, which says so, and the others beside it', () => {
    const comparison = json<Comparison>(made)
    expect(comparison.blocks[0].methods[2]).toMatchObject({ nll: null, points: [{ best: null }, { best: null }] })
    expect(rowOf('all', 'wild-seed-1').failed).toMatch(/The loss became/)
    expect(readText(work, 'all', 'compare.md')).toMatch(/wild \(wild-seed-1\): The loss became/)
  })

  it('measures every solver by every clock that fits, with the evaluations that they take', () => {
    const { samples } = rowOf('all', 'local-seed-1')
    const ways = samples.filter(({ allowed }) => allowed === 4).map(({ way }) => way)
    expect(ways).toEqual(expect.arrayContaining(['euler', 'euler in the angle', 'midpoint', 'ab2 in the angle']))
    expect(ways).not.toContain('rk4')
    for (const { allowed, evaluations } of samples) expect(evaluations).toBeLessThanOrEqual(allowed)
    // a single flow on the arc: its time is the angle
    expect(rowOf('all', 'plain-seed-1').samples.map(({ way }) => way)).not.toContain('euler in the angle')
  })

  it('does not make again what is there', async () => {
    const of = (name: string) =>
      readdirSync(join(work, 'all'))
        .filter((row) => row.includes('seed'))
        .map((row) => statSync(join(work, 'all', row, name)).mtimeMs)
    const before = [of('manifest.json'), of('row.json')]
    const again = json<Comparison>(await compare(['--out', 'all', '--json']))
    expect([of('manifest.json'), of('row.json')]).toEqual(before)
    expect(again).toEqual(json<Comparison>(made))
  })

  it('only measures again where another number of evaluations is asked for', async () => {
    const out = 'more'
    await compare(['--out', out, '--seeds', '1'])
    const at = () => statSync(join(work, out, 'plain-seed-1', 'manifest.json')).mtimeMs
    const before = at()
    const again = json<Comparison>(await compare(['--out', out, '--seeds', '1', '--evaluations', '2,6', '--json']))
    expect(at()).toBe(before)
    expect(again.blocks[0].methods[1].points.map(({ allowed }) => allowed)).toEqual([2, 6])
    expect(again.blocks[0].methods[1].points[1].best).not.toBeNull()
  })

  it('takes likelihoods by the solver that the method has now, of runs that were trained under another', async () => {
    writeFileSync(
      join(work, 'finer.yaml'),
      FILE.replace('evaluate: { steps: 4 }', 'evaluate: { solver: midpoint, steps: 3 }'),
    )
    const out = 'finer'
    await compare(['--out', out, '--seeds', '1'])
    const finer = await lfm(['compare', 'finer.yaml', '--out', out, '--seeds', '1', '--json'], { cwd: work })
    const [first] = json<Comparison>(finer).blocks[0].methods
    expect(first.likelihoodEvaluations).toBe(2 * 3 * first.parameters.networks)
  })

  it('makes the same rows in jobs, which are gathered', async () => {
    const early = await compare(['--out', 'jobs', '--gather'])
    expect(early).toMatchObject({ code: 1 })
    expect(early.stderr).toContain('no row of this comparison yet')
    expect(json(await compare(['--out', 'jobs', '--job', '1/2', '--json']))).toMatchObject({ job: '1/2' })
    const half = json<Comparison>(await compare(['--out', 'jobs', '--gather', '--json']))
    expect(half.missing.length).toBeGreaterThan(0)
    await compare(['--out', 'jobs', '--job', '2/2'])
    const all = json<Comparison>(await compare(['--out', 'jobs', '--gather', '--json']))
    expect(timeless(all)).toEqual(timeless(json<Comparison>(made)))
    expect((await compare(['--out', 'jobs', '--job', '3/2'])).stderr).toContain('I/N with I from 1 to N')
  })

  it('goes on where it was interrupted, to the same numbers', async () => {
    const slow = ['compare', 'compare.yaml', '--out', 'cut']
    const first = start(slow, { cwd: work })
    await untilCheckpoint(first, join(work, 'cut', 'local-seed-1'), ({ subFlow, step }) => subFlow > 1 || step >= 10)
    first.child.kill('SIGINT')
    const ended = await first.ended
    if (ended.code !== 0) expect(ended.stderr).toContain('The same command goes on')
    const all = json<Comparison>(await compare(['--out', 'cut', '--json']))
    expect(timeless(all)).toEqual(timeless(json<Comparison>(made)))
  })

  it('refuses other data and other settings in the same folder, and data without a validation part', async () => {
    writeFileSync(join(work, 'points.csv'), `x,y\n${points(1)}\n`)
    const changed = await compare(['--out', 'more', '--seeds', '1,2'])
    expect(changed).toMatchObject({ code: 1 })
    expect(changed.stderr).toContain('the data have changed')
    writeFileSync(join(work, 'points.csv'), `x,y\n${points(0)}\n`)
    writeFileSync(join(work, 'compare.yaml'), FILE.replace('lr: 0.005', 'lr: 0.006'))
    expect((await compare(['--out', 'all'])).stderr).toContain('was made with other settings of local')
    writeFileSync(join(work, 'compare.yaml'), FILE.replace('validation: 60, ', ''))
    expect((await compare(['--out', 'none'])).stderr).toContain('Give data.validation a number of rows')
    writeFileSync(join(work, 'compare.yaml'), FILE)
  })
})

describe('lfm compare with students', () => {
  const STUDENTS = `
data: { kind: csv, path: points.csv, validation: 60, test: 60 }
model: { hidden: [16, 16], activation: silu }
train: { batch: 64, steps: 20, lr: 0.005, checkpointEvery: 10 }
ode: { evaluate: { steps: 4 } }
device: ${engine}
compare: { seeds: [1], evaluations: [1, 2, 4], samples: 60, blocks: [width] }
methods:
  wild: { flow: { recipe: plain, gammas: [null] }, train: { lr: 1.0e+30 } }
  plain: { flow: { recipe: plain, interpolant: arc, gammas: [null] } }
  tame: { distill: { from: wild, kind: terminal, into: 1 } }
  maps: { distill: { from: plain, kind: terminal, into: 2 }, train: { steps: 20, checkpointEvery: 5 } }
  any: { distill: { from: plain, kind: any-step, into: 2 } }
  straight: { distill: { from: plain, kind: reflow, into: 2 } }
`
  const students = (more: string[]) => lfm(['compare', 'students.yaml', ...more], { cwd: work })
  let all: Comparison
  beforeAll(async () => {
    writeFileSync(join(work, 'students.yaml'), STUDENTS)
    all = json<Comparison>(await students(['--out', 'taught', '--json']))
  })

  it('has rows for them, whose samples take the evaluations that they can', () => {
    const [{ methods }] = all.blocks
    const [, plain, , maps, any, straight] = methods
    const taken = ({ points }: typeof plain) => points.map(({ best }) => best && [best.way, best.evaluations])
    expect(taken(maps)).toEqual([null, ['maps', 2], ['maps', 2]])
    expect(taken(any)).toEqual([1, 2, 4].map((evaluations) => ['jumps', evaluations]))
    expect(taken(straight)[0]).toBeNull()
    expect(taken(straight)[1]![1]).toBe(2)
    expect(maps).toMatchObject({
      student: { from: 'plain', kind: 'terminal', into: 2 },
      jumps: 2,
      steps: 40,
      samplesSeen: 2560,
      nll: null,
      parameters: { networks: 2 },
    })
    expect(any).toMatchObject({ jumps: 'any', parameters: { networks: 1 } })
    // a second time is a column of the first layer
    expect(any.parameters.each).toBe(plain.parameters.each + 16)
    expect([straight.nll!.n, straight.jumps, plain.student]).toEqual([1, null, null])
    // of a step of the kind terminal: the network with its tangent and the teacher's velocity too
    expect(maps.teraflop.training).toBeGreaterThan(1.5 * (plain.teraflop.training * 2))
    const table = readText(work, 'taught', 'compare.md')
    expect(table).toMatch(/\| method \| learnt from \| evaluations of a sample \|/)
    expect(table).toMatch(/\| maps \| plain: terminal, 2 \| 2 \| /)
    expect(table).toMatch(/\| any \| plain: any-step, 2 \| any number \| /)
    expect(table).toMatch(/\| plain \| the data \| by its solver \| /)
  })

  it('says why there are none of a teacher that diverged', () => {
    const { failures } = all.blocks[0].methods[2]
    expect(failures.map(({ message }) => message)).toEqual([
      'The teacher, wild-seed-1, was not trained to its end, so there are no students of it.',
    ])
  })

  it('goes on with one that was interrupted, to the same numbers, and refuses those of another teacher', async () => {
    const first = start(['compare', 'students.yaml', '--out', 'cut-taught'], { cwd: work })
    await untilCheckpoint(
      first,
      join(work, 'cut-taught', 'maps-seed-1'),
      ({ subFlow, step }) => subFlow > 1 || step >= 5,
    )
    first.child.kill('SIGINT')
    await first.ended
    const again = json<Comparison>(await students(['--out', 'cut-taught', '--json']))
    // a block of states that was made twice was paid for twice
    const pushless = (comparison: Comparison) => {
      const { blocks, ...rest } = timeless(comparison)
      const methods = blocks[0].methods.map(({ teraflop, ...method }) => ({ ...method, training: teraflop.training }))
      return { ...rest, methods }
    }
    expect(pushless(again)).toEqual(pushless(all))
    writeFileSync(
      join(work, 'students.yaml'),
      STUDENTS.replace('interpolant: arc, gammas', 'interpolant: linear, gammas'),
    )
    expect((await students(['--out', 'taught'])).stderr).toContain('was made with other settings of plain')
  })
})
