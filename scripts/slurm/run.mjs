/**
 * npm run test:slurm: a comparison of 24 rows by a Slurm array of two slots, on a controller and a node that are started here. One
 * row's process is killed, one takes so long that it is told of its time limit, the controller is restarted, and the node is
 * lost and comes back. At the end the table must be that of a run without a cluster, and no row may have been made twice.
 *
 * Where Slurm cannot be installed or started, that is said loudly and the exit code is 0; with LFM_REQUIRE_SLURM=1 it is 1.
 */

import { execFile } from 'node:child_process'
import { copyFileSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import process from 'node:process'
import { setTimeout as wait } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { bringSlurm, Cluster, until } from './cluster.mjs'

const here = dirname(fileURLToPath(import.meta.url))
const main = join(here, '../../dist/cli/main.js')
const work = mkdtempSync(join(tmpdir(), 'lfm-slurm-'))
const out = join(work, 'rows')
const began = Date.now()
const seconds = () => ((Date.now() - began) / 1000).toFixed(0)
const say = (text) => console.log(`${seconds().padStart(4)} s  ${text}`)

function skip(why) {
  rmSync(work, { recursive: true, force: true })
  if (process.env.LFM_REQUIRE_SLURM === '1') {
    console.error(`test:slurm: ${why}`)
    process.exit(1)
  }
  console.log(`\n*** SKIPPED: nothing was tried on a Slurm cluster: ${why} ***\n`)
  process.exit(0)
}

function expectEqual(what, actual, expected) {
  const [a, b] = [JSON.stringify(actual), JSON.stringify(expected)]
  if (a !== b) throw new Error(`${what}: is ${a}, but should be ${b}`)
}

/** One thread each: two rows have two cores. */
const lfmEnv = { LFM_THREADS: '1', LFM_AUTOTUNE: 'off' }
async function lfm(words, env = process.env) {
  const command = [main, ...words, '--json']
  const options = { cwd: work, env: { ...env, ...lfmEnv }, maxBuffer: 1 << 26 }
  const { stdout } = await promisify(execFile)(process.execPath, command, options)
  return JSON.parse(stdout.trim().split('\n').at(-1))
}

const readJson = (...path) => {
  try {
    return JSON.parse(readFileSync(join(...path), 'utf8'))
  } catch {
    return null
  }
}
/** All that does not depend on the clock. */
const timeless = ({ blocks, files: _, fates: __, ...rest }) => ({
  ...rest,
  blocks: blocks.map(({ name, methods }) => [name, methods.map(({ seconds: _, ...method }) => method)]),
})
const parentOf = (pid) => Number(/^\d+ \(.*\) \S (\d+)/s.exec(readFileSync(`/proc/${pid}/stat`, 'utf8'))[1])

/** The process that is at work in a job's row, once it has a checkpoint from this step on; null until then. */
function atWork(plan, row, step) {
  const number = plan.jobs.findIndex(({ name }) => name === row)
  const owner = readJson(out, 'jobs', String(number), '.lock')
  const manifest = readJson(out, row, 'manifest.json')
  return owner && manifest?.progress.step >= step && manifest.progress.phase !== 'done' ? owner.pid : null
}

/** Whether a process that was stopped has been told that its time is nearly over. */
function isTold(pid) {
  const SIGUSR2 = 12
  const pending = /^ShdPnd:\s*(\w+)/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))[1]
  return (BigInt(`0x${pending}`) >> BigInt(SIGUSR2 - 1)) & 1n
}

async function scenario(cluster) {
  say('24 rows without a cluster, in two processes')
  await Promise.all([1, 2].map((job) => lfm(['compare', 'rows.yaml', '--out', 'alone', '--job', `${job}/2`])))
  const alone = await lfm(['compare', 'rows.yaml', '--out', 'alone', '--gather'])
  const rows = readdirSync(join(work, 'alone')).filter((name) => name.includes('-seed-'))
  expectEqual('rows', rows.length, 24)
  const { estimates } = await lfm(['compare', 'rows.yaml', '--out', 'alone', '--estimate', '2'])
  const aloneSeconds = (Date.now() - began) / 1000

  const submittedAt = Date.now()
  const words = ['compare', 'rows.yaml', '--out', 'rows', '--slurm', '--slots', '2']
  // a limit of a minute, the least that Slurm has, and told 40 s before
  const options = ['--time=1', '--signal=B:USR2@40'].map((option) => `--sbatch=${option}`)
  const { submitted, array } = await lfm([...words, ...options], cluster.env)
  expectEqual('submitted', submitted, 24)
  const plan = readJson(out, 'jobs/plan.json')

  const [killed, told] = await Promise.all([
    until('killed-seed-1 to be in its middle', () => atWork(plan, 'killed-seed-1', 5000)).then((pid) => {
      process.kill(pid, 'SIGKILL')
      say(`process ${pid} of killed-seed-1 was killed`)
      return pid
    }),
    until('told-seed-1 to be in its middle', () => atWork(plan, 'told-seed-1', 5000)).then((pid) => {
      process.kill(pid, 'SIGSTOP')
      say(`process ${pid} of told-seed-1 was stopped, so that it takes long`)
      return pid
    }),
  ])
  if (killed === told) throw new Error('two rows have one process')
  await cluster.end('slurmctld')
  say('the controller was ended')
  await wait(2000)
  await cluster.beginController()
  say('the controller is back')

  // the node is lost in the middle of the last row, once the other has been told
  const lost = until('lost-seed-2 to be in its middle', () => atWork(plan, 'lost-seed-2', 5000), 150).then((pid) => {
    process.kill(pid, 'SIGSTOP')
    return pid
  })
  await until('Slurm to tell told-seed-1', () => isTold(told), 90)
  process.kill(told, 'SIGCONT')
  say('told-seed-1 was told that its time is nearly over, and works on')
  const toldJob = String(plan.jobs.findIndex(({ name }) => name === 'told-seed-1'))
  const wrote = () => readJson(out, 'jobs', toldJob, 'record.json')?.tries.some(({ code }) => code === 140)
  await until('told-seed-1 to write that it was told', wrote, 30)
  const last = await lost
  const running = cluster.ask('squeue', '-h', '-r', '-t', 'R', '-o', '%K').split('\n')
  const workers = running.flatMap((number) => readJson(out, 'jobs', number, '.lock')?.pid ?? [])
  if (!workers.includes(last)) throw new Error(`the job of lost-seed-2 is not among the running ones, ${running}`)
  // all of the node: the daemon, Slurm's own process of each job, its shell, the work
  await cluster.end('slurmd', 'SIGKILL')
  for (const pid of workers.flatMap((one) => [parentOf(parentOf(one)), parentOf(one), one])) {
    process.kill(pid, 'SIGKILL')
  }
  say(`the node is gone, with ${workers.length} rows at work`)
  await until('the controller to see that', () => cluster.nodeState() === 'down', 90)
  say('the controller has seen it')
  await cluster.beginNode()
  say('the node is back')

  await until('all rows', () => cluster.ask('squeue', '-h', '-j', array) === '' || null, 150)
  say('all jobs have ended')
  const gathered = await lfm(['compare', 'rows.yaml', '--out', 'rows', '--gather'], cluster.env)

  const logs = readdirSync(join(out, 'jobs'))
    .filter((name) => name.endsWith('.log'))
    .map((name) => readFileSync(join(out, 'jobs', name), 'utf8'))
    .join('\n')
  const count = (pattern) => [...logs.matchAll(pattern)].length
  expectEqual('fates', gathered.fates, [])
  expectEqual('missing rows', gathered.missing, [])
  const made = [...logs.matchAll(/^(\S+) was made in/gm)].map(([, row]) => row).sort()
  expectEqual('rows that were made, each once', made, rows.sort())
  expectEqual('the table', timeless(gathered), timeless(alone))
  const tries = plan.jobs.map((_, i) => readJson(out, 'jobs', String(i), 'record.json').tries)
  const codes = tries.flat().map(({ code }) => code)
  const ends = { well: codes.filter((code) => code === 0).length, told: codes.filter((code) => code === 140).length }
  expectEqual(
    'jobs that ended well, each once',
    [ends.well, tries.filter((one) => one.at(-1).code === 0).length],
    [24, 24],
  )
  const again = count(/Exit code 140: queued again/g)
  if (ends.told < 1) throw new Error('no row wrote that it was told')
  expectEqual('killed rows that were queued again', count(/Exit code 137: queued again/g), 1)
  // one was killed, some were lost, and some may have been told before they could write that they were
  const cut = codes.filter((code) => code === null).length
  const most = 1 + workers.length + again - ends.told
  if (cut < 2 || cut > most) throw new Error(`${cut} tries have no end, of ${most} at most`)
  const makespan = (Date.now() - submittedAt) / 1000
  say(
    `24 rows by 2 slots in ${makespan.toFixed(0)} s (${estimates[0].seconds.toFixed(0)} s by the estimate if nothing happened; by two ` +
      `processes without a cluster ${aloneSeconds.toFixed(0)} s): 1 killed, ${again} told before their limit, the controller ` +
      `restarted, the node lost with ${workers.length} at work; ${codes.length} tries, each row made once, the table that of the ` +
      'run without a cluster',
  )
}

const missing = bringSlurm()
if (missing) skip(missing)
mkdirSync(join(work, 'cluster'))
copyFileSync(join(here, 'rows.yaml'), join(work, 'rows.yaml'))
const cluster = new Cluster(join(work, 'cluster'))
try {
  await cluster.start()
} catch (error) {
  const said = ['munged', 'slurmctld', 'slurmd'].map((name) => cluster.log(name).trim().split('\n').at(-1))
  await cluster.stop()
  skip(`it could not be started: ${error.message} (${said.filter(Boolean).join('; ')})`)
}
// by a terminal or a scheduler: nothing stays behind
for (const signal of ['SIGINT', 'SIGTERM']) {
  process.once(signal, async () => {
    await cluster.stop()
    rmSync(work, { recursive: true, force: true })
    process.exit(130)
  })
}
try {
  say('a controller and a node are up')
  await scenario(cluster)
} catch (error) {
  console.error(`test:slurm: ${error.message}`)
  for (const name of ['slurmctld', 'slurmd'])
    console.error(`--- ${name}\n${cluster.log(name).split('\n').slice(-40).join('\n')}`)
  console.error(cluster.ask('squeue', '-a', '-r') ?? '')
  if (process.env.LFM_KEEP) console.error(`kept: ${work}`)
  process.exitCode = 1
} finally {
  await cluster.stop()
  if (!process.exitCode || !process.env.LFM_KEEP) rmSync(work, { recursive: true, force: true })
}
