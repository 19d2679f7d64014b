/** What stands between a command and a cluster: plans, numbers of jobs, batch scripts, and what is known of jobs that are missing. */

import { spawn, spawnSync } from 'node:child_process'
import { chmodSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, utimesSync, writeFileSync } from 'node:fs'
import { hostname, tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as wait } from 'node:timers/promises'
import { afterAll, describe, expect, it } from 'vitest'
import { lockFolder } from '../../src/files/lock.js'
import { clusterName, jobNumber } from '../../src/run/cluster/number.js'
import { checkInputs, inputsOf, readPlan, writePlan } from '../../src/run/cluster/plan.js'
import { beginTry, fateOf, readRecord } from '../../src/run/cluster/record.js'
import { type ArrayRequest, batchScript, ranges } from '../../src/run/cluster/slurm.js'

const root = mkdtempSync(join(tmpdir(), 'lfm-cluster-'))
afterAll(() => rmSync(root, { recursive: true, force: true }))
let count = 0
const newFolder = (): string => {
  const folder = join(root, String(count++))
  mkdirSync(folder)
  return folder
}
const never = new AbortController().signal
const begin = (folder: string, number: number, signal = never, note: (text: string) => void = () => {}) =>
  beginTry(folder, number, { as: null, signal, note })

describe('the number of a job', () => {
  it('is that of a Slurm array or of an indexed Kubernetes job, from 0 on', () => {
    expect(jobNumber({ SLURM_ARRAY_TASK_ID: '0' }, 4)).toBe(0)
    expect(jobNumber({ JOB_COMPLETION_INDEX: '3' }, 4)).toBe(3)
    expect(clusterName({ SLURM_ARRAY_JOB_ID: '12', SLURM_ARRAY_TASK_ID: '3', SLURM_RESTART_COUNT: '2' })).toBe(
      'Slurm 12_3, run again 2 times',
    )
    expect(clusterName({})).toBeNull()
  })

  it.each([
    [{}, /Nothing says which of 4 jobs this is: set SLURM_ARRAY_TASK_ID .*JOB_COMPLETION_INDEX/],
    [{ SLURM_ARRAY_TASK_ID: '4' }, /SLURM_ARRAY_TASK_ID must be a number from 0 to 3.*but is '4'/],
    [{ JOB_COMPLETION_INDEX: '' }, /JOB_COMPLETION_INDEX must be a number from 0 to 3/],
    [{ JOB_COMPLETION_INDEX: '-1' }, /JOB_COMPLETION_INDEX must be a number/],
  ])('is refused where it is none: %j', (env, message) => {
    expect(() => jobNumber(env as Record<string, string>, 4)).toThrow(message)
  })
})

describe('a plan', () => {
  const jobs = [{ name: 'a', words: ['compare', 'x'], run: null }]

  it('is read as it was written, of its own version alone', async () => {
    const folder = newFolder()
    const path = await writePlan(folder, { command: 'lfm compare', inputs: [], jobs })
    const plan = await readPlan(path)
    expect(plan).toMatchObject({ version: 1, command: 'lfm compare', jobs })
    writeFileSync(path, JSON.stringify({ ...plan, version: 2 }))
    await expect(readPlan(path)).rejects.toThrow(/is a plan of version 2, and this version of lfm reads 1/)
    writeFileSync(path, JSON.stringify({ ...plan, jobs: [{ name: 'a' }] }))
    await expect(readPlan(path)).rejects.toThrow(/is no plan: jobs\.0\.words/)
    writeFileSync(path, '{')
    await expect(readPlan(path)).rejects.toThrow(/is no plan: it is no JSON/)
    await expect(readPlan(join(folder, 'none.json'))).rejects.toThrow(/there is no such file/)
  })

  it('holds for the files that it was made from, as they were', async () => {
    const folder = newFolder()
    const [a, b] = [join(folder, 'a.yaml'), join(folder, 'b.yaml')]
    writeFileSync(a, 'x: 1')
    writeFileSync(b, 'y: 1')
    const path = await writePlan(folder, { command: 'lfm compare a', inputs: await inputsOf([a, b]), jobs })
    const plan = await readPlan(path)
    await checkInputs(plan, path)
    writeFileSync(b, 'y: 2')
    const refused = checkInputs(plan, path)
    await expect(refused).rejects.toThrow(/b\.yaml has changed since .*plan\.json was made.*again by: lfm compare a/)
    await expect(refused).rejects.not.toThrow(/a\.yaml/)
  })
})

const request: ArrayRequest = {
  folder: '/shared/100 %/it’s',
  name: 'lfm-compare',
  numbers: [0, 1, 2, 5, 7, 8],
  slots: 2,
  options: ['--partition=gpu', '--signal=B:USR2@300'],
  lfm: ['/usr/bin/node', '/opt/l f m/main.js'],
  plan: '/shared/plan.json',
}

describe('a batch script', () => {
  it('has the jobs that are asked for, and options that come later hold', () => {
    expect(ranges(request.numbers)).toBe('0-2,5,7-8')
    const script = batchScript(request)
    const directives = [...script.matchAll(/^#SBATCH (.*)$/gm)].map(([, text]) => text)
    expect(directives).toEqual([
      '--job-name=lfm-compare',
      '--array=0-2,5,7-8%2',
      '--requeue',
      '--signal=B:USR2@90',
      '--open-mode=append',
      '--output="/shared/100 %%/it’s/jobs/%a.log"',
      '--partition=gpu',
      '--signal=B:USR2@300',
    ])
    expect(script).toContain("/usr/bin/node '/opt/l f m/main.js' job /shared/plan.json &")
    expect(batchScript({ ...request, slots: null })).toContain('--array=0-2,5,7-8\n')
    expect(() => batchScript({ ...request, options: ['gpu'] })).toThrow(/must begin with -/)
    expect(() => batchScript({ ...request, options: ['--a\nrm -rf x'] })).toThrow(/one line/)
  })

  /** Runs a script whose work is a shell's, and tells what it asked of Slurm. */
  async function runScript(work: string, { restarts = '0', signal = '' } = {}) {
    const folder = newFolder()
    const asked = join(folder, 'asked')
    // Slurm takes a job away that is queued again
    writeFileSync(join(folder, 'scontrol'), `#!/bin/bash\necho "$@" > ${asked}\nkill -KILL $PPID\n`)
    writeFileSync(join(folder, 'work'), `#!/bin/bash\n${work}\n`)
    writeFileSync(join(folder, 'script'), batchScript({ ...request, lfm: [join(folder, 'work'), folder] }))
    for (const name of ['scontrol', 'work']) chmodSync(join(folder, name), 0o755)
    expect(spawnSync('bash', ['-n', join(folder, 'script')]).status).toBe(0)
    const env = {
      ...process.env,
      PATH: `${folder}:${process.env.PATH}`,
      SLURM_ARRAY_JOB_ID: '12',
      SLURM_ARRAY_TASK_ID: '5',
      SLURM_RESTART_COUNT: restarts,
    }
    const child = spawn('bash', [join(folder, 'script')], { env, stdio: ['ignore', 'ignore', 'inherit'] })
    const ended = new Promise<number | null>((resolve) => child.on('close', resolve))
    if (signal) {
      while (!existsSync(join(folder, 'ready'))) await wait(5)
      child.kill(signal as NodeJS.Signals)
    }
    const code = await ended
    return { code, asked: existsSync(asked) ? readFileSync(asked, 'utf8').trim() : null }
  }
  const obedient = `trap 'exit 140' USR2\ntrap 'exit 143' TERM\ntouch "$1/ready"\nfor i in {1..2000}; do sleep 0.01; done`

  it('hands on that its time is nearly over, and has itself queued again', async () => {
    expect((await runScript(obedient, { signal: 'SIGUSR2' })).asked).toBe('requeue 12_5')
  })

  it('has itself queued again where the work was killed, so many times', async () => {
    expect((await runScript('kill -KILL $$')).asked).toBe('requeue 12_5')
    expect(await runScript('kill -KILL $$', { restarts: '50' })).toEqual({ code: 137, asked: null })
  })

  it('ends where the work has ended, failed, or was told to end', async () => {
    expect(await runScript('exit 0')).toEqual({ code: 0, asked: null })
    expect(await runScript('exit 1')).toEqual({ code: 1, asked: null })
    expect(await runScript(obedient, { signal: 'SIGTERM' })).toEqual({ code: 143, asked: null })
  })
})

describe('what became of a job', () => {
  const fate = async (folder: string): Promise<[string, string]> => {
    const { what, words } = await fateOf(folder, 2, 'lfm compare --slurm')
    return [what, words]
  }

  it('is known from its lock and its tries', async () => {
    const folder = newFolder()
    expect(await fate(folder)).toEqual(['waiting', 'has not begun'])
    const first = await begin(folder, 2)
    expect(await fate(folder)).toEqual(['at work', expect.stringContaining(`at work on ${hostname()} since`)])
    await first.end(1, 'rows/a cannot be written: no space is left on the disk.')
    const [what, words] = await fate(folder)
    expect(what).toBe('failed')
    expect(words).toMatch(/failed: rows\/a cannot be written: no space is left.*jobs\/2\.log.*lfm compare --slurm/)
    const second = await begin(folder, 2)
    await second.end(140, 'Interrupted')
    expect(await fate(folder)).toEqual(['interrupted', expect.stringMatching(/was asked to end.*lfm compare --slurm$/)])
    expect((await readRecord(folder, 2)).tries.map(({ code }) => code)).toEqual([1, 140])
    await (await begin(folder, 2)).end(0, null)
    expect(await fate(folder)).toEqual(['lost', expect.stringContaining('its results are not there')])
  })

  it('is told of one whose node is lost for good: it wrote no end, and renews its lock no more', async () => {
    const folder = newFolder()
    const at = join(folder, 'jobs', '2')
    await begin(folder, 2)
    const record = join(at, 'record.json')
    writeFileSync(record, readFileSync(record, 'utf8').replace(JSON.stringify(hostname()), '"node17"'))
    const lock = join(at, '.lock')
    const owner = JSON.parse(readFileSync(lock, 'utf8'))
    writeFileSync(lock, JSON.stringify({ ...owner, host: 'node17', id: '0123456789abcdef' }))
    expect(await fate(folder)).toEqual(['at work', expect.stringContaining('node17')])
    const old = new Date(Date.now() - 6 * 60_000)
    utimesSync(lock, old, old)
    const [what, words] = await fate(folder)
    expect(what).toBe('lost')
    expect(words).toMatch(/its process on node17 is no more.*its node is lost.*lfm compare --slurm.*jobs\/2\.log/)
    // and it is run again
    await (await begin(folder, 2)).end(0, null)
    expect((await readRecord(folder, 2)).tries.map(({ code }) => code)).toEqual([null, 0])
  })

  it('a second try waits for the first, as long as nobody asks it to end', async () => {
    const folder = newFolder()
    const first = await begin(folder, 2)
    const notes: string[] = []
    const second = begin(folder, 2, never, (text) => notes.push(text))
    const third = new AbortController()
    const given = begin(folder, 2, third.signal, () => third.abort(new Error('asked to end')))
    await expect(given).rejects.toThrow('asked to end')
    while (notes.length === 0) await wait(5)
    expect(notes).toEqual([expect.stringMatching(new RegExp(`Process ${process.pid} on .* is at work in this job`))])
    await first.end(0, null)
    await (await second).end(0, null)
    expect((await readRecord(folder, 2)).tries).toHaveLength(2)
  })

  it('leaves nothing behind by looking', async () => {
    const folder = newFolder()
    mkdirSync(join(folder, 'jobs', '2'), { recursive: true })
    const lock = await lockFolder(join(folder, 'jobs', '2'))
    const before = spawnSync('ls', ['-A', join(folder, 'jobs', '2')], { encoding: 'utf8' }).stdout
    await fate(folder)
    expect(spawnSync('ls', ['-A', join(folder, 'jobs', '2')], { encoding: 'utf8' }).stdout).toBe(before)
    await lock.release()
  })
})
