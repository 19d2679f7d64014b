/** `lfm compare` by the jobs of a cluster: submitted with an sbatch that only remembers, done as Slurm and Kubernetes call them. */

import { chmodSync, existsSync, mkdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { beforeAll, describe, expect, it } from 'vitest'
import { lockFolder } from '../../src/files/lock.js'
import type { JobPlan } from '../../src/run/cluster/plan.js'
import type { Comparison } from '../../src/run/compare/gather.js'
import { built, type Ended, engine, json, lfm, readText, workFolder } from './lfm.js'

const FILE = `
data: { kind: csv, path: points.csv, validation: 60, test: 60 }
model: { hidden: [16], activation: silu }
train: { batch: 64, steps: 20, lr: 0.005, checkpointEvery: 10 }
ode: { evaluate: { steps: 4 } }
device: ${engine}
compare: { seeds: [1, 2], evaluations: [1, 2], samples: 60, blocks: [width] }
methods:
  arc: { flow: { recipe: plain, interpolant: arc, gammas: [null] } }
  linear: { flow: { recipe: plain, interpolant: linear, gammas: [null] } }
  maps: { distill: { from: arc, kind: terminal, into: 1 }, train: { steps: 10 } }
`
const points = Array.from({ length: 300 }, (_, i) => `${Math.cos(i)},${Math.sin(2 * i)}`).join('\n')
const work = workFolder({ 'compare.yaml': FILE, 'points.csv': `x,y\n${points}\n` })
const compare = (out: string, more: string[], env: Record<string, string> = {}) =>
  lfm(['compare', 'compare.yaml', '--out', out, ...more], { cwd: work, env })
const job = (out: string, env: Record<string, string>) => lfm(['job', `${out}/jobs/plan.json`], { cwd: work, env })

/** A folder for PATH in which are sbatch, which remembers, squeue, which prints the file `queue`, and nothing else. */
function cluster(): { env: Record<string, string>; at: (name: string) => string } {
  const bin = join(work, `bin${bins++}`)
  mkdirSync(bin)
  const at = (name: string): string => join(bin, name)
  writeFileSync(at('sbatch'), `#!/bin/bash\n[ "$1" = --version ] && exit\necho "$@" >> ${at('asked')}\necho '77;far'\n`)
  writeFileSync(at('squeue'), `#!/bin/bash\ncat ${at('queue')}\n`)
  writeFileSync(at('queue'), '')
  for (const name of ['sbatch', 'squeue']) chmodSync(at(name), 0o755)
  for (const name of ['bash', 'cat']) symlinkSync(`/bin/${name}`, at(name))
  return { env: { PATH: bin }, at }
}
let bins = 0

const timeless = ({ blocks, ...rest }: Comparison & { files?: object; fates?: object }) => ({
  ...rest,
  files: null,
  fates: null,
  blocks: blocks.map(({ methods }) => methods.map((method) => ({ ...method, seconds: null }))),
})
const made = ({ stderr }: Ended): string[] => [...stderr.matchAll(/^(\S+) was made in/gm)].map(([, id]) => id)

let alone: Comparison
beforeAll(async () => {
  built()
  alone = json<Comparison>(await compare('alone', ['--json']))
})

describe('lfm compare --slurm', () => {
  it('prints the script that it would submit, and writes nothing', async () => {
    const { code, stdout } = await compare('dry', ['--slurm', '--dry-run', '--slots', '2', '--sbatch=--mem=4G'])
    expect(code).toBe(0)
    expect(stdout).toMatch(/^#!\/bin\/bash\n/)
    expect(stdout).toContain('#SBATCH --array=0-3%2\n')
    expect(stdout).toContain('#SBATCH --mem=4G\n')
    expect(existsSync(join(work, 'dry'))).toBe(false)
  })

  it('says what to do where there is no sbatch', async () => {
    const { at } = cluster()
    rmSync(at('sbatch'))
    const { code, stderr } = await compare('none', ['--slurm'], { PATH: dirname(at('sbatch')) })
    expect(code).toBe(1)
    expect(stderr).toMatch(/^lfm: There is no sbatch on this machine\..*slurm-client.*lfm compare … --job I\/4/)
    expect(existsSync(join(work, 'none'))).toBe(false)
  })

  it('is submitted and done by jobs, to the numbers of a run without a cluster, each row once', async () => {
    const { env, at } = cluster()
    const submitted = json(await compare('jobs', ['--slurm', '--slots', '2', '--json'], env))
    expect(submitted).toMatchObject({ jobs: 4, submitted: 4, array: '77' })
    expect(readFileSync(at('asked'), 'utf8')).toBe(`--parsable ${join(work, 'jobs/jobs/array.sh')}\n`)
    const plan: JobPlan = JSON.parse(readText(work, 'jobs/jobs/plan.json'))
    expect(plan.jobs.map(({ name }) => name)).toEqual([
      'arc-seed-1, maps-seed-1',
      'linear-seed-1',
      'arc-seed-2, maps-seed-2',
      'linear-seed-2',
    ])
    writeFileSync(at('queue'), 'RUNNING\nPENDING\nPENDING\n')
    const again = await compare('jobs', ['--slurm'], env)
    expect(again).toMatchObject({ code: 1 })
    expect(again.stderr).toMatch(/are in the queue: array 77, 1 RUNNING, 2 PENDING\. Wait for them.*scancel 77/)
    writeFileSync(at('queue'), '')

    const first = await job('jobs', { SLURM_ARRAY_TASK_ID: '1' })
    expect(made(first)).toEqual(['linear-seed-1'])
    json(await compare('jobs', ['--slurm', '--json'], env))
    expect(readText(work, 'jobs/jobs/array.sh')).toContain('#SBATCH --array=0,2-3\n')

    const rest = [
      await job('jobs', { JOB_COMPLETION_INDEX: '0' }),
      await job('jobs', { SLURM_ARRAY_TASK_ID: '1' }),
      await job('jobs', { SLURM_ARRAY_TASK_ID: '2' }),
      await job('jobs', { SLURM_ARRAY_TASK_ID: '3' }),
    ]
    expect(rest.map(made)).toEqual([
      ['arc-seed-1', 'maps-seed-1'],
      [],
      ['arc-seed-2', 'maps-seed-2'],
      ['linear-seed-2'],
    ])
    expect(rest[1].stderr).toContain('linear-seed-1 is there already.')
    // the last to end makes the tables
    expect(rest[3].stdout).toContain('Report: ')
    const gathered = json<Comparison & { fates: string[] }>(await compare('jobs', ['--gather', '--json'], env))
    expect(timeless(gathered)).toEqual(timeless(alone))
    expect(gathered.fates).toEqual([])
    expect(json(await compare('jobs', ['--slurm', '--json'], env))).toEqual({ jobs: 4, submitted: 0, array: null })
  })

  it('names a row that failed with its reason and its log, and the others go on', async () => {
    const { env } = cluster()
    json(await compare('full', ['--slurm', '--json'], env))
    const layer = new URL('../trust/failing.mjs', import.meta.url).href
    const disk = { LFM_FAIL_UNDER: join(work, 'full/linear-seed-1'), LFM_FAIL_AT: '8', LFM_FAIL_HOW: 'rest' }
    const failed = await job('full', { SLURM_ARRAY_TASK_ID: '1', NODE_OPTIONS: `--import ${layer}`, ...disk })
    expect(failed).toMatchObject({ code: 1 })
    expect(failed.stderr).toMatch(/no space is left on the disk/)
    expect((await job('full', { SLURM_ARRAY_TASK_ID: '3' })).code).toBe(0)
    const gathered = await compare('full', ['--gather', '--json'], env)
    const { fates, missing } = json<Comparison & { fates: string[] }>(gathered)
    expect(missing).toEqual(['arc-seed-1', 'linear-seed-1', 'maps-seed-1', 'arc-seed-2', 'maps-seed-2'])
    expect(fates).toEqual([
      'arc-seed-1, maps-seed-1: has not begun.',
      expect.stringMatching(/^linear-seed-1: failed: .*no space is left on the disk.*full\/jobs\/1\.log.*--slurm\.$/),
      'arc-seed-2, maps-seed-2: has not begun.',
    ])
    expect(gathered.stderr).toContain(fates[1])
  })

  it('refuses jobs of a plan whose config has changed, and numbers that the plan does not have', async () => {
    const { env } = cluster()
    json(await compare('changed', ['--slurm', '--json'], env))
    expect((await job('changed', { SLURM_ARRAY_TASK_ID: '4' })).stderr).toMatch(/must be a number from 0 to 3/)
    expect((await job('changed', {})).stderr).toMatch(/Nothing says which of 4 jobs this is/)
    writeFileSync(join(work, 'compare.yaml'), FILE.replace('lr: 0.005', 'lr: 0.006'))
    const refused = await job('changed', { SLURM_ARRAY_TASK_ID: '0' })
    writeFileSync(join(work, 'compare.yaml'), FILE)
    expect(refused).toMatchObject({ code: 1 })
    expect(refused.stderr).toMatch(/compare\.yaml has changed since .*plan\.json was made.*lfm compare compare\.yaml/)
    expect(existsSync(join(work, 'changed/arc-seed-1'))).toBe(false)
  })

  it('refuses to gather where another process does', async () => {
    const lock = await lockFolder(join(work, 'alone'))
    try {
      const { code, stderr } = await compare('alone', ['--gather'])
      expect(code).toBe(1)
      expect(stderr).toMatch(
        new RegExp(`^lfm: The tables of alone cannot be made: process ${process.pid} on .* is at work in it since`),
      )
    } finally {
      await lock.release()
    }
  })
})

it('takes the number of a job from the environment without a plan', async () => {
  const ended = await compare('env', ['--job', 'env/4'], { JOB_COMPLETION_INDEX: '3' })
  expect(made(ended)).toEqual(['linear-seed-2'])
  expect((await compare('env', ['--job', 'env/4'])).stderr).toMatch(/Nothing says which of 4 jobs/)
})
