/** `lfm compare` by the jobs of a cluster: submitted with an sbatch that only remembers, done as Slurm and Kubernetes call them. */

import { chmodSync, existsSync, mkdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { beforeAll, describe, expect, it } from 'vitest'
import { parse } from 'yaml'
import { lockFolder } from '../../src/files/lock.js'
import type { JobPlan } from '../../src/run/cluster/plan.js'
import type { Comparison } from '../../src/run/compare/gather.js'
import {
  built,
  type Ended,
  engine,
  json,
  lfm,
  readText,
  start,
  tensorBits,
  untilCheckpoint,
  workFolder,
} from './lfm.js'

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

  it('says where the cluster has no arrays of so many, before anything is written', async () => {
    const { env, at } = cluster()
    const limit = (most: number): void => {
      writeFileSync(
        at('scontrol'),
        `#!/bin/bash\n[ "$*" = "show config" ] && echo 'MaxArraySize            = ${most}'\n`,
      )
      chmodSync(at('scontrol'), 0o755)
    }
    limit(6)
    const { code, stderr } = await compare('too-many', ['--slurm', '--seeds', '1,2,3,4'], env)
    expect(code).toBe(1)
    expect(stderr).toContain(
      'The jobs have numbers up to 7, but an array of this cluster has numbers up to 5 (MaxArraySize=6',
    )
    expect(stderr).toContain('Submit some of the seeds (--seeds)')
    expect(existsSync(at('asked'))).toBe(false)
    expect(existsSync(join(work, 'too-many'))).toBe(false)
    limit(8)
    expect((await compare('as-many', ['--slurm', '--seeds', '1,2,3,4'], env)).code).toBe(0)
  })

  it('says what sbatch says where that refuses', async () => {
    const { env, at } = cluster()
    writeFileSync(at('sbatch'), '#!/bin/bash\necho "sbatch: error: invalid partition specified: x" >&2\nexit 1\n')
    const { code, stderr } = await compare('refused-by-slurm', ['--slurm', '--sbatch=--partition=x'], env)
    expect(code).toBe(1)
    expect(stderr).toMatch(/^lfm: sbatch refused .*jobs\/array\.sh: sbatch: error: invalid partition specified: x$/m)
    expect(existsSync(join(work, 'refused-by-slurm/jobs/submitted.json'))).toBe(false)
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
    // seeds that were not planned, and a plan of another lfm
    const more = await compare('full', ['--gather', '--seeds', '2,3', '--json'], env)
    expect(json<{ fates: string[] }>(more).fates).toContainEqual(
      expect.stringMatching(
        /^linear-seed-3: it is not in the plan\. Submit it by: lfm compare .* --seeds 2,3 --slurm\.$/,
      ),
    )
    const path = join(work, 'full/jobs/plan.json')
    writeFileSync(path, readFileSync(path, 'utf8').replace('"version": 1', '"version": 2'))
    const newer = json<Comparison & { fates: string[] }>(await compare('full', ['--gather', '--json'], env))
    expect(newer.fates).toEqual([expect.stringMatching(/is a plan of version 2, and this version of lfm reads 1/)])
    expect(newer.missing).toEqual(missing)
    expect((await job('full', { SLURM_ARRAY_TASK_ID: '0' })).stderr).toMatch(/is a plan of version 2/)
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

describe('lfm train and lfm distill --slurm', () => {
  const CHAIN = `
data: { kind: csv, path: points.csv, validation: 60, test: 60 }
model: { hidden: [16], activation: silu }
flow: { gammas: [0.2, null], push: simulated, warmStart: false }
train: { batch: 64, steps: 20, checkpointEvery: 10 }
device: ${engine}
`
  const run = (words: string[], env: Record<string, string> = {}) => lfm(words, { cwd: work, env })

  it('train the sub-flows of a simulated push each by a job, which is not run twice, and join them', async () => {
    writeFileSync(join(work, 'chain.yaml'), CHAIN)
    const { env, at } = cluster()
    const words = ['train', 'chain.yaml', '--out', 'chain']
    expect(json(await run([...words, '--slurm', '--json'], env))).toMatchObject({ jobs: 2, submitted: 2 })
    const early = await run([...words, '--join'], env)
    expect(early.stderr).toMatch(/sub-flow 1: has not begun\..*sub-flow 2: has not begun\..*has no sub-flow 1, 2 of 2/s)
    expect((await job('chain', { SLURM_ARRAY_TASK_ID: '1' })).stdout).toContain('Trained one sub-flow, 20 steps')
    const again = await job('chain', { SLURM_ARRAY_TASK_ID: '1' })
    expect(again).toMatchObject({ code: 0, stdout: '' })
    expect(again.stderr).toContain('sub-flow-2 is there already.')
    json(await run([...words, '--slurm', '--json'], env))
    expect(readText(work, 'chain/jobs/array.sh')).toContain('#SBATCH --array=0\n')
    expect(readFileSync(at('asked'), 'utf8').trim().split('\n')).toHaveLength(2)
    expect((await job('chain', { SLURM_ARRAY_TASK_ID: '0' })).code).toBe(0)
    json(await run([...words, '--join', '--json'], env))
    json(await run(['train', 'chain.yaml', '--out', 'whole', '--json']))
    expect(await tensorBits(join(work, 'chain'))).toEqual(await tensorBits(join(work, 'whole')))
  })

  it('train another chain, and students, by one job, which goes on where it was', async () => {
    writeFileSync(join(work, 'plain.yaml'), CHAIN.replace(', push: simulated, warmStart: false', ''))
    const { env } = cluster()
    const submit = async (words: string[]): Promise<void> => {
      expect(json(await run([...words, '--slurm', '--json'], env))).toMatchObject({ jobs: 1, submitted: 1 })
    }
    await submit(['train', 'plain.yaml', '--out', 'plain', '--set', 'train.steps=3000'])
    const first = start(['job', 'plain/jobs/plan.json'], { cwd: work, env: { SLURM_ARRAY_TASK_ID: '0' } })
    await untilCheckpoint(first, join(work, 'plain'), ({ step }) => step >= 20)
    first.child.kill('SIGUSR2')
    expect((await first.ended).code).toBe(140)
    const second = await job('plain', { SLURM_ARRAY_TASK_ID: '0' })
    expect(second.stdout).toContain('Trained 2 sub-flows')
    const { tries } = JSON.parse(readText(work, 'plain/jobs/0/record.json'))
    expect(tries.map(({ code }: { code: number }) => code)).toEqual([140, 0])

    await submit([
      'distill',
      'plain',
      '--into',
      '1',
      '--kind',
      'reflow',
      '--out',
      'students',
      '--set',
      'train.steps=10',
    ])
    expect((await job('students', { SLURM_ARRAY_TASK_ID: '0' })).stdout).toContain('Trained one student')
    expect((await job('students', { SLURM_ARRAY_TASK_ID: '0' })).stderr).toContain('students is there already.')
    // of a teacher that is another now
    await submit(['distill', 'plain', '--into', '1', '--kind', 'reflow', '--out', 'others'])
    json(await run(['train', 'plain.yaml', '--out', 'plain', '--force', '--json']))
    expect((await job('others', { SLURM_ARRAY_TASK_ID: '0' })).stderr).toMatch(/there is no such file/)
  })

  it('have options that are refused without it', async () => {
    for (const more of [['--slots', '2'], ['--sbatch=--mem=1G']]) {
      const { code, stderr } = await run(['train', 'chain.yaml', '--out', 'refused', ...more])
      expect([code, stderr]).toEqual([2, expect.stringMatching(/must be left out, or given with --slurm/)])
    }
    expect((await compare('refused', ['--dry-run'])).stderr).toMatch(
      /--dry-run must be left out, or given with --slurm/,
    )
    expect((await compare('refused', ['--slurm', '--job', '1/2'])).code).toBe(2)
    expect((await compare('refused', ['--limit', '5'])).stderr).toMatch(
      /--limit must be left out, or given with --estimate/,
    )
    expect(existsSync(join(work, 'refused'))).toBe(false)
  })
})

it('is done by an indexed Kubernetes job, with the manifest of the documentation as it stands', async () => {
  const page = readFileSync(new URL('../../docs/scale.md', import.meta.url), 'utf8')
  const [, text] = /^<!-- not a config: a manifest of Kubernetes -->\n```yaml\n(.*?)^```$/ms.exec(page)!
  const { apiVersion, kind, spec } = parse(text)
  expect([apiVersion, kind, spec.completionMode]).toEqual(['batch/v1', 'Job', 'Indexed'])
  expect(spec.template.spec.restartPolicy).toBe('Never')
  const [{ command, workingDir, volumeMounts }] = spec.template.spec.containers
  expect(volumeMounts[0].mountPath).toBe(workingDir)
  expect(spec.template.spec.volumes[0].name).toBe(volumeMounts[0].name)
  const example = new URL('../../examples/compare/moons.yaml', import.meta.url).pathname
  const likeThere = ['--seeds', '1', '--out', 'there', '--plan', '--json']
  expect(json(await lfm(['compare', example, ...likeThere], { cwd: work })).jobs).toBe(spec.completions)
  // a study that is small enough for a test, in the folder of the page
  const words = (seeds: string) => ['compare', 'compare.yaml', '--out', 'runs/moons', '--seeds', seeds]
  mkdirSync(join(work, 'runs'))
  const planned = json(await lfm([...words('1,2'), '--plan', '--json'], { cwd: work }))
  expect(planned).toEqual({ jobs: 4, plan: join(work, 'runs/moons/jobs/plan.json') })
  expect(command[0]).toBe('lfm')
  const pod = await lfm(command.slice(1), { cwd: work, env: { JOB_COMPLETION_INDEX: '1', HOSTNAME: 'lfm-moons-1-x' } })
  expect(made(pod)).toEqual(['linear-seed-1'])
  expect(JSON.parse(readText(work, 'runs/moons/jobs/1/record.json')).tries[0].as).toBe('pod lfm-moons-1-x')
})

it('estimates what all rows would take, from those that are there', async () => {
  const none = await compare('timed', ['--estimate', '2'])
  expect(none.stderr).toMatch(/has no row of this comparison yet, whose time could be taken/)
  interface Estimated {
    work: number[]
    measured: number
    estimates: { slots: number; seconds: number; calls: number }[]
  }
  const {
    work: seconds,
    measured,
    estimates,
  } = json<Estimated>(await compare('alone', ['--estimate', '1,2', '--json']))
  expect([seconds.length, measured]).toEqual([4, 6])
  const sum = seconds.reduce((a, b) => a + b)
  expect(sum).toBeGreaterThan(0)
  // two seconds of start each
  expect(estimates[0]).toMatchObject({ slots: 1, calls: 4, seconds: expect.closeTo(sum + 8, 6) })
  expect(estimates[1].seconds).toBeLessThan(estimates[0].seconds)
  // rows of the other seed take as long as they did
  await compare('timed', ['--job', '4/4'])
  const half = json<Estimated>(await compare('timed', ['--estimate', '1', '--json']))
  expect(half.measured).toBe(1)
  expect(half.work[1]).toBe(half.work[3])
})

describe('lfm sample --slurm', () => {
  it('draws ranges by jobs, which are joined to the bytes of samples that were drawn at once', async () => {
    writeFileSync(
      join(work, 'flow.yaml'),
      `data: { kind: csv, path: points.csv }\ntrain: { batch: 64, steps: 3 }\ndevice: ${engine}\n`,
    )
    const run = (words: string[], env: Record<string, string> = {}) => lfm(words, { cwd: work, env })
    json(await run(['train', 'flow.yaml', '--out', 'flow', '--json']))
    const { env } = cluster()
    const words = ['sample', 'flow', '-n', '1000', '-o', 'drawn', '--seed', '5', '--evaluations', '3', '--slurm']
    const asked = await run(words, env)
    expect([asked.code, asked.stderr]).toEqual([
      2,
      expect.stringMatching(/--ranges must be given with --slurm or --plan/),
    ])
    expect((await run([...words.with(5, 'drawn.npy'), '--ranges', '3'], env)).stderr).toMatch(
      /must be a folder of parts/,
    )
    const submitted = await run([...words, '--ranges', '3'], env)
    expect(submitted.stdout).toContain('Once they are done: lfm join flow drawn/range-* -o FILE')
    const plan: JobPlan = JSON.parse(readText(work, 'drawn/jobs/plan.json'))
    expect(plan.jobs.map(({ name }) => name)).toEqual(['samples 0 to 332', 'samples 333 to 665', 'samples 666 to 999'])
    for (const index of ['2', '0']) expect((await job('drawn', { SLURM_ARRAY_TASK_ID: index })).code).toBe(0)
    const missing = await run(['join', 'flow', 'drawn/range-0', 'drawn/range-2', '-o', 'joined.npy'])
    expect(missing.stderr).toMatch(/Samples 333 to 665 are missing/)
    expect(json(await run([...words, '--ranges', '3', '--json'], env))).toMatchObject({ jobs: 3, submitted: 1 })
    expect((await job('drawn', { SLURM_ARRAY_TASK_ID: '1' })).code).toBe(0)
    expect((await run([...words, '--ranges', '3'], env)).stdout).toContain('All 3 jobs')
    json(await run(['join', 'flow', ...[0, 1, 2].map((i) => `drawn/range-${i}`), '-o', 'joined.npy', '--json']))
    json(
      await run(['sample', 'flow', '-n', '1000', '-o', 'at-once.npy', '--seed', '5', '--evaluations', '3', '--json']),
    )
    expect(readFileSync(join(work, 'joined.npy')).equals(readFileSync(join(work, 'at-once.npy')))).toBe(true)
    // the same folder, cut otherwise
    json(await run([...words, '--ranges', '2', '--json'], env))
    expect((await job('drawn', { SLURM_ARRAY_TASK_ID: '0' })).stderr).toMatch(/parts are of another call/)
    expect((await run(['join', 'flow', 'drawn/range-0', 'drawn/range-0', '-o', 'x.npy'])).stderr).toMatch(/both in/)
  })
})
